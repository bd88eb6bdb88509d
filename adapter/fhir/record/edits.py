"""What others have changed in a derived Observation beside what its fingerprint covers.

A server changes what it stores, too: meta, the narrative, order, ids, displays, codings that it adds as translations,
versions in references. None of that is an edit. So only what no server does of itself is one, and of a text only where
the version that wrote it is known to have written it otherwise.
Source: docs/output.md, Fingerprint.
"""

from __future__ import annotations

from collections.abc import Iterator

from adapter.fhir.identity import relative_reference
from adapter.fhir.shapes import child, codings, is_filled, objects, string
from adapter.ports import JsonObject
from adapter.terminology.output import OutputCodes
from adapter.terminology.systems import ADAPTER_SYSTEM


def edits_of(stored: JsonObject, ours: JsonObject, output: OutputCodes) -> tuple[str, ...]:
    """Name the elements in which a stored result says what nobody but a person can have put there.

    That is a coding of another category beside ours, a code that is not ours any more, another interpretation, and
    what turns the meaning round (modifierExtension).

    Args:
        stored: what stands, of the same fingerprint.
        ours: what would be written now.
        output: our codings of every category.

    """
    return tuple(_edits(stored, ours, output))


def _edits(stored: JsonObject, ours: JsonObject, output: OutputCodes) -> Iterator[str]:
    if _coded(stored, "valueCodeableConcept") & _of_others(ours, output):
        yield "valueCodeableConcept"
    if not any(one.get("system") == ADAPTER_SYSTEM for one in codings(stored.get("code"))):
        yield "code"
    systems = output.interpretation_systems | {""}
    if _interpretations(stored, systems) - _interpretations(ours, systems):
        yield "interpretation"
    if is_filled(stored.get("modifierExtension")):
        yield "modifierExtension"


def rewordings_of(stored: JsonObject, ours: JsonObject, output: OutputCodes) -> tuple[str, ...]:
    """Name the elements whose text another has replaced, or whose value has a coding more in a system that we write.

    None where another version of the software wrote it. Blanks and capitals change nothing, and neither does a text
    that is not there.
    """
    written_by, we = (_device(stored), _device(ours))
    if written_by is None or written_by != we:
        return ()
    reworded = [
        name
        for name in ("valueCodeableConcept", "code", "interpretation")
        if (says := _text(stored, name)) and says != _text(ours, name)
    ]
    added = _coded(stored, "valueCodeableConcept") - _of_the_same(ours, output)
    systems = {system for one in output.codes_of_each_category.values() for system, _ in one}
    if any(system in systems for system, _ in added):
        reworded.append("valueCodeableConcept")
    return tuple(dict.fromkeys(reworded))


def _of_others(ours: JsonObject, output: OutputCodes) -> set[tuple[str, str]]:
    """Give our codings of every category but that of ours; one that stands for both is none."""
    return set[tuple[str, str]]().union(*output.codes_of_each_category.values()) - _of_the_same(
        ours, output
    )


def _of_the_same(ours: JsonObject, output: OutputCodes) -> set[tuple[str, str]]:
    """Give our codings of the category of ours, also those that are written only where asked for."""
    own = _coded(ours, "valueCodeableConcept")
    return own.union(
        *(all_of_it for all_of_it in output.codes_of_each_category.values() if all_of_it & own)
    )


def _coded(resource: JsonObject, name: str) -> set[tuple[str, str]]:
    return {(string(one, "system"), string(one, "code")) for one in codings(resource.get(name))}


def _interpretations(resource: JsonObject, systems: frozenset[str]) -> set[tuple[str, str]]:
    """Give the interpretations of the whole result in these systems; in others they may be translations."""
    said = (one for each in objects(resource.get("interpretation")) for one in codings(each))
    found = {(string(one, "system"), string(one, "code")) for one in said}
    return {(system, code) for system, code in found if system in systems}


def _device(resource: JsonObject) -> str | None:
    return relative_reference(string(child(resource, "device"), "reference"))


def _text(resource: JsonObject, name: str) -> str:
    value = resource.get(name)
    concept = objects(value)[0] if objects(value) else value
    return " ".join(string(concept, "text").split()).casefold()
