"""`/_sandbox`: what a test in another process needs beside the FHIR base.

Only loopback reaches it. What changes something wants a JSON body, so that no web page in a browser
on this machine can ask for it unasked.
"""

from __future__ import annotations

import json
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapter.errors import ConfigError
from adapter.sandbox.service import FhirService


class _Wrong(Exception):
    """The body is none that is taken here; the message says why."""


def admin_routes(service: FhirService) -> list[Route]:
    """Return the routes: `counts`, and `habits` to see, set (PUT) and change (PATCH)."""

    async def counts(_request: Request) -> Response:
        return JSONResponse(service.counts.as_json())

    async def habits(request: Request) -> Response:
        try:
            match request.method:
                case "PUT":
                    asked = await _object_in(request)
                    profile, seed = asked.pop("profile", None), asked.pop("seed", 0)
                    await run_in_threadpool(
                        service.habits.choose, asked, profile=profile, seed=seed
                    )
                case "PATCH":
                    await run_in_threadpool(service.habits.switch, await _object_in(request))
        except ConfigError as error:
            return JSONResponse({"problems": error.problems}, status_code=400)
        except _Wrong as error:
            return JSONResponse({"problems": [str(error)]}, status_code=400)
        return JSONResponse(service.habits.on)

    return [
        Route("/_sandbox/counts", counts, methods=["GET"]),
        Route("/_sandbox/habits", habits, methods=["GET", "PUT", "PATCH"]),
    ]


async def _object_in(request: Request) -> dict[str, Any]:
    if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
        raise _Wrong("Content-Type is application/json")
    try:
        content = json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise _Wrong("the body is not JSON") from error
    if not isinstance(content, dict):
        raise _Wrong("the body is an object")
    return content
