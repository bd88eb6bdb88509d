"""Protects conditional create and update: one match is used, none creates, several are refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, issue, observation, patient

SYSTEM = "http://hospital.test/mrn"


@pytest.fixture
def known(new_id: str) -> Json:
    return patient(identifier=[{"system": SYSTEM, "value": new_id}])


@pytest.fixture
def criteria(new_id: str) -> str:
    return f"identifier={SYSTEM}%7C{new_id}"


def test_a_conditional_create_creates_once(fhir: Client, known: Json, criteria: str) -> None:
    first = fhir.post(known, if_none_exist=criteria)
    second = fhir.post({**known, "active": True}, if_none_exist=f"?{criteria}")
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["Location"] == first.headers["Location"]
    assert second.headers["ETag"] == 'W/"1"'
    assert second.json() == first.json()


def test_a_conditional_update_creates_then_updates(
    fhir: Client, known: Json, criteria: str
) -> None:
    first = fhir.send("PUT", f"Patient?{criteria}", known)
    second = fhir.send("PUT", f"Patient?{criteria}", {**known, "active": True})
    third = fhir.send("PUT", f"Patient?{criteria}", {**known, "active": True})
    assert [one.status_code for one in (first, second, third)] == [201, 200, 200]
    assert {one.json()["id"] for one in (first, second, third)} == {first.json()["id"]}
    assert third.json()["meta"]["versionId"] == "2"


def test_a_conditional_update_that_matches_nothing_takes_the_id_of_the_body(
    fhir: Client, known: Json, criteria: str, new_id: str
) -> None:
    answer = fhir.send("PUT", f"Patient?{criteria}", {**known, "id": new_id})
    assert (answer.status_code, answer.json()["id"]) == (201, new_id)
    assert fhir.send("PUT", f"Patient?{criteria}", {**known, "id": new_id}).status_code == 200


def test_a_conditional_update_never_lands_on_another_resource(
    fhir: Client, known: Json, criteria: str, woman: Json
) -> None:
    stranger = fhir.send("PUT", f"Patient?{criteria}", {**known, "id": woman["id"]})
    assert stranger.status_code == 409
    fhir.post(known)
    other_id = fhir.send("PUT", f"Patient?{criteria}", {**known, "id": woman["id"]})
    assert other_id.status_code == 400
    assert fhir.get(f"Patient/{woman['id']}").json() == woman


def test_several_matches_are_refused(fhir: Client, known: Json, criteria: str) -> None:
    fhir.post(known)
    fhir.post(known)
    for answer in (
        fhir.send("PUT", f"Patient?{criteria}", known),
        fhir.post(known, if_none_exist=criteria),
    ):
        assert answer.status_code == 412
        assert issue(answer)["code"] == "multiple-matches"


def test_if_match_holds_for_a_conditional_update(fhir: Client, known: Json, criteria: str) -> None:
    fhir.post(known)
    change = {**known, "active": True}
    assert fhir.send("PUT", f"Patient?{criteria}", change, if_match='W/"2"').status_code == 412
    assert fhir.send("PUT", f"Patient?{criteria}", change, if_match='W/"1"').status_code == 200


@pytest.mark.parametrize("criteria", ["", "unknown=1", "_count=1", "identifier=", "_sort=_id"])
def test_criteria_that_select_nothing_in_particular_are_refused(
    fhir: Client, criteria: str
) -> None:
    assert fhir.send("PUT", f"Patient?{criteria}", patient()).status_code == 400
    assert fhir.post(patient(), if_none_exist=criteria).status_code == 400


@pytest.mark.parametrize("body_id", ["a_b", 7, "", ["x"]])
def test_a_conditional_update_checks_the_id_it_would_take(
    fhir: Client, known: Json, criteria: str, body_id: object
) -> None:
    answer = fhir.send("PUT", f"Patient?{criteria}", {**known, "id": body_id})
    assert answer.status_code == 400


def test_a_deleted_resource_matches_no_criteria(fhir: Client, known: Json, criteria: str) -> None:
    first = fhir.post(known).json()["id"]
    fhir.delete(f"Patient/{first}")
    answer = fhir.post(known, if_none_exist=criteria)
    assert answer.status_code == 201
    assert answer.json()["id"] != first


def test_racing_conditional_writes_make_one_resource(
    sandbox: Sandbox, known: Json, criteria: str, new_id: str
) -> None:
    def put(_number: int) -> int:
        client = Client(sandbox.base_url)
        with client.session:
            return client.send("PUT", f"Patient?{criteria}", known).status_code

    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(40)))
    assert sorted(statuses) == [200] * 39 + [201]
    client = Client(sandbox.base_url)
    with client.session:
        assert len(client.found("Patient", ("identifier", f"{SYSTEM}|{new_id}"))) == 1


def test_racing_updates_lose_no_version(sandbox: Sandbox, new_id: str) -> None:
    def put(number: int) -> str:
        client = Client(sandbox.base_url)
        with client.session:
            answer = client.put(observation(id=new_id, valueInteger=number))
            return str(answer.json()["meta"]["versionId"])

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(put, range(40)))
    assert sorted(map(int, versions)) == list(range(1, 41))


def test_of_racing_updates_with_the_same_if_match_one_wins(sandbox: Sandbox, new_id: str) -> None:
    def put(number: int) -> int:
        client = Client(sandbox.base_url)
        with client.session:
            change = observation(id=new_id, valueInteger=number)
            return client.put(change, if_match='W/"1"').status_code

    client = Client(sandbox.base_url)
    with client.session:
        client.put(observation(id=new_id))
    with ThreadPoolExecutor(8) as pool:
        statuses = list(pool.map(put, range(16)))
    assert sorted(statuses) == [200] + [412] * 15
