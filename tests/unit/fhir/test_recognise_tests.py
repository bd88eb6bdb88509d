"""Protects the choice of what counts as a HER2 test: whitelist, deny list first, veto of other markers."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.fhir.recognise import Outcome
from adapter.her2.model import Assay
from adapter.terminology.systems import ADAPTER_SYSTEM, CASE_IDENTIFIER_SYSTEM
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    LOINC,
    OVERALL,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    recognised,
)

ERBB2 = concept(("http://www.genenames.org/geneId", "HGNC:3430"))


def coded(code: str, display: str | None = None, text: str | None = None) -> dict[str, Any]:
    coding = {"system": LOINC, "code": code} | ({"display": display} if display else {})
    return {"coding": [coding]} | ({"text": text} if text else {})


@pytest.mark.parametrize(
    ("code", "assay"),
    [
        (IHC, Assay.IHC),
        ("18474-7", Assay.IHC),
        ("85328-3", Assay.IHC),
        (ISH, Assay.ISH),
        ("31150-6", Assay.ISH),
        ("96893-3", Assay.ISH),
        ("49683-6", Assay.ISH),
        ("74860-8", Assay.ISH),
        ("74861-6", Assay.ISH),
        (OVERALL, Assay.OVERALL),
        ("3550001000004108", Assay.IHC),
        ("1363314005", Assay.ISH),
    ],
)
def test_each_whitelisted_code_is_known_by_its_assay(code: str, assay: Assay) -> None:
    assert evidence(observation(code, valueString="unreadable here")).assay is assay


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("32996-1", "serum-test"),
        ("42914-2", "serum-test"),
        ("51981-9", "serum-test"),
        ("72383-3", "tissue-immunoassay"),
        ("72382-5", "tissue-immunoassay"),
        ("42783-1", "mutation-test"),
        ("69548-6", "sequencing-copy-number"),
        ("85325-9", "other-analyte"),
        ("85330-9", "other-analyte"),
        ("42786-4", "other-analyte"),
        ("22637-3", "document"),
        ("55229-9", "generic-test"),
        ("2345-7", "no-her2-test"),
    ],
)
def test_lookalikes_and_other_tests_are_not_her2_with_a_reason(code: str, reason: str) -> None:
    result = recognised(observation(code, valueString="Positive"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, reason)
    assert result.evidence is None


def test_the_deny_list_comes_first_whatever_stands_beside_it() -> None:
    result = recognised(observation(concept(IHC, "51981-9", text="HER2 IHC"), valueString="3+"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "serum-test")


@pytest.mark.parametrize(
    "name",
    ["Ki-67", "PD-L1 by immune stain", "Estrogen receptor", "PR", "Blood culture panel", "LI-RADS"],
)
@pytest.mark.parametrize("place", ["display", "text"])
def test_a_name_of_another_analyte_vetoes_a_her2_code(name: str, place: str) -> None:
    code = coded(IHC, **{place: name})
    result = recognised(observation(code, valueString="Positive"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "other-analyte-named")


def test_her2_and_another_marker_named_together_go_to_review() -> None:
    found = evidence(observation(coded(IHC, text="HER2, ER and PR"), valueString="Positive"))
    assert conflicts(found) == ["several-analytes-named"]


def test_a_test_named_in_text_with_another_marker_is_never_read() -> None:
    result = recognised(observation(concept(text="HER2 and ER"), valueString="Positive"))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "several-analytes-named")


def test_an_ihc_score_under_an_ish_test_goes_to_review() -> None:
    found = evidence(observation(ISH, valueString="2+"))
    assert conflicts(found) == ["ihc-score-under-ish-test"]


def test_an_ish_word_under_the_overall_code_is_ish() -> None:
    assert evidence(observation(OVERALL, valueString="not amplified")).assay is Assay.ISH


def test_a_gene_component_without_a_value_says_nothing() -> None:
    part = component("48018-6")
    assert evidence(observation(IHC, valueString="2+", component=[part])).unreadable is None


def test_another_marker_s_code_with_her2_in_its_name_goes_to_review() -> None:
    found = evidence(observation(coded("85325-9", "HER2 by FISH"), valueString="Positive"))
    assert conflicts(found) == ["test-code-against-display"]


def test_an_ish_code_under_the_name_of_ihc_goes_to_review() -> None:
    name = "HER2 [Presence] in Breast cancer specimen by Immune stain"
    found = evidence(observation(coded(ISH, name), valueString="Positive"))
    assert conflicts(found) == ["test-code-against-display"]


@pytest.mark.parametrize(
    ("code", "display"),
    [
        (IHC, "HER2 [Presence] in Breast cancer specimen by Immune stain"),
        (IHC, "HER2 Ag [Presence] in Breast cancer specimen by Immune stain"),
        (ISH, "ERBB2 gene duplication [Presence] in Breast cancer specimen by FISH"),
        (ISH, "HER2 [Presence] in Breast cancer specimen by FISH"),
        ("49683-6", "ERBB2 gene copy number/Chromosome 17 copy number in Tissue by FISH"),
        (OVERALL, "HER2 Ag [Interpretation] in Tissue"),
        (IHC, "some new wording"),
    ],
)
def test_the_display_s_generation_does_not_matter(code: str, display: str) -> None:
    assert not evidence(observation(coded(code, display), valueString="Positive")).contradictions


@pytest.mark.parametrize(
    ("code", "assay"),
    [
        (concept(OVERALL, IHC), Assay.IHC),
        (concept(ISH, OVERALL), Assay.ISH),
        (concept(OVERALL, text="HER2 by IHC"), Assay.IHC),
        (concept(OVERALL, "1234806008"), Assay.IHC),
        (concept(OVERALL, "51864006"), Assay.ISH),
        (concept(OVERALL, text="HER2 status (IHC and FISH)"), Assay.OVERALL),
    ],
    ids=lambda value: str(value)[:90],
)
def test_the_interpretation_code_takes_the_flavour_of_what_stands_beside_it(
    code: dict[str, Any], assay: Assay
) -> None:
    assert evidence(observation(code, valueString="Positive")).assay is assay


@pytest.mark.parametrize(
    ("method", "assay"),
    [
        ({"text": "IHC"}, Assay.IHC),
        ({"text": "FISH"}, Assay.ISH),
        ({"text": "dual probe FISH"}, Assay.ISH),
        ({"text": "single-probe assay"}, Assay.ISH),
        (concept("1303773004"), Assay.ISH),
        (concept("117617002"), Assay.IHC),
    ],
    ids=str,
)
def test_the_interpretation_code_takes_the_flavour_of_its_method(
    method: dict[str, Any], assay: Assay
) -> None:
    found = evidence(observation(OVERALL, valueString="Positive", method=method))
    assert found.assay is assay


@pytest.mark.parametrize("text", ["FISH", "dual probe FISH", "dual-probe assay", "single probe"])
def test_a_method_of_ish_under_a_code_of_ihc_goes_to_review(text: str) -> None:
    found = evidence(observation(IHC, valueString="3+", method={"text": text}))
    assert conflicts(found) == ["test-code-against-method"]


def test_a_bare_score_under_the_interpretation_code_is_ihc() -> None:
    found = evidence(observation(OVERALL, valueCodeableConcept=concept("LA11842-4", text="2+")))
    assert found.assay is Assay.IHC
    assert found.overall is None


def test_ihc_and_ish_codes_in_one_concept_go_to_review() -> None:
    found = evidence(observation(concept(IHC, ISH), valueString="Positive"))
    assert conflicts(found) == ["test-codes-differ"]


@pytest.mark.parametrize(
    ("text", "assay"),
    [
        ("HER2 IHC", Assay.IHC),
        ("HER2 by immunohistochemistry", Assay.IHC),
        ("HER2 FISH", Assay.ISH),
        ("HER2 dual-probe FISH", Assay.ISH),
        ("HER2 single probe", Assay.ISH),
        ("Her2/CEP17 Ratio", Assay.ISH),
        ("HER2/neu", Assay.OVERALL),
        ("HER2 Status", Assay.OVERALL),
        ("C-erbB-2 (HER2/neu)", Assay.OVERALL),
        ("HercepTest", Assay.OVERALL),
    ],
)
def test_a_test_named_only_in_text_is_recognised(text: str, assay: Assay) -> None:
    found = evidence(observation(concept(text=text), valueString="see report"))
    assert found.assay is assay
    assert found.unreadable is not None
    assert found.unreadable.code == "text-not-understood"


@pytest.mark.parametrize("text", ["HER2 trial arm", "HER2 whatnot"])
def test_a_her2_test_whose_name_is_not_understood_is_never_read(text: str) -> None:
    result = recognised(observation(concept(text=text), valueString="Positive"))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "test-not-understood")


def test_a_display_without_a_code_is_read_as_a_name() -> None:
    code = {"coding": [{"display": "HER2 IHC"}]}
    assert evidence(observation(code, valueString="2+")).assay is Assay.IHC


def test_a_code_in_the_wrong_system_is_no_code() -> None:
    result = recognised(observation(concept(("http://local.lab", IHC)), valueString="3+"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "no-her2-test")


@pytest.mark.parametrize(
    ("gene", "outcome", "reason"),
    [
        (ERBB2, Outcome.EVIDENCE, "her2-result"),
        (concept(text="ERBB2"), Outcome.EVIDENCE, "her2-result"),
        (
            concept(("http://www.genenames.org/geneId", "HGNC:3791"), text="FOLR1"),
            Outcome.NOT_HER2,
            "generic-test",
        ),
        (None, Outcome.NOT_HER2, "generic-test"),
    ],
    ids=["HGNC id", "text", "another gene", "no gene"],
)
def test_a_general_immune_stain_is_her2_only_where_the_gene_says_so(
    gene: Any, outcome: Outcome, reason: str
) -> None:
    parts = [component("48018-6", valueCodeableConcept=gene)] if gene else []
    given = observation(coded("55229-9", "Immune stain study"), valueString="2+", component=parts)
    result = recognised(given)
    assert (result.outcome, result.reason.code) == (outcome, reason)


@pytest.mark.parametrize(
    "gene",
    [
        {"valueCodeableConcept": concept(text="FOLR1")},
        {"valueString": "FOLR1"},
        {"valueCode": "FOLR1"},
    ],
    ids=["concept", "string", "code"],
)
def test_another_gene_studied_vetoes_a_her2_code(gene: dict[str, Any]) -> None:
    part = component("48018-6", **gene)
    result = recognised(observation(IHC, valueString="2+", component=[part]))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "other-gene")


@pytest.mark.parametrize(
    "mark",
    [
        {"meta": {"tag": [{"system": ADAPTER_SYSTEM, "code": "derived"}]}},
        {"identifier": [{"system": CASE_IDENTIFIER_SYSTEM, "value": "x"}]},
    ],
    ids=["tag", "identifier"],
)
def test_the_adapter_s_own_output_is_never_its_input(mark: dict[str, Any]) -> None:
    result = recognised(observation(OVERALL, valueString="Low", **mark))
    assert (result.outcome, result.reason.code) == (Outcome.IGNORED, "own-output")
    assert result.evidence is None


@pytest.mark.parametrize("code", ["74885-5", OVERALL])
def test_a_panel_that_only_holds_results_is_ignored(code: str) -> None:
    given = observation(code, hasMember=[{"reference": "Observation/o2"}])
    result = recognised(given)
    assert (result.outcome, result.reason.code) == (Outcome.IGNORED, "panel")


@pytest.mark.parametrize("code", [IHC, OVERALL])
def test_a_question_whose_answer_is_a_member_of_no_known_code_is_not_missed(code: str) -> None:
    answer = observation(concept(text="Negative (Score 0)"), id="o2")
    given = observation(code, hasMember=[{"reference": "Observation/o2"}])
    result = recognised(given, answer)
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "no-value")


def test_a_test_that_holds_results_not_at_hand_is_not_missed() -> None:
    result = recognised(observation(IHC, hasMember=[{"reference": "Observation/o2"}]))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "no-value")


def test_a_test_that_holds_results_of_her2_tests_is_a_panel() -> None:
    given = observation(IHC, hasMember=[{"reference": "Observation/o2"}])
    result = recognised(given, observation(IHC, id="o2", valueString="1+"))
    assert (result.outcome, result.reason.code) == (Outcome.IGNORED, "panel")


@pytest.mark.parametrize(
    "code",
    [concept("60568-3"), concept("55229-9"), concept(text="Breast biomarkers"), concept()],
    ids=["synoptic report", "general stain", "local panel", "no code"],
)
def test_her2_in_the_components_of_something_else_is_read_there_alone(code: dict[str, Any]) -> None:
    found = evidence(
        observation(
            code,
            valueString="Positive",
            interpretation=[concept("10828004")],
            note=[{"text": "Positive"}],
            component=[
                component("16112-5", valueString="Positive"),
                component(concept(text="IHC score"), valueString="3+"),
                component(IHC, valueCodeableConcept=concept("LA11841-6")),
            ],
        )
    )
    assert found.assay is Assay.IHC
    assert found.ihc is not None
    assert [score.value for score in found.ihc.scores] == ["1+"]
    assert found.ihc.word is None
    assert not found.contradictions


def test_the_overall_code_as_a_component_is_read() -> None:
    part = component(OVERALL, valueCodeableConcept=concept("LA6576-8"))
    found = evidence(observation(concept(text="Breast biomarkers"), component=[part]))
    assert found.assay is Assay.OVERALL
    assert found.overall is not None


def test_an_unreadable_ihc_component_is_an_unreadable_ihc() -> None:
    for code in (OVERALL, concept(text="Breast biomarkers")):
        part = component(IHC, valueString="see report")
        result = recognised(observation(code, component=[part]))
        assert result.outcome is Outcome.UNREADABLE
        assert result.evidence is not None
        assert result.evidence.assay is Assay.IHC


def test_another_marker_s_observation_is_no_container_of_her2() -> None:
    part = component(IHC, valueString="3+")
    result = recognised(observation("16112-5", valueString="Positive", component=[part]))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, "other-analyte")


def test_a_panel_with_numbers_in_components_is_an_ish_result() -> None:
    part = component("49683-6", valueQuantity={"value": 2})
    assert evidence(observation("74885-5", component=[part])).ish is not None


def test_the_number_of_cells_counted_is_ignored() -> None:
    result = recognised(observation("62361-1", valueInteger=20))
    assert (result.outcome, result.reason.code) == (Outcome.IGNORED, "cells-counted")


@pytest.mark.parametrize(
    ("subject", "outcome", "reason"),
    [
        (None, Outcome.UNREADABLE, "subject-not-identified"),
        ({"display": "somebody"}, Outcome.UNREADABLE, "subject-not-identified"),
        ({"reference": "#p"}, Outcome.UNREADABLE, "subject-not-identified"),
        ({"reference": "Group/1"}, Outcome.NOT_APPLICABLE, "subject-not-a-patient"),
        ({"reference": "Device/1"}, Outcome.NOT_APPLICABLE, "subject-not-a-patient"),
    ],
    ids=["absent", "display only", "contained", "group", "device"],
)
def test_a_result_of_nobody_is_no_evidence(subject: Any, outcome: Outcome, reason: str) -> None:
    result = recognised(observation(IHC, valueString="3+", subject=subject))
    assert (result.outcome, result.reason.code) == (outcome, reason)
    assert result.evidence is None


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("HER2 in serum", "serum-test"),
        ("HER2 sérique", "serum-test"),
        ("ERBB2 mutation analysis", "mutation-test"),
        ("HER2 exon 20", "mutation-test"),
        ("ERBB2 copy number, NGS panel", "sequencing-copy-number"),
        ("ERBB2 amplification (FoundationOne CDx)", "sequencing-copy-number"),
        ("HER2 by MLPA", "sequencing-copy-number"),
        ("HER2 by Western blot", "expression-test"),
        ("HER2 by immunoassay", "tissue-immunoassay"),
        ("HER2 mRNA (RT-PCR)", "expression-test"),
        ("HER2-targeted therapy", "treatment"),
        ("Trastuzumab (anti-HER2)", "treatment"),
    ],
)
def test_a_name_that_holds_her2_and_is_no_ihc_or_ish_is_not_ours(text: str, reason: str) -> None:
    result = recognised(observation({"text": text}, valueString="positive"))
    assert (result.outcome, result.reason.code) == (Outcome.NOT_HER2, reason)
    assert result.evidence is None


def test_a_her2_code_that_is_called_a_serum_test_goes_to_review() -> None:
    named = {**concept(IHC), "text": "HER2 in serum"}
    found = evidence(observation(named, valueString="positive"))
    assert conflicts(found) == ["test-code-against-display"]
    assert found.contradictions[0].sentence.endswith(": IHC against serum test.")


@pytest.mark.parametrize("text", ["Her2neuXyz", "HER2statusQ", "her2_unknownthing"])
def test_a_name_that_only_begins_with_her2_is_seen_and_not_read(text: str) -> None:
    result = recognised(observation({"text": text}, valueString="positive"))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "test-not-understood")


@pytest.mark.parametrize(
    "text", ["Her2neuStatus", "her2neu_herceptest", "Her2 Score", "her2neu_fish"]
)
def test_names_of_elements_and_columns_are_names_of_tests(text: str) -> None:
    result = recognised(observation({"text": text}, valueString="negative"))
    assert result.outcome is Outcome.EVIDENCE


@pytest.mark.parametrize("name", ["her2_cent17_ratio", "HER2 cent17 ratio", "HER2/CENT17 ratio"])
def test_a_registry_s_name_for_the_ratio_is_known(name: str) -> None:
    found = evidence(observation(concept(text=name), valueString="2.2"))
    assert found.ish is not None
    assert found.ish.ratio is not None


def test_a_registry_s_name_for_cep17_copies_beside_her2_is_known() -> None:
    found = evidence(observation(concept(text="HER2 FISH CENT17 copy number"), valueString="1.8"))
    assert found.ish is not None
    assert found.ish.cep17_copies is not None
