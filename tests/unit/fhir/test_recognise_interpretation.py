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


V3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"


@pytest.mark.parametrize(
    ("value", "text", "is_against"),
    [
        ("3+", "not positive", True),
        ("3+", "not considered positive", True),
        ("1+", "not negative", True),
        ("3+", "not 3+", True),
        ("3+", "Not detected", True),
        ("2+", "Not detected", True),
        ("1+", "Detected", True),
        ("3+", "Detected", False),
        ("2+", "Detected", False),
        ("0", "Not detected", False),
        ("3+", "Positive. No comment", False),
        ("3+", "Positive (no FISH needed)", False),
        ("3+", "not 1+ xyz", True),
        ("1+", "no comment", False),
    ],
)
def test_a_denied_word_is_held_against_what_it_denies(
    value: str, text: str, is_against: bool
) -> None:
    found = evidence(observation(IHC, valueString=value, interpretation=[{"text": text}]))
    assert conflicts(found) == (["interpretation-against-value"] if is_against else [])


def test_both_sides_of_a_denied_word_are_named() -> None:
    found = evidence(
        observation(IHC, valueString="3+", interpretation=[{"text": "not considered positive"}])
    )
    assert "not positive against IHC 3+" in found.contradictions[0].sentence


@pytest.mark.parametrize(
    ("code", "against", "beside"),
    [("DET", "1+", "3+"), ("RR", "0", "2+"), ("ND", "3+", "1+"), ("NR", "2+", "0")],
)
def test_presence_as_a_code_is_held_against_a_score_and_is_none(
    code: str, against: str, beside: str
) -> None:
    said = [{"coding": [{"system": V3, "code": code}]}]
    assert category(observation(IHC, valueString=against, interpretation=said)) == "needs-review"
    found = evidence(observation(IHC, valueString=beside, interpretation=said))
    assert not found.contradictions
    assert found.ihc is not None
    assert found.ihc.word is None
    assert evidence(observation(IHC, valueCodeableConcept=said[0])).unreadable is not None


@pytest.mark.parametrize(("code", "word"), [("DET", "positive"), ("ND", "negative")])
def test_presence_as_a_code_is_a_result_of_ish(code: str, word: str) -> None:
    said = {"coding": [{"system": V3, "code": code}]}
    found = evidence(observation(ISH, valueCodeableConcept=said))
    assert found.ish is not None
    assert found.ish.word == word


@pytest.mark.parametrize("system", [V3, "http://terminology.hl7.org/CodeSystem/v2-0078", "urn:x"])
@pytest.mark.parametrize(
    ("value", "code", "is_against"),
    [("1+", "POSITIVE", True), ("3+", "NEGATIVE", True), ("3+", "POSITIVE", False)]
    + [(score, code, False) for score in ("1+", "3+") for code in ("A", "AA", "N", "H", "<", "S")],
)
def test_a_code_that_no_row_knows_is_held_against_the_value_as_a_text(
    system: str, value: str, code: str, is_against: bool
) -> None:
    said = [{"coding": [{"system": system, "code": code}]}]
    found = evidence(observation(IHC, valueString=value, interpretation=said))
    assert conflicts(found) == (["interpretation-against-value"] if is_against else [])
