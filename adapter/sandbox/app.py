"""The sandbox as a Starlette application: `/fhir` and, beside it, `/_sandbox` for the tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from email.utils import format_datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from adapter.sandbox.admin import admin_routes
from adapter.sandbox.exchange import FHIR_JSON, FhirRequest, FhirResponse, Layer, RawResponse
from adapter.sandbox.lines import send_raw
from adapter.sandbox.outcomes import Refused
from adapter.sandbox.rules import Clock, ServerRules, utc_now
from adapter.sandbox.service import FhirService, refused

BASE_PATH = "/fhir"
_methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]


def create_app(
    database: str = ":memory:",
    *,
    rules: ServerRules | None = None,
    layers: Sequence[Layer] = (),
    clock: Clock = utc_now,
) -> Starlette:
    """Build the sandbox, with the FHIR base at `/fhir`; its `state.service` is the FhirService.

    `database` is a file for SQLite, created where missing, or `:memory:`; `rules` None takes the
    defaults; `layers` are wrapped around every FHIR exchange, the first outermost; `clock` gives
    the aware UTC moment that becomes `meta.lastUpdated`.

    Raises: ConfigError when the database cannot be used.
    """
    service = FhirService(database, rules=rules, layers=layers, clock=clock)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    async def fhir(request: Request) -> Response:
        body = await _body(request, service.rules.max_body_bytes)
        if body is None:
            refusal = Refused(413, "too-long", "the body is larger than this server takes")
            return _as_starlette(refused(refusal), clock())
        answer = await run_in_threadpool(service.answer, _as_fhir(request, body))
        return _as_starlette(answer, clock())

    app = Starlette(
        routes=[
            *admin_routes(service),
            Route(BASE_PATH, fhir, methods=_methods),
            Route(BASE_PATH + "/{path:path}", fhir, methods=_methods),
        ],
        lifespan=lifespan,
        exception_handlers={Exception: _internal_error},
    )
    app.state.service = service
    return app


async def _body(request: Request, limit: int) -> bytes | None:
    """Read the body, or None when it is larger than `limit` bytes.

    What is too large is read to its end and dropped, so that the client gets to see the answer.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= limit:
            parts.append(part)
        else:
            parts.clear()
    return b"".join(parts) if size <= limit else None


def _as_fhir(request: Request, body: bytes) -> FhirRequest:
    headers: dict[str, str] = {}
    for name, value in request.headers.items():
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return FhirRequest(
        request.method,
        request.path_params.get("path", ""),
        query=request.url.query,
        headers=headers,
        body=body,
        base_url=f"{request.url.scheme}://{request.url.netloc}{BASE_PATH}",
    )


class _Raw(Response):
    """An answer below HTTP."""

    def __init__(self, answer: RawResponse) -> None:
        super().__init__(status_code=answer.status)
        self._answer = answer

    async def __call__(self, scope: Scope, receive: Receive, _send: Send) -> None:
        await send_raw(self._answer, scope, receive)


def _as_starlette(answer: FhirResponse, now: datetime) -> Response:
    if isinstance(answer, RawResponse):
        return _Raw(answer)
    headers = {"Date": format_datetime(now, usegmt=True), **answer.headers}
    if answer.body:
        headers.setdefault("Content-Type", f"{FHIR_JSON};charset=utf-8")
    return Response(answer.body, status_code=answer.status, headers=headers)


async def _internal_error(_request: Request, _error: Exception) -> Response:
    # Starlette raises the error again after this answer, so that it reaches the log.
    return _as_starlette(
        refused(Refused(500, "exception", "an error of the server itself")), utc_now()
    )
