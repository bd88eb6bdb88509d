"""Protects interpretations: an answer beside its value, of the Observation or of a component of it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.her2.classify import classify
from adapter.her2.model import Case, Category, ResultWord
from tests.unit.fhir.recognising import (
    HER2_COPIES,
    IHC,
    ISH,
    OVERALL,
    RATIO,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    quantity,
)

POSITIVE, NEGATIVE = "10828004", "260385009"


def category(given: dict[str, Any]) -> Category:
    found = evidence(given)
    return classify(Case(found.subject, "specimen:Specimen/s", (found,))).category


@pytest.mark.parametrize(
    ("value", "interpretation"),
    [("1+", POSITIVE), ("0", POSITIVE), ("3+", NEGATIVE)],
)
def test_a_component_s_interpretation_is_held_against_its_score(
    value: str, interpretation: str
) -> None:
    part = component(IHC, valueString=value, interpretation=[concept(interpretation)])
    assert category(observation(OVERALL, component=[part])) is Category.NEEDS_REVIEW


def test_a_component_s_interpretation_is_held_against_its_numbers() -> None:
    parts = [
        component(
            RATIO,
            valueQuantity=quantity(Decimal("2.4")),
            interpretation=[concept(NEGATIVE)],
        ),
        component(HER2_COPIES, valueQuantity=quantity(Decimal("6.4"))),
    ]
    assert category(observation(ISH, component=parts)) is Category.NEEDS_REVIEW


def test_a_component_s_interpretation_that_agrees_changes_no_category() -> None:
    part = component(IHC, valueString="1+", interpretation=[concept(NEGATIVE)])
    assert category(observation(OVERALL, component=[part])) is Category.LOW


@pytest.mark.parametrize(
    "text", ["Positive, see comment xyz", "HER2 3+ xyz", "amplified xyz", "ultralow xyz"]
)
def test_an_interpretation_not_understood_whole_may_not_hold_another_result(text: str) -> None:
    found = evidence(observation(IHC, valueString="1+", interpretation=[{"text": text}]))
    assert conflicts(found) == ["interpretation-against-value"]


@pytest.mark.parametrize("text", ["abnormal", "Negative xyz", "low xyz", "1+ xyz"])
def test_an_interpretation_not_understood_whole_that_says_the_same_is_harmless(text: str) -> None:
    found = evidence(observation(IHC, valueString="1+", interpretation=[{"text": text}]))
    assert not found.contradictions
    assert found.ihc is not None
    assert found.ihc.word in (None, ResultWord.NEGATIVE)


@pytest.mark.parametrize("order", [1, -1], ids=["first", "last"])
def test_two_interpretations_are_held_against_each_other_where_there_is_no_value(
    order: int,
) -> None:
    both = [{"text": "1+"}, {"text": "3+, see comment xyz"}]
    found = evidence(observation(IHC, interpretation=both[::order]))
    assert conflicts(found) == ["interpretation-against-value"]


def test_both_sides_of_an_interpretation_not_understood_whole_are_named() -> None:
    text = "Positive, see comment xyz"
    found = evidence(observation(IHC, valueString="1+", interpretation=[{"text": text}]))
    assert "positive against IHC 1+" in found.contradictions[0].sentence


def test_an_ish_component_s_interpretation_is_not_held_against_the_ihc_component() -> None:
    parts = [
        component(IHC, valueString="2+"),
        component(ISH, valueString="amplified", interpretation=[{"text": "positive xyz"}]),
    ]
    assert category(observation(OVERALL, component=parts)) is Category.POSITIVE
