"""Protects against numbers of cells: a count is never a ratio, and a share never a score."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.recognise import Outcome
from adapter.her2 import classify
from adapter.her2.model import Assay, Case, IhcResult, IhcScore, Measurement
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    quantity,
    recognised,
)

COUNTED = concept(text="HER2 FISH cells counted")
SHARE = concept(text="HER2 IHC percent positive")
TEN_TO_NINETEEN = Measurement(Decimal(10), upper=Decimal(19), text="10-19%")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"valueString": "60"}, id="text"),
        pytest.param({"valueInteger": 20}, id="integer"),
        pytest.param({"valueQuantity": quantity(Decimal(569))}, id="quantity"),
        pytest.param({"valueQuantity": quantity(40, "cells")}, id="quantity of cells"),
    ],
)
def test_a_count_of_cells_named_in_words_is_no_ratio(value: dict[str, Any]) -> None:
    result = recognised(observation(COUNTED, **value))
    assert (result.outcome, result.reason.code) == (Outcome.IGNORED, "cells-counted")
    assert result.evidence is None


@pytest.mark.parametrize("value", ["2", "19"])
def test_a_number_too_small_for_a_count_is_not_read_under_a_name_of_cells(value: str) -> None:
    result = recognised(observation(concept(text="HER2 FISH cells"), valueString=value))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "number-without-meaning")


def test_a_count_under_the_code_of_ish_is_no_ratio() -> None:
    code = concept(ISH, text="HER2 FISH cells counted")
    assert recognised(observation(code, valueInteger=60)).outcome is Outcome.IGNORED


def test_a_word_under_a_name_of_cells_is_still_a_result() -> None:
    found = evidence(observation(concept(text="HER2 FISH cells"), valueString="amplified"))
    assert found.ish is not None
    assert found.ish.word == "positive"


def test_a_count_as_a_component_changes_nothing() -> None:
    counted = component(concept(text="FISH cells counted"), valueInteger=60)
    found = evidence(observation(ISH, valueString="1.4", component=[counted]))
    assert found.ish is not None
    assert found.ish.ratio is not None
    assert (found.ish.ratio.value, found.contradictions) == (Decimal("1.4"), ())


def test_a_small_number_of_cells_as_a_component_is_not_read_as_the_ratio() -> None:
    few = component(concept(text="FISH cells"), valueInteger=2)
    found = evidence(observation(ISH, valueString="Negative", component=[few]))
    assert conflicts(found) == ["component-not-read"]


def test_a_count_beside_components_with_results_does_not_hide_them() -> None:
    ratio = component("49683-6", valueQuantity=quantity(Decimal("2.4")))
    result = recognised(observation(COUNTED, valueInteger=60, component=[ratio]))
    assert result.outcome is Outcome.UNREADABLE


def test_the_share_of_stained_cells_supports_a_score_beside_it() -> None:
    share = component(SHARE, valueString="10-19%")
    found = evidence(observation(IHC, valueString="2+", component=[share]))
    assert found.ihc is not None
    assert (found.ihc.scores, found.contradictions) == ((IhcScore.TWO_PLUS,), ())
    assert found.ihc.percent == TEN_TO_NINETEEN


@pytest.mark.parametrize(
    "name", ["HER2 IHC percent positive", "HER2 IHC % positive", "HER2 IHC percent", "HER2 IHC (%)"]
)
@pytest.mark.parametrize(
    "value",
    [
        {"valueString": "10-19%"},
        {"valueString": "10-19"},
        {"valueRange": {"low": quantity(10, "%"), "high": quantity(19, "%")}},
    ],
    ids=["text", "bare", "range"],
)
def test_the_share_of_stained_cells_as_a_result_of_its_own_is_no_result(
    name: str, value: dict[str, Any]
) -> None:
    found = evidence(observation(concept(text=name), **value))
    assert found.assay is Assay.IHC
    assert found.ihc is not None
    assert found.ihc.percent is not None
    assert (found.ihc.percent.value, found.ihc.percent.upper) == (Decimal(10), Decimal(19))
    assert (found.ihc.scores, found.ihc.word) == ((), None)
    assert classify(Case("Patient/p1", "k", (found,))).category == "no-result"


def test_a_bare_number_under_a_name_of_shares_is_no_score() -> None:
    for code in (SHARE, concept(IHC, text="HER2 IHC percent positive")):
        found = evidence(observation(code, valueInteger=3))
        assert found.ihc == IhcResult(percent=Measurement(Decimal(3)))


@pytest.mark.parametrize("value", ["3+", "Positive", "20 % intense complete", "3+ in 20 %"])
def test_what_is_no_share_is_not_read_under_its_name(value: str) -> None:
    result = recognised(observation(SHARE, valueString=value))
    assert result.outcome is Outcome.UNREADABLE
    assert result.reason.code in ("share-of-cells-not-understood", "no-score")


def test_positive_without_a_score_in_less_than_10_percent_needs_review() -> None:
    called = evidence(observation(IHC, id="status", valueString="Positive"))
    share = evidence(observation(SHARE, id="share", valueString="<10%"))
    found = classify(Case("Patient/p1", "k", (called, share)))
    assert (found.category, [r.code for r in found.reasons]) == (
        "needs-review",
        ["percent-against-score"],
    )


def test_uniform_intense_staining_keeps_its_own_meaning() -> None:
    code = concept("85328-3", text="HER2 IHC % of cells with uniform intense staining")
    found = evidence(observation(code, valueQuantity=quantity(40, "%")))
    assert found.ihc is not None
    assert found.ihc.uniform_intense_percent is not None
    assert found.ihc.percent is None
