"""`/_sandbox`: what a test in another process needs beside the FHIR base.

Only loopback reaches it. What changes something wants a JSON body, so that no web page in a browser
on this machine can ask for it unasked.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from adapter.errors import ConfigError
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.service import FhirService


def admin_routes(service: FhirService) -> list[Route]:
    """Return the routes, all below `/_sandbox`.

    `counts` and `accesses` (GET) show what was asked; `habits` shows the habits that are on (GET),
    chooses them (PUT) or changes some (PATCH); `snapshot` and `restore` (POST) are a backup and its
    return.
    """
    return [
        _shown("counts", service.counts.as_json),
        _shown("accesses", service.accesses.as_json),
        _shown("habits", lambda: service.habits.on),
        _changed("habits", "PUT", partial(_choose, service)),
        _changed("habits", "PATCH", partial(_switch, service)),
        _changed("snapshot", "POST", lambda _asked: {"snapshot": service.snapshot()}),
        _changed("restore", "POST", partial(_restore, service)),
    ]


def _choose(service: FhirService, asked: JsonObject) -> object:
    habits = {name: value for name, value in asked.items() if name not in ("profile", "seed")}
    service.habits.choose(habits, profile=asked.get("profile"), seed=asked.get("seed", 0))
    return service.habits.on


def _switch(service: FhirService, asked: JsonObject) -> object:
    service.habits.switch(asked)
    return service.habits.on


def _restore(service: FhirService, asked: JsonObject) -> object:
    number = asked.get("snapshot")
    if number is not None and not isinstance(number, int):
        raise ConfigError(["snapshot is a number"])
    service.restore(number)
    return {}


def _shown(name: str, show: Callable[[], object]) -> Route:
    async def answer(_request: Request) -> Response:
        return JSONResponse(show())

    return Route(f"/_sandbox/{name}", answer, methods=["GET"])


def _changed(name: str, method: str, change: Callable[[JsonObject], object]) -> Route:
    async def answer(request: Request) -> Response:
        try:
            asked = _object_in(request.headers.get("content-type", ""), await request.body())
            return JSONResponse(await run_in_threadpool(change, asked))
        except ConfigError as error:
            return JSONResponse({"problems": error.problems}, status_code=400)

    return Route(f"/_sandbox/{name}", answer, methods=[method])


def _object_in(content_type: str, body: bytes) -> JsonObject:
    if content_type.partition(";")[0].strip() != "application/json":
        raise ConfigError(["Content-Type is application/json"])
    try:
        content = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ConfigError(["the body is not JSON"]) from error
    if not isinstance(content, dict):
        raise ConfigError(["the body is an object"])
    return content
