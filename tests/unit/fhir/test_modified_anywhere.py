"""A modifierExtension turns the meaning of what it stands in: wherever it stands, nothing is decided (H8).

Source: FHIR R4 extensibility.html#modifierExtension; safety.html, items 2 and 3.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from adapter.her2.policy import ASCO_CAP_2023
from adapter.sync.planning.reconcile import reconcile
from adapter.sync.reading.pool import Gathered
from tests.fakes.site import catalogue
from tests.unit.fhir.recognising import IHC, ISH, RATIO, component, observation, quantity

NOT = [{"url": "http://example.org/refuted", "valueBoolean": True}]
LEANS_ON = {
    "specimen": {"reference": "Specimen/s1"},
    "focus": [{"reference": "Condition/c1"}],
}


def sample() -> list[dict[str, Any]]:
    """IHC 2+ and an amplified FISH of one sample: positive, as long as nothing is modified."""
    ratio = component(RATIO, valueQuantity=quantity(4))
    copies = component("74860-8", valueQuantity=quantity(8))
    listed = [{"reference": "Observation/ihc"}, {"reference": "Observation/ish"}]
    return [
        observation(IHC, id="ihc", valueString="2+", **LEANS_ON),
        observation(ISH, id="ish", component=[ratio, copies], **LEANS_ON),
        {"resourceType": "Specimen", "id": "s1"},
        {"resourceType": "Condition", "id": "c1", "code": {"text": "Breast cancer"}},
        {"resourceType": "DiagnosticReport", "id": "r1", "result": listed},
    ]


def categories(resources: list[dict[str, Any]]) -> list[str]:
    results = tuple(one for one in resources if one["resourceType"] == "Observation")
    related = tuple(one for one in resources if one["resourceType"] != "Observation")
    found = reconcile(
        Gathered(frozenset({"Patient/p1"}), results, related),
        catalogue(),
        ASCO_CAP_2023,
        base_url="https://fhir.example.org",
    )
    return [one.classification.category.value for one in found.desired]


def test_without_any_modifier_the_sample_is_positive() -> None:
    assert categories(sample()) == ["positive"]


@pytest.mark.parametrize(
    "place",
    [(0,), (1,), (1, "component", 0), (1, "component", 1), (2,), (3,), (4,)],
    ids=["ihc", "ish", "ratio", "copies", "specimen", "condition", "report"],
)
def test_a_modifier_at_any_level_leaves_the_sample_to_a_person(place: tuple[Any, ...]) -> None:
    resources: Any = deepcopy(sample())
    element = resources
    for step in place:
        element = element[step]
    element["modifierExtension"] = NOT

    assert categories(resources) == ["needs-review"]
