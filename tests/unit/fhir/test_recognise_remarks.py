"""Protects what method, notes and reports add: probe, recount, repeat, adjudication, contradiction."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from adapter.her2.model import Adjudication, Measurement, Probe, RepeatMarker, ResultWord
from adapter.her2.wording import ihc_said, ish_said
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    LOINC,
    OVERALL,
    RATIO,
    component,
    concept,
    conflicts,
    evidence,
    observation,
    quantity,
)


def note(text: str) -> list[dict[str, str]]:
    return [{"text": text}]


@pytest.mark.parametrize(
    ("text", "probe"),
    [
        ("FISH, dual probe", Probe.DUAL),
        ("ISH, single probe", Probe.SINGLE),
        ("dual-color FISH", Probe.DUAL),
        ("FISH", None),
        ("dual probe or single probe", None),
    ],
)
def test_the_method_names_the_probe(text: str, probe: Probe | None) -> None:
    found = evidence(observation(ISH, valueString="1.9", method={"text": text}))
    assert found.ish is not None
    assert found.ish.probe is probe


@pytest.mark.parametrize(
    ("element", "marker"),
    [
        ({"note": note("Blinded recount by a second observer.")}, RepeatMarker.RECOUNT),
        (
            {"method": {"text": "FISH, dual probe, blinded recount by a second observer"}},
            RepeatMarker.RECOUNT,
        ),
        ({"note": note("Repeat test on another block.")}, RepeatMarker.REPEAT),
        ({"note": note("Replaces previous result.")}, RepeatMarker.REPEAT),
        ({"note": note("Repeat test, recount of 20 cells")}, RepeatMarker.RECOUNT),
        ({"note": note("Repeat test is recommended.")}, None),
        ({"note": note("Test should be repeated.")}, None),
        ({"note": note("Will be repeated.")}, None),
        ({"note": note("Please repeat test on the excision.")}, None),
        ({"note": note("Repeat test scheduled.")}, None),
        ({"note": note("Repeat testing could be performed.")}, None),
        ({"note": note("Repeat if clinically indicated.")}, None),
        ({"note": note("Consider repeat test on excision.")}, None),
        ({"note": note("Wird wiederholt.")}, None),
        ({"note": note("Test sera répété.")}, None),
        ({"note": note("IHC repeated.")}, None),
        ({"note": note("Repeat IHC.")}, None),
        ({"note": note("Repeat FISH.")}, RepeatMarker.REPEAT),
        ({"note": note("No recount.")}, None),
        ({"note": note("Recount not performed")}, None),
        ({"note": note("Recount pending; see report")}, None),
        ({"note": note("Would repeat.")}, None),
        ({"note": note("Patient to repeat.")}, None),
        ({"note": note("Repeat at relapse.")}, None),
        ({"note": note("ER/PR repeated.")}, None),
        ({"note": note("Ki-67: recounted")}, None),
        ({"note": note("The control was repeated.")}, None),
        ({"note": note("Replaces none.")}, None),
        ({"note": note("See repeat.")}, None),
        ({"note": note("ER, PR and HER2 repeated.")}, RepeatMarker.REPEAT),
        ({"note": note("This test was repeated.")}, RepeatMarker.REPEAT),
        ({"note": note("Due to poor fixation, HER2 FISH was repeated on block A2")}, "repeat"),
        ({"note": note("Corrected report: replaces the report of 12 January")}, "repeat"),
        ({"note": note("This result replaces the previously reported one.")}, "repeat"),
        ({"note": note("Die Färbung wurde wiederholt.")}, RepeatMarker.REPEAT),
        ({"note": note("Dieser Befund ersetzt den Befund vom 1. Februar")}, "repeat"),
        ({"note": note("Le test a été répété.")}, RepeatMarker.REPEAT),
        ({"note": note("Slides recounted by a second observer.")}, RepeatMarker.RECOUNT),
        ({"note": note("HER2 is fine. Recount by a second observer; repeat pending")}, "recount"),
    ],
    ids=lambda value: str(value)[:70],
)
def test_a_recount_or_repeat_is_a_marker_and_a_recommendation_is_none(
    element: dict[str, Any], marker: RepeatMarker | None
) -> None:
    assert evidence(observation(ISH, valueString="1.9", **element)).marker == marker


def test_a_result_that_replaces_another_names_it() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/observation-replaces"
    extension = [{"url": url, "valueReference": {"reference": "Observation/o0"}}]
    found = evidence(observation(IHC, valueString="1+", extension=extension))
    assert (found.marker, found.repeat_of) == (RepeatMarker.REPEAT, ("Observation/o0",))


def test_a_result_derived_from_an_earlier_one_of_the_same_test_repeats_it() -> None:
    earlier = observation(IHC, id="o0", valueString="2+")
    later = observation(IHC, valueString="1+", derivedFrom=[{"reference": "Observation/o0"}])
    found = evidence(later, earlier)
    assert (found.marker, found.repeat_of) == (RepeatMarker.REPEAT, ("Observation/o0",))


def test_an_overall_result_derived_from_ihc_and_ish_repeats_nothing() -> None:
    parts = [
        observation(IHC, id="a", valueString="2+"),
        observation(ISH, id="b", valueString="1.1"),
    ]
    sources = [{"reference": "Observation/a"}, {"reference": "Observation/b"}]
    found = evidence(observation(OVERALL, valueString="Low", derivedFrom=sources), *parts)
    assert (found.marker, found.repeat_of) == (None, ())


def test_an_ish_word_derived_from_its_ratio_repeats_nothing() -> None:
    ratio = observation(RATIO, id="a", valueQuantity=quantity(1))
    given = observation(ISH, valueString="Negative", derivedFrom=[{"reference": "Observation/a"}])
    assert evidence(given, ratio).marker is None


@pytest.mark.parametrize(
    ("element", "is_adjudicated"),
    [
        ({"note": note("Final result, adjudicated by the laboratory.")}, True),
        ({"method": {"text": "adjudicated"}}, True),
        ({"valueString": "Negative, adjudicated"}, True),
        ({"note": note("Adjudication is pending.")}, False),
        ({}, False),
    ],
    ids=["note", "method", "value", "pending", "nothing"],
)
def test_the_laboratory_says_that_it_settled_the_case(
    element: dict[str, Any], is_adjudicated: bool
) -> None:
    found = evidence(observation(OVERALL, **({"valueString": "Negative"} | element)))
    assert found.overall is not None
    assert (found.overall.adjudication is Adjudication.ADJUDICATED) is is_adjudicated


def test_a_report_s_conclusion_code_says_so_too() -> None:
    report = {
        "resourceType": "DiagnosticReport",
        "id": "r1",
        "result": [{"reference": "Observation/o1"}],
        "conclusionCode": [{"text": "Adjudicated result"}],
    }
    found = evidence(observation(OVERALL, valueString="Negative"), report)
    assert found.overall is not None
    assert found.overall.adjudication is Adjudication.ADJUDICATED


def test_a_second_cell_population_is_noted_with_its_share() -> None:
    part = component(RATIO, valueQuantity=quantity(Decimal("2.4")))
    given = observation(
        ISH, component=[part], note=note("Cell population: amplified, 15 % of cells")
    )
    found = evidence(given)
    assert found.ish is not None
    assert found.ish.second_population
    assert found.ish.population_percent == Measurement(Decimal(15))


@pytest.mark.parametrize(
    ("text", "share"),
    [
        ("Heterogeneous amplification in 15 % of cells.", Decimal(15)),
        ("Focal amplification.", None),
        ("Heterogene Amplifikation in 20 % der Zellen.", Decimal(20)),
        ("Second cell population, seen on block A2.", None),
        ("Genetic heterogeneity present", None),
        ("HER2 amplification is heterogeneous", None),
        ("Heterogeneous HER2 amplification (15 % of cells)", 15),
        ("Two populations of cells", None),
        ("Genetische Heterogenität nachweisbar", None),
        ("Deux populations cellulaires", None),
    ],
)
@pytest.mark.parametrize(("code", "value"), [(ISH, "not amplified"), (IHC, "1+")])
def test_a_cell_population_of_its_own_is_noted_beside_any_test(
    code: str, value: str, text: str, share: Decimal | None
) -> None:
    found = evidence(observation(code, valueString=value, note=note(text)))
    ish = found.ish or found.noted_ish[0]
    assert ish.second_population
    assert ish.population_percent == (Measurement(share) if share else None)


@pytest.mark.parametrize(
    "text",
    [
        "No second cell population.",
        "Second cell population not detected.",
        "No genetic heterogeneity",
        "Genetic heterogeneity: absent",
        "Genetic heterogeneity: none",
        "Genetic heterogeneity: not identified",
        "Keine genetische Heterogenität",
        "Heterogeneous staining",
        "Tumor heterogeneity cannot be excluded",
        "No heterogeneous amplification.",
        "Heterogeneity: none",
    ],
)
@pytest.mark.parametrize(("code", "value"), [(ISH, "not amplified"), (IHC, "1+")])
def test_a_cell_population_that_is_denied_is_none(code: str, value: str, text: str) -> None:
    found = evidence(observation(code, valueString=value, note=note(text)))
    assert found.ish is None or not found.ish.second_population
    assert all(
        noted.word is ResultWord.NEGATIVE for noted in found.noted_ish if noted.second_population
    )


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        (IHC, "1+", "HER2 3+"),
        (IHC, "1+", "Discussed. Score 2+."),
        (IHC, "0", "1+"),
        (IHC, "Negative", "HER2 3+"),
        (IHC, "1+", "Positive."),
        (IHC, "3+", "HER2: negative (Score 1+)"),
        (ISH, "not amplified", "FISH amplified"),
        (ISH, "1.1", "HER2 amplified"),
        (ISH, "ratio 2.5, copies 6.0", "not amplified"),
        (OVERALL, "Positive", "IHC 1+"),
        (OVERALL, "Negative", "HER2 3+"),
        (OVERALL, "Low", "HER2 positive"),
        (OVERALL, "Low", "IHC 0"),
        (OVERALL, "Ultralow", "IHC 1+"),
        (OVERALL, "Ultralow", "HER2 2+"),
        (IHC, "1+", "FISH not done, FISH amplified"),
        (ISH, "ratio 1.2, copies 2.1", "FISH amplified"),
        (IHC, "3+", "IHC 3+ in 5 % of tumour cells"),
        (IHC, "1+", "IHC 1+ in 5 % of tumour cells"),
        (IHC, "1+", "Score 1+, complete intense staining"),
        (IHC, "2+", "Score 2+, weak to moderate complete staining in 5 % of cells"),
        (IHC, "Positive", "IHC 3+ in 5 %"),
        (IHC, "0, no staining", "HER2-ultralow"),
        (IHC, "0+", "IHC 0, no staining"),
    ],
)
def test_a_note_that_says_something_else_sends_the_value_to_review(
    code: str, value: str, text: str
) -> None:
    found = evidence(observation(code, valueString=value, note=note(text)))
    if code == ISH and value == "1.1":
        # a ratio alone is below 2.0 with many copies possible: no contradiction in itself
        assert conflicts(found) == []
    else:
        assert conflicts(found) == ["note-against-value"]


@pytest.mark.parametrize(
    ("code", "value", "text"),
    [
        (IHC, "1+", "HER2 1+"),
        (IHC, "1+", "Negative."),
        (IHC, "1+", "HER2 low"),
        (IHC, "3+", "Strong staining of controls, 2+ elsewhere in the lab"),
        (IHC, "2+", "FISH amplified"),
        (IHC, "2+", "FISH not performed"),
        (IHC, "2+", "1. See the report of the first biopsy. 3"),
        (IHC, "1+", "ER positive. PR negative."),
        (ISH, "not amplified", "IHC 2+"),
        (ISH, "not amplified", "HER2 negative"),
        (OVERALL, "Negative", "IHC 2+, FISH not amplified"),
        (IHC, "2+", "IHC not performed"),
        (IHC, "Negative", "IHC negative"),
        (ISH, "1.1", "FISH not performed"),
        (ISH, "ratio 1.2, copies 2.1", "FISH not amplified"),
        (OVERALL, "Negative", "IHC negative"),
        (OVERALL, "Low", "Negative"),
        (OVERALL, "Low", "IHC 2+"),
        (OVERALL, "Ultralow", "IHC 0"),
        (OVERALL, "Positive", "IHC 2+, FISH amplified"),
        (IHC, "3+", "IHC 3+ in 80 % of tumour cells"),
        (IHC, "1+", "Score 1+, faint incomplete staining in 30 % of cells"),
        (IHC, "2+", "IHC 2+ in 5 %"),
        (IHC, "0+", "IHC 0"),
        (IHC, "Ultralow", "IHC 0 (5 %)"),
    ],
)
def test_a_note_that_agrees_or_speaks_of_something_else_changes_nothing(
    code: str, value: str, text: str
) -> None:
    found = evidence(observation(code, valueString=value, note=note(text)))
    assert not found.contradictions


@pytest.mark.parametrize(
    ("code", "value", "text", "ihc", "ish"),
    [
        (ISH, "not amplified", "Ratio 2.5.", [], ["ISH negative, HER2/CEP17 ratio 2.5"]),
        (ISH, "not amplified", "HER2-low", ["IHC low"], []),
        (IHC, "0", "HER2-ultralow", ["IHC 0, ultralow, staining faint-incomplete"], []),
        (IHC, "0", "HER2 negative", ["IHC 0, negative"], []),
        (IHC, "1+", "FISH: amplified (ratio 2.6)", [], ["ISH positive, HER2/CEP17 ratio 2.6"]),
        (OVERALL, "Negative", "HER2-ultralow", ["IHC ultralow"], []),
        (OVERALL, "Negative", "HER2 negative", [], []),
        (IHC, "1+", "Not performed.", [], []),
    ],
)
def test_a_note_is_kept_with_what_its_result_states_of_the_same_test(
    code: str, value: str, text: str, ihc: list[str], ish: list[str]
) -> None:
    found = evidence(observation(code, valueString=value, note=note(text)))
    assert [ihc_said(noted) for noted in found.noted_ihc] == ihc
    assert [ish_said(noted) for noted in found.noted_ish] == ish


@pytest.mark.parametrize("code", [IHC, ISH, OVERALL])
@pytest.mark.parametrize(
    "text",
    [
        "Wrong patient",
        "Specimen mislabeled.",
        "Please disregard.",
        "Reviewed. Sample mix-up suspected; new biopsy taken.",
        "Probenverwechslung!",
        "Falscher Patient",
        "Mauvais patient",
        "Muestra mal etiquetada",
        "Result invalid",
        "This result is invalid.",
        "HER2 result is not valid",
        "Result entered in error",
        "Do not use.",
        "Ergebnis ungültig",
        "Résultat invalide",
        "This sample belongs to another patient",
        "Scored by gastric criteria",
    ],
)
def test_a_result_that_its_note_says_is_not_to_be_used_is_in_doubt(code: str, text: str) -> None:
    found = evidence(observation(code, valueString="negative", note=note(text)))
    assert conflicts(found) == ["result-in-doubt"]


@pytest.mark.parametrize(
    "text",
    [
        "Not mislabeled.",
        "Please disregard the previous report.",
        "Right patient, right block.",
        "Patient identification verified.",
        "FISH cancelled",
        "ER invalid",
        "Control invalid; run repeated on another day",
        "Fixation inadequate",
        "Previous result entered in error; this is the corrected result",
        "Amended report. Previous report was issued in error.",
        "Do not use for treatment decisions of other tumours",
        "This result should not be used as sole basis for treatment",
        "Not invalid",
    ],
)
def test_a_note_on_another_report_or_on_a_check_puts_no_result_in_doubt(text: str) -> None:
    assert not evidence(observation(IHC, valueString="1+", note=note(text))).contradictions


def test_a_note_that_voids_another_test_voids_not_this_one() -> None:
    note_on_fish = note("FISH invalid")
    assert not evidence(observation(IHC, valueString="1+", note=note_on_fish)).contradictions
    assert conflicts(evidence(observation(ISH, valueString="negative", note=note_on_fish)))


OF_ANOTHER_TUMOUR = [
    "Scored on DCIS",
    "HER2 scored on the DCIS component only",
    "Score refers to in situ component",
    "Invasive ductal carcinoma. HER2 scored on DCIS component.",
    "DCIS only",
    "DCIS component only, no invasive carcinoma",
    "Only DCIS present in this block",
    "Pure DCIS",
    "HER2 overexpression in DCIS only",
    "Only DCIS, repeat on another block recommended",
    "No invasive carcinoma",
    "No invasive carcinoma in this block.",
    "No invasive tumor present",
    "DCIS without stromal invasion",
    "Gastric primary",
    "Primary: stomach",
    "Gastric adenocarcinoma",
    "Lung primary",
    "Ovarian primary",
    "Performed on gastric biopsy",
    "Nur DCIS beurteilt",
    "Score bezieht sich auf DCIS",
    "Kein invasives Karzinom",
    "Magenkarzinom",
    "Carcinome in situ uniquement",
    "Évalué sur la composante in situ",
    "Evaluado sobre CDIS",
    "Solo carcinoma in situ",
]
"""Notes by which the score is not of the invasive carcinoma of the breast."""


@pytest.mark.parametrize("text", OF_ANOTHER_TUMOUR)
def test_a_result_that_its_note_says_is_of_another_tumour_is_in_doubt(text: str) -> None:
    found = evidence(observation(IHC, valueString="3+", note=note(text)))
    assert conflicts(found) == ["result-in-doubt"]


@pytest.mark.parametrize(
    "text",
    [
        "Invasive carcinoma with associated DCIS",
        "Invasive ductal carcinoma, NST, G2. DCIS present.",
        "Invasive ductal carcinoma only, no DCIS",
        "DCIS also present, not scored",
        "DCIS present",
        "Extensive DCIS",
        "no DCIS",
        "DCIS excluded",
        "The DCIS component shows the same staining",
        "HER2 was not scored on DCIS",
        "Scored on invasive component only",
        "Only the invasive component was scored",
        "Scoring performed on invasive carcinoma only.",
        "Evaluated on invasive carcinoma and DCIS",
        "ER scored on DCIS",
        "No lymphovascular invasion.",
        "No skin invasion",
        "No invasion of nipple",
        "Margins negative for invasive carcinoma",
        "Invasive ductal carcinoma. No invasive lobular carcinoma.",
        "In situ hybridization only",
        "Only one core contains tumor",
        "Only focal staining",
        "Controls appropriate",
        "Positive control: gastric mucosa",
        "Gastric control 3+",
        "No gastric primary",
        "Gastric biopsy recommended",
        "Gastric biopsy positive",
        "History of colon cancer",
        "Endometrial carcinoma 2012",
        "Test validated for breast and gastric cancer",
        "Breast primary",
        "Primary tumor",
        "Performed on liver metastasis",
        "Lung metastasis",
        "Ovary",
        "Metastatic carcinoma, consistent with breast primary",
        "Morphology favors breast primary over lung primary",
        "Lung primary excluded",
        "Begleitendes DCIS vorhanden",
        "Beurteilt am invasiven Karzinom, DCIS nicht beurteilt",
        "Carcinome infiltrant avec composante in situ",
        "Évalué sur la composante infiltrante uniquement",
        "Componente in situ presente",
    ],
)
def test_a_note_that_names_other_tumours_besides_puts_no_result_in_doubt(text: str) -> None:
    assert not evidence(observation(IHC, valueString="3+", note=note(text))).contradictions


@pytest.mark.parametrize("text", ["2+ specimen mislabeled", "2+, wrong patient"])
def test_a_doubt_beside_a_coded_value_takes_it_away(text: str) -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept("LA11842-4", text=text)))
    assert found.unreadable is not None
    assert found.unreadable.code == "text-beside-code-not-understood"


def test_a_note_never_gives_a_result() -> None:
    found = evidence(observation(IHC, valueString="see report", note=note("HER2 3+")))
    assert found.ihc is None
    assert found.unreadable is not None


def test_code_and_text_of_a_value_must_mean_the_same() -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept("LA11841-6", text="2+")))
    assert conflicts(found) == ["code-against-text"]


@pytest.mark.parametrize(
    ("code", "text", "expected"),
    [
        ("LA11842-4", "2+ (moderate)", "text-beside-code-not-understood"),
        ("LA11842-4", "2+ verified by Dr. Example", None),
        ("LA11842-4", "Grade of staining: equivocal pattern", "code-against-text"),
        ("LA11842-4", "verified", None),
        ("LA11842-4", "3+ verified", "code-against-text"),
        ("LA11842-4", "2+ not verified", "text-beside-code-not-understood"),
        ("LA6577-6", "positive xyz", "code-against-text"),
        ("LA6577-6", "1+ xyz", "code-against-text"),
        ("LA11843-2", "+++ xyz", None),
        ("LA11842-4", "+++ xyz", "code-against-text"),
        ("LA11842-4", "x" * 400, "text-beside-code-not-understood"),
        ("705105000", "not amplified xyz", None),
        ("LA11841-6", "1+ in about 5 % xyz", "text-beside-code-not-understood"),
        ("LA11841-6", "Ki-67 high", "other-analyte-in-value"),
    ],
)
def test_a_text_beside_a_code_may_be_unknown_but_must_not_say_something_else(
    code: str, text: str, expected: str | None
) -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept(code, text=text)))
    said = conflicts(found) + ([found.unreadable.code] if found.unreadable else [])
    assert said == ([expected] if expected else [])


@pytest.mark.parametrize("text", ["Negative", "not amplified", None])
def test_the_code_of_an_ihc_score_under_an_ish_test_is_not_passed_over(text: str | None) -> None:
    found = evidence(observation(ISH, valueCodeableConcept=concept("LA11843-2", text=text)))
    assert "ihc-score-under-ish-test" in conflicts(found)


def test_a_display_is_held_against_its_code_as_well() -> None:
    coding = {"system": LOINC, "code": "LA11841-6", "display": "2+"}
    found = evidence(observation(IHC, valueCodeableConcept={"coding": [coding]}))
    assert conflicts(found) == ["code-against-text"]


def test_the_text_may_be_finer_than_the_code() -> None:
    given = observation(IHC, valueCodeableConcept=concept("LA6577-6", text="Negative (Score 1+)"))
    found = evidence(given)
    assert found.ihc is not None
    assert [score.value for score in found.ihc.scores] == ["1+"]
    assert found.ihc.word is ResultWord.NEGATIVE
    assert not found.contradictions


def test_0_plus_in_the_text_refines_a_coded_0() -> None:
    found = evidence(observation(IHC, valueCodeableConcept=concept("LA6111-4", text="0+")))
    assert found.ihc is not None
    assert [score.value for score in found.ihc.scores] == ["0+"]
    assert not found.contradictions
