"""What a laboratory can send: patients, specimens and HER2 results, as plain FHIR JSON.

Everything here lies within the oracle's vocabulary (tests/oracle), and is invented.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

Json = dict[str, Any]

LOINC: Final = "http://loinc.org"
REPEAT: Final = "Repeat test on another block."
DAY: Final = "2026-01-10"

CODES: Final = {
    "ihc": "85319-2",
    "ihc2": "18474-7",
    "ish": "85318-4",
    "ish2": "31150-6",
    "overall": "48676-1",
}
"""Slot of a specimen → LOINC test: it holds one result of each, the second ones for what is tested twice."""

_CODED: Final = {
    "0": "LA6111-4",
    "1+": "LA11841-6",
    "2+": "LA11842-4",
    "3+": "LA11843-2",
    "Positive": "LA6576-8",
    "Negative": "LA6577-6",
    "Equivocal": "LA11885-3",
    "Mixed": "LA11840-8",
}
_COUNTS: Final = {
    "G1": {"49683-6": 3.0, "74860-8": 7.5, "74861-6": 2.5},
    "G2": {"49683-6": 2.5, "74860-8": 3.5, "74861-6": 1.4},
    "G3": {"49683-6": 1.5, "74860-8": 6.6, "74861-6": 4.4},
    "G4": {"49683-6": 1.6, "74860-8": 4.8, "74861-6": 3.0},
    "G5": {"49683-6": 1.2, "74860-8": 2.4, "74861-6": 2.0},
    "ratio against counts": {"49683-6": 2.0, "74860-8": 3.9, "74861-6": 2.0},
    "ratio 2.5": {"49683-6": 2.5},
    "ratio 1.4": {"49683-6": 1.4},
}
_ISH: Final = ("Amplified", "Not amplified", "Equivocal", "Positive", "Negative", *_COUNTS)
_SCORES: Final = ("1+", "2+", "3+")
_FAINT: Final = "0 (faint incomplete membrane staining in 5 % of tumor cells)"

ANSWERS: Final[Mapping[str, tuple[str, ...]]] = {
    "ihc": ("2+", "1+", "3+", "0", _FAINT, "Positive", "Negative", "Equivocal", "Mixed"),
    "ihc2": _SCORES,
    "ish": (
        *_ISH,
        "Amplified G1",
        "Not amplified G5",
        "Equivocal G4",
        "Negative G4",
        "Negative G1",
    ),
    "ish2": _ISH,
    "overall": ("Negative", "Positive", "Equivocal"),
}
"""Slot → what it may say; a word and a group together are a word beside counts."""

STATUSES: Final = (
    *("final", "preliminary", "registered", "amended", "corrected", "cancelled", "unknown"),
)


def patient(name: str, **elements: Any) -> Json:
    """Make a patient; `name` is a logical id."""
    return {"resourceType": "Patient", "id": name, "gender": "female", **elements}


def merged(name: str, into: str) -> Json:
    """Make a patient that was merged into another one: inactive, and replaced by it."""
    link = {"other": {"reference": f"Patient/{into}"}, "type": "replaced-by"}
    return patient(name, active=False, link=[link])


def specimen(name: str, of: str, *, parent: str | None = None) -> Json:
    """Make a specimen of a patient; both are logical ids, and so is what it was taken from."""
    made = {
        "resourceType": "Specimen",
        "id": name,
        "type": {"text": "core needle biopsy of breast"},
        "subject": {"reference": f"Patient/{of}"},
        "collection": {"collectedDateTime": DAY},
    }
    return {**made, "parent": [{"reference": f"Specimen/{parent}"}]} if parent else made


def result(
    slot: str, answer: str, *, of: str, sample: str, status: str = "final", repeat: bool = False
) -> Json:
    """Make a HER2 result.

    Args:
        slot: one of CODES; with the specimen it makes the id, so that a result has one place.
        answer: one of ANSWERS of that slot.
        of: logical id of the patient.
        sample: logical id of the specimen.
        status: one of STATUSES, or entered-in-error.
        repeat: whether a note says that it repeats the test.

    """
    made: Json = {
        "resourceType": "Observation",
        "id": f"{sample}-{slot}",
        "status": status,
        "code": {"coding": [{"system": LOINC, "code": CODES[slot]}]},
        "subject": {"reference": f"Patient/{of}"},
        "specimen": {"reference": f"Specimen/{sample}"},
        "effectiveDateTime": DAY,
        **_stated(answer),
    }
    return {**made, "note": [{"text": REPEAT}]} if repeat else made


def unrelated(name: str, of: str, value: float = 12.5) -> Json:
    """Make a result that has nothing to do with HER2 (haemoglobin)."""
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "718-7"}]},
        "subject": {"reference": f"Patient/{of}"},
        "valueQuantity": {"value": value, "unit": "g/dL"},
    }


def reference(resource: Json) -> str:
    """Give "Type/id"."""
    return f"{resource['resourceType']}/{resource['id']}"


def _stated(answer: str) -> Json:
    word, _, group = answer.rpartition(" ")
    if answer in _COUNTS:
        return {"component": _components(answer)}
    if word and group in _COUNTS:
        return {"valueCodeableConcept": {"text": word}, "component": _components(group)}
    if answer in _CODED:
        coding = {"system": LOINC, "code": _CODED[answer], "display": answer}
        return {"valueCodeableConcept": {"coding": [coding]}}
    return {"valueCodeableConcept": {"text": answer}}


def _components(counts: str) -> list[Json]:
    return [
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "1"},
        }
        for code, value in _COUNTS[counts].items()
    ]
