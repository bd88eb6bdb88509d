"""`POST /fhir/$her2-derive`, and what the service says of it in FHIR: HTTP around a function that answers a Bundle.

The work runs in threads, a bounded number at once: a large Bundle keeps no health check waiting, and a flood waits or
is told to come again. What decides comes from the composition root; a category is neither made nor changed here.

Source: FHIR R4, operations.html (a lone resource parameter may be the body, the others the query).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Final, Protocol

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response

from adapter.errors import InputError
from adapter.web.access import Role
from adapter.web.answers import FHIR_JSON, HEADERS, Refused, json_answer
from adapter.web.fhir_documents import OPERATION, capability_statement, operation_definition
from adapter.web.limits import read_body
from adapter.web.media_types import accepts_fhir_json, is_fhir_json
from adapter.web.routes import Route

BASE_PATH: Final = "/fhir"
COUNTS_HEADER: Final = "Her2-Counts"
"""What became of the results by number, as a dictionary of RFC 9651."""
AT_ONCE: Final = 2
"""Bundles that are worked on at once: one that is large must not keep all others waiting."""
ADMITTED: Final = 16
"""Bundles that are held at once, those that are arriving and those that wait included."""

_PARAMETERS: Final = {"complete", "_format", "_pretty"}
_STATUSES: Final = {"too-large": 413, "not-complete": 422, "own-without-version": 422}
"""Code of an InputError → status, where it is not 400."""


class DerivedBundle(Protocol):
    """An answer: the Bundle as FHIR JSON, and what became of the results by number."""

    @property
    def content(self) -> bytes: ...  # noqa: D102

    @property
    def counts(self) -> Mapping[str, int]: ...  # noqa: D102


class Derive(Protocol):
    """Answers the bytes of a request; safe for several threads; raises InputError, whose message quotes nothing."""

    def __call__(self, body: bytes, *, complete: bool | None) -> DerivedBundle: ...  # noqa: D102


@dataclass(frozen=True)
class DeriveOperation:
    """The FHIR routes.

    `derive`: answers. `max_bytes`: of a body. `canonical_base`: what our canonical urls begin with. `version`: of the
    software.
    """

    derive: Derive
    max_bytes: int
    canonical_base: str
    version: str

    def routes(self) -> tuple[Route, ...]:
        """Give the rows of this room."""
        return (
            Route(
                f"{BASE_PATH}/${OPERATION}",
                ("POST",),
                Role.DERIVE,
                self.post,
                "Derive the HER2 categories of a Bundle; nothing is stored.",
                at_once=ADMITTED,
                is_fhir=True,
            ),
            Route(
                f"{BASE_PATH}/metadata",
                ("GET",),
                Role.DERIVE,
                self.metadata,
                "The CapabilityStatement.",
                is_fhir=True,
            ),
            Route(
                f"{BASE_PATH}/OperationDefinition/{OPERATION}",
                ("GET",),
                Role.DERIVE,
                self.definition,
                "The OperationDefinition of $her2-derive.",
                is_fhir=True,
            ),
        )

    async def post(self, request: Request) -> Response:
        """Answer a Bundle; raises Refused."""
        complete = _complete(request)
        _require_json_answer(request)
        if not is_fhir_json(request.headers.get("content-type", "")):
            raise Refused(415, "content-type", "Send application/fhir+json in UTF-8, of FHIR R4.")
        body = await read_body(request, self.max_bytes)
        async with self._threads:
            if await request.is_disconnected():  # nobody waits for it any more
                raise Refused(400, "gone", "The caller went away.")
            made = await self._derived(body, complete)
        counts = ", ".join(f"{name}={number}" for name, number in made.counts.items())
        return Response(made.content, 200, {**HEADERS, COUNTS_HEADER: counts}, FHIR_JSON)

    async def metadata(self, request: Request) -> Response:
        """Answer with the CapabilityStatement; raises Refused."""
        _require_json_answer(request)
        return json_answer(
            capability_statement(self.canonical_base, self.version), media_type=FHIR_JSON
        )

    async def definition(self, request: Request) -> Response:
        """Answer with the OperationDefinition; raises Refused."""
        _require_json_answer(request)
        return json_answer(
            operation_definition(self.canonical_base, self.version), media_type=FHIR_JSON
        )

    @cached_property
    def _threads(self) -> CapacityLimiter:
        return CapacityLimiter(AT_ONCE)  # made on first use, in the event loop that it belongs to

    async def _derived(self, body: bytes, complete: bool | None) -> DerivedBundle:
        try:
            return await to_thread.run_sync(partial(self.derive, body, complete=complete))
        except InputError as error:
            sentence = str(error)
            told = f"{sentence[:1].upper()}{sentence[1:]}."
            raise Refused(_STATUSES.get(error.code, 400), error.code, told) from error


def _complete(request: Request) -> bool | None:
    """Read the query: `complete`, at most once, and what FHIR lets every request say."""
    query = request.query_params
    if set(query) - _PARAMETERS:
        raise Refused(400, "unknown-parameter", "The parameters are bundle and complete.")
    given = query.getlist("complete")
    if len(given) > 1:
        raise Refused(400, "parameter-twice", "A parameter is given twice.")
    if given and given[0] not in ("true", "false"):
        raise Refused(400, "parameters-malformed", "The parameter complete is true or false.")
    return given[0] == "true" if given else None


def _require_json_answer(request: Request) -> None:
    accept = ", ".join(request.headers.getlist("accept"))
    if not accepts_fhir_json(accept, request.query_params.get("_format")):
        raise Refused(406, "json-only", "Answers are application/fhir+json, of FHIR R4.")
