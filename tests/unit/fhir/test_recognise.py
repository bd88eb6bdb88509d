"""Protects the way from an Observation's value to evidence: coded, written, counted, in components."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.recognise import Outcome
from adapter.her2.model import (
    Assay,
    IhcScore,
    IshGroup,
    Measurement,
    Probe,
    ResultStatus,
    ResultWord,
    Source,
)
from tests.unit.fhir.recognising import (
    CEP17_COPIES,
    HER2_COPIES,
    IHC,
    ISH,
    LOINC,
    OVERALL,
    RATIO,
    SCORES,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    quantity,
    recognised,
)


@pytest.mark.parametrize("score", list(SCORES))
@pytest.mark.parametrize("with_text", [True, False], ids=["code and text", "code alone"])
def test_a_coded_ihc_score_is_that_score(score: str, with_text: bool) -> None:
    value = concept(SCORES[score], text=score if with_text else None)
    found = evidence(observation(IHC, valueCodeableConcept=value))
    assert found.assay is Assay.IHC
    assert found.ihc is not None
    assert found.ihc.scores == (IhcScore(score),)
    assert not found.contradictions


@pytest.mark.parametrize(
    "value",
    [
        {"valueCodeableConcept": concept(text="2+")},
        {"valueString": "HER2 IHC: 2+"},
        {"valueInteger": 2},
        {"valueQuantity": quantity(2)},
        {"valueQuantity": quantity(2, "score")},
        {"valueCodeableConcept": {"coding": [{"display": "2+"}]}},
        {
            "valueCodeableConcept": {
                "coding": [{"system": LOINC, "code": "LA26333-6", "display": "2+"}]
            }
        },
    ],
    ids=[
        "text",
        "string",
        "integer",
        "quantity",
        "unit that says nothing",
        "display alone",
        "unknown code with a display that is read whole",
    ],
)
def test_an_uncoded_ihc_score_is_read_too(value: dict[str, Any]) -> None:
    found = evidence(observation(IHC, **value))
    assert found.ihc is not None
    assert found.ihc.scores == (IhcScore.TWO_PLUS,)


@pytest.mark.parametrize(
    ("code", "word"),
    [
        ("LA6576-8", ResultWord.POSITIVE),
        ("LA6577-6", ResultWord.NEGATIVE),
        ("10828004", ResultWord.POSITIVE),
        ("260385009", ResultWord.NEGATIVE),
        ("LA11884-6", ResultWord.INDETERMINATE),
    ],
)
def test_a_coded_word_under_ihc_is_no_score(code: str, word: ResultWord) -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept(code)))
    assert found.ihc is not None
    assert (found.ihc.scores, found.ihc.word) == ((), word)


def test_a_range_of_integers_is_a_range_of_scores() -> None:
    found = evidence(observation(IHC, valueRange={"low": quantity(0), "high": quantity(1)}))
    assert found.ihc is not None
    assert found.ihc.scores == (IhcScore.ZERO, IhcScore.ONE_PLUS)


def test_an_integer_off_the_scale_is_kept_as_off_scale() -> None:
    found = evidence(observation(IHC, valueInteger=7))
    assert found.ihc is not None
    assert found.ihc.off_scale


def test_ish_numbers_in_components_are_one_result_with_its_probe() -> None:
    found = evidence(
        observation(
            ISH,
            method={"text": "FISH, dual probe"},
            component=[
                component(RATIO, valueQuantity=quantity(Decimal("1.60"))),
                component(HER2_COPIES, valueQuantity=quantity(Decimal("6.4"), "copies/cell")),
                component(CEP17_COPIES, valueQuantity=quantity(Decimal("4.0"), "{copies}/{cell}")),
                component("62361-1", valueInteger=20),
            ],
        )
    )
    assert found.assay is Assay.ISH
    assert found.ish is not None
    assert found.ish.probe is Probe.DUAL
    assert found.ish.ratio == Measurement(Decimal("1.60"))
    assert str(found.ish.ratio.value) == "1.60"
    assert found.ish.her2_copies == Measurement(Decimal("6.4"))
    assert found.ish.cep17_copies == Measurement(Decimal("4.0"))


@pytest.mark.parametrize(
    ("code", "value", "part"),
    [
        (ISH, {"valueQuantity": quantity(Decimal("1.8"))}, "ratio"),
        (ISH, {"valueString": "1.8"}, "ratio"),
        (
            ISH,
            {"valueRatio": {"numerator": {"value": Decimal("1.8")}, "denominator": {"value": 1}}},
            "ratio",
        ),
        (
            RATIO,
            {"valueRatio": {"numerator": {"value": Decimal("1.8")}, "denominator": {"value": 1}}},
            "ratio",
        ),
        (RATIO, {"valueQuantity": quantity(Decimal("1.8"), "{ratio}")}, "ratio"),
        (ISH, {"valueQuantity": quantity(Decimal("1.8"), "copies/cell")}, "her2_copies"),
        (HER2_COPIES, {"valueQuantity": quantity(Decimal("1.8"))}, "her2_copies"),
        (CEP17_COPIES, {"valueQuantity": quantity(Decimal("1.8"), "copies/cell")}, "cep17_copies"),
        (concept(text="HER2/CEP17 ratio"), {"valueString": "1.8"}, "ratio"),
        (
            concept(text="HER2 copy number"),
            {"valueQuantity": quantity(Decimal("1.8"))},
            "her2_copies",
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_bare_number_under_ish_is_the_ratio_unless_something_says_copies(
    code: Any, value: dict[str, Any], part: str
) -> None:
    found = evidence(observation(code, **value))
    assert found.ish is not None
    number = getattr(found.ish, part)
    assert number is not None
    assert number.value == Decimal("1.8")
    stated = [found.ish.ratio, found.ish.her2_copies, found.ish.cep17_copies]
    assert sum(other is not None for other in stated) == 1


def test_a_ratio_is_divided_unrounded() -> None:
    value = {"numerator": {"value": 120}, "denominator": {"value": 61}}
    found = evidence(observation(RATIO, valueRatio=value))
    assert found.ish is not None
    assert found.ish.ratio is not None
    assert found.ish.ratio.value == Decimal(120) / Decimal(61)


@pytest.mark.parametrize(("comparator", "value"), [("<", "1.8"), (">", "2.2"), (">=", "6")])
def test_a_comparator_is_kept(comparator: str, value: str) -> None:
    given = quantity(Decimal(value), comparator=comparator)
    found = evidence(observation(ISH, valueQuantity=given))
    assert found.ish is not None
    assert found.ish.ratio is not None
    assert found.ish.ratio.comparator == comparator


def test_synthea_writes_less_than_1_8_and_it_is_read_as_written() -> None:
    found = evidence(observation(ISH, valueString="less than 1.8"))
    assert found.ish is not None
    assert found.ish.ratio is not None
    assert (found.ish.ratio.comparator, found.ish.ratio.value) == ("<", Decimal("1.8"))


@pytest.mark.parametrize("number", [-1, 0, 816], ids=["negative", "zero", "total of signals"])
def test_implausible_numbers_reach_the_core_as_they_are(number: int) -> None:
    found = evidence(observation(HER2_COPIES, valueQuantity=quantity(number)))
    assert found.ish is not None
    assert found.ish.her2_copies == Measurement(Decimal(number))


def test_a_float_of_another_json_reader_keeps_its_shortest_digits() -> None:
    found = evidence(observation(RATIO, valueQuantity=quantity(2.2)))
    assert found.ish is not None
    assert found.ish.ratio == Measurement(Decimal("2.2"))


def test_a_laboratory_s_ish_group_code_names_the_group() -> None:
    code = ("https://tx.hl7.lt/fhir/CodeSystem/her2-fish-result", "monosomic")
    found = evidence(observation(ISH, valueCodeableConcept=concept(code)))
    assert found.ish is not None
    assert found.ish.stated_group is IshGroup.G2


def test_an_ish_code_under_an_ihc_test_is_read_as_ish() -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept("705105000")))
    assert found.ihc is None
    assert found.ish is not None
    assert found.ish.word is ResultWord.NEGATIVE


@pytest.mark.parametrize(
    "word", ["positive", "negative", "equivocal", "indeterminate", "low", "ultralow"]
)
def test_the_overall_result_is_a_word(word: str) -> None:
    found = evidence(observation(OVERALL, valueCodeableConcept=concept(text=word.capitalize())))
    assert found.assay is Assay.OVERALL
    assert found.overall is not None
    assert found.overall.word == word


def test_overall_with_ihc_and_ish_components_gives_all_three() -> None:
    found = evidence(
        observation(
            OVERALL,
            valueCodeableConcept=concept("LA6576-8", text="Positive"),
            component=[
                component(IHC, valueCodeableConcept=concept("LA11842-4")),
                component("96893-3", valueCodeableConcept=concept("10828004")),
            ],
        )
    )
    assert found.overall is not None
    assert found.overall.word is ResultWord.POSITIVE
    assert found.ihc is not None
    assert found.ihc.scores == (IhcScore.TWO_PLUS,)
    assert found.ish is not None
    assert found.ish.word is ResultWord.POSITIVE


def test_a_component_named_in_text_needs_not_name_her2_again() -> None:
    found = evidence(
        observation(
            IHC,
            valueCodeableConcept=concept("LA6577-6"),
            component=[component(concept(text="IHC score"), valueString="1+")],
        )
    )
    assert found.ihc is not None
    assert (found.ihc.scores, found.ihc.word) == ((IhcScore.ONE_PLUS,), ResultWord.NEGATIVE)


def test_uniform_intense_percent_is_a_result_of_its_own_or_a_component() -> None:
    alone = evidence(observation("85328-3", valueQuantity=quantity(60, "%")))
    assert alone.assay is Assay.IHC
    assert alone.ihc is not None
    assert alone.ihc.uniform_intense_percent == Measurement(Decimal(60))
    part = component("85328-3", valueQuantity=quantity(8, "%"))
    beside = evidence(observation(IHC, valueString="3+", component=[part]))
    assert beside.ihc is not None
    assert beside.ihc.scores == (IhcScore.THREE_PLUS,)
    assert beside.ihc.uniform_intense_percent == Measurement(Decimal(8))


def test_another_marker_s_component_is_left_out() -> None:
    part = component("85330-9", valueQuantity=quantity(60, "%"))
    found = evidence(observation(IHC, valueString="1+", component=[part]))
    assert not found.contradictions
    assert found.unreadable is None


@pytest.mark.parametrize("name", ["ER by IHC", "Progesterone receptor", "Ki-67", "Antibody clone"])
def test_a_component_named_otherwise_is_left_out(name: str) -> None:
    part = component(concept(text=name), valueString="Positive")
    found = evidence(observation(IHC, valueString="1+", component=[part]))
    assert not found.contradictions
    assert found.ihc is not None
    assert found.ihc.word is None


@pytest.mark.parametrize(
    ("element", "code"),
    [
        ({"valueString": "3+", "valueInteger": 1}, "several-values"),
        (
            {"valueString": "3+", "dataAbsentReason": concept(text="unknown")},
            "value-and-absent-reason",
        ),
        ({"valueString": "3+", "modifierExtension": [{"url": "x"}]}, "modifier-extension"),
        (
            {"valueString": "3+", "component": [component(IHC, valueString="1+")]},
            "stated-twice-differently",
        ),
        ({"valueString": "3+", "interpretation": [concept(text="Low")]}, None),
        (
            {"valueString": "Positive", "interpretation": [concept("260385009")]},
            "interpretation-against-value",
        ),
        ({"valueString": "3+", "method": {"text": "FISH"}}, "test-code-against-method"),
        (
            {
                "valueString": "3+",
                "component": [component(IHC, valueString="3+", modifierExtension=[{}])],
            },
            "modifier-extension",
        ),
        (
            {
                "valueString": "3+",
                "component": [
                    component(RATIO, valueQuantity=quantity(1)),
                    component(RATIO, valueQuantity=quantity(2)),
                ],
            },
            "stated-twice-differently",
        ),
        ({"valueCodeableConcept": concept("LA6576-8", "LA6577-6")}, "answer-codes-differ"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_what_contradicts_itself_is_said_and_never_decided(
    element: dict[str, Any], code: str | None
) -> None:
    found = evidence(observation(IHC, **element))
    assert conflicts(found) == ([code] if code else [])


def test_a_word_of_the_interpretation_stands_beside_the_score() -> None:
    v3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    given = observation(IHC, valueString="1+", interpretation=[concept((v3, "NEG"))])
    found = evidence(given)
    assert found.ihc is not None
    assert (found.ihc.scores, found.ihc.word) == ((IhcScore.ONE_PLUS,), ResultWord.NEGATIVE)


def test_an_interpretation_alone_is_the_result() -> None:
    v3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    found = evidence(observation(ISH, interpretation=[concept((v3, "POS"))]))
    assert found.ish is not None
    assert found.ish.word is ResultWord.POSITIVE


def test_an_interpretation_that_only_says_abnormal_says_nothing() -> None:
    v3 = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation"
    found = evidence(observation(IHC, valueString="3+", interpretation=[concept((v3, "A"))]))
    assert found.ihc is not None
    assert found.ihc.word is None
    assert not found.contradictions


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ({}, "no-value"),
        ({"dataAbsentReason": concept(("http://x", "unknown"))}, "data-absent"),
        ({"valueString": "see report"}, "text-not-understood"),
        ({"valueBoolean": True}, "value-type-not-read"),
        ({"valueDateTime": "2026-01-01"}, "value-type-not-read"),
        ({"valueString": 3}, "value-not-r4"),
        ({"valueQuantity": [1]}, "value-not-r4"),
        ({"valueQuantity": quantity(60, "%")}, "percent-without-score"),
        ({"valueQuantity": quantity("3")}, "number-not-readable"),
        ({"valueQuantity": quantity(True)}, "number-not-readable"),
        ({"valueQuantity": quantity(2, comparator="~")}, "comparator-not-known"),
        ({"valueQuantity": {"value": 2, "comparator": 7}}, "comparator-not-known"),
        ({"valueQuantity": {"value": 2, "unit": 7}}, "unit-not-understood"),
        ({"valueQuantity": quantity(2, "copies/cell")}, "unit-against-test"),
        ({"valueQuantity": quantity(Decimal("1E+9"))}, "number-not-readable"),
        ({"valueQuantity": quantity(float("nan"))}, "number-not-readable"),
        ({"valueRatio": {"numerator": {"value": 2}}}, "value-type-not-read"),
        ({"valueRange": {"low": quantity(2), "high": quantity(1)}}, "number-not-readable"),
        ({"valueRange": {"low": quantity(2)}}, "number-not-readable"),
        (
            {"valueRange": {"low": quantity(1, "%"), "high": quantity(2, "ratio")}},
            "number-not-readable",
        ),
        ({"valueInteger": 11}, "number-without-meaning"),
        ({"valueQuantity": quantity(Decimal("2.5"))}, "number-without-meaning"),
        ({"valueCodeableConcept": concept("LA9633-4")}, "answer-says-nothing"),
        ({"valueCodeableConcept": concept(("http://local", "1"))}, "answer-not-known"),
        ({"valueCodeableConcept": concept(text="ER positive")}, "other-analyte-in-value"),
        ({"component": [component(IHC)]}, "component-without-value"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_unreadable_ihc_is_set_aside_with_its_reason_and_still_known_as_ihc(
    element: dict[str, Any], reason: str
) -> None:
    result = recognised(observation(IHC, **element))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, reason)
    assert result.evidence is not None
    assert result.evidence.assay is Assay.IHC
    assert result.evidence.unreadable == result.reason
    assert (result.evidence.ihc, result.evidence.ish, result.evidence.overall) == (None, None, None)


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        ({"valueQuantity": quantity(20, "IU/mL")}, "unit-not-understood"),
        ({"valueQuantity": quantity(5, "%")}, "unit-against-test"),
        (
            {"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 0}}},
            "ratio-without-denominator",
        ),
        ({"valueRatio": {"numerator": {}, "denominator": {"value": 1}}}, "number-not-readable"),
        ({"valueQuantity": quantity(2004)}, "number-without-meaning"),
        ({"valueQuantity": {"value": 2, "unit": "ratio", "code": "%"}}, "unit-not-understood"),
        (
            {"valueRatio": {"numerator": quantity(9, "copies"), "denominator": quantity(1)}},
            "unit-against-test",
        ),
        ({"component": [component(RATIO, valueQuantity=quantity(1, "mg"))]}, "unit-not-understood"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_an_unreadable_ish_is_set_aside_with_its_reason(
    element: dict[str, Any], reason: str
) -> None:
    result = recognised(observation(ISH, **element))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, reason)


def test_copies_of_her2_are_not_taken_for_cep17_by_their_unit() -> None:
    given = observation(CEP17_COPIES, valueQuantity=quantity(6, "HER2 copies/cell"))
    assert recognised(given).reason.code == "unit-against-test"


def test_a_bare_number_is_nothing_where_the_test_is_not_known() -> None:
    given = observation(OVERALL, valueQuantity=quantity(2))
    assert recognised(given).reason.code == "number-without-meaning"


def test_a_unit_may_say_what_a_number_under_the_overall_code_is() -> None:
    found = evidence(
        observation(OVERALL, valueQuantity=quantity(Decimal("1.9"), "HER2/CEP17 ratio"))
    )
    assert found.assay is Assay.ISH
    assert found.ish is not None
    assert found.ish.ratio == Measurement(Decimal("1.9"))


def test_a_range_of_ratios_keeps_both_ends() -> None:
    given = observation(RATIO, valueRange={"low": quantity(1), "high": quantity(2)})
    found = evidence(given)
    assert found.ish is not None
    assert found.ish.ratio == Measurement(Decimal(1), upper=Decimal(2))


@pytest.mark.parametrize("text", ["not done", "nicht durchgeführt"])
def test_a_reason_in_words_for_having_no_value_is_read(text: str) -> None:
    found = evidence(observation(ISH, dataAbsentReason={"text": text}))
    assert found.ish is not None
    assert found.ish.word is ResultWord.NOT_DONE


def test_an_overall_result_that_was_not_made_is_none() -> None:
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    found = evidence(observation(OVERALL, dataAbsentReason=concept((system, "not-performed"))))
    assert found.overall is not None
    assert found.overall.word is ResultWord.NOT_DONE


def test_a_coded_grade_off_the_scale_is_kept_as_off_scale() -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept("LA11844-0")))
    assert found.ihc is not None
    assert found.ihc.off_scale


@pytest.mark.parametrize("code", ["not-performed", "not-applicable", "temp-unknown"])
def test_a_test_that_was_not_done_gives_no_result_and_is_not_unreadable(code: str) -> None:
    system = "http://terminology.hl7.org/CodeSystem/data-absent-reason"
    found = evidence(observation(ISH, dataAbsentReason=concept((system, code))))
    assert found.unreadable is None
    assert found.ish is not None
    assert found.ish.word is ResultWord.NOT_DONE


def test_a_component_that_the_laboratory_says_is_absent_is_just_absent() -> None:
    part = component(ISH, dataAbsentReason=concept(text="unknown"))
    found = evidence(observation(OVERALL, valueString="Positive", component=[part]))
    assert found.overall is not None
    assert not found.contradictions


def test_a_missing_number_among_components_is_just_missing() -> None:
    found = evidence(
        observation(
            ISH,
            component=[
                component(RATIO, valueQuantity=quantity(Decimal("1.4"))),
                component(CEP17_COPIES, dataAbsentReason=concept(text="unknown")),
            ],
        )
    )
    assert found.ish is not None
    assert found.ish.cep17_copies is None
    assert found.unreadable is None


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("final", ResultStatus.FINAL),
        ("preliminary", ResultStatus.PRELIMINARY),
        ("entered-in-error", ResultStatus.ENTERED_IN_ERROR),
        ("unknown", ResultStatus.UNKNOWN),
        ("done", ResultStatus.UNKNOWN),
        ("missing", ResultStatus.UNKNOWN),
        ("report-withdrawn", ResultStatus.UNKNOWN),
        (7, ResultStatus.UNKNOWN),
        (None, ResultStatus.MISSING),
    ],
)
def test_the_status_is_passed_on_for_the_core_to_judge(status: Any, expected: str) -> None:
    found = evidence(observation(IHC, valueString="1+", status=status))
    assert found.source.status is expected
    assert found.ihc is not None


def test_source_times_and_version_are_kept_as_written() -> None:
    found = evidence(
        observation(
            IHC,
            valueString="1+",
            meta={"versionId": "abc-7"},
            effectiveDateTime="2012-03",
            issued="2012-03-09T08:00:00+01:00",
        )
    )
    assert found.source == Source(
        "Observation/o1", "abc-7", ResultStatus.FINAL, "2012-03", "2012-03-09T08:00:00+01:00"
    )
    assert found.scored_at == "2012-03"
    assert found.subject == "Patient/p1"


def test_rows_of_the_mappings_that_were_used_are_named() -> None:
    result = recognised(observation(IHC, valueCodeableConcept=concept("LA11842-4", text="2+")))
    assert {(row.code, row.meaning) for row in result.rows} >= {(IHC, "ihc"), ("LA11842-4", "2+")}
    assert result.words == ("2+",)


def test_unknown_codes_are_listed_for_the_worklist() -> None:
    value = concept(("http://local", "77"))
    result = recognised(observation(IHC, valueCodeableConcept=value))
    assert result.unknown == (("http://local", "77"),)


def _listing(name: str, status: str, *results: str) -> dict[str, Any]:
    listed = [{"reference": f"Observation/{result}"} for result in results]
    return {"resourceType": "DiagnosticReport", "id": name, "status": status, "result": listed}


@pytest.mark.parametrize(
    ("own", "reports", "expected"),
    [
        ("final", ["entered-in-error"], "report-withdrawn"),
        ("final", ["cancelled"], "report-withdrawn"),
        ("corrected", ["entered-in-error", "cancelled"], "report-withdrawn"),
        (None, ["entered-in-error"], "report-withdrawn"),
        ("final", ["entered-in-error", "final"], "final"),
        ("final", ["cancelled", "amended"], "final"),
        ("final", ["unknown"], "final"),
        ("final", [], "final"),
        ("entered-in-error", ["entered-in-error"], "entered-in-error"),
        ("cancelled", ["entered-in-error"], "cancelled"),
    ],
)
@pytest.mark.parametrize("listed", ["o1", "panel"])
def test_a_result_whose_every_report_was_withdrawn_goes_with_them(
    own: str | None, reports: list[str], expected: str, listed: str
) -> None:
    """A report that lists other results alone says nothing of this one."""
    panel = observation("74885-5", id="panel", hasMember=[{"reference": "Observation/o1"}])
    around = [_listing(f"r{n}", status, listed) for n, status in enumerate(reports)]
    around.append(_listing("other", "entered-in-error", "o2"))
    result = observation(valueString="3+", status=own)
    found = recognised(result, panel, *around)
    assert found.evidence is not None
    assert found.evidence.source.status == expected
