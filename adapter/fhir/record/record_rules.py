"""Rules of FHIR R4 that the models of fhir.resources know of and do not enforce.

The models accept a performer that is a Device, a status that does not exist and a policy with
blanks. What is allowed stands in the metadata of their fields; this walk holds a validated resource
to it, and to obs-6, obs-7, absolute URIs and the form of ids. Problems name elements, not contents.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final, get_args

from adapter.fhir.identity import is_safe_id
from adapter.fhir.shapes import codings, objects

_ABSOLUTE: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*:\S+")
_TYPE_IN_REFERENCE: Final = re.compile(
    r"(?:^|/)([A-Z][A-Za-z]+)/[A-Za-z0-9.\-]{1,64}(?:/_history/|$)"
)
_URI_TYPES: Final = frozenset({"Uri", "Url", "Canonical", "Oid", "Uuid"})

_ALLOWED: Final[Mapping[tuple[str, str], frozenset[str]]] = {
    # The metadata cuts these lists short ("+"), or has none.
    ("Observation", "status"): frozenset(
        {"preliminary", "final", "amended", "corrected", "entered-in-error"}
    ),
    ("Quantity", "comparator"): frozenset({"<", "<=", ">=", ">"}),
}
"""Codes by model and element: for Observation.status, those that the adapter writes."""


def rule_problems(resource: Mapping[str, Any], model: Any) -> list[str]:
    """List what breaks a rule: "path: which rule"; empty when nothing does.

    Args:
        resource: a FHIR R4 resource as JSON.
        model: the same resource as an instance of its fhir.resources model.

    Source: FHIR R4 references.html, observation.html (obs-6, obs-7), datatypes.html (id, uri),
    element.html (ele-1).

    """
    kind = str(resource.get("resourceType"))
    empty = list(_empty(resource, kind))
    if empty:
        return empty
    problems = list(_walk(model, kind))
    identifier = resource.get("id")
    if identifier is not None and not is_safe_id(str(identifier)):
        problems.append("id: not at most 64 of letters, digits, '-' and '.', or digits only")
    return problems + _observation_problems(resource)


def _observation_problems(resource: Mapping[str, Any]) -> list[str]:
    if resource.get("resourceType") != "Observation":
        return []
    problems = []
    has_value = any(key.startswith("value") for key in resource)
    if has_value and "dataAbsentReason" in resource:
        problems.append("dataAbsentReason: beside a value (obs-6)")
    own = _codes(resource)
    if has_value and any(own & _codes(part) for part in objects(resource.get("component"))):
        problems.append("component: has the code of the Observation, which has a value (obs-7)")
    return problems


def _codes(element: Mapping[str, Any]) -> set[tuple[Any, Any]]:
    return {(one.get("system"), one.get("code")) for one in codings(element.get("code"))}


def _empty(value: Any, path: str) -> Iterator[str]:
    """Find what holds nothing: FHIR JSON knows no null, "", [] and {} (ele-1)."""
    if value in (None, "", [], {}):
        yield f"{path}: empty"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _empty(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _empty(item, f"{path}[{index}]")


def _walk(model: Any, path: str) -> Iterator[str]:
    fields = type(model).model_fields
    for name in model.model_fields_set:
        value = getattr(model, name)
        where = f"{path}.{fields[name].alias or name}"
        for index, item in enumerate(value) if isinstance(value, list) else [(None, value)]:
            place = where if index is None else f"{where}[{index}]"
            yield from _field_problems(type(model), name, item, place)
            if hasattr(type(item), "model_fields"):
                yield from _walk(item, place)


def _field_problems(owner: Any, name: str, value: Any, path: str) -> Iterator[str]:
    types, codes, is_uri = _rules_of(owner, name)
    if types and not types & {"Resource", "Any"}:
        found = _TYPE_IN_REFERENCE.search(getattr(value, "reference", None) or "")
        if found and found[1] not in types:
            yield f"{path}: a reference to {found[1]} is not allowed"
    if codes and value not in codes:
        yield f"{path}: not a code of its list"
    if is_uri and not _ABSOLUTE.fullmatch(str(value)):
        yield f"{path}: not an absolute URI without blanks"


@cache
def _rules_of(owner: Any, name: str) -> tuple[frozenset[str], frozenset[str], bool]:
    """Read from the metadata: allowed types of a reference, allowed codes, whether it is a URI."""
    field = owner.model_fields[name]
    extra = field.json_schema_extra or {}
    codes = frozenset(extra.get("enum_values", ()))
    if "+" in codes:
        codes = frozenset()
    codes = _ALLOWED.get((owner.__name__, name), codes)
    return frozenset(extra.get("enum_reference_types", ())), codes, _is_uri(field)


def _is_uri(field: Any) -> bool:
    pending = [field.annotation, *field.metadata]
    while pending:
        item = pending.pop()
        if type(item).__name__ in _URI_TYPES:
            return True
        pending.extend(get_args(item))
    return False
