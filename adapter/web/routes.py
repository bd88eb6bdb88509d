"""One row for each route: where it is, who may use it, what it is for."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapter.web.access import Role

Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Route:
    """One route.

    `path`: as Starlette spells it, `{name}` for a segment and `{name:path}` for the rest. `summary`: one sentence
    for the description of the routes. `at_once`: requests under way together, others get 429. `is_fhir`: errors
    are OperationOutcomes, and it is not in the OpenAPI description but in the CapabilityStatement. `operation`:
    what the OpenAPI description says beyond that (parameters, requestBody, responses).
    """

    path: str
    methods: tuple[str, ...]
    role: Role
    handler: Handler
    summary: str
    at_once: int = 16
    is_fhir: bool = False
    operation: Mapping[str, Any] = field(default_factory=dict)
