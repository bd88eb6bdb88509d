"""Pins what we rely on in Medplum's FHIR router: were one of these to change, tests would mean less.

Each test uses resources of its own on the shared server.
"""

from __future__ import annotations

import uuid
from typing import Any

import pytest
import requests

from tests.servers.medplum import MedplumServer

pytestmark = pytest.mark.real

TIMEOUT_SECONDS = 60


def _patient() -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"p-{uuid.uuid4().hex}"}


def _put(medplum: MedplumServer, resource: dict[str, Any], **headers: str) -> requests.Response:
    return requests.put(
        f"{medplum.base_url}/{resource['resourceType']}/{resource['id']}",
        json=resource,
        headers=headers,
        timeout=TIMEOUT_SECONDS,
    )


def _get(medplum: MedplumServer, path: str) -> requests.Response:
    return requests.get(f"{medplum.base_url}/{path}", timeout=TIMEOUT_SECONDS)


def _transact(medplum: MedplumServer, *resources: tuple[str, dict[str, Any]]) -> requests.Response:
    entries = [
        {"resource": one, "request": {"method": "PUT", "url": url}} for url, one in resources
    ]
    bundle = {"resourceType": "Bundle", "type": "transaction", "entry": entries}
    return requests.post(medplum.base_url, json=bundle, timeout=TIMEOUT_SECONDS)


def test_put_of_a_new_id_chosen_by_the_client_creates_it_with_a_uuid_as_version(
    medplum: MedplumServer,
) -> None:
    patient = _patient()
    created = _put(medplum, patient)
    assert created.status_code == 200
    version = uuid.UUID(created.json()["meta"]["versionId"])
    assert created.headers["ETag"] == f'W/"{version}"'
    assert _get(medplum, f"Patient/{patient['id']}/_history/{version}").ok


def test_transaction_with_one_bad_entry_leaves_nothing_behind(medplum: MedplumServer) -> None:
    first, second = _patient(), _patient()
    answer = _transact(medplum, (f"Patient/{first['id']}", first), ("Patient/another", second))
    assert answer.status_code == 400
    assert _get(medplum, f"Patient/{first['id']}").status_code == 404
    good = _transact(medplum, (f"Patient/{first['id']}", first))
    assert good.json()["type"] == "transaction-response"
    assert good.json()["entry"][0]["resource"]["id"] == first["id"]


def test_transaction_holds_at_most_fifty_updates(medplum: MedplumServer) -> None:
    patients = [_patient() for _ in range(51)]
    entries = [(f"Patient/{one['id']}", one) for one in patients]
    assert _transact(medplum, *entries).status_code == 400
    assert _transact(medplum, *entries[:50]).ok


def test_update_from_a_version_that_is_no_more_is_refused(medplum: MedplumServer) -> None:
    patient = _patient()
    first = _put(medplum, patient).headers["ETag"]
    _put(medplum, patient)
    assert _put(medplum, patient, **{"If-Match": first}).status_code == 412


def test_what_is_deleted_answers_404(medplum: MedplumServer) -> None:
    patient = _patient()
    _put(medplum, patient)
    where = f"{medplum.base_url}/Patient/{patient['id']}"
    assert requests.delete(where, timeout=TIMEOUT_SECONDS).ok
    assert _get(medplum, f"Patient/{patient['id']}").status_code == 404


def test_search_by_an_unknown_parameter_finds_nothing_and_says_nothing(
    medplum: MedplumServer,
) -> None:
    _put(medplum, _patient())
    found = _get(medplum, "Patient?favourite-colour=blue")
    assert found.status_code == 200
    assert not found.json().get("entry")


def test_pages_hold_everything_once_and_history_tells_the_newest_first(
    empty_medplum: MedplumServer,
) -> None:
    medplum = empty_medplum
    patients = [_patient() for _ in range(7)]
    for one in patients:
        _put(medplum, one)
    url, seen = f"{medplum.base_url}/Patient?_count=3", []
    while url:
        page = requests.get(url, timeout=TIMEOUT_SECONDS).json()
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        url = next((one["url"] for one in page["link"] if one["relation"] == "next"), "")
    assert sorted(seen) == sorted(one["id"] for one in patients)
    assert _get(medplum, "Patient?_count=1001").status_code == 400

    latest = _put(medplum, patients[0]).json()["meta"]["versionId"]
    for _ in range(2):
        told = _get(medplum, f"Patient/{patients[0]['id']}/_history").json()["entry"]
        assert [len(told), told[0]["resource"]["meta"]["versionId"]] == [2, latest]
        # The second time it is deleted, which takes nothing from its history.
        where = f"{medplum.base_url}/Patient/{patients[0]['id']}"
        requests.delete(where, timeout=TIMEOUT_SECONDS)
