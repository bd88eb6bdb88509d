"""Protects against codes that public data misuses: each pitfall of the survey that a row could fall into."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.recognise import Outcome, Recognised, recognise
from adapter.fhir.references import Graph
from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.model import Category
from adapter.terminology.catalogue import Catalogue
from adapter.terminology.vocabulary import AnswerKind
from tests.mappings.systems_of_others import (
    CPT,
    HGNC,
    ICD_10,
    ICD_10_CM,
    LOINC,
    NAACCR,
    SNOMED,
    TAIWAN_NHI,
)


def coded(*codings: tuple[str, str] | tuple[str, str, str]) -> dict[str, Any]:
    names = ("system", "code", "display")
    return {"coding": [dict(zip(names, coding, strict=False)) for coding in codings]}


def recognised(catalogue: Catalogue, code: dict[str, Any], **value: Any) -> Recognised:
    observation = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": "Patient/p1"},
        "code": code,
    } | value
    return recognise(observation, Graph.of([observation]), catalogue)


@pytest.mark.parametrize(
    ("system", "code"),
    [
        pytest.param(LOINC, "34566", id="LOINC 34566, dead"),
        pytest.param(LOINC, "85319-0", id="LOINC 85319-0, wrong check digit"),
        pytest.param(SNOMED, "108283007", id="SNOMED 108283007 as HER2 receptor status"),
        pytest.param(SNOMED, "10828001", id="SNOMED 10828001 as positive"),
        pytest.param(SNOMED, "432881000", id="SNOMED 432881000 as HER2 positive"),
        pytest.param(SNOMED, "414464004", id="SNOMED 414464004"),
        pytest.param(ICD_10_CM, "Z15.01", id="ICD-10-CM Z15.01, a gene carrier"),
        pytest.param(ICD_10, "Z15.01", id="Z15.01 under WHO's ICD-10"),
    ],
)
def test_pitfall_3_a_dead_or_wrong_code_is_no_test_and_no_answer(
    catalogue: Catalogue, system: str, code: str
) -> None:
    assert catalogue.test_code(system, code) is None
    assert [kind for kind in AnswerKind if catalogue.answer(kind, system, code)] == []


def test_pitfall_3_progesterone_receptor_percent_is_no_ish_result(catalogue: Catalogue) -> None:
    found = recognised(
        catalogue, coded((LOINC, "85325-9", "HER2 by FISH")), valueString="amplified"
    )

    assert found.evidence is not None
    assert [why.code for why in found.evidence.contradictions] == ["test-code-against-display"]


def test_pitfall_3_a_wrong_gene_number_is_not_her2(catalogue: Catalogue) -> None:
    assert not catalogue.is_her2_gene(HGNC, "HGNC:2064")


@pytest.mark.parametrize("code", ["48675-3", "104279-5"])
def test_a_code_seen_without_a_name_is_unknown_until_somebody_names_it(
    catalogue: Catalogue, code: str
) -> None:
    found = recognised(catalogue, coded((LOINC, code)), valueString="3+")

    assert (found.outcome, found.unknown) == (Outcome.NOT_HER2, ((LOINC, code),))


def test_a_code_without_a_verified_name_counts_by_its_display_only(catalogue: Catalogue) -> None:
    bare = recognised(
        catalogue, coded((LOINC, "48676-1")), valueCodeableConcept=coded((SNOMED, "1162602001"))
    )
    named = recognised(
        catalogue,
        coded((LOINC, "48676-1")),
        valueCodeableConcept=coded((SNOMED, "1162602001", "HER2 positive")),
    )

    assert (bare.outcome, bare.reason.code) == (Outcome.UNREADABLE, "answer-not-known")
    assert named.outcome is Outcome.EVIDENCE
    assert named.evidence is not None
    assert named.evidence.overall is not None
    assert named.evidence.overall.word == "positive"


def test_pitfall_9_the_same_digit_means_what_its_item_makes_of_it(catalogue: Catalogue) -> None:
    meanings = [
        row.meaning if (row := catalogue.answer(kind, NAACCR, "1")) else None
        for kind in (AnswerKind.IHC, AnswerKind.ISH, AnswerKind.OVERALL)
    ]

    assert meanings == ["1+", None, "positive"]


@pytest.mark.parametrize(
    "display", [None, "HER2 negative; equivocal", "HER2 negative", "Equivocal"]
)
def test_pitfall_19_naaccr_3855_0_merges_two_results_and_gives_neither(
    catalogue: Catalogue, display: str | None
) -> None:
    answer = (NAACCR, "0") if display is None else (NAACCR, "0", display)
    found = recognised(catalogue, coded((NAACCR, "3855")), valueCodeableConcept=coded(answer))

    assert found.outcome is Outcome.EVIDENCE
    assert found.evidence is not None
    [alone] = group([found.evidence])
    answer_alone = classify(alone)
    assert answer_alone.category is Category.NEEDS_REVIEW
    assert "overall-merges-two-results" in [why.code for why in answer_alone.reasons]


@pytest.mark.parametrize(
    ("score", "category"),
    [
        ("1", Category.LOW),
        ("2", Category.EQUIVOCAL),
        ("4", Category.NEGATIVE_UNSPECIFIED),
        ("3", Category.NEEDS_REVIEW),
    ],
    ids=["1-plus", "2-plus", "negative-stated", "3-plus"],
)
def test_pitfall_19_naaccr_3855_0_beside_a_score_agrees_with_negative_and_equivocal(
    catalogue: Catalogue, score: str, category: Category
) -> None:
    specimen = {"reference": "Specimen/s"}
    ihc = recognised(
        catalogue,
        coded((NAACCR, "3850")),
        id="ihc",
        valueCodeableConcept=coded((NAACCR, score)),
        specimen=specimen,
    )
    overall = recognised(
        catalogue,
        coded((NAACCR, "3855")),
        id="overall",
        valueCodeableConcept=coded((NAACCR, "0")),
        specimen=specimen,
    )
    assert ihc.evidence is not None
    assert overall.evidence is not None
    [case] = group([ihc.evidence, overall.evidence])
    assert classify(case).category is category


def test_pitfall_19_a_display_that_is_read_whole_counts(catalogue: Catalogue) -> None:
    found = recognised(
        catalogue,
        coded((LOINC, "85319-2")),
        valueCodeableConcept=coded((LOINC, "LA26333-6", "1+")),
    )

    assert found.evidence is not None
    assert found.evidence.ihc is not None
    assert [score.value for score in found.evidence.ihc.scores] == ["1+"]


@pytest.mark.parametrize("code", ["XX.1", "XX.2", "XX.3"])
def test_a_registry_code_in_a_number_field_is_no_number(catalogue: Catalogue, code: str) -> None:
    for value in ({"valueCodeableConcept": coded((NAACCR, code))}, {"valueString": code}):
        found = recognised(catalogue, coded((NAACCR, "3852")), **value)
        assert found.outcome is Outcome.UNREADABLE


def test_a_registry_number_as_text_is_the_ratio(catalogue: Catalogue) -> None:
    found = recognised(catalogue, coded((NAACCR, "3852")), valueString="2.1")

    assert found.evidence is not None
    assert found.evidence.ish is not None
    assert found.evidence.ish.ratio is not None
    assert str(found.evidence.ish.ratio.value) == "2.1"


@pytest.mark.parametrize(
    ("display", "outcome"),
    [
        pytest.param("CS Site-Specific Factor 8", Outcome.NOT_HER2, id="HER2 is not named"),
        pytest.param(
            "HER2: Immunohistochemistry (IHC) Lab Value", Outcome.EVIDENCE, id="HER2 is named"
        ),
    ],
)
def test_a_site_specific_factor_is_her2_only_where_it_says_so(
    catalogue: Catalogue, display: str, outcome: Outcome
) -> None:
    found = recognised(catalogue, coded((NAACCR, "2862", display)), valueString="3+")

    assert found.outcome is outcome


@pytest.mark.parametrize("code", ["88360", "88377"])
def test_an_order_code_is_no_result(catalogue: Catalogue, code: str) -> None:
    found = recognised(catalogue, coded((CPT, code)), valueString="3+")

    assert (found.outcome, found.reason.code) == (Outcome.NOT_HER2, "generic-test")


def test_a_payment_code_for_ish_beside_the_code_for_ihc_is_a_contradiction(
    catalogue: Catalogue,
) -> None:
    found = recognised(
        catalogue, coded((TAIWAN_NHI, "12195B"), (LOINC, "18474-7")), valueString="positive"
    )

    assert found.evidence is not None
    assert [why.code for why in found.evidence.contradictions] == ["test-codes-differ"]
