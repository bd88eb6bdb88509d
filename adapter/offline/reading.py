"""From bytes to FHIR documents: a resource, a Bundle, an array of them, or NDJSON.

What is not FHIR at all is refused whole. What is broken in one place (a line, an entry) is named
and left out, and the rest is read: a defect is a sentence with the place, the resource where it has
a name, and the reason, never with contents.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from adapter.errors import InputError
from adapter.fhir.references import reference_to
from adapter.fhir.strict_json import JsonObject, read_json

MAX_NESTED_BUNDLES: Final = 8
"""Bundles in Bundles are read to this depth; deeper ones are named as defects."""


@dataclass(frozen=True)
class Documents:
    """FHIR documents in their order, and a sentence for each part that could not be read."""

    documents: tuple[JsonObject, ...]
    defects: tuple[str, ...] = ()

    def and_also(self, other: Documents) -> Documents:
        """Put the documents of another file behind these."""
        return Documents(self.documents + other.documents, self.defects + other.defects)


@dataclass(frozen=True)
class Defect:
    """A part of a Bundle that could not be read, and why.

    `entries`: the way to it, entry numbers from 0, one for each Bundle; () is the Bundle itself.
    `sentence`: of the defect, without contents. `reference`: the resource, where it has a name.
    """

    entries: tuple[int, ...]
    sentence: str
    reference: str = ""

    @property
    def place(self) -> str:
        """Name it as FHIRPath does."""
        return "Bundle" + ".resource".join(f".entry[{number}]" for number in self.entries)

    def told_of(self, name: str) -> str:
        """Tell it of a document of this name to a person, who counts from 1."""
        place = "".join(f", entry {number + 1}" for number in self.entries)
        named = f" ({self.reference})" if self.reference else ""
        return f"{name}{place}{named}: {self.sentence}"


def read_documents(data: bytes, name: str) -> Documents:
    """Read one file or stream.

    Args:
        data: the bytes: one JSON object, an array of objects, or one object a line.
        name: how the file is called in messages.

    Raises:
        InputError: when nothing in it is FHIR JSON; the message names the file and the place.

    """
    try:
        placed, defects = _placed(data, name)
        documents = []
        for place, value in placed:
            if _is_resource(value):
                documents.append(value)
                defects.extend(one.told_of(place) for one in defects_inside(value))
            else:
                defects.append(f"{place}: no resourceType, so it is no FHIR resource")
    except InputError as error:
        raise InputError(f"{name}: {error}", code=error.code) from error
    if not documents:
        reason = defects[0] if defects else f"{name}: nothing in it is a FHIR resource"
        raise InputError(reason, code="not-fhir")
    return Documents(tuple(documents), tuple(defects))


def defects_inside(document: JsonObject, entries: tuple[int, ...] = ()) -> Iterator[Defect]:
    """Name the entries of a Bundle that hold no resource where one should be.

    Args:
        document: a resource; one that is no Bundle has none.
        entries: the place of the document, as in Defect.

    """
    if document.get("resourceType") != "Bundle":
        return
    held = document.get("entry", [])
    if not isinstance(held, list):
        yield Defect(entries, "Bundle.entry is no list")
    elif len(entries) >= MAX_NESTED_BUNDLES:
        yield Defect(entries, f"Bundles nested more than {MAX_NESTED_BUNDLES} deep are not read")
    else:
        for number, entry in enumerate(held):
            yield from _defects_of_entry(entry, (*entries, number))


def _placed(data: bytes, name: str) -> tuple[list[tuple[str, Any]], list[str]]:
    """Give each JSON value with its place, and the defects of lines that are no JSON."""
    if not data.strip():
        raise InputError("the input is empty", code="empty")
    if data.lstrip().startswith(b"["):
        items = read_json(b'{"array":' + data + b"}")["array"]
        return [(f"{name}, item {n}", item) for n, item in enumerate(items, start=1)], []
    lines = [(n, line) for n, line in enumerate(data.splitlines(), start=1) if line.strip()]
    may_be_ndjson = len(lines) > 1 and all(line.lstrip().startswith(b"{") for _, line in lines)
    try:
        return [(name, read_json(data))], []  # one object, however its lines begin
    except InputError:
        if may_be_ndjson:
            return _lines(lines, name)
        raise


def _lines(lines: list[tuple[int, bytes]], name: str) -> tuple[list[tuple[str, Any]], list[str]]:
    placed: list[tuple[str, Any]] = []
    defects = []
    for number, line in lines:
        try:
            placed.append((f"{name}, line {number}", read_json(line)))
        except InputError as error:
            defects.append(f"{name}, line {number}: {error}")
    return placed, defects


def _is_resource(value: object) -> bool:
    return isinstance(value, dict) and isinstance(value.get("resourceType"), str)


def _defects_of_entry(entry: object, entries: tuple[int, ...]) -> Iterator[Defect]:
    if not isinstance(entry, dict):
        yield Defect(entries, "no JSON object")
    elif "resource" in entry and not isinstance(entry["resource"], dict):
        yield Defect(entries, "its resource is no JSON object")
    elif "resource" in entry and not _is_resource(entry["resource"]):
        name = reference_to(entry["resource"])
        yield Defect(entries, "no resourceType, so it is no FHIR resource", name)
    elif "resource" in entry:
        yield from defects_inside(entry["resource"], entries)
