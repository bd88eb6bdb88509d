"""Protects against two breasts or two tumours in one category where only a result's own words tell them apart."""

from __future__ import annotations

from typing import Any

import pytest

from adapter.her2.cases import group
from adapter.her2.classify import classify
from adapter.her2.model import SampleKind
from tests.unit.fhir.recognising import (
    IHC,
    ISH,
    OVERALL,
    SCORES,
    component,
    concept,
    conflicts,
    evidence,
    observation,
)

DAY = {"effectiveDateTime": "2026-01-10"}
ON_S1 = {"specimen": {"reference": "Specimen/s1"}}


def named(code: str, text: str, **elements: Any) -> dict[str, Any]:
    return observation(concept(code, text=text), **DAY, **elements)


def shown(text: str) -> dict[str, Any]:
    return {"specimen": {"display": text}}


def panel(*members: str, **elements: Any) -> dict[str, Any]:
    listed = [{"reference": f"Observation/{name}"} for name in members]
    made = observation(concept(text="Biomarkers"), id="p-" + members[0], hasMember=listed)
    return made | elements


def report(member: str, specimen: str) -> dict[str, Any]:
    return {
        "resourceType": "DiagnosticReport",
        "id": f"r-{member}",
        "result": [{"reference": f"Observation/{member}"}],
        "specimen": [{"reference": f"Specimen/{specimen}"}],
    }


def specimen(site: str, name: str = "s1", **elements: Any) -> dict[str, Any]:
    where = {"collection": {"bodySite": {"text": site}}}
    return {"resourceType": "Specimen", "id": name} | where | elements


def categories(ihc: dict[str, Any], ish: dict[str, Any], *others: dict[str, Any]) -> list[str]:
    """Category of each sample of one patient with an IHC 2+ and a negative ISH; "*" with review."""
    ihc = {"valueString": "2+"} | ihc | {"id": "a"}
    ish = {"valueString": "not amplified"} | ish | {"id": "b"}
    found = [evidence(one, *others) for one in (ihc, ish)]
    answers = map(classify, group(found))
    return sorted(f"{one.category}{'*' if one.review else ''}" for one in answers)


APART = ["equivocal", "negative-unspecified"]
APART_WITH_REVIEW = ["equivocal*", "negative-unspecified*"]


@pytest.mark.parametrize(
    ("ihc", "ish"),
    [
        (named(IHC, "HER2 IHC, left breast"), named(ISH, "HER2 FISH, right breast")),
        (named(IHC, "HER2 IHC Mamma links"), named(ISH, "HER2 FISH Mamma rechts")),
        (
            observation(IHC, valueString="2+ (left breast)", **DAY),
            observation(ISH, valueString="not amplified (right breast)", **DAY),
        ),
        (
            observation(IHC, **shown("Left breast core biopsy"), **DAY),
            observation(ISH, **shown("Right breast core biopsy"), **DAY),
        ),
        (
            observation(IHC, method={"text": "IHC, left breast"}, **DAY),
            observation(ISH, method={"text": "FISH, right breast"}, **DAY),
        ),
    ],
    ids=["name", "German name", "value", "specimen's display", "method"],
)
def test_two_breasts_told_apart_by_words_alone_are_two_samples(
    ihc: dict[str, Any], ish: dict[str, Any]
) -> None:
    assert categories(ihc, ish) == APART


@pytest.mark.parametrize(
    ("ihc", "ish"),
    [
        (named(IHC, "HER2 IHC, primary tumor"), named(ISH, "HER2 FISH, metastasis")),
        (
            observation(IHC, valueString="2+, core biopsy", **DAY),
            observation(ISH, valueString="not amplified (liver metastasis)", **DAY),
        ),
        (
            observation(IHC, **shown("breast core"), **DAY),
            observation(ISH, **shown("liver metastasis"), **DAY),
        ),
    ],
    ids=["name", "value", "specimen's display"],
)
def test_a_metastasis_told_by_words_alone_is_another_sample(
    ihc: dict[str, Any], ish: dict[str, Any]
) -> None:
    assert categories(ihc, ish) == APART_WITH_REVIEW


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ({"code": {"text": "Left breast markers"}}, {"code": {"text": "Right breast"}}, APART),
        ({"bodySite": {"text": "left breast"}}, {"bodySite": {"text": "right breast"}}, APART),
        (shown("left core"), shown("right core"), APART),
        (
            {"code": {"text": "Primary tumour markers"}},
            {"code": {"text": "Metastasis markers"}},
            APART_WITH_REVIEW,
        ),
        ({"code": {"text": "Left breast"}}, {"code": {"text": "Left breast"}}, ["low"]),
    ],
    ids=["names", "sites", "displays", "kinds", "one side"],
)
def test_panels_of_two_samples_are_two_samples(
    first: dict[str, Any], second: dict[str, Any], expected: list[str]
) -> None:
    both = [panel("a", **first), panel("b", **second)]
    assert categories(observation(IHC, **DAY), observation(ISH, **DAY), *both) == expected


def test_two_specimens_that_only_their_names_tell_apart_are_two_samples() -> None:
    core, liver = shown("breast core"), shown("Liver")
    ihc, ish = observation(IHC, **core, **DAY), observation(ISH, **liver, **DAY)
    assert categories(ihc, ish) == APART_WITH_REVIEW
    same = observation(ISH, **shown(" Breast  Core"), **DAY)
    assert categories(ihc, same) == ["low"]


def test_the_side_of_a_result_without_specimen_is_that_of_its_report_s() -> None:
    given = [report("a", "s1"), report("b", "s2"), specimen("left breast")]
    ihc, ish = observation(IHC, **DAY), observation(ISH, **DAY)
    assert categories(ihc, ish, *given, specimen("right breast", "s2")) == APART


@pytest.mark.parametrize(
    ("ihc", "ish"),
    [
        (
            named(IHC, "HER2 IHC, left breast core biopsy", valueString="2+ (left breast)"),
            named(ISH, "HER2 FISH left breast"),
        ),
        (
            observation(IHC, **shown("Left breast core biopsy"), **DAY),
            observation(ISH, **shown("Left breast core biopsy"), **DAY),
        ),
        (named(IHC, "HER2 IHC, core biopsy"), named(ISH, "HER2 FISH, excision")),
        (named(IHC, "HER2 IHC"), named(ISH, "HER2 FISH, liver metastasis")),
    ],
    ids=["one side", "one display", "core and excision", "unknown and metastasis"],
)
def test_words_of_one_sample_part_nothing(ihc: dict[str, Any], ish: dict[str, Any]) -> None:
    assert categories(ihc, ish) == ["low"]


def test_an_unknown_side_joins_only_an_unknown_side_whoever_says_it() -> None:
    ihc, ish = named(IHC, "HER2 IHC, left breast"), named(ISH, "HER2 FISH")
    assert categories(ihc, ish) == APART_WITH_REVIEW


@pytest.mark.parametrize(
    "said",
    [
        {"code": concept(IHC, text="HER2 IHC, left breast")},
        {"code": {"coding": [*concept(IHC)["coding"], {"display": "HER2 IHC left"}]}},
        {"valueString": "3+ (left breast)"},
        {"valueCodeableConcept": concept(SCORES["3+"], text="3+ left")},
        {"method": {"text": "IHC on left breast"}},
        {"component": [component(concept(text="HER2 IHC left"), valueString="3+")]},
        {"component": [component(IHC, valueString="3+, left")]},
    ],
    ids=lambda said: next(iter(said)),
)
def test_words_for_another_side_than_the_sample_s_need_review(said: dict[str, Any]) -> None:
    given = {"code": concept(IHC), "bodySite": {"text": "right breast"}} | said
    if "component" not in said and "valueCodeableConcept" not in said:
        given = {"valueString": "3+"} | given
    assert conflicts(evidence(observation(**given))) == ["sides-differ"]
    on_s1 = {name: one for name, one in given.items() if name != "bodySite"} | ON_S1
    assert conflicts(evidence(observation(**on_s1), specimen("right breast"))) == ["sides-differ"]
    assert conflicts(evidence(observation(**on_s1), specimen("left breast"))) == []
    right = panel("o1", bodySite={"text": "right breast"})
    alone = {name: one for name, one in on_s1.items() if name != "specimen"}
    assert conflicts(evidence(observation(**alone), right)) == ["sides-differ"]


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ("HER2 IHC left", "HER2 FISH right", ["sides-differ"]),
        ("HER2 IHC primary tumor", "HER2 FISH metastasis", ["samples-differ"]),
        ("HER2 IHC core biopsy", "HER2 FISH liver metastasis", ["samples-differ"]),
        ("HER2 IHC left and right", "HER2 FISH", ["sides-differ"]),
        ("HER2 IHC left", "HER2 FISH left", []),
        ("HER2 IHC core biopsy", "HER2 FISH excision", []),
        ("HER2 IHC core biopsy of metastasis", "HER2 FISH metastasis", []),
        ("HER2 IHC", "HER2 FISH metastasis", []),
    ],
)
@pytest.mark.parametrize("code", [OVERALL, concept(text="Breast markers")], ids=["HER2", "group"])
def test_components_of_two_samples_need_review(
    code: Any, first: str, second: str, expected: list[str]
) -> None:
    parts = [
        component(concept(text=first), valueString="2+"),
        component(concept(text=second), valueString="not amplified"),
    ]
    assert conflicts(evidence(observation(code, component=parts))) == expected


def test_a_component_of_another_test_may_speak_of_another_side() -> None:
    other = component(concept(text="Lymph node, right axilla"), valueString="right: benign")
    left = named(IHC, "HER2 IHC left", valueString="1+", component=[other])
    assert conflicts(evidence(left)) == []


@pytest.mark.parametrize(
    ("taken", "name", "value", "expected"),
    [
        ("liver metastasis", "HER2 IHC, primary tumour", "3+", ["samples-differ"]),
        ("primary tumour", "HER2 IHC", "3+ (metastasis)", ["samples-differ"]),
        ("core biopsy", "HER2 IHC", "3+ (liver metastasis)", []),
        ("metastatic carcinoma, breast primary", "HER2 IHC, primary tumour", "3+", []),
        ("primary tumour", "HER2 IHC, core biopsy", "3+", []),
    ],
)
def test_a_primary_and_a_metastasis_of_one_result_need_review(
    taken: str, name: str, value: str, expected: list[str]
) -> None:
    given = named(IHC, name, valueString=value, **ON_S1)
    assert conflicts(evidence(given, specimen("", type={"text": taken}))) == expected


def test_the_published_name_of_a_code_says_nothing_of_the_sample() -> None:
    code = concept("3550001000004108")
    code["coding"][0]["display"] = (
        "Presence of receptor tyrosine-protein kinase erbB-2 in primary malignant neoplasm of "
        "breast by immunohistochemistry"
    )
    found = evidence(
        observation(code, valueString="3+", **ON_S1), specimen("", type={"text": "metastasis"})
    )
    assert found.links.kind is SampleKind.METASTASIS
    assert conflicts(found) == []


def test_a_metastasis_is_one_whatever_the_specimen_is_called() -> None:
    given = observation(IHC, valueString="2+ (liver metastasis)", **ON_S1)
    taken = specimen("liver", type={"text": "core biopsy"})
    assert evidence(given, taken).links.kind is SampleKind.METASTASIS


@pytest.mark.parametrize("place", ["note", "narrative"])
def test_notes_and_narratives_speak_of_other_samples_too(place: str) -> None:
    said = "The right breast is reported separately. " * (1 if place == "note" else 20)
    given = named(IHC, "HER2 IHC, left breast", valueString="1+")
    given |= {"note": [{"text": said}]} if place == "note" else {"valueString": said}
    assert evidence(given).links.side == "left"
    assert conflicts(evidence(given)) == []
