"""Habits with bundles of writes, seen by a plain HTTP client."""

from __future__ import annotations

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    create_entry,
    get_entry,
    issue,
    observation,
    patient,
    reference,
    update_entry,
)

SOMEONE = "urn:uuid:6c2d4b5e-4f0e-4a53-8f0c-0a4b3f6f1d11"


def _interactions(fhir: Client) -> set[str]:
    return {one["code"] for one in fhir.get("metadata").json()["rest"][0]["interaction"]}


def _statuses(bundle: Json) -> list[str]:
    return [entry["response"]["status"][:3] for entry in bundle["entry"]]


def test_no_transactions_takes_batches_only(sandbox: Sandbox, fhir: Client) -> None:
    sandbox.habits.choose({"no-transactions": 400})
    before = sandbox.counts.versions

    assert fhir.transaction(create_entry(patient())).status_code == 400
    assert sandbox.counts.versions == before
    assert fhir.batch(create_entry(patient())).status_code == 200
    assert _interactions(fhir) == {"batch", "history-system"}


def test_no_batches_takes_transactions_only(sandbox: Sandbox, fhir: Client) -> None:
    sandbox.habits.choose({"no-batches": True})

    refused = fhir.batch(create_entry(patient()))
    assert (refused.status_code, issue(refused)["code"]) == (405, "not-supported")
    assert fhir.transaction(create_entry(patient())).status_code == 200
    assert _interactions(fhir) == {"transaction", "history-system"}


@pytest.mark.parametrize("kind", ["transaction-response", "batch-response"])
def test_transactions_as_batches_keep_what_did_not_fail(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str
) -> None:
    entries = [
        update_entry(observation(id=new_id)),
        update_entry(observation(id=f"{new_id}-2", subject={"reference": "Patient/nobody"})),
        create_entry(patient(), SOMEONE),
        update_entry(observation(id=f"{new_id}-3", subject={"reference": SOMEONE})),
        get_entry(f"Observation/{new_id}"),
    ]
    assert fhir.transaction(*entries).status_code == 400
    assert fhir.get(f"Observation/{new_id}").status_code == 404
    sandbox.habits.choose({"transactions-as-batches": kind})
    answer = fhir.transaction(*entries)

    assert (answer.status_code, answer.json()["type"]) == (200, kind)
    assert _statuses(answer.json()) == ["201", "400", "201", "201", "200"]
    assert answer.json()["entry"][1]["response"]["outcome"]["resourceType"] == "OperationOutcome"
    assert fhir.get(f"Observation/{new_id}").status_code == 200
    linked = fhir.get(f"Observation/{new_id}-3").json()["subject"]["reference"]
    assert answer.json()["entry"][2]["response"]["location"].startswith(linked)


def test_throttled_entries_are_429_inside_of_200(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    entries = [update_entry(patient(id=f"{new_id}-{n}")) for n in range(4)]
    sandbox.habits.choose({"throttled-entries": 2})
    assert _statuses(fhir.batch(*entries).json()) == ["201", "429", "201", "429"]
    assert _statuses(fhir.transaction(*entries).json()) == ["200", "201", "200", "201"]
    sandbox.habits.choose({"throttled-entries": 2, "transactions-as-batches": True})
    answer = fhir.transaction(*entries)

    assert answer.status_code == 200
    assert _statuses(answer.json()) == ["200", "429", "200", "429"]


def test_a_bundle_cap_refuses_what_is_larger(sandbox: Sandbox, fhir: Client, woman: Json) -> None:
    sandbox.habits.choose({"bundle-cap": 2})
    results = [create_entry(observation(subject=reference(woman))) for _ in range(3)]

    for send in (fhir.transaction, fhir.batch):
        refused = send(*results)
        assert (refused.status_code, issue(refused)["code"]) == (413, "too-costly")
        assert send(*results[:2]).status_code == 200
    assert len(fhir.found("Observation", ("patient", woman["id"]))) == 4


@pytest.mark.parametrize(
    ("kind", "seen"),
    [
        ("short", ["201 Created"]),
        ("no-status", [None, None]),
        ("no-location", ["201 Created", "201 Created"]),
        ("order", ["201 Created", "201 Created"]),
        ("outcome", []),
    ],
)
def test_garbled_bundle_answers_tell_badly_of_what_was_done(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str, seen: list[str | None]
) -> None:
    sandbox.habits.choose({"garbled-bundle-answers": f"1:{kind}"})
    names = [f"Patient/{new_id}", f"Patient/{new_id}-2"]
    answer = fhir.transaction(*(update_entry(patient(id=name[8:])) for name in names))
    responses = [entry["response"] for entry in answer.json().get("entry", [])]
    told = [one.get("location", "").partition("/_history")[0] for one in responses]

    assert answer.status_code == 200
    assert [one.get("status") for one in responses] == seen
    assert (answer.json()["resourceType"] == "OperationOutcome") == (kind == "outcome")
    assert (told == names[::-1]) == (kind == "order")
    assert (told == ["", ""]) == (kind == "no-location")
    assert [fhir.get(name).status_code for name in names] == [200, 200]
