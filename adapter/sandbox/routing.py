"""Which interaction a method and a path below the FHIR base ask for (FHIR R4, http.html)."""

from __future__ import annotations

from dataclasses import dataclass

from adapter.sandbox.outcomes import Refused, bad_request, not_found
from adapter.sandbox.resource_types import RESOURCE_TYPES, is_logical_id

_interactions: dict[str, dict[str, str]] = {
    "base": {"GET": "page", "POST": "bundle"},
    "metadata": {"GET": "capabilities"},
    "system history": {"GET": "history-system"},
    "type": {"GET": "search-type", "POST": "create", "PUT": "update"},
    "type search": {"POST": "search-type"},
    "type history": {"GET": "history-type"},
    "instance": {"GET": "read", "PUT": "update", "DELETE": "delete"},
    "instance history": {"GET": "history-instance"},
    "version": {"GET": "vread"},
}


@dataclass(frozen=True, slots=True)
class Route:
    """An interaction, named by its R4 restful-interaction code, and what it is about."""

    interaction: str
    resource_type: str = ""
    logical_id: str = ""
    version: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """Type and id."""
        return self.resource_type, self.logical_id


class MethodRefused(Refused):
    """405: the path exists, the method does not; `allowed` is for the Allow header."""

    def __init__(self, method: str, allowed: list[str]) -> None:
        self.allowed = allowed
        super().__init__(
            405, "not-supported", f"{method} is not supported here, only {', '.join(allowed)}"
        )


def route(method: str, path: str) -> Route:
    """Return the interaction; HEAD is taken as GET.

    Raises: Refused with 404 for an unknown path or resource type, 405 for another method, 400 for an id
        that breaks R4's rule.
    """
    segments = path.split("/") if path else []
    shape = _shape(segments)
    methods = _interactions[shape]
    interaction = methods.get("GET" if method == "HEAD" else method)
    if interaction is None:
        raise MethodRefused(method, sorted(methods))
    if shape in ("base", "metadata", "system history"):
        return Route(interaction)
    has_id = shape in ("instance", "instance history", "version")
    return Route(
        interaction,
        segments[0],
        segments[1] if has_id else "",
        segments[3] if shape == "version" else "",
    )


def _shape(segments: list[str]) -> str:
    match segments:
        case []:
            return "base"
        case ["metadata"]:
            return "metadata"
        case ["_history"]:
            return "system history"
        case [resource_type, *rest] if resource_type in RESOURCE_TYPES:
            return _shape_below_type(rest)
        case _:
            raise not_found("this path or resource type")


def _shape_below_type(rest: list[str]) -> str:
    match rest:
        case []:
            return "type"
        case ["_search"]:
            return "type search"
        case ["_history"]:
            return "type history"
        case [name, *_] if name.startswith("$"):
            raise Refused(404, "not-supported", "this server has no operations")
        case [logical_id, *_] if not is_logical_id(logical_id):
            raise bad_request("an id is 1 to 64 letters, digits, hyphens and full stops")
        case [_]:
            return "instance"
        case [_, "_history"]:
            return "instance history"
        case [_, "_history", _]:
            return "version"
        case _:
            raise not_found("this path")
