"""The description of the routes that are not FHIR, made from the table itself (OpenAPI 3.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from adapter.web.access import Role
from adapter.web.answers import NOTICE, json_answer
from adapter.web.routes import Route

_ERROR = {
    "description": "Refused: a stable code and a sentence.",
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["error", "message"],
                "properties": {"error": {"type": "string"}, "message": {"type": "string"}},
            }
        }
    },
}


def described(routes: Sequence[Route], software_version: str) -> tuple[Route, ...]:
    """Give these routes and, last, the one that describes them all."""
    content: dict[str, Any] = {}

    async def openapi(_: Request) -> Response:
        return json_answer(content)

    row = Route("/openapi.json", ("GET",), Role.WATCH, openapi, "This description.")
    everything = (*routes, row)
    content.update(document(everything, software_version))
    return everything


def document(routes: Sequence[Route], software_version: str) -> dict[str, Any]:
    """Describe the routes that are not FHIR."""
    paths: dict[str, Any] = {}
    for row in (one for one in routes if not one.is_fhir):
        path = row.path.replace(":path}", "}")
        paths[path] = {method.lower(): _operation(row, path, method) for method in row.methods}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "HER2 adapter",
            "version": software_version,
            "description": f"The FHIR routes are described by /fhir/metadata. {NOTICE}",
        },
        "paths": paths,
        "components": {
            "securitySchemes": {
                str(role): {"type": "http", "scheme": "bearer", "description": role_sentence(role)}
                for role in (Role.WATCH, Role.DERIVE, Role.SYNC)
            }
        },
    }


def role_sentence(role: Role) -> str:
    """Say which setting holds the token of a role."""
    return f"The token of the setting http.{role}_token."


def _operation(row: Route, path: str, method: str) -> dict[str, Any]:
    name = path.strip("/").replace("/", "-").replace("{", "").replace("}", "").replace(".", "-")
    said = {"summary": row.summary, "operationId": f"{method.lower()}-{name}", **row.operation}
    if parts := re.findall(r"\{(\w+)\}", path):
        said.setdefault("parameters", [_part(one) for one in parts])
    said["responses"] = {
        **said.get("responses", {"200": {"description": "Done."}}),
        "default": _ERROR,
    }
    if row.role not in (Role.OPEN, Role.NOTIFY):
        said["security"] = [{str(row.role): []}]
    return said


def _part(name: str) -> dict[str, Any]:
    """Describe a part of a path (OpenAPI 3.1, Parameter Object)."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
