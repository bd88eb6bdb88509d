"""Habits of refusing for a while, seen by a plain HTTP client."""

from __future__ import annotations

import pytest

from adapter.sandbox.habits.refusing import WAIT_KINDS
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, issue, patient, update_entry


@pytest.mark.parametrize(("habit", "status"), [("throttled", 429), ("unavailable", 503)])
@pytest.mark.parametrize("kind", WAIT_KINDS)
def test_a_refused_request_says_when_to_come_back_in_every_way_there_is(
    sandbox: Sandbox, fhir: Client, new_id: str, habit: str, status: int, kind: str
) -> None:
    sandbox.habits.choose({habit: f"2:{kind}"})
    assert fhir.put(patient(id=new_id)).status_code == 201
    refused = fhir.put(patient(id=new_id, active=True))

    assert refused.status_code == status
    assert ("Retry-After" in refused.headers) == (kind != "missing")
    sandbox.habits.choose()
    assert "active" not in fhir.get(f"Patient/{new_id}").json(), "nothing was done"


@pytest.mark.parametrize(
    ("kind", "value"),
    [("seconds", "1"), ("negative", "-5"), ("huge", "18000"), ("junk", "soon"), ("empty", "")],
)
def test_retry_after_is_what_its_kind_says(
    sandbox: Sandbox, fhir: Client, kind: str, value: str
) -> None:
    sandbox.habits.choose({"throttled": f"1:{kind}"})

    assert fhir.get("Patient/none").headers["Retry-After"] == value
    assert fhir.get("metadata").status_code == 200


def test_unauthorised_asks_for_another_token_in_mid_crawl(sandbox: Sandbox, fhir: Client) -> None:
    sandbox.habits.choose({"unauthorised": 3})
    answers = [fhir.get("Patient/none") for _ in range(6)]

    assert [one.status_code for one in answers] == [404, 404, 401] * 2
    assert "invalid_token" in answers[2].headers["WWW-Authenticate"]
    assert fhir.get("metadata").status_code == 200


def test_errors_after_commit_were_carried_out(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    sandbox.habits.choose({"errors-after-commit": 1})
    answer = fhir.put(patient(id=new_id))

    assert (answer.status_code, issue(answer)["code"]) == (500, "exception")
    assert fhir.get(f"Patient/{new_id}").status_code == 200


@pytest.mark.parametrize(
    ("habit", "status", "code"),
    [("conflicts", 409, "conflict"), ("rejected-writes", 422, "invariant")],
)
def test_a_write_is_refused_and_nothing_was_done(
    sandbox: Sandbox, fhir: Client, new_id: str, habit: str, status: int, code: str
) -> None:
    sandbox.habits.choose({habit: 2})
    assert fhir.put(patient(id=new_id)).status_code == 201
    refused = fhir.put(patient(id=new_id, active=True))

    assert (refused.status_code, issue(refused)["code"]) == (status, code)
    assert [fhir.get(f"Patient/{new_id}").status_code for _ in range(4)] == [200] * 4
    assert "active" not in fhir.get(f"Patient/{new_id}").json()
    assert fhir.transaction(update_entry(patient(id=new_id, active=True))).status_code == 200
