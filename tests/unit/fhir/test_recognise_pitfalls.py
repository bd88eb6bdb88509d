"""Protects against the pitfalls seen in public FHIR data: each test names one of the survey's list.

Every one ends in the category that the rules ask for, through the core, or in its reason.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.recognise import Outcome, gather_evidence
from adapter.fhir.references import Graph
from adapter.her2.cases import group
from adapter.her2.classify import classify
from tests.unit.fhir.recognising import (
    CEP17_COPIES,
    HER2_COPIES,
    IHC,
    ISH,
    LOINC,
    OVERALL,
    RATIO,
    SNOMED,
    catalogue,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    quantity,
    recognised,
)

MII = "https://www.medizininformatik-initiative.de/fhir/ext/modul-onko/CodeSystem/"


def category(*observations: dict[str, Any]) -> tuple[str, bool]:
    """Category and review of the one sample that these results are of."""
    specimen = {"resourceType": "Specimen", "id": "s1"}
    placed = [
        o | {"id": f"o{place}", "specimen": {"reference": "Specimen/s1"}}
        for place, o in enumerate(observations)
    ]
    found = gather_evidence(placed, Graph.of([specimen, *placed]), catalogue())
    (case,) = group(result.evidence for result in found if result.evidence)
    answer = classify(case)
    return answer.category.value, answer.review


def test_pitfall_1_the_ihc_code_on_a_blood_culture_panel_is_not_her2() -> None:
    code = concept(IHC) | {"text": "Blood culture panel"}
    result = recognised(observation(code, valueString="Negative"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "other-analyte-named")


@pytest.mark.parametrize(
    "said",
    [
        {"valueString": "negative"},
        {"valueString": "Not amplified"},
        {"valueString": "Positive (2.0 copies/cell)"},
        {"valueCodeableConcept": concept("LA6577-6")},
        {"valueCodeableConcept": concept("10828004")},
    ],
)
def test_a_word_under_a_count_of_cep17_is_no_result_of_her2(said: dict[str, Any]) -> None:
    count = observation(CEP17_COPIES, **said)
    assert category(observation(IHC, valueString="2+"), count) == ("equivocal", True)
    assert category(observation(IHC, valueString="1+"), count) == ("low", True)


@pytest.mark.parametrize("code", ["POS", "NEG"])
def test_an_interpretation_of_a_count_of_cep17_is_none_of_her2(code: str) -> None:
    v3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    count = observation(
        CEP17_COPIES, valueQuantity=quantity(4), interpretation=[concept((v3, code))]
    )
    assert category(observation(IHC, valueString="2+"), count) == ("equivocal", False)
    copies = observation(HER2_COPIES, valueQuantity=quantity(Decimal("6.4")))
    assert category(observation(IHC, valueString="1+"), count, copies) == ("low", False)


@pytest.mark.parametrize(
    "method",
    [
        *("MLPA", "array CGH", "SNP-array", "ddPCR", "Hybrid capture", "whole exome", "RNA-seq"),
        *("FoundationOne CDx", "Guardant360", "MSK-IMPACT", "Oncomine", "TSO500", "HERmark"),
    ],
)
def test_an_amplification_that_another_method_found_is_no_ish(method: str) -> None:
    found = observation(
        concept(text="ERBB2 amplification"), valueString="negative", method={"text": method}
    )
    assert category(observation(IHC, valueString="2+"), found) == ("needs-review", True)


@pytest.mark.parametrize(
    "method", ["FISH", "PathVysion FISH", "Dual ISH", "CISH on tissue microarray"]
)
def test_an_amplification_that_ish_found_is_one(method: str) -> None:
    found = observation(
        concept(text="ERBB2 amplification"), valueString="negative", method={"text": method}
    )
    assert category(observation(IHC, valueString="2+"), found) == ("low", False)


def test_pitfall_1_cep17_copies_under_the_ihc_code_are_no_score() -> None:
    code = {"coding": [{"system": LOINC, "code": IHC, "display": "CEP17 copies per cell"}]}
    found = evidence(observation(code, valueQuantity=quantity(2)))
    assert conflicts(found) == ["test-code-against-display"]


def test_pitfall_2_a_bare_score_under_the_overall_code_is_ihc() -> None:
    assert category(observation(OVERALL, valueString="2+")) == ("equivocal", False)


def test_pitfall_3_a_dead_code_is_not_read_by_its_number() -> None:
    result = recognised(observation("85319-0", valueString="Positive"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "no-her2-test")


def test_pitfall_3_a_wrong_answer_code_says_nothing() -> None:
    mixed = {"coding": [{"system": LOINC, "code": "LA11840-8", "display": "0"}]}
    result = recognised(observation(IHC, valueCodeableConcept=mixed))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "answer-says-nothing")


def test_pitfall_4_a_value_of_another_marker_is_no_her2_result() -> None:
    result = recognised(observation(IHC, valueString="Estrogen receptor positive tumor"))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "other-analyte-in-value")


def test_pitfall_5_her2_of_a_gastric_tumour_never_becomes_a_breast_category() -> None:
    stomach = {
        "resourceType": "Condition",
        "id": "c",
        "code": {"coding": [{"system": SNOMED, "code": "363349007"}]},
    }
    given = observation("18474-7", valueString="3+", focus=[{"reference": "Condition/c"}])
    result = recognised(given, stomach)
    assert (result.outcome, result.reason.code) == (Outcome.NOT_APPLICABLE, "other-tumour")


def test_pitfall_5_the_value_itself_may_name_another_tumour() -> None:
    result = recognised(observation(OVERALL, valueCodeableConcept=concept("878807001")))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_APPLICABLE, "other-tumour")


def test_pitfall_6_negative_without_a_score_is_never_her2_0() -> None:
    negative = observation(IHC, valueCodeableConcept=concept("LA6577-6", text="Negative"))
    assert category(negative) == ("negative-unspecified", False)


def test_pitfall_6_present_is_no_ihc_result() -> None:
    result = recognised(observation(IHC, valueCodeableConcept=concept("LA9633-4")))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "answer-says-nothing")


def test_pitfall_7_an_interpretation_against_the_numbers_goes_to_review() -> None:
    given = observation(
        RATIO,
        valueRatio={"numerator": {"value": Decimal("2.4")}, "denominator": {"value": 1}},
        component=[component("74860-8", valueQuantity=quantity(6))],
        interpretation=[concept("260385009")],
    )
    assert category(given) == ("needs-review", True)


def test_pitfall_8_negativ_by_the_guideline_code_is_negative_alone() -> None:
    code = (MII + "mii-cs-onko-mamma-her2neu-status-leitlinie", "negativ")
    assert category(observation(OVERALL, valueCodeableConcept=concept(code)))[0] == "negative"


@pytest.mark.parametrize(
    "sign",
    [
        {"note": [{"text": "1+"}]},
        {"component": [component(IHC, valueString="1+")]},
        {"component": [component(IHC, valueString="siehe Befund")]},
    ],
    ids=["a note", "a component", "a component that cannot be read"],
)
def test_pitfall_8_negativ_by_the_guideline_code_with_any_sign_of_a_score_is_no_category(
    sign: dict[str, Any],
) -> None:
    code = (MII + "mii-cs-onko-mamma-her2neu-status-leitlinie", "negativ")
    given = observation(OVERALL, valueCodeableConcept=concept(code), **sign)
    assert category(given) == ("needs-review", True)


def test_pitfall_9_a_small_integer_code_means_nothing_without_its_system() -> None:
    lithuanian = ("https://tx.hl7.lt/fhir/CodeSystem/her2-ihc-score", "1")
    assert category(observation(IHC, valueCodeableConcept=concept(lithuanian))) == ("low", False)
    elsewhere = observation(IHC, valueCodeableConcept=concept(("http://local", "1")))
    assert recognised(elsewhere).reason.code == "answer-not-known"


@pytest.mark.parametrize(
    ("system", "code"),
    [("https://loinc.org", IHC), ("LOINC", IHC), ("https://cap.org/eCC", "52399.100004300")],
)
def test_pitfall_10_a_system_may_be_spelled_in_its_known_ways(system: str, code: str) -> None:
    assert recognised(observation(concept((system, code)), valueString="2+")).evidence is not None


def test_pitfall_11_a_list_of_codes_as_in_dstu2_is_unreadable_and_known_as_her2() -> None:
    result = recognised(observation([concept(IHC)], valueString="3+"))  # type: ignore[arg-type]
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "test-not-r4")


def test_pitfall_11_a_category_object_as_in_dstu2_does_no_harm() -> None:
    given = observation(IHC, valueString="3+", category={"coding": []})
    assert evidence(given).unreadable is None


@pytest.mark.parametrize("element", ["comment", "comments"])
def test_pitfall_11_the_note_of_earlier_editions_can_contradict_the_value(element: str) -> None:
    found = evidence(observation(IHC, valueString="2+", **{element: "HER2 3+"}))
    assert conflicts(found) == ["note-against-value"]


def test_pitfall_12_carcinoma_in_situ_alone_is_not_applicable() -> None:
    in_situ = {
        "resourceType": "Condition",
        "id": "c",
        "code": concept(("http://hl7.org/fhir/sid/icd-10", "D05.1")),
    }
    given = observation(IHC, valueString="3+", focus=[{"reference": "Condition/c"}])
    result = recognised(given, in_situ)
    assert (result.outcome, result.reason.code) == (Outcome.NOT_APPLICABLE, "carcinoma-in-situ")


def test_pitfall_13_another_laboratory_s_score_in_brackets_is_not_merged() -> None:
    result = recognised(observation(IHC, valueString="1+ (outside 3+)"))
    assert result.reason.code == "laboratories-differ"
    assert result.reason.sentence.endswith(": IHC 1+ against IHC 3+.")


def test_pitfall_14_both_generations_of_a_display_are_known() -> None:
    for display in ("HER2 [Interpretation] in Tissue", "HER2 Ag [Interpretation] in Tissue"):
        code = {"coding": [{"system": LOINC, "code": OVERALL, "display": display}]}
        assert not evidence(observation(code, valueString="Positive")).contradictions


def test_pitfall_15_a_filler_0_as_ratio_is_no_number_beside_a_score() -> None:
    score, filler = observation(IHC, valueString="2+"), observation(RATIO, valueString="0")
    assert category(score, filler) == ("equivocal", False)


def test_pitfall_15_total_signals_are_not_taken_for_an_average() -> None:
    given = observation(
        ISH,
        component=[
            component(RATIO, valueQuantity=quantity(Decimal("1.1"))),
            component("74860-8", valueInteger=172),
        ],
    )
    assert category(given) == ("needs-review", True)


def test_pitfall_17_french_negatif_is_not_0_and_amplifie_is_not_3_plus() -> None:
    assert category(observation(IHC, valueString="HER2 negatif")) == ("negative-unspecified", False)
    amplified = evidence(observation(IHC, valueString="HER2 amplifie"))
    assert amplified.ihc is None
    assert amplified.ish is not None


def test_pitfall_19_an_unknown_answer_code_counts_by_its_display() -> None:
    value = {"coding": [{"system": LOINC, "code": "LA26333-6", "display": "1+"}]}
    assert category(observation(IHC, valueCodeableConcept=value)) == ("low", False)


def test_finding_1_low_and_ultralow_are_mapped_by_code_and_never_by_subsumption() -> None:
    for code, expected in (("1381317004", "low"), ("1381318009", "ultralow")):
        given = observation(OVERALL, valueCodeableConcept=concept(code))
        assert category(given) == (expected, False)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("LA6577-6", "Positive (3+)"),
        ("LA6576-8", "Negative (IHC 1+)"),
        ("LA6576-8", "Her2low"),
        ("431396003", "HER2 gene amplification detected"),
        ("LA11841-6", "2+"),
    ],
)
def test_finding_2_a_code_against_its_text_is_never_decided(code: str, text: str) -> None:
    given = observation(OVERALL, valueCodeableConcept=concept(code, text=text))
    assert category(given) == ("needs-review", True)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "invalid",
            "Error",
            "CANCELLED",
            "unsatisfactory",
            "Entered in error",
            "ungültig",
            "annulé",
        ),
        *("zweifelhaft", "Score: three", "+"),
        *("fraglich", "Questionable", "III", "Score III", "suspected", "möglich", "do not use"),
    ],
)
@pytest.mark.parametrize("code", ["LA6577-6", "LA6111-4", "LA11841-6", "LA11843-2"])
def test_a_code_does_not_stand_beside_a_text_that_voids_or_doubts_it(code: str, text: str) -> None:
    given = observation(IHC, valueCodeableConcept=concept(code, text=text))
    assert recognised(given).reason.code == "text-beside-code-not-understood"


@pytest.mark.parametrize(
    "text",
    [
        *("see comment", "per report", "Clone 4B5, Ventana", "HER2 IHC left breast core biopsy"),
        *("Dr. Smith", "dodatni", "siehe Befund", "HER2"),
        *("Leica BOND-III", "HER2 overexpression", "prior core biopsy"),
    ],
)
def test_a_text_that_says_nothing_of_the_result_leaves_the_code_alone(text: str) -> None:
    given = observation(IHC, valueCodeableConcept=concept("LA11841-6", text=text))
    assert category(given) == ("low", False)


def test_traditional_characters_are_read_as_simplified_ones_are() -> None:
    given = observation(IHC, valueCodeableConcept=concept("LA6577-6", text="陽性"))
    assert category(given) == ("needs-review", True)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("431396003", "HER2 gene amplification detected"),
        ("LA6577-6", "amplified"),
        ("LA6577-6", "FISH amplified"),
        ("LA6577-6", "ratio 1.1"),
        ("LA11841-6", "amplified"),
        ("LA11842-4", "FISH not amplified"),
        ("705105000", "1+"),
        ("705105000", "Positive"),
    ],
)
@pytest.mark.parametrize("place", ["text", "display"])
def test_finding_2_a_code_and_a_text_of_two_tests_are_never_decided(
    code: str, text: str, place: str
) -> None:
    value = concept(code)
    named = value if place == "text" else value["coding"][0]
    named[place] = text
    assert category(observation(IHC, valueCodeableConcept=value)) == ("needs-review", True)


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("LA6577-6", "not amplified", "negative-unspecified"),
        ("705105000", "Negative", "negative-unspecified"),
        ("LA6576-8", "amplified", "positive"),
        ("LA11842-4", "2+, FISH not amplified", "low"),
        ("LA11841-6", "HER2-low (FISH not amplified)", "low"),
        ("LA11841-6", "1+, FISH not done", "low"),
    ],
)
def test_a_text_that_says_the_same_of_the_other_test_or_more_agrees(
    code: str, text: str, expected: str
) -> None:
    given = observation(IHC, valueCodeableConcept=concept(code, text=text))
    assert category(given) == (expected, False)


def test_two_codes_of_one_answer_speak_of_one_test() -> None:
    given = observation(IHC, valueCodeableConcept=concept("LA11841-6", "12645001"))
    assert conflicts(evidence(given)) == ["answer-codes-differ"]


@pytest.mark.parametrize(
    "text", ["no overexpression", "HER2 not overexpressed", "overexpressed", "keine Überexpression"]
)
def test_overexpression_under_an_ish_code_is_no_ish_result(text: str) -> None:
    found = evidence(observation(ISH, valueString=text))
    assert conflicts(found) == ["ihc-score-under-ish-test"]
    ihc = observation(IHC, valueString="2+")
    assert category(ihc, observation(ISH, valueString=text)) == ("needs-review", True)


@pytest.mark.parametrize(
    "text",
    [
        "IHC 2+, FISH: ratio 1.7, copies 5.1, negative",
        "IHC 2+; FISH ratio 2.1; HER2 copies 3.2; positive",
        "IHC 2+, FISH equivocal, negative",
        "IHC: 2+ (negative), FISH group 4",
    ],
)
def test_a_word_behind_the_numbers_of_one_text_is_no_adjudication(text: str) -> None:
    assert category(observation(OVERALL, valueString=text)) == ("needs-review", True)


def test_a_word_behind_ish_numbers_adjudicates_no_ihc_of_another_result() -> None:
    ihc = observation(IHC, valueString="2+")
    ish = observation(OVERALL, valueString="FISH: ratio 1.7, copies 5.1, negative")
    assert category(ihc, ish) == ("needs-review", True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("IHC 2+, FISH: ratio 1.1, copies 2.1, negative", ("low", False)),
        ("IHC 2+ (equivocal); FISH: not amplified (ratio 1.1)", ("low", False)),
        ("IHC 3+ (positive), FISH: amplified", ("positive", False)),
        ("Overall negative. IHC 2+, FISH group 4", ("low", True)),
    ],
)
def test_a_word_that_fits_the_numbers_beside_it_stands(
    text: str, expected: tuple[str, bool]
) -> None:
    assert category(observation(OVERALL, valueString=text)) == expected


def test_finding_8_0_to_1_plus_cannot_be_told_apart() -> None:
    assert category(observation(IHC, valueString="0-1+")) == ("negative-unspecified", False)


def test_synthea_s_negative_ihc_and_less_than_1_8_are_negative_unspecified() -> None:
    ihc = observation(
        IHC, valueCodeableConcept=concept("260385009", text="Negative (qualifier value)")
    )
    ish = observation(ISH, valueString="less than 1.8")
    assert category(ihc, ish) == ("negative-unspecified", False)


def test_an_unreadable_ihc_keeps_a_negative_ish_from_becoming_low_or_negative() -> None:
    ihc = observation(IHC, valueString="see report")
    ish = observation(ISH, valueString="not amplified")
    assert category(ihc, ish) == ("negative-unspecified", True)


def test_a_coded_percentage_of_ki_67_under_the_ihc_code_is_no_her2_score() -> None:
    result = recognised(observation(IHC, valueQuantity=quantity(60, "%")))
    assert result.reason.code == "percent-without-score"


def test_a_codes_own_published_display_says_nothing_beyond_the_code() -> None:
    """HL7 Lithuania displays its score code 0 as "HER2 0+ (negative)" and means no expression."""
    lithuania = "https://tx.hl7.lt/fhir/CodeSystem/her2-ihc-score"
    coding = {"system": lithuania, "code": "0", "display": "HER2 0+ (negative)"}

    published = observation(IHC, valueCodeableConcept={"coding": [coding]})
    otherwise = observation(
        IHC, valueCodeableConcept={"coding": [coding | {"display": "3+ (positive)"}]}
    )

    assert category(published) == ("negative", False)
    assert category(otherwise) == ("needs-review", True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("HER2 fish method", ">=2.0 Positive", id="a cut-off"),
        pytest.param("her2_fish_method", "Positive >2.2", id="a column's name"),
        pytest.param("HER2 IHC method", "3+ Positive", id="a scale"),
        pytest.param("HER2 IHC kit", "3+ Positive", id="a kit"),
    ],
)
def test_what_counts_as_positive_is_no_positive_result(name: str, value: str) -> None:
    """Forms of TCGA-BRCA hold the criterion in the field for the method."""
    result = recognised(observation(concept(text=name), valueString=value))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "method-named")


def test_a_method_within_a_name_does_not_hide_its_result() -> None:
    found = evidence(
        observation(concept(text="HER2, FISH method, result"), valueString="amplified")
    )
    assert found.ish is not None
