"""Reads a Bundle of which some resources are no strict JSON: those are refused, the others kept.

One stored resource with a key given twice must not hide all that came with it. But who refuses it
has to know whom it is about: its patient is not decided without it. So it is refused alone only
where its type, its id and its subject can each be read in one way; and what stands around the
resources, the entries and links of the Bundle, has to be as strict as ever. Everything else is
refused whole. Nothing of what a refused resource says beyond these is given on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapter.errors import InputError
from adapter.fhir.strict_json import (
    MAX_BYTES,
    MAX_DEPTH,
    check_text,
    first_value,
    read_decimal,
    read_integer,
    read_json,
)
from adapter.ports import REFUSED_ALONE, JsonObject, RefusedResource

MOST_DEPTH: Final = 4
"""A resource may be so many times deeper than is read and is refused alone; the parser is safe there."""
_AROUND: Final = 3
"""Levels of a Bundle around a resource: itself, the list of its entries, an entry."""
_BUNDLES: Final = ("searchset", "batch-response")
_TYPE: Final = re.compile(r"[A-Z][A-Za-z]{1,63}")
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")


def read_bundle(
    data: bytes, *, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH
) -> JsonObject:
    """Read one JSON object strictly; in a searchset or batch-response a bad resource is refused alone.

    There a RefusedResource stands in the entry in place of the resource. Limits as `read_json`.

    Raises InputError as `read_json` where the defect is not inside one entry's resource, or where
    nobody could tell whose that resource is.
    """
    try:
        return read_json(data, max_bytes=max_bytes, max_depth=max_depth)
    except InputError as error:
        if error.code not in REFUSED_ALONE:
            raise
        bundle = _with_refused(data, max_bytes=max_bytes, max_depth=max_depth)
        if bundle is None:
            raise
        return bundle


@dataclass(frozen=True)
class _Flaw:
    """Stands where a number or NaN cannot be read."""

    code: str


@dataclass(frozen=True)
class _Doubled:
    """An object that has a key twice, with all that it has."""

    pairs: list[tuple[str, Any]]


def _with_refused(data: bytes, *, max_bytes: int, max_depth: int) -> JsonObject | None:
    """Read a Bundle again, defects marked in place; None where it has to be refused whole."""
    bundle, rest = first_value(
        data, _DECODER, max_bytes=max_bytes, max_depth=MOST_DEPTH * max_depth
    )
    if rest or not isinstance(bundle, dict) or bundle.get("type") not in _BUNDLES:
        return None
    entries = bundle.get("entry")
    if bundle.get("resourceType") != "Bundle" or not isinstance(entries, list):
        return None
    if not all(isinstance(entry, dict) for entry in entries):
        return None
    around = [{**entry, "resource": None} if "resource" in entry else entry for entry in entries]
    if _flaw_in({**bundle, "entry": around}, max_depth) is not None:
        return None
    read: list[JsonObject] = []
    for entry in entries:
        resource = entry.get("resource")
        code = _flaw_in(resource, max_depth - _AROUND)
        if code is not None:
            refused = _refused(resource, code)
            if refused is None:
                return None
            entry["resource"] = refused
        read.append(entry)
    return {**bundle, "entry": read}


def _refused(resource: Any, code: str) -> RefusedResource | None:
    """Say of a resource what is beyond doubt; None where that is not enough to know whose it is."""
    kind, logical_id = _once(resource, "resourceType"), _once(resource, "id")
    if not (isinstance(kind, str) and _TYPE.fullmatch(kind)):
        return None
    if not (isinstance(logical_id, str) and _ID.fullmatch(logical_id) and logical_id.strip(".")):
        return None
    known: JsonObject = {"resourceType": kind, "id": logical_id}
    if kind != "Patient":
        subject = _once(resource, "subject")
        if not isinstance(subject, dict) or _flaw_in(subject, MAX_DEPTH) is not None:
            return None
        reference = subject.get("reference")
        if not isinstance(reference, str) or not reference:
            return None
        known["subject"] = {"reference": reference}
    return RefusedResource(known, code, frozenset(_references_in(resource)))


def _once(item: Any, name: str) -> Any:
    """Give the value of a key that an object has exactly once; else None."""
    found = [value for key, value in _pairs(item) if key == name]
    return found[0] if len(found) == 1 else None


def _references_in(resource: Any) -> Iterator[str]:
    """Give every text under a key "reference", each of several."""
    pending = [resource]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        for key, value in _pairs(item):
            if key == "reference" and isinstance(value, str):
                yield value
            else:
                pending.append(value)


def _flaw_in(value: Any, room: int) -> str | None:
    """Give the code of a defect anywhere in a value that may be nested `room` levels deep; else None."""
    pending = [(value, room)]
    while pending:
        item, left = pending.pop()
        if isinstance(item, _Flaw):
            return item.code
        if isinstance(item, _Doubled):
            return "duplicate-key"
        if isinstance(item, dict | list) and left < 1:
            return "too-deep"
        if isinstance(item, dict):
            pending.extend((key, left) for key in item)
            pending.extend((one, left - 1) for one in item.values())
        elif isinstance(item, list):
            pending.extend((one, left - 1) for one in item)
        elif isinstance(item, str):
            try:
                check_text(item)
            except InputError as error:
                return error.code
    return None


def _pairs(item: Any) -> list[tuple[str, Any]]:
    if isinstance(item, _Doubled):
        return item.pairs
    return list(item.items()) if isinstance(item, dict) else []


def _object(pairs: list[tuple[str, Any]]) -> JsonObject | _Doubled:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _Doubled(pairs)


def _number(literal: str, *, is_whole: bool) -> Any:
    try:
        return read_integer(literal) if is_whole else read_decimal(literal)
    except InputError as error:
        return _Flaw(error.code)


_DECODER: Final = json.JSONDecoder(
    object_pairs_hook=_object,
    parse_float=lambda literal: _number(literal, is_whole=False),
    parse_int=lambda literal: _number(literal, is_whole=True),
    parse_constant=lambda _: _Flaw("not-a-number"),
)
