"""Protects the single interactions over HTTP: statuses, headers, versions, what a write returns."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, issue, observation, patient


def test_a_create_assigns_an_id_and_says_where_the_resource_is(fhir: Client) -> None:
    answer = fhir.post(patient(id="mine", gender="female"))
    body = answer.json()
    assert answer.status_code == 201
    assert body["id"] != "mine"
    assert body["meta"]["versionId"] == "1"
    assert answer.headers["Location"] == f"{fhir.base_url}/Patient/{body['id']}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Content-Type"].startswith("application/fhir+json")


def test_a_read_returns_what_was_stored_with_its_version_and_time(fhir: Client) -> None:
    stored = fhir.stored(observation(valueString="2+"))
    answer = fhir.get(f"Observation/{stored['id']}")
    assert answer.status_code == 200
    assert answer.json() == stored
    assert answer.headers["ETag"] == 'W/"1"'
    updated = datetime.fromisoformat(stored["meta"]["lastUpdated"])
    assert parsedate_to_datetime(answer.headers["Last-Modified"]) == updated.replace(microsecond=0)
    assert abs((datetime.now(UTC) - updated).total_seconds()) < 60


def test_a_put_to_a_new_id_creates_and_a_second_one_makes_a_version(
    fhir: Client, new_id: str
) -> None:
    first = fhir.put(patient(id=new_id))
    second = fhir.put(patient(id=new_id, active=True))
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["meta"]["versionId"] == "2"
    assert second.headers["Location"].endswith(f"/Patient/{new_id}/_history/2")


def test_identical_content_makes_no_new_version(fhir: Client, new_id: str) -> None:
    content = observation(id=new_id, meta={"tag": [{"code": "a"}]})
    before = fhir.put(content).json()
    answer = fhir.put({**content, "meta": {**content["meta"], "versionId": "77"}})
    assert answer.status_code == 200
    assert answer.json() == before


@pytest.mark.parametrize(
    "change",
    [
        {"meta": {"tag": [{"code": "b"}]}},
        {"meta": {}},
        {"status": "amended"},
    ],
    ids=["another tag", "the tag removed", "another status"],
)
def test_any_change_makes_a_new_version(fhir: Client, new_id: str, change: Json) -> None:
    content = observation(id=new_id, meta={"tag": [{"code": "a"}]})
    fhir.put(content)
    answer = fhir.put({**content, **change})
    assert answer.json()["meta"]["versionId"] == "2"
    assert answer.json()["meta"].get("tag") == {**content, **change}["meta"].get("tag")


def test_an_old_version_stays_readable(fhir: Client, new_id: str) -> None:
    fhir.put(observation(id=new_id, status="preliminary"))
    fhir.put(observation(id=new_id, status="final"))
    old = fhir.get(f"Observation/{new_id}/_history/1")
    assert old.json()["status"] == "preliminary"
    assert old.headers["ETag"] == 'W/"1"'


@pytest.mark.parametrize("version", ["2", "0", "01", "x", "-1", "99999999999999999999"])
def test_a_version_that_never_was_is_not_found(fhir: Client, new_id: str, version: str) -> None:
    fhir.put(patient(id=new_id))
    answer = fhir.get(f"Patient/{new_id}/_history/{version}")
    assert answer.status_code == 404
    assert issue(answer)["code"] == "not-found"


def test_a_deleted_resource_is_gone_and_a_put_makes_the_next_version(
    fhir: Client, new_id: str
) -> None:
    fhir.put(patient(id=new_id))
    deleted = fhir.delete(f"Patient/{new_id}")
    assert (deleted.status_code, deleted.content) == (204, b"")
    assert deleted.headers["ETag"] == 'W/"2"'
    assert "Location" not in deleted.headers
    assert fhir.get(f"Patient/{new_id}").status_code == 410
    assert fhir.get(f"Patient/{new_id}/_history/2").status_code == 410
    assert fhir.get(f"Patient/{new_id}/_history/1").status_code == 200
    again = fhir.put(patient(id=new_id))
    assert again.status_code == 201
    assert again.json()["meta"]["versionId"] == "3"


def test_deleting_what_is_not_there_is_no_error_and_no_version(
    fhir: Client, sandbox: Sandbox, new_id: str
) -> None:
    fhir.put(patient(id=new_id))
    fhir.delete(f"Patient/{new_id}")
    before = sandbox.counts.versions
    assert fhir.delete(f"Patient/{new_id}").status_code == 204
    assert fhir.delete(f"Patient/{new_id}-never").status_code == 204
    assert sandbox.counts.versions == before


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ('W/"2"', 200),
        ('"2"', 200),
        ("*", 200),
        ('W/"1"', 412),
        ('W/"3"', 412),
        ('W/"x"', 412),
        ("2", 400),
    ],
)
def test_if_match_lets_only_the_current_version_be_replaced(
    fhir: Client, new_id: str, if_match: str, status: int
) -> None:
    fhir.put(patient(id=new_id))
    fhir.put(patient(id=new_id, active=True))
    answer = fhir.put(patient(id=new_id, active=False), if_match=if_match)
    assert answer.status_code == status
    assert fhir.get(f"Patient/{new_id}").json()["active"] is (status != 200)


def test_if_match_holds_for_delete_and_for_what_does_not_exist(fhir: Client, new_id: str) -> None:
    assert fhir.put(patient(id=new_id), if_match='W/"1"').status_code == 412
    fhir.put(patient(id=new_id))
    assert fhir.delete(f"Patient/{new_id}", if_match='W/"9"').status_code == 412
    assert fhir.delete(f"Patient/{new_id}", if_match='W/"1"').status_code == 204
    assert fhir.put(patient(id=new_id), if_match='W/"2"').status_code == 412


def test_a_read_of_a_known_version_is_not_modified(fhir: Client, new_id: str) -> None:
    modified = fhir.put(patient(id=new_id)).headers["Last-Modified"]
    known = fhir.get(f"Patient/{new_id}", if_none_match='W/"1"')
    assert (known.status_code, known.content) == (304, b"")
    assert fhir.get(f"Patient/{new_id}", if_none_match='W/"7"').status_code == 200
    assert fhir.get(f"Patient/{new_id}", if_modified_since=modified).status_code == 304
    long_ago = "Mon, 01 Jan 2001 00:00:00 GMT"
    assert fhir.get(f"Patient/{new_id}", if_modified_since=long_ago).status_code == 200
    assert fhir.get(f"Patient/{new_id}", if_modified_since="yesterday").status_code == 400


@pytest.mark.parametrize(
    ("prefer", "returned"),
    [
        ("return=minimal", None),
        ("return=representation", "Patient"),
        ("handling=strict; return=OperationOutcome", "OperationOutcome"),
        ("respond-async", "Patient"),
    ],
)
def test_prefer_says_what_a_write_returns(
    fhir: Client, new_id: str, prefer: str, returned: str | None
) -> None:
    for answer in (
        fhir.put(patient(id=new_id), prefer=prefer),
        fhir.post(patient(), prefer=prefer),
    ):
        assert answer.status_code == 201
        assert "Location" in answer.headers
        assert (answer.json()["resourceType"] if answer.content else None) == returned


@pytest.mark.parametrize(
    "logical_id", ["a", "A.b-9", "12345", "x" * 64], ids=["one", "marks", "digits", "64 long"]
)
def test_ids_by_the_rule_of_r4_are_taken(fhir: Client, logical_id: str) -> None:
    assert fhir.put(patient(id=logical_id)).status_code in (200, 201)


@pytest.mark.parametrize("logical_id", ["a_b", "x" * 65, "a b", "ä", "a%2Fb"])
def test_other_ids_are_refused(fhir: Client, logical_id: str) -> None:
    assert fhir.put(patient(id=logical_id)).status_code in (400, 404)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"resourceType": "Patient"}, 400),
        ({"resourceType": "Patient", "id": "other"}, 400),
        ({"resourceType": "Specimen", "id": "ID"}, 400),
        ({"id": "ID"}, 400),
        ({"resourceType": "Patient", "id": "ID", "meta": []}, 400),
        ({"resourceType": "Patient", "id": "ID", "link": {"reference": 7}}, 400),
        ([], 400),
        ("Patient", 400),
    ],
    ids=["no id", "other id", "other type", "no type", "meta", "reference", "list", "string"],
)
def test_a_body_that_is_not_this_resource_is_refused(
    fhir: Client, new_id: str, body: object, status: int
) -> None:
    if isinstance(body, dict) and body.get("id") == "ID":
        body = {**body, "id": new_id}
    answer = fhir.send("PUT", f"Patient/{new_id}", body)
    assert answer.status_code == status
    assert issue(answer)["diagnostics"]
    assert fhir.get(f"Patient/{new_id}").status_code == 404


@pytest.mark.parametrize(
    ("change", "expression"),
    [
        ({"status": None}, "Observation.status"),
        ({"status": "finished"}, "Observation.status"),
        ({"code": None}, "Observation.code"),
        ({"code": {}}, "Observation.code"),
        ({"code": "85319-2"}, "Observation.code"),
    ],
    ids=["no status", "no such status", "no code", "empty code", "code as string"],
)
def test_an_observation_needs_status_and_code(fhir: Client, change: Json, expression: str) -> None:
    changed = {**observation(), **change}
    content = {name: value for name, value in changed.items() if value is not None}
    answer = fhir.post(content)
    assert answer.status_code == 422
    assert issue(answer)["expression"] == [expression]


@pytest.mark.parametrize(
    ("reference", "status"),
    [
        ("Patient/there", 201),
        ("Patient/there/_history/1", 201),
        ("BASE/Patient/there", 201),
        ("http://elsewhere.test/fhir/Patient/1", 201),
        ("#inside", 201),
        ("#outside", 400),
        ("Patient/absent", 400),
        ("BASE/Patient/absent", 400),
        ("Patient?identifier=x", 400),
        ("urn:uuid:0b7e3ba2-8d9f-4f0e-9d6c-27d1c3c0a1f2", 400),
        ("there", 400),
        ("Woman/there", 400),
        ("", 400),
    ],
)
def test_a_reference_has_a_shape_and_leads_somewhere(
    fhir: Client, reference: str, status: int
) -> None:
    fhir.put(patient(id="there"))
    named = reference.replace("BASE", fhir.base_url)
    contained = [{"resourceType": "Patient", "id": "inside"}]
    answer = fhir.post(observation(contained=contained, subject={"reference": named}))
    assert answer.status_code == status, answer.text
    if status == 400:
        assert issue(answer)["expression"] == ["Observation.subject.reference"]


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        ("application/fhir+json", 201),
        ("application/fhir+json; charset=UTF-8", 201),
        ("application/json;charset=utf-8; fhirVersion=4.0", 201),
        ("application/fhir+json; charset=iso-8859-1", 415),
        ("application/fhir+xml", 415),
        ("text/plain", 415),
        ("", 415),
    ],
)
def test_only_json_in_utf_8_is_read(fhir: Client, content_type: str, status: int) -> None:
    body = b'{"resourceType":"Patient"}'
    answer = fhir.send("POST", "Patient", body, content_type=content_type)
    assert answer.status_code == status


def test_a_compressed_body_is_refused_rather_than_misread(fhir: Client) -> None:
    answer = fhir.send("POST", "Patient", b"\x1f\x8b", content_encoding="gzip")
    assert answer.status_code == 415


@pytest.mark.parametrize(
    ("accept", "status"),
    [
        ("application/fhir+json", 200),
        ("application/fhir+json;q=1.0, application/json;q=0.9", 200),
        ("text/html, */*;q=0.1", 200),
        ("application/fhir+xml", 406),
    ],
)
def test_only_json_is_answered(fhir: Client, accept: str, status: int) -> None:
    assert fhir.get("metadata", accept=accept).status_code == status


def test_the_format_parameter_overrides_accept(fhir: Client) -> None:
    assert fhir.get("metadata?_format=xml").status_code == 406
    assert fhir.get("metadata?_format=json", accept="application/fhir+xml").status_code == 200
    assert fhir.get("metadata?_format=application/fhir+json").status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PATCH", "Patient/x", "DELETE, GET, PUT"),
        ("POST", "Patient/x", "DELETE, GET, PUT"),
        ("DELETE", "Patient?identifier=x", "GET, POST, PUT"),
        ("GET", "Patient/_search", "POST"),
        ("DELETE", "Patient/x/_history/1", "GET"),
        ("PUT", "", "GET, POST"),
        ("POST", "metadata", "GET"),
    ],
)
def test_what_is_not_supported_says_what_is(
    fhir: Client, method: str, path: str, allowed: str
) -> None:
    answer = fhir.send(method, path, {})
    assert answer.status_code == 405
    assert answer.headers["Allow"] == allowed
    assert issue(answer)["code"] == "not-supported"


@pytest.mark.parametrize(
    "path",
    ["Woman/x", "Woman", "Patient/x/name", "Patient/x/_history/1/2", "Patient/$everything", "x"],
)
def test_a_path_that_is_none_is_not_found(fhir: Client, path: str) -> None:
    answer = fhir.get(path)
    assert answer.status_code == 404
    assert issue(answer)


@pytest.mark.parametrize("path", ["Patient/ID?foo=1", "Patient/ID/_history/1?_count=1", "?code=x"])
def test_parameters_without_meaning_are_refused_on_a_read(
    fhir: Client, new_id: str, path: str
) -> None:
    fhir.put(patient(id=new_id))
    assert fhir.get(path.replace("ID", new_id)).status_code == 400


@pytest.mark.parametrize("method", ["PUT", "POST", "DELETE"])
def test_parameters_without_meaning_are_refused_on_a_write(
    fhir: Client, new_id: str, method: str
) -> None:
    path = "Patient?x=1" if method == "POST" else f"Patient/{new_id}?x=1"
    answer = fhir.send(method, path, patient(id=new_id))
    assert answer.status_code == 400


def test_head_gives_the_headers_of_a_read_without_its_body(fhir: Client, new_id: str) -> None:
    fhir.put(patient(id=new_id))
    answer = fhir.send("HEAD", f"Patient/{new_id}")
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["ETag"] == 'W/"1"'
