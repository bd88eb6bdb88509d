"""Pins what we rely on in HAPI FHIR JPA: were one of these to change, our design would have to.

Each test uses resources of its own on the shared server.
"""

import uuid
from typing import Any

import pytest
import requests

from tests.servers.hapi import HapiServer

pytestmark = pytest.mark.real

FRESH = {"Cache-Control": "no-cache"}
KEEP_VERSIONS = "http://hapifhir.io/fhir/StructureDefinition/auto-version-references-at-path"
TIMEOUT_SECONDS = 60


def _new_id() -> str:
    return str(uuid.uuid4())


def _patient(**parts: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": _new_id(), **parts}


def _observation(subject: str, **parts: Any) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": _new_id(),
        "status": "final",
        "code": {"text": "a test"},
        "subject": {"reference": subject},
        **parts,
    }


def _put(hapi: HapiServer, resource: dict[str, Any]) -> requests.Response:
    where = f"{hapi.base_url}/{_reference(resource)}"
    return requests.put(where, json=resource, timeout=TIMEOUT_SECONDS)


def _read(hapi: HapiServer, reference: str) -> requests.Response:
    return requests.get(f"{hapi.base_url}/{reference}", timeout=TIMEOUT_SECONDS)


def _send(hapi: HapiServer, *entries: dict[str, Any], kind: str = "transaction") -> Any:
    bundle = {"resourceType": "Bundle", "type": kind, "entry": list(entries)}
    return requests.post(hapi.base_url, json=bundle, timeout=TIMEOUT_SECONDS)


def _update(resource: dict[str, Any], **request: str) -> dict[str, Any]:
    url = _reference(resource)
    return {"resource": resource, "request": {"method": "PUT", "url": url, **request}}


def _reference(resource: dict[str, Any]) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def test_put_of_a_new_id_chosen_by_the_client_creates_it(hapi: HapiServer) -> None:
    patient = _patient()
    assert _put(hapi, patient).status_code == 201
    assert _read(hapi, _reference(patient)).status_code == 200


def test_repeated_search_is_stale_unless_it_says_no_cache(hapi: HapiServer) -> None:
    patient = _patient()
    _put(hapi, patient)

    def found(headers: dict[str, str] | None = None) -> int:
        search = {"patient": _reference(patient)}
        where = f"{hapi.base_url}/Observation"
        answer = requests.get(where, params=search, headers=headers, timeout=TIMEOUT_SECONDS)
        return len(answer.json().get("entry", []))

    assert found() == 0
    _put(hapi, _observation(_reference(patient)))
    assert found() == 0
    assert found(FRESH) == 1


def test_update_with_an_outdated_version_is_refused_with_its_whole_transaction(
    hapi: HapiServer,
) -> None:
    patient, bystander = _patient(), _patient()
    _put(hapi, patient)
    _put(hapi, {**patient, "active": True})
    outdated = _update({**patient, "active": False}, ifMatch='W/"1"')
    assert _send(hapi, _update(bystander), outdated).status_code == 409
    assert _read(hapi, _reference(patient)).json()["active"] is True
    assert _read(hapi, _reference(bystander)).status_code == 404


def test_transaction_with_one_bad_reference_is_refused_whole(hapi: HapiServer) -> None:
    patient = _patient()
    lost = _observation(f"Patient/{_new_id()}")
    refused = _send(hapi, _update(patient), _update(lost))
    assert refused.status_code == 400
    assert "HAPI-1094" in refused.text
    assert _read(hapi, _reference(patient)).status_code == 404


def _provenance(target: dict[str, Any], source: dict[str, Any], **meta: Any) -> dict[str, Any]:
    return {
        "resourceType": "Provenance",
        "id": _new_id(),
        "meta": meta,
        "target": [{"reference": _reference(target)}],
        "recorded": "2026-01-01T00:00:00Z",
        "agent": [{"who": {"display": "a test"}}],
        "entity": [{"role": "source", "what": {"reference": f"{_reference(source)}/_history/1"}}],
    }


def test_versioned_references_are_kept_where_the_resource_asks_for_it(hapi: HapiServer) -> None:
    patient = _patient()
    _put(hapi, patient)
    source, derived = _observation(_reference(patient)), _observation(_reference(patient))
    _put(hapi, source)
    paths = [{"url": KEEP_VERSIONS, "valueString": path} for path in ("entity.what", "target")]
    asking, silent = _provenance(derived, source, extension=paths), _provenance(derived, source)
    sent = _send(hapi, _update(derived), _update(asking), _update(silent))
    assert sent.status_code == 200, sent.text

    kept = _read(hapi, _reference(asking)).json()
    assert kept["entity"][0]["what"]["reference"] == f"{_reference(source)}/_history/1"
    assert kept["target"][0]["reference"] == f"{_reference(derived)}/_history/1"
    stripped = _read(hapi, _reference(silent)).json()
    assert stripped["entity"][0]["what"]["reference"] == _reference(source)
    assert stripped["target"][0]["reference"] == _reference(derived)


def test_tag_is_never_removed_by_an_update(hapi: HapiServer) -> None:
    tag = {"system": "https://w3id.org/her2-adapter/CodeSystem/her2-adapter", "code": "derived"}
    patient = _patient()
    _put(hapi, {**patient, "meta": {"tag": [tag]}})
    _put(hapi, {**patient, "active": True})
    assert _read(hapi, _reference(patient)).json()["meta"]["tag"] == [tag]


def test_writes_are_counted_at_the_server_and_reads_are_not(hapi: HapiServer) -> None:
    patient = _patient()
    before = hapi.mark()
    _put(hapi, patient)
    _put(hapi, patient)  # changes nothing, and is a write all the same
    _send(hapi, _update(_patient()), _update(_patient()))
    after_writes = hapi.mark()
    _read(hapi, _reference(patient))
    read = {"request": {"method": "GET", "url": _reference(patient)}}
    _send(hapi, read, read, kind="batch")

    written = [(each.method, each.status, dict(each.entries)) for each in hapi.writes_since(before)]
    assert written == [("PUT", 201, {}), ("PUT", 200, {}), ("POST", 200, {"PUT": 2})]
    assert hapi.writes_since(after_writes) == []
    assert len(hapi.requests_since(after_writes)) == 2


def _errors(hapi: HapiServer, resource: dict[str, Any], profile: str) -> list[str]:
    answer = requests.post(
        f"{hapi.base_url}/Observation/$validate",
        params={"profile": profile},
        json=resource,
        timeout=TIMEOUT_SECONDS,
    )
    issues = answer.json()["issue"]
    return [i["diagnostics"] for i in issues if i["severity"] in {"error", "fatal"}]


def test_validate_uses_the_mcode_profile_that_was_put_onto_the_server(
    hapi: HapiServer, mcode_on_hapi: str
) -> None:
    marker = _observation(
        f"Patient/{_new_id()}",
        category=[
            {
                "coding": [
                    {
                        "system": "http://terminology.hl7.org/CodeSystem/observation-category",
                        "code": "laboratory",
                    }
                ]
            }
        ],
        code={"coding": [{"system": "http://loinc.org", "code": "48676-1"}]},
        effectiveDateTime="2026-01-01",
        valueCodeableConcept={"text": "a value"},
    )
    assert _errors(hapi, marker, mcode_on_hapi) == []
    del marker["subject"]
    assert any("Observation.subject" in error for error in _errors(hapi, marker, mcode_on_hapi))
