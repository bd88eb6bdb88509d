"""Observations to recognise: factories with defaults, so that a test states only what matters."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from adapter.fhir.recognise import Recognised, recognise
from adapter.fhir.references import Graph
from adapter.fhir.terms import Terms
from adapter.fhir.text.reader import Reading, read
from adapter.her2.model import Evidence
from adapter.terminology.catalogue import Catalogue, load_catalogue
from adapter.terminology.vocabulary import TestRole

MAPPINGS = Path(__file__).resolve().parents[3] / "mappings"
LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
IHC, ISH, OVERALL = "85319-2", "85318-4", "48676-1"
RATIO, HER2_COPIES, CEP17_COPIES = "49683-6", "74860-8", "74861-6"
SCORES = {"0": "LA6111-4", "1+": "LA11841-6", "2+": "LA11842-4", "3+": "LA11843-2"}


@cache
def catalogue() -> Catalogue:
    return load_catalogue(MAPPINGS)


def reading(text: str, asked: TestRole = TestRole.IHC) -> Reading:
    return read(text, Terms.of(catalogue()).lexicon, asked)


def concept(*codes: str | tuple[str, str], text: str | None = None) -> dict[str, Any]:
    """A CodeableConcept; a code alone is LOINC's, or SNOMED CT's where it is all digits."""
    coding = []
    for code in codes:
        system, value = code if isinstance(code, tuple) else (_system(code), code)
        coding.append({"system": system, "code": value})
    return ({"coding": coding} if coding else {}) | ({"text": text} if text is not None else {})


def _system(code: str) -> str:
    return SNOMED if code.isdigit() else LOINC


def observation(code: str | dict[str, Any] = IHC, **elements: Any) -> dict[str, Any]:
    """A final Observation o1 of patient p1; None leaves an element out."""
    made: dict[str, Any] = {
        "resourceType": "Observation",
        "id": "o1",
        "meta": {"versionId": "1"},
        "status": "final",
        "code": concept(code) if isinstance(code, str) else code,
        "subject": {"reference": "Patient/p1"},
    } | elements
    return {name: value for name, value in made.items() if value is not None}


def component(code: str | dict[str, Any], **elements: Any) -> dict[str, Any]:
    return {"code": concept(code) if isinstance(code, str) else code} | elements


def quantity(value: object, unit: str | None = None, comparator: str | None = None) -> Any:
    parts = {"value": value, "unit": unit, "comparator": comparator}
    return {name: part for name, part in parts.items() if part is not None}


def recognised(resource: Any, *others: dict[str, Any]) -> Recognised:
    return recognise(resource, Graph.of([*others, resource]), catalogue())


def evidence(resource: Any, *others: dict[str, Any]) -> Evidence:
    """The evidence; the test fails where there is none."""
    found = recognised(resource, *others).evidence
    assert found is not None
    return found


def conflicts(found: Evidence) -> list[str]:
    return [reason.code for reason in found.contradictions]
