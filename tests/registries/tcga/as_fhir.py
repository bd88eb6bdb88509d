"""The rows as FHIR R4, in the ways in which a registry would send them; every word as it stands.

Numbers are Decimals with the digits they came with; `write_json` of the adapter writes them.

- `coded`: a tidy registry. One Observation of IHC with LOINC's code, the score as text and the share of
  cells as a component; the word on IHC as a second Observation of the same test; one of FISH with the
  word coded and the numbers as components; methods as `method`, other scales as `note`; a Specimen
  with site and procedure; `[Not Evaluated]` as the reason why there is no value.
- `text`: a registry that exports its form. One Observation for each field, named in words alone, with
  a text for a value, `[Not Evaluated]` among them; methods and other scales as `note`; a bare Specimen.
- `columns`: a plain dump of the table. As `text`, but each test is named as its column is, and the
  columns for methods and other scales are sent as results too, which they are not.
- `overall`: as `coded`, but the word on IHC is sent as the overall HER2 status, which many mappings do.

Ids are made from the row's place in the file, never from a barcode.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from tests.registries.tcga.fields import COLUMNS, NOT_EVALUATED, Sample

Json = dict[str, Any]

LOINC: Final = "http://loinc.org"
IHC, FISH, OVERALL = "85319-2", "85318-4", "48676-1"
RATIO, COPIES, CEP17, CELLS = "49683-6", "74860-8", "74861-6", "62361-1"
_ABSENT: Final = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
_CATEGORY: Final = "http://terminology.hl7.org/CodeSystem/observation-category"
_ANSWERS: Final = {
    "Positive": "LA6576-8",
    "Negative": "LA6577-6",
    "Equivocal": "LA11885-3",
    "Indeterminate": "LA11884-6",
}
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")

NAMES: Final = {
    "status": "HER2 IHC status",
    "score": "HER2 IHC score",
    "percent": "HER2 IHC percent positive",
    "fish": "HER2 FISH status",
    "copies": "HER2 FISH copy number",
    "cep17": "HER2 FISH CEP17 copy number",
    "cells": "HER2 FISH cells counted",
    "ratio": "HER2 FISH HER2/CEP17 ratio",
}
"""What the encoding `text` calls each field's test."""


def patient_of(sample: Sample) -> str:
    """Give the reference of the sample's patient."""
    return f"Patient/tcga-{sample.number}"


def specimen_of(sample: Sample) -> str:
    """Give the reference of the sample's Specimen."""
    return f"Specimen/{_stem(sample)}"


def coded(sample: Sample) -> list[Json]:
    """Send a sample as a tidy registry would."""
    return [*_surroundings(sample, tidy=True), *_coded_results(sample, status_code=IHC)]


def overall(sample: Sample) -> list[Json]:
    """Send it so, with the word on IHC as the overall HER2 status."""
    return [*_surroundings(sample, tidy=True), *_coded_results(sample, status_code=OVERALL)]


def text(sample: Sample) -> list[Json]:
    """Send each field as a result of its own, in words alone."""
    return [*_surroundings(sample, tidy=False), *_text_results(sample)]


def columns(sample: Sample) -> list[Json]:
    """Send every column as a result under its own name."""
    results = _named_results(sample, COLUMNS, notes={})
    return [*_surroundings(sample, tidy=False), *results]


ENCODINGS: Final[Mapping[str, Callable[[Sample], list[Json]]]] = {
    "coded": coded,
    "text": text,
    "columns": columns,
    "overall": overall,
}


def resources(samples: Iterable[Sample], encoding: str) -> Iterator[Json]:
    """Give the resources of all samples, each Patient once and before what refers to it."""
    known: set[str] = set()
    for sample in samples:
        for resource in ENCODINGS[encoding](sample):
            name = f"{resource['resourceType']}/{resource['id']}"
            if name not in known:
                known.add(name)
                yield resource


def _stem(sample: Sample) -> str:
    return f"tcga-{sample.number}-later" if sample.is_later else f"tcga-{sample.number}"


def _surroundings(sample: Sample, *, tidy: bool) -> list[Json]:
    patient = {"resourceType": "Patient", "id": f"tcga-{sample.number}"}
    specimen: Json = {
        "resourceType": "Specimen",
        "id": _stem(sample),
        "subject": {"reference": patient_of(sample)},
    }
    if tidy and sample.procedure:
        specimen["type"] = {"text": sample.procedure}
    collection: Json = {"collectedDateTime": sample.year} if sample.year else {}
    if tidy and not sample.is_later:
        collection["bodySite"] = {"text": "Breast"}
    return [patient, specimen | ({"collection": collection} if collection else {})]


def _coded_results(sample: Sample, *, status_code: str) -> Iterator[Json]:
    if sample.score or sample.percent or "score" in sample.not_evaluated:
        share = {"code": {"text": NAMES["percent"]}, "valueString": sample.percent}
        yield _observation(
            sample,
            "ihc-score",
            _loinc(IHC),
            **({"valueString": sample.score} if sample.score else _absent("unknown")),
            component=[share] if sample.percent else None,
            method=_said(sample.ihc_method),
            note=_notes(sample.ihc_scale),
        )
    if sample.status or "status" in sample.not_evaluated:
        words = {"text": NAMES["status"]} if status_code == IHC else {}
        yield _observation(
            sample,
            "ihc-status",
            _loinc(status_code) | words,
            **(_answer(sample.status) if sample.status else _absent("not-performed")),
        )
    numbers = list(_numbers(sample))
    if sample.fish or numbers or "fish" in sample.not_evaluated:
        yield _observation(
            sample,
            "fish",
            _loinc(FISH),
            **(_answer(sample.fish) if sample.fish else _absent("not-performed")),
            component=numbers or None,
            method=_said(sample.fish_method),
            note=_notes(sample.fish_scale),
        )


def _numbers(sample: Sample) -> Iterator[Json]:
    for code, given in (
        (RATIO, sample.ratio),
        (COPIES, sample.copies),
        (CEP17, sample.cep17),
        (CELLS, sample.cells),
    ):
        if given:
            value: Json = {"valueString": given}
            if _NUMBER.fullmatch(given):
                value = {"valueQuantity": {"value": Decimal(given)}}
            yield {"code": _loinc(code), **value}


def _text_results(sample: Sample) -> Iterator[Json]:
    notes = {
        "score": _notes(sample.ihc_method, sample.ihc_scale),
        "fish": _notes(sample.fish_method, sample.fish_scale),
    }
    carrier = "score" if sample.score else "status"
    notes[carrier] = notes.pop("score")
    return _named_results(sample, NAMES, notes=notes)


def _named_results(
    sample: Sample, names: Mapping[str, str], *, notes: Mapping[str, list[Json] | None]
) -> Iterator[Json]:
    for name, called in names.items():
        given = getattr(sample, name) or (NOT_EVALUATED if name in sample.not_evaluated else "")
        if given:
            yield _observation(
                sample,
                name.replace("_", "-"),
                {"text": called},
                valueString=given,
                note=notes.get(name),
            )


def _observation(sample: Sample, test: str, code: Json, **elements: Any) -> Json:
    made = {
        "resourceType": "Observation",
        "id": f"{_stem(sample)}-{test}",
        "status": "final",
        "category": [{"coding": [{"system": _CATEGORY, "code": "laboratory"}]}],
        "code": code,
        "subject": {"reference": patient_of(sample)},
        "specimen": {"reference": specimen_of(sample)},
        "effectiveDateTime": sample.year or None,
        **elements,
    }
    return {name: value for name, value in made.items() if value is not None}


def _loinc(code: str) -> Json:
    return {"coding": [{"system": LOINC, "code": code}]}


def _answer(word: str) -> Json:
    coding = {"system": LOINC, "code": _ANSWERS[word]}
    return {"valueCodeableConcept": {"coding": [coding], "text": word}}


def _absent(code: str) -> Json:
    return {"dataAbsentReason": {"coding": [{"system": _ABSENT, "code": code}]}}


def _said(words: str) -> Json | None:
    return {"text": words} if words else None


def _notes(*words: str) -> list[Json] | None:
    return [{"text": one} for one in words if one] or None
