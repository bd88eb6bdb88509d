"""Habits with versions, references and deletions, seen by a plain HTTP client."""

from __future__ import annotations

import uuid

from adapter.sandbox.habits.versions import KEEP_VERSIONS
from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import (
    Client,
    Json,
    get_entry,
    observation,
    patient,
    reference,
    update_entry,
)


def test_uuid_version_ids_are_used_wherever_a_version_is_named(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(observation(id=new_id))
    sandbox.habits.choose({"uuid-version-ids": True})
    answer = fhir.put(observation(id=new_id, valueString="2+"))
    version = answer.json()["meta"]["versionId"]

    assert str(uuid.UUID(version)) == version
    assert answer.headers["ETag"] == f'W/"{version}"'
    assert answer.headers["Location"].endswith(f"/_history/{version}")
    assert fhir.get(f"Observation/{new_id}/_history/{version}").json() == answer.json()
    assert fhir.get(f"Observation/{new_id}/_history/1").status_code == 200
    assert fhir.get(f"Observation/{new_id}/_history/2").status_code == 404
    assert fhir.get(f"Observation/{new_id}", if_none_match=f'W/"{version}"').status_code == 304
    changed = observation(id=new_id, valueString="3+")
    assert fhir.put(changed, if_match='W/"2"').status_code == 412
    entry = update_entry(changed, ifMatch=f'W/"{version}"')
    response = fhir.transaction(entry).json()["entry"][0]["response"]
    assert response["etag"] != f'W/"{version}"'
    assert response["etag"][3:-1] == response["location"].rpartition("/")[2]


def test_stripped_reference_versions_unless_a_resource_asks_to_keep_them(
    sandbox: Sandbox, fhir: Client, woman: Json
) -> None:
    versioned = {"reference": f"Patient/{woman['id']}/_history/1"}
    foreign = {"reference": "https://other.example/fhir/Specimen/1/_history/1"}
    result = observation(subject=versioned, specimen=foreign)
    assert fhir.stored(result)["subject"] == versioned
    sandbox.habits.choose({"stripped-reference-versions": True})
    stored = fhir.stored(result)

    assert stored["subject"] == reference(woman)
    assert stored["specimen"] == foreign
    keep = {"url": KEEP_VERSIONS, "valueString": "subject"}
    kept = fhir.stored({**result, "meta": {"extension": [keep]}})
    assert kept["subject"] == versioned


def test_deleted_as_unknown_is_404_alone_and_in_a_batch(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(patient(id=new_id))
    fhir.delete(f"Patient/{new_id}")
    assert fhir.get(f"Patient/{new_id}").status_code == 410
    sandbox.habits.choose({"deleted-as-unknown": True})
    entries = fhir.batch(get_entry(f"Patient/{new_id}"), get_entry("metadata")).json()["entry"]

    assert fhir.get(f"Patient/{new_id}").status_code == 404
    assert [entry["response"]["status"][:3] for entry in entries] == ["404", "200"]


def test_equal_updates_make_versions(sandbox: Sandbox, fhir: Client, new_id: str) -> None:
    sandbox.habits.choose({"equal-updates-make-versions": True})
    for expected in ("1", "2", "3"):
        assert fhir.put(patient(id=new_id)).json()["meta"]["versionId"] == expected
    sandbox.habits.choose()
    assert fhir.put(patient(id=new_id)).json()["meta"]["versionId"] == "3"


def test_referential_integrity_refuses_to_take_away_what_others_name(
    sandbox: Sandbox, fhir: Client, woman: Json
) -> None:
    result = fhir.stored(observation(subject=reference(woman)))
    sandbox.habits.choose({"referential-integrity": True})

    assert fhir.delete(f"Patient/{woman['id']}").status_code == 409
    assert fhir.delete(f"Observation/{result['id']}").status_code == 204
    assert fhir.delete(f"Patient/{woman['id']}").status_code == 204
    assert fhir.post(observation(subject=reference(woman))).status_code == 400


def test_if_match_conflicts_have_another_status(
    sandbox: Sandbox, fhir: Client, new_id: str
) -> None:
    fhir.put(patient(id=new_id))
    sandbox.habits.choose({"if-match-conflicts": True})

    assert fhir.put(patient(id=new_id, active=True), if_match='W/"9"').status_code == 409
    entry = update_entry(patient(id=new_id, active=True), ifMatch='W/"9"')
    assert fhir.transaction(entry).status_code == 409
    assert fhir.put(patient(id=new_id, active=True), if_match='W/"1"').status_code == 200
