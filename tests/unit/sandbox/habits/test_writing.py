"""Habits of writing, seen by a plain HTTP client."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    create_entry,
    issue,
    observation,
    patient,
    update_entry,
)


def _stated(fhir: Client, flag: str) -> set[object]:
    statement = fhir.get("metadata").json()
    return {one[flag] for one in statement["rest"][0]["resource"]}


def _identified(value: str, **elements: object) -> Json:
    return patient(identifier=[{"system": "http://example.org/id", "value": value}], **elements)


def _conditional_put(fhir: Client, value: str) -> int:
    url = f"Patient?identifier=http://example.org/id|{value}"
    return fhir.send("PUT", url, _identified(value)).status_code


def test_no_client_ids_lets_the_server_choose(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    known = fhir.stored(patient())
    sandbox.habits.choose({"no-client-ids": True})

    assert fhir.put(patient(id=new_id)).status_code == 405
    assert fhir.put({**known, "active": True}).status_code == 200
    assert fhir.post(patient(id=new_id)).json()["id"] != new_id
    in_bundle = fhir.transaction(update_entry(patient(id=new_id)))
    assert in_bundle.status_code == 405
    assert _stated(fhir, "updateCreate") == {False}
    sandbox.habits.choose({"no-client-ids": 400})
    assert fhir.put(patient(id=new_id)).status_code == 400
    assert _conditional_put(fhir, new_id) == 201, "criteria name no id"
    by_criteria = f"Patient?identifier=http://example.org/id|{new_id}-2"
    assert fhir.send("PUT", by_criteria, patient(id=f"{new_id}-2")).status_code == 400
    sandbox.habits.choose()
    assert fhir.put(patient(id=new_id)).status_code == 201
    assert _stated(fhir, "updateCreate") == {True}


def test_no_conditional_update(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    sandbox.habits.choose({"no-conditional-update": 400})

    assert _conditional_put(fhir, new_id) == 400
    assert fhir.put(patient(id=new_id)).status_code == 201
    assert _stated(fhir, "conditionalUpdate") == {False}


def test_no_conditional_create_refuses_or_ignores_the_condition(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    condition = f"identifier=http://example.org/id|{new_id}"
    sandbox.habits.choose({"no-conditional-create": 400})
    assert fhir.post(_identified(new_id), if_none_exist=condition).status_code == 400
    sandbox.habits.choose({"no-conditional-create": True})
    entry = create_entry(_identified(new_id), ifNoneExist=condition)
    assert fhir.post(_identified(new_id), if_none_exist=condition).status_code == 201
    assert fhir.transaction(entry).status_code == 200

    assert len(fhir.found("Patient", ("identifier", new_id))) == 2
    assert _stated(fhir, "conditionalCreate") == {False}


@pytest.mark.parametrize("kind", ["update", "create", "transaction"])
def test_racing_conditionals_make_duplicates_of_two_writes_at_once(
    sandbox: Sandbox, fhir: Client, new_id: str, kind: str
) -> None:
    condition = f"identifier=http://example.org/id|{new_id}"

    def write(_: int) -> int:
        client = Client(fhir.base_url)
        with client.session:
            if kind == "update":
                return _conditional_put(client, new_id)
            if kind == "create":
                return client.post(_identified(new_id), if_none_exist=condition).status_code
            entry = create_entry(_identified(new_id), ifNoneExist=condition)
            return client.transaction(entry).status_code

    sandbox.habits.choose({"racing-conditionals": 2})
    with ThreadPoolExecutor(3) as pool:
        assert set(pool.map(write, range(3))) <= {200, 201}
    assert len(fhir.found("Patient", ("identifier", new_id))) > 1
    sandbox.habits.choose({"racing-conditionals": 0.01})
    assert _conditional_put(fhir, f"{new_id}-alone") == 201
    assert _conditional_put(fhir, f"{new_id}-alone") == 200, "one after the other all is well"


def test_without_the_habit_only_one_of_many_at_once_creates(fhir: Client, new_id: str) -> None:
    def write(_: int) -> int:
        client = Client(fhir.base_url)
        with client.session:
            return _conditional_put(client, new_id)

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(write, range(8))) == [200] * 7 + [201]


def test_doubled_conditionals_make_duplicates_of_one_write(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    sandbox.habits.choose({"doubled-conditionals": 2})

    assert [_conditional_put(fhir, f"{new_id}-{n}") for n in range(4)] == [201] * 4
    counts = [len(fhir.found("Patient", ("identifier", f"{new_id}-{n}"))) for n in range(4)]
    assert counts == [1, 2, 1, 2]
    again = fhir.send("PUT", f"Patient?identifier={new_id}-1", patient())
    assert (again.status_code, issue(again)["code"]) == (412, "multiple-matches")
    assert fhir.put(patient(id=new_id)).status_code == 201, "a plain write is done once"


def test_if_match_ignored_lets_the_last_writer_win(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id))
    stale = 'W/"7"'
    assert fhir.put(observation(id=new_id, valueString="2+"), if_match=stale).status_code == 412
    sandbox.habits.choose({"if-match-ignored": True})

    assert fhir.put(observation(id=new_id, valueString="2+"), if_match=stale).status_code == 200
    entry = update_entry(observation(id=new_id, valueString="3+"), ifMatch=stale)
    assert fhir.transaction(entry).json()["entry"][0]["response"]["status"] == "200 OK"
    assert fhir.delete(f"Observation/{new_id}", if_match=stale).status_code == 204
    assert _stated(fhir, "versioning") == {"versioned"}
