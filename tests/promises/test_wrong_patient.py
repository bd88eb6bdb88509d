"""No result of one person is ever joined with, or written for, another (H1)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from adapter.her2.policy import ASCO_CAP_2023
from adapter.sync.planning.reconcile import reconcile
from adapter.sync.reading.pool import Gathered
from tests.fakes.site import catalogue
from tests.unit.fhir.recognising import ISH, observation

BASE = "https://fhir.example.org/fhir"
PAIRS = 10_000
OWN = "Patient/p1"
OTHERS: tuple[Any, ...] = (
    {"reference": "Patient/p2"},
    {"reference": "Patient/P1"},
    {"reference": f"{BASE}/Patient/p2"},
    {"reference": "https://elsewhere.example.org/fhir/Patient/p1"},
    {"reference": "Patient/p1/p2"},
    {"reference": "Group/p1"},
    {"reference": "Device/p1"},
    {"reference": "#p1"},
    {"reference": "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0"},
    {"identifier": {"system": "urn:mrn", "value": "p1"}},
    {"display": "Patient/p1"},
    {"reference": 1},
    [{"reference": "Patient/p1"}],
    "Patient/p1",
    {},
    None,
)
"""Subjects that are not, or not for certain, the patient of the other result."""


def result(number: int, code: str, text: str, subject: Any, ties: dict[str, Any]) -> dict[str, Any]:
    return observation(code, id=f"o{number}", valueString=text, subject=subject, **ties)


def surroundings(dice: random.Random) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What ties two results together as strongly as a laboratory can; and the resources there are."""
    ties: dict[str, Any] = {}
    around: list[dict[str, Any]] = []
    if dice.random() < 0.7:
        ties["specimen"] = {"reference": "Specimen/s1"}
        around.append(
            {
                "resourceType": "Specimen",
                "id": "s1",
                "accessionIdentifier": {"system": "urn:lab", "value": "A-1"},
            }
        )
    if dice.random() < 0.5:
        ties["basedOn"] = [{"reference": "ServiceRequest/r1"}]
    if dice.random() < 0.5:
        ties["effectiveDateTime"] = "2026-01-10"
    if dice.random() < 0.5:
        listed = [{"reference": "Observation/o1"}, {"reference": "Observation/o2"}]
        around.append({"resourceType": "DiagnosticReport", "id": "d1", "result": listed})
    return ties, around


def test_results_whose_subjects_differ_are_never_combined(
    record_property: Callable[[str, object], None],
) -> None:
    record_property("promise", "wrong patient")
    dice = random.Random(20_261_125)
    combined = foreign = joined = 0
    for number in range(PAIRS):
        ties, around = surroundings(dice)
        other = dice.choice(OTHERS)
        pair = [
            result(1, "85319-2", dice.choice(["0", "1+", "2+", "3+"]), {"reference": OWN}, ties),
            result(2, ISH, dice.choice(["Positive", "Negative"]), other, ties),
        ]
        dice.shuffle(pair)
        gathered = Gathered(frozenset({OWN}), tuple(pair), tuple(around))

        found = reconcile(gathered, catalogue(), ASCO_CAP_2023, base_url=BASE)

        combined += sum(len(one.case.evidence) > 1 for one in found.desired)
        foreign += sum(
            "Observation/o2" in one.classification.used and one.case.subject == OWN
            for one in found.desired
        )
        joined += _joins_when_alike(pair, around) if number % 100 == 0 else 0
    record_property(
        "figure",
        f"{PAIRS:,} pairs with a subject changed: {combined} combined, {foreign} written for the other",
    )
    assert (combined, foreign) == (0, 0)
    assert joined > PAIRS // 400, "the same pairs of one patient are joined: the ties do tie"


def _joins_when_alike(pair: list[dict[str, Any]], around: list[dict[str, Any]]) -> bool:
    alike = tuple({**one, "subject": {"reference": OWN}} for one in pair)
    gathered = Gathered(frozenset({OWN}), alike, tuple(around))
    found = reconcile(gathered, catalogue(), ASCO_CAP_2023, base_url=BASE)
    return any(len(one.case.evidence) == 2 for one in found.desired)
