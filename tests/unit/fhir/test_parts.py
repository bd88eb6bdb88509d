"""Protects the components that do not repeat the test's name: shares, conclusions, CEP17, and what is nobody's."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.fhir.recognise import Outcome
from adapter.her2 import classify
from adapter.her2.model import Case, IhcScore, ResultWord, Staining
from tests.unit.fhir.recognising import (
    HER2_COPIES,
    IHC,
    ISH,
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

UNIFORM = "Percentage of Cells with Uniform Intense Complete Membrane Staining"


def part(name: str, value: object) -> dict[str, Any]:
    """A component named in words only; a number is a share in percent."""
    if isinstance(value, str):
        return component(concept(text=name), valueString=value)
    return component(concept(text=name), valueQuantity=quantity(value, "%"))


def category(*given: dict[str, Any]) -> str:
    found = tuple(evidence(one | {"id": f"o{place}"}) for place, one in enumerate(given))
    return classify(Case("Patient/p1", "k", found)).category.value


@pytest.mark.parametrize(
    ("name", "score", "share", "expected"),
    [
        (UNIFORM, "3+", 5, "needs-review"),
        (UNIFORM, "3+", 80, "positive"),
        (UNIFORM, "2+", 5, "equivocal"),
        (UNIFORM, "1+", 5, "needs-review"),
        (UNIFORM, "1+", 0, "low"),
        ("Percentage of tumor cells with membrane staining", "0", 80, "needs-review"),
        ("Percentage of tumor cells with membrane staining", "1+", 5, "needs-review"),
        ("Percentage of tumor cells with membrane staining", "3+", 5, "needs-review"),
        ("Percentage of tumor cells with membrane staining", "1+", 80, "low"),
        ("Percent of cells", "3+", 5, "needs-review"),
        ("% positive", "3+", 5, "needs-review"),
        ("Positive cells", "0", 80, "needs-review"),
        ("Stained cells", "3+", 80, "positive"),
        ("Percentage of cells with faint incomplete staining", "0", 5, "ultralow"),
        ("Percentage of cells with faint incomplete staining", "0", 80, "needs-review"),
        ("Percentage of cells with faint incomplete staining", "3+", 0, "positive"),
        ("Percentage of cells with weak to moderate complete staining", "2+", 5, "needs-review"),
        ("Percentage of cells with basal staining", "3+", 5, "positive"),
        ("Percentage of cells with complete staining", "3+", 80, "positive"),
        ("Percentage of cells with complete staining", "3+", 5, "needs-review"),
        ("Percentage of cells with complete staining", "1+", 0, "low"),
        ("Percentage of cells with incomplete staining", "3+", 80, "needs-review"),
        ("Percentage of cells with no staining", "3+", 80, "needs-review"),
        ("Anteil gefärbter Tumorzellen", "3+", 5, "needs-review"),
        ("Pourcentage de cellules marquées", "3+", 5, "needs-review"),
        ("Porcentaje de células teñidas", "3+", 5, "needs-review"),
        ("Percentage of HER2 stained cells", "0", 80, "needs-review"),
        ("HER2 positive cells", "0", 80, "needs-review"),
        ("HER2 positive cells", "1+", 80, "low"),
    ],
)
def test_a_share_of_cells_as_a_component_is_held_against_the_score(
    name: str, score: str, share: int, expected: str
) -> None:
    assert category(observation(IHC, valueString=score, component=[part(name, share)])) == expected


@pytest.mark.parametrize("code", [OVERALL, concept(text="HER2 status")], ids=["coded", "named"])
def test_a_share_of_cells_under_the_overall_status_is_held_against_its_score(code: Any) -> None:
    given = observation(code, valueString="3+", component=[part("% positive", 5)])
    assert category(given) == "needs-review"


@pytest.mark.parametrize("name", ["HER2 stained cells", "HER2 positive cells", "Positive cells"])
@pytest.mark.parametrize("value", [{"valueInteger": 80}, {"valueString": "3"}], ids=str)
def test_a_bare_number_of_stained_cells_is_no_count_and_no_score(
    name: str, value: dict[str, Any]
) -> None:
    cells = component(concept(text=name), **value)
    found = evidence(observation(IHC, valueString="1+", component=[cells]))
    assert conflicts(found) == ["component-not-read"]


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("Percentage of HER2 stained cells", Outcome.EVIDENCE),
        ("HER2 positive cells", Outcome.EVIDENCE),
        ("HER2 FISH cells", Outcome.UNREADABLE),
        ("HER2 FISH percentage", Outcome.UNREADABLE),
        ("HER2 percentage", Outcome.UNREADABLE),
    ],
)
def test_a_share_of_cells_of_its_own_is_no_count(name: str, outcome: Outcome) -> None:
    given = observation(concept(text=name), valueQuantity=quantity(80, "%"))
    assert recognised(given).outcome is outcome
    if outcome is Outcome.EVIDENCE:
        assert category(given, observation(IHC, valueString="0")) == "needs-review"


def test_a_pattern_that_is_named_is_kept() -> None:
    name = "HER2 IHC percentage of cells with faint incomplete staining"
    found = evidence(observation(concept(text=name), valueString="5 %"))
    assert found.ihc is not None
    assert found.ihc.staining is Staining.FAINT_INCOMPLETE


def test_a_share_of_cells_is_no_result_where_the_score_is_missing() -> None:
    result = recognised(observation(IHC, component=[part("% positive", 80)]))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "no-value")


def test_a_share_beside_a_score_that_is_said_to_be_absent_is_held_against_the_sample() -> None:
    absent = concept(("http://terminology.hl7.org/CodeSystem/data-absent-reason", "unknown"))
    share = part("HER2 IHC percent positive", "<10%")
    found = evidence(observation(IHC, dataAbsentReason=absent, component=[share]))
    assert found.ihc is not None
    assert found.ihc.percent is not None
    assert found.ihc.word is None


CONCLUSIONS = [
    "Interpretation",
    "Result",
    "Conclusion",
    "Final interpretation",
    "Final result",
    "Overall",
    "Pathologist interpretation",
    "Beurteilung",
    "Conclusión",
]


@pytest.mark.parametrize("name", CONCLUSIONS)
@pytest.mark.parametrize(
    ("code", "value", "concluded", "code_of_conflict"),
    [
        (IHC, "1+", "3+", "interpretation-against-value"),
        (IHC, "1+", "Positive, see comment xyz", "interpretation-against-value"),
        (ISH, "negative", "Amplified", "interpretation-against-value"),
        (OVERALL, "negative", "Positive", "interpretation-against-value"),
        (ISH, "negative", "3+", "ihc-score-under-ish-test"),
    ],
)
def test_a_conclusion_as_a_component_is_held_against_the_value(
    name: str, code: str, value: str, concluded: str, code_of_conflict: str
) -> None:
    found = evidence(observation(code, valueString=value, component=[part(name, concluded)]))
    assert conflicts(found) == [code_of_conflict]


@pytest.mark.parametrize("name", CONCLUSIONS)
@pytest.mark.parametrize(
    ("score", "concluded", "expected"),
    [
        ("1+", "Positive", "needs-review"),
        ("3+", "Negative", "needs-review"),
        ("1+", "Negative", "low"),
        ("3+", "Positive", "positive"),
        ("0", "HER2-ultralow", "ultralow"),
        ("1+", "see comment", "low"),
        ("1+", "Final", "low"),
        ("1+", "N/A", "low"),
        ("2+", "Reflex FISH recommended", "equivocal"),
        ("2+", "Not applicable", "equivocal"),
        ("1+", "Invasive carcinoma, ER positive, HER2 negative", "low"),
    ],
)
def test_a_conclusion_says_more_of_the_score_or_contradicts_it(
    name: str, score: str, concluded: str, expected: str
) -> None:
    given = observation(IHC, valueString=score, component=[part(name, concluded)])
    assert category(given) == expected


def test_an_amplified_conclusion_is_held_against_the_word_of_another_result() -> None:
    ihc = observation(IHC, valueString="2+", component=[part("Interpretation", "Amplified")])
    assert category(ihc, observation(ISH, valueString="negative")) == "needs-review"


def test_a_coded_conclusion_is_read_as_the_test_of_its_observation() -> None:
    coded = component(concept(text="Result"), valueCodeableConcept=concept(SCORES["3+"]))
    assert category(observation(IHC, component=[coded])) == "positive"
    assert category(observation(IHC, valueString="1+", component=[coded])) == "needs-review"


def test_a_narrative_conclusion_is_read_as_a_note_is() -> None:
    long = "The tissue was fixed and stained as validated, positive controls stained. " * 5
    silent, speaking = (part("Conclusion", long + said) for said in ("", "HER2 IHC 3+."))
    assert not evidence(observation(IHC, valueString="1+", component=[silent])).contradictions
    found = evidence(observation(IHC, valueString="1+", component=[speaking]))
    assert conflicts(found) == ["note-against-value"]


def test_a_conclusion_that_is_not_understood_and_nothing_else_is_seen() -> None:
    result = recognised(observation(IHC, component=[part("Result", "siehe Befund")]))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "no-value")
    assert "siehe Befund" in result.words


def test_a_number_that_is_no_conclusion_is_seen() -> None:
    share = component(concept(text="Result"), valueQuantity=quantity(40))
    found = evidence(observation(IHC, valueString="1+", component=[share]))
    assert conflicts(found) == ["component-not-read"]


def test_a_conclusion_that_is_absent_says_nothing() -> None:
    absent = component(
        concept(text="Result"), dataAbsentReason={"coding": [{"code": "not-performed"}]}
    )
    assert category(observation(IHC, valueString="3+", component=[absent])) == "positive"


@pytest.mark.parametrize("name", ["Staining intensity", "Membrane staining", "Second observer"])
@pytest.mark.parametrize(("said", "is_against"), [("3+", True), ("1+", False), ("weak", False)])
def test_an_aspect_of_the_test_gives_no_result_and_may_contradict_one(
    name: str, said: str, is_against: bool
) -> None:
    found = evidence(observation(IHC, valueString="1+", component=[part(name, said)]))
    assert conflicts(found) == (["stated-twice-differently"] if is_against else [])
    assert recognised(observation(IHC, component=[part(name, said)])).reason.code == "no-value"


CEP17 = ["CEP17", "CEP 17", "CEN17", "CEP17 signals", "Mean CEP17", "Chromosome 17"]


def counted(name: str, cep17: object) -> dict[str, Any]:
    return observation(
        ISH,
        component=[
            component(RATIO, valueQuantity=quantity(Decimal("2.0"))),
            component(HER2_COPIES, valueQuantity=quantity(Decimal("4.1"))),
            component(concept(text=name), valueQuantity=quantity(cep17)),
        ],
    )


@pytest.mark.parametrize("name", CEP17)
def test_cep17_named_in_words_is_held_against_the_ratio(name: str) -> None:
    ihc = observation(IHC, valueString="2+")
    assert category(ihc, counted(name, Decimal("2.1"))) == "needs-review"
    assert category(ihc, counted(name, Decimal("2.05"))) == "positive"


@pytest.mark.parametrize("name", CEP17)
def test_signals_of_all_cells_are_no_copies_per_cell(name: str) -> None:
    result = recognised(counted(name, 41))
    assert (result.outcome, result.reason.code) == (Outcome.UNREADABLE, "number-without-meaning")


@pytest.mark.parametrize(
    "name",
    [
        "Specimen adequacy",
        "Control",
        "Positive control",
        "Internal control",
        "Number of cells counted",
        "Cells counted",
        "Fixation time",
        "Cold ischemia time",
        "Antibody clone",
        "Block",
        "Previous result",
        "Comment",
        "Method",
        "Tumor cellularity",
        "Percentage of tumor cells with nuclear staining",
        "Chromosome 17 polysomy",
        "Number of observers",
        "Reference range",
    ],
)
@pytest.mark.parametrize("value", ["Positive", "Adequate", "3+", "60", "see comment", 5, 80])
@pytest.mark.parametrize(("code", "stated"), [(IHC, "1+"), (ISH, "not amplified")])
def test_what_ordinarily_stands_beside_a_result_changes_nothing(
    name: str, value: object, code: str, stated: str
) -> None:
    alone = evidence(observation(code, valueString=stated))
    found = evidence(observation(code, valueString=stated, component=[part(name, value)]))
    assert found == alone


@pytest.mark.parametrize("name", ["Antibody", "Tissue", "Gene", "Staining", "Dual probe"])
@pytest.mark.parametrize("value", ["4B5", "Breast", "strong", "ERBB2", "yes", "see comment"])
def test_an_aspect_in_other_words_than_results_changes_nothing(name: str, value: str) -> None:
    for code, stated in ((IHC, "2+"), (ISH, "not amplified")):
        found = evidence(observation(code, valueString=stated, component=[part(name, value)]))
        assert not found.contradictions


@pytest.mark.parametrize("other", ["Ki-67", "ER", "Progesterone receptor", "16112-5"])
@pytest.mark.parametrize("name", ["% positive", "Interpretation", "Staining intensity", "CEP17"])
def test_beside_another_marker_an_unnamed_component_is_nobody_s(other: str, name: str) -> None:
    marker = component(other if other[0].isdigit() else concept(text=other), valueString="Positive")
    for code in (IHC, ISH, concept(text="Breast biomarkers")):
        given = observation(code, valueString="negative", component=[marker, part(name, "80 %")])
        ours = component(ISH, valueString="negative")
        given["component"].append(ours)
        assert not evidence(given).contradictions


@pytest.mark.parametrize("code", [concept(text="Breast biomarkers"), "60568-3"], ids=str)
def test_in_a_panel_an_unnamed_component_is_nobody_s(code: Any) -> None:
    parts = [
        component(IHC, valueString="1+"),
        part("Interpretation", "Positive"),
        part("Percentage of positive cells", 5),
    ]
    found = evidence(observation(code, component=parts))
    assert found.ihc is not None
    assert (found.ihc.scores, found.ihc.word) == ((IhcScore.ONE_PLUS,), None)
    assert not found.contradictions


def test_a_conclusion_without_a_value_is_the_result() -> None:
    found = evidence(observation(IHC, component=[part("Interpretation", "Negative")]))
    assert found.ihc is not None
    assert found.ihc.word is ResultWord.NEGATIVE
