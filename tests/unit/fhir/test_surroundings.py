"""Protects what stands around a result: another patient, side, test, tumour or extension sends it to review."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.her2.model import ResultWord
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    OVERALL,
    component,
    concept,
    conflicts,
    evidence,
    observation,
)

MODIFIED = [{"url": "http://example.org/not", "valueBoolean": True}]
ON_S1 = {"specimen": {"reference": "Specimen/s1"}}
OF_C1 = {"focus": [{"reference": "Condition/c1"}]}


def specimen(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Specimen", "id": "s1"} | elements


def condition(**elements: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "id": "c1", "code": {"text": "Breast cancer"}} | elements


def report(**elements: Any) -> dict[str, Any]:
    listed = [{"reference": "Observation/o1"}]
    return {"resourceType": "DiagnosticReport", "id": "r1", "result": listed} | elements


def panel(**elements: Any) -> dict[str, Any]:
    return observation("74885-5", id="p", hasMember=[{"reference": "Observation/o1"}], **elements)


@pytest.mark.parametrize("make", [specimen, condition, report, panel])
def test_a_modifier_extension_of_what_a_result_leans_on_is_not_passed_over(make: Any) -> None:
    given = observation(IHC, valueString="1+", **ON_S1, **OF_C1)
    assert conflicts(evidence(given, make(modifierExtension=MODIFIED))) == ["modifier-extension"]
    assert conflicts(evidence(given, make())) == []


@pytest.mark.parametrize("make", [specimen, condition, report])
def test_rules_of_its_own_under_which_something_was_made_are_not_passed_over(make: Any) -> None:
    rules = {"implicitRules": "http://example.org/rules"}
    given = observation(IHC, valueString="1+", **ON_S1, **OF_C1)
    assert conflicts(evidence(given, make(**rules))) == ["implicit-rules"]
    assert conflicts(evidence(given | rules, make())) == ["implicit-rules"]


@pytest.mark.parametrize(
    ("focus", "expected"),
    [
        ({"reference": "RelatedPerson/1"}, ["focus-on-someone-else"]),
        ({"reference": "Patient/another"}, ["focus-on-someone-else"]),
        ({"reference": "http://elsewhere.example.org/fhir/Device/1"}, ["focus-on-someone-else"]),
        ({"type": "RelatedPerson", "display": "the fetus"}, ["focus-on-someone-else"]),
        ({"reference": "#donor"}, ["focus-on-someone-else"]),
        ({"reference": "Patient/p1"}, []),
        ({"reference": "Condition/c1"}, []),
        ({"reference": "BodyStructure/1"}, []),
    ],
)
def test_a_result_whose_focus_is_someone_else_is_left_to_a_person(
    focus: dict[str, Any], expected: list[str]
) -> None:
    donor = {"resourceType": "RelatedPerson", "id": "donor"}
    given = observation(IHC, valueString="1+", focus=[focus], contained=[donor])
    assert conflicts(evidence(given, condition())) == expected


def test_a_modifier_extension_of_the_gene_studied_is_not_passed_over() -> None:
    gene = component("48018-6", valueCodeableConcept={"text": "ERBB2"}, modifierExtension=MODIFIED)
    assert conflicts(evidence(observation(IHC, valueString="1+", component=[gene]))) == [
        "modifier-extension"
    ]


@pytest.mark.parametrize("make", [specimen, condition, report])
@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("Patient/p2", ["subjects-differ"]),
        ("Patient/p1", []),
        ("Patient/p1/_history/3", []),
        ("http://elsewhere.example.org/fhir/Patient/p2", []),
        ("Group/g1", []),
    ],
)
def test_a_result_and_what_it_leans_on_are_of_one_patient(
    make: Any, subject: str, expected: list[str]
) -> None:
    given = observation(IHC, valueString="1+", **ON_S1, **OF_C1)
    assert conflicts(evidence(given, make(subject={"reference": subject}))) == expected


def test_two_sides_of_one_result_need_review() -> None:
    right = {"bodySite": {"text": "Right breast"}}
    left = specimen(collection={"bodySite": {"text": "Left breast"}})
    given = observation(IHC, valueString="1+", **ON_S1, **right)
    assert conflicts(evidence(given, left)) == ["sides-differ"]
    same = specimen(collection={"bodySite": {"text": "Right breast"}})
    assert conflicts(evidence(given, same)) == []
    disease = condition(code={"text": "Cancer of left breast"})
    given = observation(IHC, valueString="1+", **OF_C1, **right)
    assert conflicts(evidence(given, disease)) == ["sides-differ"]


@pytest.mark.parametrize("code", [ISH, OVERALL])
@pytest.mark.parametrize("text", ["NGS", "Next generation sequencing", "ELISA", "RT-PCR"])
def test_a_method_of_another_test_needs_review(code: str, text: str) -> None:
    found = evidence(observation(code, valueString="Positive", method={"text": text}))
    assert conflicts(found) == ["test-code-against-method"]


@pytest.mark.parametrize("text", ["Serum", "Plasma", "Blood specimen", "ctDNA"])
def test_ihc_and_ish_are_of_tissue(text: str) -> None:
    taken = specimen(type={"text": text})
    found = evidence(observation(OVERALL, valueString="Positive", **ON_S1), taken)
    assert conflicts(found) == ["specimen-not-of-tissue"]


CONTROLS = [
    "Control tissue",
    "HER2 control tissue, breast",
    "Cell line control",
    "cell-line control SK-BR-3",
    "Positive control",
    "Mouse xenograft",
    "Patient-derived xenograft",
    "PDX",
    "Quality control specimen",
    "Positivkontrolle",
    "Kontrollgewebe Mamma",
    "Tissu t\u00e9moin",
    "Tejido control",
]


@pytest.mark.parametrize("text", CONTROLS)
@pytest.mark.parametrize("place", ["type", "parent", "display"])
def test_a_control_is_no_tumour_of_the_patient(text: str, place: str) -> None:
    others = [specimen(type={"text": text})]
    if place == "parent":
        others = [
            specimen(parent=[{"reference": "Specimen/s0"}]),
            specimen(id="s0", type={"text": text}),
        ]
    named = {"specimen": {"display": text}} if place == "display" else ON_S1
    found = evidence(observation(valueString="3+", **named), *others)
    assert "specimen-is-a-control" in conflicts(found)


@pytest.mark.parametrize(
    "text",
    [
        "Left breast core biopsy",
        "Breast core biopsy with positive control",
        "Breast, internal control present",
        "Cell block",
        "Breast tissue, on-slide control",
        "Mamma links mit Positivkontrolle",
        "Breast",
    ],
)
def test_a_control_beside_the_sample_changes_nothing(text: str) -> None:
    found = evidence(observation(valueString="3+", **ON_S1), specimen(type={"text": text}))
    assert conflicts(found) == []


@pytest.mark.parametrize(
    "text", ["Internal control adequate.", "Positive control stained appropriately.", "Controls OK"]
)
def test_a_note_on_controls_changes_nothing(text: str) -> None:
    note = [{"text": text}]
    found = evidence(
        observation(valueString="3+", note=note, **ON_S1),
        specimen(type={"text": "Breast core biopsy"}, note=note),
    )
    assert conflicts(found) == []


@pytest.mark.parametrize("text", ["Mislabeled", "DCIS only, no invasive carcinoma", "Do not use"])
def test_a_specimen_said_to_be_anothers_or_of_another_tumour_puts_its_result_in_doubt(
    text: str,
) -> None:
    given = observation(IHC, valueString="3+", **ON_S1)
    for said in ({"note": [{"text": text}]}, {"condition": [{"text": text}]}):
        assert conflicts(evidence(given, specimen(**said))) == ["result-in-doubt"]
        parent = specimen(id="s0", **said)
        block = specimen(parent=[{"reference": "Specimen/s0"}])
        assert conflicts(evidence(given, block, parent)) == ["result-in-doubt"]


@pytest.mark.parametrize(
    "text",
    ["Formalin-fixed", "Left breast, 12 o'clock", "DCIS present", "Patient identity verified"],
)
def test_what_else_a_specimen_s_note_says_changes_nothing(text: str) -> None:
    given = observation(IHC, valueString="3+", **ON_S1)
    assert not conflicts(evidence(given, specimen(note=[{"text": text}])))


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("available", []),
        ("unavailable", []),
        ("unsatisfactory", ["result-in-doubt"]),
        ("entered-in-error", ["result-in-doubt"]),
    ],
)
def test_a_result_of_a_specimen_that_does_not_stand_is_in_doubt(
    status: str, expected: list[str]
) -> None:
    given = observation(IHC, valueString="3+", **ON_S1)
    assert conflicts(evidence(given, specimen(status=status))) == expected


def test_a_component_of_the_in_situ_part_needs_review() -> None:
    part = component(concept(IHC, text="HER2 IHC, DCIS component"), valueString="3+")
    found = evidence(observation(OVERALL, component=[part]))
    assert conflicts(found) == ["component-of-another-tumour"]


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ([concept("427685000")], {ResultWord.POSITIVE}),
        ([concept("431396003")], {ResultWord.NEGATIVE}),
        ([concept("1381317004"), concept("427685000")], {ResultWord.LOW, ResultWord.POSITIVE}),
        ([concept(text="HER2 positive")], {ResultWord.POSITIVE}),
        ([concept("427685000"), {"text": "Adjudicated result"}], set()),
        ([{"text": "Invasive carcinoma"}], set()),
    ],
    ids=["positive", "negative", "two", "text", "adjudicated", "something else"],
)
def test_a_report_s_coded_conclusions_are_remembered(codes: Any, words: set[ResultWord]) -> None:
    found = evidence(observation(IHC, valueString="1+"), report(conclusionCode=codes))
    assert found.concluded == words


def listed(name: str) -> dict[str, Any]:
    return {"reference": f"Observation/{name}"}


@pytest.mark.parametrize(
    ("other", "expected"),
    [
        (None, False),
        (observation(ISH, id="o2", **ON_S1), False),
        (observation(ISH, id="o2"), False),
        (observation("85329-1", id="o2", specimen={"reference": "Specimen/s2"}), False),
        (observation(IHC, id="o2", status="entered-in-error", **ON_S1), False),
        (observation(ISH, id="o2", specimen={"reference": "Specimen/s2"}), True),
        (observation(IHC, id="o2"), True),
    ],
)
def test_a_report_is_of_several_samples_by_its_specimens_and_tests(
    other: Any, expected: bool
) -> None:
    given = observation(IHC, valueString="1+", **ON_S1)
    both = report(result=[listed("o1"), listed("o2")])
    others = [both, other] if other else [both]
    assert evidence(given, *others).shares_report is expected


def test_a_report_based_on_two_specimens_is_of_several_samples() -> None:
    given = observation(IHC, valueString="1+", **ON_S1)
    specimens = [{"reference": "Specimen/s1"}, {"reference": "Specimen/s2"}]
    assert evidence(given, report(specimen=specimens)).shares_report
    assert not evidence(given, report(specimen=specimens[:1])).shares_report


def test_what_a_note_says_of_the_other_test_is_remembered() -> None:
    found = evidence(observation(IHC, valueString="1+", note=[{"text": "FISH amplified."}]))
    assert [noted.word for noted in found.noted_ish] == [ResultWord.POSITIVE]
    assert found.noted_ihc == ()
