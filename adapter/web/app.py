"""The application: every route behind the same door.

This is the one place of `web` that catches every exception: a bug answers 500 with an id that the log tells too,
and nothing else (S31).
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route as StarletteRoute

from adapter.web.access import Door, Verdict
from adapter.web.answers import Refused, refusal
from adapter.web.limits import Turnstile
from adapter.web.routes import Handler, Route

log = structlog.get_logger(__name__)

Watcher = Callable[[str, int], None]
"""Is told the path of a route's row ("" where there is none) and the status of each answer."""

_REFUSALS = {
    Verdict.NOT_OFFERED: Refused(404, "not-found", "There is nothing here."),
    Verdict.NOT_KNOWN: Refused(
        401, "not-known", "Show a bearer token for this route.", {"WWW-Authenticate": "Bearer"}
    ),
    Verdict.NOT_ALLOWED: Refused(403, "not-allowed", "This token is not for this route."),
}

_STOPPING = Refused(503, "stopping", "The adapter is stopping; come again.", {"Retry-After": "10"})


def create_app(
    routes: Sequence[Route], access: Door, *, watcher: Watcher = lambda _path, _status: None
) -> Starlette:
    """Put the routes together.

    Args:
        routes: the table; a path stands once.
        access: who may use them.
        watcher: counts the answers.

    """
    rows = [
        StarletteRoute(
            row.path,
            _behind_the_door(row, access, watcher),
            methods=list(row.methods),
            name=row.path,
        )
        for row in routes
    ]

    async def not_routed(request: Request, error: Exception) -> Response:
        is_fhir = request.url.path.startswith("/fhir/")
        status = error.status_code if isinstance(error, HTTPException) else 500
        watcher("", status)
        if status == 405:
            allowed = error.headers if isinstance(error, HTTPException) else None
            refused = Refused(405, "method", "This route takes other methods.", allowed)
            return refusal(refused, as_fhir=is_fhir)
        return refusal(_REFUSALS[Verdict.NOT_OFFERED], as_fhir=is_fhir)

    app = Starlette(routes=rows, exception_handlers={HTTPException: not_routed})
    app.router.redirect_slashes = False  # a redirect would quote the Host header of a stranger
    return app


def _behind_the_door(row: Route, access: Door, watcher: Watcher) -> Handler:
    turnstile = Turnstile(row.at_once)

    async def endpoint(request: Request) -> Response:
        try:
            answer = await _answered(request)
        except Refused as refused:
            answer = refusal(refused, as_fhir=row.is_fhir)
        except asyncio.CancelledError:
            # Only a stop cancels, once it has waited for what is under way; uvicorn would give a bare 500.
            answer = refusal(_STOPPING, as_fhir=row.is_fhir)
        except Exception as error:  # noqa: BLE001 - the one place: a bug answers, and the service goes on
            answer = _defect(row, error)
        watcher(row.path, answer.status_code)
        return answer

    async def _answered(request: Request) -> Response:
        verdict = access.verdict(row.role, request.headers.get("authorization"))
        if verdict is not Verdict.ALLOWED:
            raise _REFUSALS[verdict]
        with turnstile.passing():
            return await row.handler(request)

    return endpoint


def _defect(row: Route, error: Exception) -> Response:
    event_id = uuid.uuid4().hex
    log.error("request_failed", event_id=event_id, path=row.path.partition("{")[0], exc_info=error)
    return refusal(
        Refused(500, "defect", f"A defect of the adapter; its log tells of it under {event_id}."),
        as_fhir=row.is_fhir,
    )
