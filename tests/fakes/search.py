"""How the fake server searches: the parameters the adapter uses, with two bad habits of servers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from functools import cache
from typing import Any

from adapter.errors import PermanentServerError
from adapter.ports import JsonObject, SearchParams

Wanted = tuple[str, ...]
"""The values of one parameter, of which one must fit."""
Test = Callable[[JsonObject, Wanted], bool]


@cache
def _wanted(value: str) -> Wanted:
    return tuple(value.split(","))


@cache
def _lowered(wanted: Wanted) -> Wanted:
    return tuple(one.lower() for one in wanted)


@cache
def _tokens(wanted: Wanted) -> frozenset[tuple[str | None, str | None]]:
    """Give (system, code); None where any will do."""
    parted = (one.rpartition("|") for one in wanted)
    return frozenset((system if bar else None, code or None) for system, bar, code in parted)


def _codings(concept: Any) -> Iterable[JsonObject]:
    return (concept or {}).get("coding", [])


def _token_of(items: Iterable[JsonObject], wanted: Wanted, value: str) -> bool:
    tokens = _tokens(wanted)
    return any(
        not tokens.isdisjoint(((None, code), (system, code), (system, None)))
        for item in items
        for system, code in ((item.get("system", ""), item.get(value)),)
    )


def _reference_is(element: Any, wanted: Wanted) -> bool:
    reference = (element or {}).get("reference", "")
    return bool(reference) and (reference in wanted or reference.rpartition("/")[2] in wanted)


def _code(resource: JsonObject, wanted: Wanted) -> bool:
    return _token_of(_codings(resource.get("code")), wanted, "code")


def _component_code(resource: JsonObject, wanted: Wanted) -> bool:
    return any(
        _token_of(_codings(part.get("code")), wanted, "code")
        for part in resource.get("component", [])
    )


def _text(concepts: Iterable[JsonObject], wanted: Wanted) -> bool:
    """Compare from the left, without case, as HAPI does."""
    said = [text for one in concepts for text in (one.get("text"), *_displays(one)) if text]
    return any(_is_beginning(text.lower(), _lowered(wanted)) for text in said)


def _is_beginning(text: str, wanted: Wanted) -> bool:
    return text.startswith(wanted)


def _displays(concept: JsonObject) -> Iterable[str]:
    return (item.get("display", "") for item in _codings(concept))


def _component_codes(resource: JsonObject) -> list[JsonObject]:
    return [part.get("code", {}) for part in resource.get("component", [])]


def _category(resource: JsonObject, wanted: Wanted) -> bool:
    return any(_token_of(_codings(one), wanted, "code") for one in resource.get("category", []))


@cache
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _last_updated(resource: JsonObject, wanted: Wanted) -> bool:
    (text,) = wanted
    changed = _instant(resource["meta"]["lastUpdated"])
    bound = _instant(text[2:])
    if text.startswith("lt"):
        return changed < bound
    if not text.startswith("ge"):
        raise AssertionError(f"only ge is safe for a watermark, not {text}")
    return changed >= bound


def _any(resource: JsonObject, element: str, wanted: Wanted) -> bool:
    items = resource.get(element, [])
    return any(
        _reference_is(item, wanted) for item in ([items] if isinstance(items, dict) else items)
    )


TESTS: dict[str, Test] = {
    "_id": lambda resource, wanted: resource["id"] in wanted,
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
        if not test(resource, _wanted(value)):
            return False
    return True
