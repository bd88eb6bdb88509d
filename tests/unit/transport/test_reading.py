"""Protects reads by id: None only for 404 and 410, never the wrong resource, never a foreign path.

Absence leads to withdrawal in the end, so nothing else may look like it.
"""

from __future__ import annotations

import json
import random
import string
from typing import Any

import pytest
import responses

from adapter.errors import NotAuthorised, PermanentServerError, ServerError, TemporaryServerError
from adapter.transport.bundles import split_reference
from tests.unit.transport.conftest import BASE, MakeServer
from tests.unit.transport.loopback import Loopback, answer

FHIR = "application/fhir+json"


def patient(logical_id: str = "a", **more: Any) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": logical_id, **more}


@pytest.mark.parametrize("reference", ["Patient/a", "Patient/A-1.b", "Patient/a/_history/3"])
def test_a_resource_is_read_by_its_reference(
    reference: str, make_server: MakeServer, loopback: Loopback
) -> None:
    stored = patient(reference.split("/")[1], meta={"versionId": "3"})
    loopback.will(answer(stored))
    assert make_server(loopback.base).read(reference) == stored
    assert loopback.requests[0].target == f"/fhir/{reference}"
    assert loopback.requests[0].headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("status", [404, 410])
@pytest.mark.parametrize("body", [b"", b"<html/>", b'{"resourceType":"OperationOutcome"}'])
def test_404_and_410_mean_that_nothing_is_there(
    status: int, body: bytes, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(f"{BASE}/Patient/a", status=status, body=body)
    assert make_server().read("Patient/a") is None


@pytest.mark.parametrize(
    "body",
    [
        patient("b"),
        {"resourceType": "Observation", "id": "a"},
        patient(meta={"tag": [{"code": "SUBSETTED"}]}),
        {"resourceType": "Bundle", "type": "searchset"},
        {"resourceType": "OperationOutcome", "issue": []},
        {},
    ],
)
def test_another_resource_is_not_taken_for_the_one_that_was_asked_for(
    body: dict[str, Any], make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(f"{BASE}/Patient/a", json=body, content_type=FHIR)
    with pytest.raises(TemporaryServerError):
        make_server(attempts=1).read("Patient/a")


def test_another_version_is_not_taken_for_the_one_that_was_asked_for(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    newer = patient(meta={"versionId": "4"})
    mocked.get(f"{BASE}/Patient/a/_history/3", json=newer, content_type=FHIR)
    with pytest.raises(TemporaryServerError):
        make_server(attempts=1).read("Patient/a/_history/3")


NOT_REFERENCES = [
    "",
    "Patient",
    "Patient/",
    "/Patient/a",
    "Patient/a/",
    "Patient/a/b",
    "Patient/..",
    "Patient/.",
    "Patient/../admin",
    "../Patient/a",
    "Patient/a_b",
    "Patient/a b",
    "Patient/a?x=1",
    "Patient/a#1",
    "Patient/a%2fb",
    "Patient/" + "a" * 65,
    "Patient/ä",
    "Patient/a\n",
    "patient/a",
    "Patient?identifier=CANARY",
    "#contained",
    "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
    "https://evil.com/Patient/a",
    "//evil.com/Patient/a",
    "Patient/a/_history/",
    "Patient/a/_history/..",
    "Patient/a/_history/1/2",
]


@pytest.mark.parametrize("reference", NOT_REFERENCES, ids=ascii)
def test_what_is_no_reference_is_never_sent(
    reference: str, make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    server = make_server()
    with pytest.raises(PermanentServerError) as raised:
        server.read(reference)
    assert "CANARY" not in str(raised.value)
    with pytest.raises(PermanentServerError):
        server.read_all(["Patient/a", reference])
    assert len(mocked.calls) == 0


def test_an_accepted_reference_always_has_exactly_its_segments() -> None:
    letters = string.ascii_letters + string.digits + "-./_%?#\\:@ \n;" + "ä"
    source = random.Random(5)
    accepted = 0
    for _ in range(100_000):
        logical_id = "".join(source.choices(letters, k=source.randint(0, 4)))
        if split_reference(f"Patient/{logical_id}"):
            accepted += 1
            assert logical_id.strip(".")
            assert set(logical_id) <= set(string.ascii_letters + string.digits + "-.")
    assert accepted > 1000


def batch_response(*entries: Any, kind: str = "batch-response") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def found(resource: dict[str, Any]) -> dict[str, Any]:
    return {"resource": resource, "response": {"status": "200 OK"}}


def refused(status: str) -> dict[str, Any]:
    return {"response": {"status": status}}


def test_many_are_read_in_batches_of_fifty(make_server: MakeServer, loopback: Loopback) -> None:
    ids = [str(number) for number in range(120)]
    for start in (0, 50, 100):
        chunk = ids[start : start + 50]
        loopback.will(answer(batch_response(*(found(patient(name)) for name in chunk))))
    references = [f"Patient/{name}" for name in ids]
    read = make_server(loopback.base).read_all([*references, *references[:7]])
    assert list(read) == references
    assert all(resource == patient(ref.split("/")[1]) for ref, resource in read.items())
    sent = [json.loads(request.body) for request in loopback.requests]
    assert [len(bundle["entry"]) for bundle in sent] == [50, 50, 20]
    assert sent[0]["type"] == "batch"
    assert sent[0]["entry"][3] == {"request": {"method": "GET", "url": "Patient/3"}}


def test_what_a_batch_calls_gone_is_gone_once_a_read_of_its_own_says_so(
    make_server: MakeServer, loopback: Loopback
) -> None:
    entries = [found(patient("a")), refused("404 Not Found"), refused("410"), refused("404")]
    loopback.will(answer(batch_response(*entries)), answer(status="404 Not Found"))
    loopback.will(answer(status="410 Gone"), answer(patient("d")))
    read = make_server(loopback.base).read_all([f"Patient/{name}" for name in "abcd"])
    expected = {"a": patient("a"), "b": None, "c": None, "d": patient("d")}
    assert read == {f"Patient/{name}": resource for name, resource in expected.items()}
    assert [request.method for request in loopback.requests] == ["POST", "GET", "GET", "GET"]


def test_a_batch_of_what_is_there_costs_one_request(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(batch_response(*(found(patient(name)) for name in "abcd"))))
    make_server(loopback.base).read_all([f"Patient/{name}" for name in "abcd"])
    assert len(loopback.requests) == 1


UNCLEAR = [
    refused("429 Too Many Requests"),
    refused("500"),
    refused(""),
    {"response": {}},
    {},
    None,
    found(patient("other")),
    found(patient("b", meta={"tag": [{"code": "SUBSETTED"}]})),
    {"response": {"status": "200"}},
    {"response": {"status": 404}},
    {"response": {"status": "4040"}},
]


@pytest.mark.parametrize("entry", UNCLEAR, ids=range(len(UNCLEAR)))
def test_what_a_batch_does_not_answer_clearly_is_read_alone(
    entry: Any, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(batch_response(found(patient("a")), entry)), answer(patient("b")))
    read = make_server(loopback.base).read_all(["Patient/a", "Patient/b"])
    assert read == {"Patient/a": patient("a"), "Patient/b": patient("b")}
    assert [request.method for request in loopback.requests] == ["POST", "GET"]


@pytest.mark.parametrize(
    "bundle",
    [
        batch_response(found(patient("a"))),
        batch_response(found(patient("b")), found(patient("a"))),
        {"resourceType": "Bundle", "type": "batch-response"},
        {"resourceType": "OperationOutcome", "issue": []},
        batch_response(refused("404"), found(patient("a"))),
        batch_response(refused("404"), refused("404")),
        batch_response(found(patient("x")), refused("404"), kind="searchset"),
        batch_response(found(patient("x")), refused("410"), kind="transaction-response"),
        {"resourceType": "Patient", "entry": [refused("404"), refused("410")]},
    ],
    ids=[
        "too few",
        "in another order",
        "no entries",
        "no Bundle",
        "a 404 before what is there",
        "all refused with 404",
        "a searchset",
        "a transaction's",
        "a Patient",
    ],
)
def test_a_batch_answer_that_fits_nothing_is_replaced_by_single_reads(
    bundle: dict[str, Any], make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(bundle), answer(patient("a")), answer(patient("b")))
    read = make_server(loopback.base).read_all(["Patient/a", "Patient/b"])
    assert read == {"Patient/a": patient("a"), "Patient/b": patient("b")}


@pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 422, 501])
def test_a_server_without_batches_is_asked_singly_from_then_on(
    status: int, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status=f"{status} No"), *[answer(patient(name)) for name in "abcd"])
    server = make_server(loopback.base)
    server.read_all(["Patient/a", "Patient/b"])
    server.read_all(["Patient/c", "Patient/d"])
    assert [request.method for request in loopback.requests] == ["POST", "GET", "GET", "GET", "GET"]


def test_without_credentials_a_batch_is_not_replaced(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status="401 Unauthorized"))
    with pytest.raises(NotAuthorised):
        make_server(loopback.base).read_all(["Patient/a", "Patient/b"])
    assert len(loopback.requests) == 1


def test_a_batch_of_reads_is_tried_again_like_any_read(
    make_server: MakeServer, loopback: Loopback
) -> None:
    both = batch_response(found(patient("a")), found(patient("b")))
    loopback.will(answer(status="504 Gateway Timeout"), answer(both))
    assert len(make_server(loopback.base).read_all(["Patient/a", "Patient/b"])) == 2


def test_of_a_batch_answer_of_another_type_nothing_is_taken(
    make_server: MakeServer, loopback: Loopback
) -> None:
    bundle = batch_response(found(patient("a")), found(patient("b")), kind="searchset")
    loopback.will(answer(bundle), answer(patient("a")), answer(status="404 Not Found"))
    read = make_server(loopback.base).read_all(["Patient/a", "Patient/b"])
    assert read == {"Patient/a": patient("a"), "Patient/b": None}


def test_a_server_that_is_down_is_an_error_and_not_an_absence(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.post(BASE, status=503)
    with pytest.raises(ServerError):
        make_server(attempts=1).read_all(["Patient/a", "Patient/b"])


def test_one_is_read_without_a_batch_and_none_without_a_request(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(patient("a")))
    server = make_server(loopback.base)
    assert server.read_all([]) == {}
    assert server.read_all(["Patient/a"]) == {"Patient/a": patient("a")}
    assert [request.method for request in loopback.requests] == ["GET"]
