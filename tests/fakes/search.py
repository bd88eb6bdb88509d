"""How the fake server searches: the parameters the adapter uses, with two bad habits of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from adapter.errors import PermanentServerError
from adapter.ports import JsonObject, SearchParams

Test = Callable[[JsonObject, str], bool]


def _codings(concept: Any) -> Iterable[JsonObject]:
    return (concept or {}).get("coding", [])


def _token_of(items: Iterable[JsonObject], wanted: str, value: str) -> bool:
    system, bar, code = wanted.rpartition("|")
    if bar and not code:
        return any(item.get("system") == system for item in items)
    return any(
        item.get(value) == code and (not bar or item.get("system") == system) for item in items
    )


def _reference_is(element: Any, wanted: str) -> bool:
    reference = (element or {}).get("reference", "")
    return bool(reference) and (reference == wanted or reference.rpartition("/")[2] == wanted)


def _code(resource: JsonObject, wanted: str) -> bool:
    return _token_of(_codings(resource.get("code")), wanted, "code")


def _component_code(resource: JsonObject, wanted: str) -> bool:
    return any(
        _token_of(_codings(part.get("code")), wanted, "code")
        for part in resource.get("component", [])
    )


def _text(concepts: Iterable[JsonObject], wanted: str) -> bool:
    """Compare from the left, without case, as HAPI does."""
    said = [text for one in concepts for text in (one.get("text"), *_displays(one)) if text]
    return any(_is_beginning(text.lower(), wanted.lower()) for text in said)


def _is_beginning(text: str, wanted: str) -> bool:
    return text.startswith(wanted)


def _displays(concept: JsonObject) -> Iterable[str]:
    return (item.get("display", "") for item in _codings(concept))


def _component_codes(resource: JsonObject) -> list[JsonObject]:
    return [part.get("code", {}) for part in resource.get("component", [])]


def _category(resource: JsonObject, wanted: str) -> bool:
    return any(_token_of(_codings(one), wanted, "code") for one in resource.get("category", []))


def _last_updated(resource: JsonObject, wanted: str) -> bool:
    changed = datetime.fromisoformat(resource["meta"]["lastUpdated"])
    bound = datetime.fromisoformat(wanted[2:])
    if wanted.startswith("lt"):
        return changed < bound
    if not wanted.startswith("ge"):
        raise AssertionError(f"only ge is safe for a watermark, not {wanted}")
    return changed >= bound


def _any(resource: JsonObject, element: str, wanted: str) -> bool:
    items = resource.get(element, [])
    return any(
        _reference_is(item, wanted) for item in ([items] if isinstance(items, dict) else items)
    )


TESTS: dict[str, Test] = {
    "_id": lambda resource, wanted: resource["id"] == wanted,
    "_lastUpdated": _last_updated,
    "_tag": lambda resource, wanted: _token_of(resource["meta"].get("tag", []), wanted, "code"),
    "identifier": lambda resource, wanted: _token_of(
        resource.get("identifier", []), wanted, "value"
    ),
    "code": _code,
    "component-code": _component_code,
    "combo-code": lambda resource, wanted: (
        _code(resource, wanted) or _component_code(resource, wanted)
    ),
    "code:text": lambda resource, wanted: _text([resource.get("code", {})], wanted),
    "component-code:text": lambda resource, wanted: _text(_component_codes(resource), wanted),
    "combo-code:text": lambda resource, wanted: _text(
        [resource.get("code", {}), *_component_codes(resource)], wanted
    ),
    "category": _category,
    "patient": lambda resource, wanted: _reference_is(resource.get("subject"), wanted),
    "subject": lambda resource, wanted: _reference_is(resource.get("subject"), wanted),
    "result": lambda resource, wanted: _any(resource, "result", wanted),
    "target": lambda resource, wanted: _any(resource, "target", wanted),
    "has-member": lambda resource, wanted: _any(resource, "hasMember", wanted),
    "derived-from": lambda resource, wanted: _any(resource, "derivedFrom", wanted),
}
"""Parameter → does this resource match one wanted value."""

INCLUDES: dict[str, str] = {
    "Observation:specimen": "specimen",
    "Observation:has-member": "hasMember",
}
REVERSE: dict[str, tuple[str, str]] = {
    "DiagnosticReport:result": ("DiagnosticReport", "result"),
    "Observation:has-member": ("Observation", "hasMember"),
    "Provenance:target": ("Provenance", "target"),
}


def matches(resource: JsonObject, params: SearchParams, *, unsupported: frozenset[str]) -> bool:
    """Whether all parameters match; an unsupported one matches nothing, silently, as on Medplum."""
    for name, value in params:
        if name in ("_count", "_sort", "_include", "_revinclude", "_elements", "_include:iterate"):
            continue
        if name in unsupported:
            return False
        test = TESTS.get(name)
        if test is None:
            raise PermanentServerError(f"HAPI-0524: unknown search parameter {name}", status=400)
        if not any(test(resource, wanted) for wanted in value.split(",")):
            return False
    return True
