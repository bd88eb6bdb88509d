"""Every hazard has controls, and every control a test that is there (docs/hazards.yaml)."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from tests.architecture.known_tests import ROOT, is_known

LOG = yaml.safe_load((ROOT / "docs" / "hazards.yaml").read_text("utf-8"))
HAZARDS: list[dict[str, Any]] = LOG["hazards"]
CONTROLS = [
    (f"{hazard['id']}.{number}", control)
    for hazard in HAZARDS
    for number, control in enumerate(hazard["controls"], start=1)
]


def test_no_hazard_is_missing() -> None:
    assert [one["id"] for one in HAZARDS] == [f"H{number}" for number in range(1, 20)]


@pytest.mark.parametrize("hazard", HAZARDS, ids=lambda one: one["id"])
def test_a_hazard_says_what_it_is_and_what_may_cause_it(hazard: dict[str, Any]) -> None:
    assert set(hazard) == {"id", "hazard", "causes", "severity", "likelihood", "controls"}
    assert hazard["hazard"]
    assert hazard["causes"]
    assert hazard["severity"] in range(1, 6)
    assert hazard["likelihood"] in range(1, 6)
    assert hazard["controls"]


@pytest.mark.parametrize(
    "control", [one for _, one in CONTROLS], ids=[name for name, _ in CONTROLS]
)
def test_a_control_is_proved_by_tests_that_exist(control: dict[str, Any]) -> None:
    assert control["control"]
    assert control["tests"], "a control without a test is a hope"
    assert [test for test in control["tests"] if not is_known(test)] == []


def test_the_figures_of_risk_are_called_what_they_are() -> None:
    assert LOG["estimates"] is True
