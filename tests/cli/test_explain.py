"""`explain` tells a pathologist everything about one answer, from a file and from a server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from adapter.sandbox.server import Sandbox
from tests.cli.conftest import FIXTURES, Run, fetch, load, put

GROUP_4 = FIXTURES / "ihc-2-plus-group-4" / "input.json"


def test_an_explanation_names_words_reading_mapping_rule_mark_and_citation(run: Run) -> None:
    told = run("explain", "-o", "table", GROUP_4).out

    for part in (
        "Patient/ihc-2-plus-group-4 · Specimen/ihc-2-plus-group-4-specimen",
        "HER2 category: pending-second-review · review",
        "ASCO/CAP status: none while pending or in review",
        "Rule second-review-due [G]:",
        "Source: ASCO/CAP 2018 (affirmed 2023) Fig 4-6",
        "Why: A blinded recount of at least 20 cells is due.",
        "One sample because: They name one specimen",
        "“2+”",
        "read as: ISH equivocal, dual probe, HER2/CEP17 ratio 1.6, HER2 copies per cell 4.8",
        "answers-ihc: http://loinc.org LA11842-4",
    ):
        assert part in told


def test_a_text_s_reading_names_the_phrases_it_was_read_by(run: Run) -> None:
    fish = {
        "resourceType": "Observation",
        "id": "f",
        "status": "final",
        "code": {"text": "HER2-FISH"},
        "subject": {"reference": "Patient/p"},
        "valueString": "nicht amplifiziert (Ratio 1,2)",
    }
    told = run("explain", "-o", "table", "-", text=json.dumps(fish)).out
    assert "ish-result.negative nicht amplifiziert = negative" in told
    assert "quantity.ratio ratio = ratio" in told


def test_what_was_set_aside_is_told_with_the_reason(run: Run) -> None:
    told = run("explain", "-o", "table", FIXTURES / "gastric" / "input.json").out

    assert "HER2 category: not-applicable" in told
    assert "not used: The tumour is one outside the breast. (other-tumour)" in told


def test_the_lines_hold_the_same(run: Run) -> None:
    [line] = run("explain", GROUP_4).lines

    assert line["rule"]["basis"] == "G"
    assert {result["outcome"] for result in line["results"]} == {"used"}
    assert line["results"][0]["read_as"] == [
        "ISH equivocal, dual probe, HER2/CEP17 ratio 1.6, HER2 copies per cell 4.8, "
        "CEP17 copies per cell 3.0"
    ]


def test_several_samples_of_a_patient_are_rolled_up_for_the_eye_only(run: Run) -> None:
    text = "\n".join(
        (
            '{"resourceType":"Observation","id":"a","status":"final","subject":{"reference":"Patient/1"},'
            '"specimen":{"reference":"Specimen/1"},"code":{"coding":[{"system":"http://loinc.org","code":"85319-2"}]},'
            f'"valueString":"{score}"}}'
        )
        .replace('"a"', f'"{name}"')
        .replace("Specimen/1", f"Specimen/{name}")
        for name, score in (("a", "1+"), ("b", "3+"))
    )
    ended = run("explain", "-", text=text)

    assert "Patient/1: 2 samples; together positive, review (shown only)" in ended.err


def test_a_file_without_observations_cannot_be_explained(run: Run) -> None:
    assert run("explain", "-", text='{"resourceType":"Patient","id":"1"}').code == 2


def test_a_result_on_a_server_is_explained_with_all_of_its_sample(
    run: Run, sandbox: Sandbox
) -> None:
    load(sandbox, "ihc-2-plus-fish-negative", "ihc-0")
    before = sandbox.writes
    name = "Observation/ihc-2-plus-fish-negative-fish"
    ended = run("explain", name, HER2_FHIR_URL=sandbox.base_url)

    [line] = ended.lines
    assert line["category"] == "low"
    assert {one["observation"] for one in line["results"]} == {
        name,
        "Observation/ihc-2-plus-fish-negative-ihc",
    }
    assert sandbox.writes == before


def test_a_derived_result_is_explained_by_its_sources(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-2-plus-fish-negative")
    run("sync", HER2_FHIR_URL=sandbox.base_url)
    found = fetch(
        sandbox, "Observation?_tag=https://w3id.org/her2-adapter/CodeSystem/her2-adapter|derived"
    )
    [line] = run("explain", f"Observation/{found['entry'][0]['resource']['id']}").lines

    assert line["category"] == "low"
    assert len(line["results"]) == 2


def test_beside_what_is_no_strict_json_no_answer_is_given(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-2-plus-fish-negative")
    sandbox.habits.choose({"spoilt-resource": "ihc-2-plus-fish-negative-ihc:nan"})
    name = "Observation/ihc-2-plus-fish-negative-fish"
    ended = run("explain", name, HER2_FHIR_URL=sandbox.base_url)

    assert (ended.code, ended.lines) == (2, [])
    assert "Observation/ihc-2-plus-fish-negative-ihc (not-a-number)" in ended.err


def test_an_observation_that_is_not_there_is_named(run: Run, sandbox: Sandbox) -> None:
    ended = run("explain", "Observation/nowhere", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 2
    assert "Observation/nowhere is not on" in ended.err


def observation(name: str, code: str, **value: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": code}]},
        "subject": {"reference": "Patient/1"},
        "specimen": {"reference": "Specimen/1"},
        **value,
    }


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (
            observation("a", "85319-2", valueString="2+ in 60 % of tumor cells"),
            "60 % of tumour cells",
        ),
        (observation("a", "85319-2", valueString="4+"), "IHC off the 0-3+ scale"),
        (observation("a", "85319-2", valueString="Negative"), "IHC negative"),
        (observation("a", "85319-2", valueString="0-1+"), "IHC 0 to 1+"),
        (
            observation("a", "85318-4", valueString="ratio 2.4"),
            "ISH in numbers, HER2/CEP17 ratio 2.4",
        ),
        (
            observation("a", "48676-1", valueString="Low"),
            "the laboratory's overall result: low",
        ),
        (
            observation("a", "85319-2", valueString="2+", note=[{"text": "Repeat test."}]),
            "marked as a repeat",
        ),
        (observation("a", "85319-2", valueString="see report"), "read as: nothing"),
        (observation("a", "16112-5", valueString="Positive"), "In no sample"),
    ],
    ids=[
        "percent",
        "off-scale",
        "word",
        "range",
        "ratio",
        "overall",
        "marker",
        "unreadable",
        "not-her2",
    ],
)
def test_a_reading_is_told_in_a_pathologists_words(
    run: Run, result: dict[str, Any], told: str
) -> None:
    assert told in run("explain", "-o", "table", "-", text=json.dumps(result)).out


def test_an_explanation_is_no_csv(run: Run) -> None:
    assert run("explain", "-o", "csv", GROUP_4).code == 2


def test_a_result_of_no_patient_of_the_server_is_named(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-0")
    result = observation("foreign", "85319-2", valueString="1+")
    del result["specimen"]
    result["subject"] = {"reference": "https://elsewhere.test/fhir/Patient/1"}
    put(sandbox, result)
    ended = run("explain", "Observation/foreign", HER2_FHIR_URL=sandbox.base_url)

    assert ended.code == 2
    assert "names no patient of this server" in ended.err


def test_a_result_that_is_in_no_sample_is_explained_too(run: Run, sandbox: Sandbox) -> None:
    load(sandbox, "ihc-0")
    result = observation("er", "16112-5", valueString="Positive")
    result["subject"] = {"reference": "Patient/ihc-0"}
    del result["specimen"]
    put(sandbox, result)
    [line] = run("explain", "Observation/er", HER2_FHIR_URL=sandbox.base_url).lines

    assert (line["kind"], line["outcome"]) == ("set-aside", "not-her2")
