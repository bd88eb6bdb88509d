"""`derive`: a collection says what a file amounts to; only a complete input may replace what stands."""

from __future__ import annotations

import json
from typing import Any

import pytest
from fhir.resources.R4B.bundle import Bundle

from adapter.fhir.identity import category_of
from tests.cli.conftest import FIXTURES, Run

LOW = FIXTURES / "ihc-2-plus-fish-negative" / "input.json"


def resources(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    found = (entry["resource"] for entry in bundle.get("entry", []))
    return [resource for resource in found if resource["resourceType"] == kind]


def stored(bundle: dict[str, Any], version: str = "7") -> dict[str, Any]:
    """The derived Observation of a bundle as a server would return it."""
    [one] = resources(bundle, "Observation")
    return {**one, "meta": {**one["meta"], "versionId": version}}


def example(*more: dict[str, Any], without: str = "") -> str:
    found = [entry["resource"] for entry in json.loads(LOW.read_text("utf-8"))["entry"]]
    kept = [one for one in found if not (without and one["id"].endswith(without))]
    entries = [{"resource": resource} for resource in (*kept, *more)]
    return json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})


def test_a_collection_holds_the_observation_its_provenance_and_the_device(run: Run) -> None:
    ended = run("derive", LOW)
    bundle = json.loads(ended.out)

    assert ended.code == 0
    assert bundle["type"] == "collection"
    assert [category_of(one) for one in resources(bundle, "Observation")] == ["low"]
    assert len(resources(bundle, "Provenance")) == len(resources(bundle, "Device")) == 1
    assert all(entry["fullUrl"].endswith(entry["resource"]["id"]) for entry in bundle["entry"])
    Bundle.model_validate(bundle)


def test_a_collection_is_no_instruction_to_a_server(run: Run) -> None:
    bundle = json.loads(run("derive", LOW).out)

    assert not [entry for entry in bundle["entry"] if "request" in entry]


def test_fish_alone_gives_no_instruction_that_could_replace_a_low(run: Run) -> None:
    """Part of a patient's results must never overwrite what all of them gave."""
    alone = run("derive", text=example(without="-ihc"))

    assert json.loads(alone.out)["type"] == "collection"
    stands = stored(json.loads(run("derive", LOW).out))
    refused = run("derive", "--complete", text=example(stands, without="-ihc"))
    assert (refused.code, refused.out) == (2, "")
    assert "Observation/ihc-2-plus-fish-negative-ihc, which the input does not hold" in refused.err


def test_a_complete_input_gives_a_transaction(run: Run) -> None:
    bundle = json.loads(run("derive", "--complete", LOW).out)

    assert bundle["type"] == "transaction"
    assert [entry["request"]["method"] for entry in bundle["entry"]] == ["PUT"] * 3
    assert not [entry for entry in bundle["entry"] if "ifMatch" in entry["request"]]
    Bundle.model_validate(bundle)


def test_what_stands_already_is_not_written_again(run: Run) -> None:
    stands = stored(json.loads(run("derive", LOW).out))
    ended = run("derive", "--complete", text=example(stands))

    assert json.loads(ended.out) == {"resourceType": "Bundle", "type": "transaction"}
    assert "1 to skip" in ended.err


def test_an_update_is_held_to_the_version_that_stands(run: Run) -> None:
    stands = stored(json.loads(run("derive", LOW).out), version="w-3")
    text = example(stands).replace('"LA11842-4"', '"LA11843-2"').replace('"2+"', '"3+"')
    bundle = json.loads(run("derive", "--complete", text=text).out)

    [entry] = [one for one in bundle["entry"] if one["resource"]["resourceType"] == "Observation"]
    assert entry["request"]["ifMatch"] == 'W/"w-3"'
    assert entry["request"]["url"] == f"Observation/{stands['id']}"
    assert (entry["resource"]["status"], category_of(entry["resource"])) == ("amended", "positive")


def test_a_withdrawn_source_withdraws_what_stands(run: Run) -> None:
    stands = stored(json.loads(run("derive", LOW).out))
    text = example(stands).replace('"status": "final"', '"status": "entered-in-error"')
    document = json.loads(text)
    for entry in document["entry"]:
        if entry["resource"].get("id") == stands["id"]:
            entry["resource"]["status"] = "final"
    bundle = json.loads(run("derive", "--complete", text=json.dumps(document)).out)

    [withdrawn] = resources(bundle, "Observation")
    assert (withdrawn["id"], withdrawn["status"]) == (stands["id"], "entered-in-error")


def test_an_own_result_without_a_version_is_refused(run: Run) -> None:
    [stands] = resources(json.loads(run("derive", LOW).out), "Observation")
    ended = run("derive", "--complete", text=example(stands))

    assert ended.code == 2
    assert "has no meta.versionId" in ended.err


def test_a_complete_input_must_be_readable_whole(run: Run) -> None:
    text = example({"id": "nameless"})

    assert run("derive", text=text).code == 0
    ended = run("derive", "--complete", text=text)
    assert (ended.code, ended.out) == (2, "")


def test_what_writes_nothing_derives_nothing(run: Run) -> None:
    ended = run("derive", FIXTURES / "gastric" / "input.json")

    assert json.loads(ended.out) == {"resourceType": "Bundle", "type": "collection"}
    assert "nothing to write" in ended.err


def test_decimals_keep_their_digits(run: Run) -> None:
    text = example().replace('"value": 1.2,', '"value": 1.20,')
    out = run("derive", text=text).out

    assert '"value":1.20,' in out


@pytest.mark.parametrize("form", ["ndjson", "csv", "table"])
def test_the_other_forms(run: Run, form: str) -> None:
    ended = run("derive", "-o", form, LOW)

    assert ended.code == 0
    if form == "ndjson":
        assert [one["resourceType"] for one in ended.lines] == [
            "Observation",
            "Provenance",
            "Device",
        ]
    else:
        assert "Patient/ihc-2-plus-fish-negative" in ended.out
        assert "low" in ended.out


def test_a_record_that_would_not_be_valid_is_named_and_left_out(run: Run) -> None:
    broken = {"HER2_OUTPUT__PROFILES": "no url: at all"}
    collection = run("derive", LOW, **broken)
    transaction = run("derive", "--complete", LOW, **broken)

    for ended in (collection, transaction):
        assert ended.code == 0
        assert "is not valid FHIR R4" in ended.err
        assert resources(json.loads(ended.out), "Observation") == []


def test_a_patient_of_nowhere_is_in_no_transaction(run: Run) -> None:
    text = LOW.read_text("utf-8").replace(
        '"Patient/ihc-2-plus-fish-negative"', '"https://elsewhere.test/fhir/Patient/1"'
    )
    ended = run("derive", "--complete", text=text)

    assert json.loads(ended.out) == {"resourceType": "Bundle", "type": "transaction"}
    assert "the patient is none of this server" in ended.err


def test_an_own_result_of_a_bundle_names_its_sources_by_full_url(run: Run) -> None:
    stands = stored(json.loads(run("derive", LOW).out))
    base = "https://fhir.test/r4"
    document = json.loads(example(stands))
    for entry in document["entry"]:
        one = entry["resource"]
        entry["fullUrl"] = f"{base}/{one['resourceType']}/{one['id']}"
    own = document["entry"][-1]["resource"]
    own["derivedFrom"] = [{"reference": f"{base}/{one['reference']}"} for one in own["derivedFrom"]]
    ended = run("derive", "--complete", text=json.dumps(document))

    assert (ended.code, "1 to skip" in ended.err) == (0, True)
    again = json.loads(run("derive", text=json.dumps(document)).out)
    assert all(entry["fullUrl"].startswith(base) for entry in again["entry"])
