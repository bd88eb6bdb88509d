"""Synthetic patients for the benchmarks: invented, and the same in every run.

Each has one specimen of a breast tumour with one IHC score; every third score is 2+ and has a FISH
with ratio and copies. The mixture is made to exercise every step, not to be a laboratory's.
"""

from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]

LOINC = "http://loinc.org"
_ANSWERS = {"0": "LA6111-4", "1+": "LA11841-6", "2+": "LA11842-4", "3+": "LA11843-2"}
_SCORES_ALONE = ("0", "1+", "3+")
_FISH = (
    {"49683-6": 1.2, "74860-8": 2.4, "74861-6": 2.0},
    {"49683-6": 3.0, "74860-8": 7.5, "74861-6": 2.5},
)
"""Not amplified and amplified: ratio, HER2 copies a cell, CEP17 copies a cell."""


def transactions(patients: int, *, at_once: int = 100) -> Iterator[JsonObject]:
    """Give transaction Bundles that put this many patients onto a server, each under its own id."""
    for start in range(0, patients, at_once):
        resources = [
            resource
            for number in range(start, min(start + at_once, patients))
            for resource in patient(number)
        ]
        yield {
            "resourceType": "Bundle",
            "type": "transaction",
            "entry": [
                {
                    "resource": each,
                    "request": {"method": "PUT", "url": f"{each['resourceType']}/{each['id']}"},
                }
                for each in resources
            ],
        }


def patient(number: int) -> Iterator[JsonObject]:
    """Give the resources of one patient."""
    name = f"bench-{number:05}"
    subject = {"reference": f"Patient/{name}"}
    yield {"resourceType": "Patient", "id": name, "gender": "female"}
    yield {
        "resourceType": "Specimen",
        "id": f"{name}-specimen",
        "type": {"text": "core needle biopsy of breast"},
        "subject": subject,
        "collection": {"collectedDateTime": "2026-02-03"},
    }
    has_fish = number % 3 == 0
    score = "2+" if has_fish else _SCORES_ALONE[number // 3 % len(_SCORES_ALONE)]
    answer = {"system": LOINC, "code": _ANSWERS[score], "display": score}
    yield _result(name, "ihc", code="85319-2", valueCodeableConcept={"coding": [answer]})
    if has_fish:
        yield _fish(name, amplified=number // 3 % 2 == 1)


def _fish(name: str, *, amplified: bool) -> JsonObject:
    components = [
        {
            "code": {"coding": [{"system": LOINC, "code": code}]},
            "valueQuantity": {"value": value, "system": "http://unitsofmeasure.org", "code": "1"},
        }
        for code, value in _FISH[amplified].items()
    ]
    return _result(
        name,
        "fish",
        code="85318-4",
        valueCodeableConcept={"text": "Amplified" if amplified else "Not amplified"},
        method={"text": "FISH, dual probe"},
        component=components,
    )


def _result(name: str, kind: str, *, code: str, **elements: Any) -> JsonObject:
    return {
        "resourceType": "Observation",
        "id": f"{name}-{kind}",
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{name}"},
        "specimen": {"reference": f"Specimen/{name}-specimen"},
        "effectiveDateTime": "2026-02-03",
        "issued": "2026-02-05T10:00:00Z",
        **elements,
    }
