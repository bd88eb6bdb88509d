"""Protects writes: the frozen bytes go out as they are, and only a clear yes counts as written."""

from __future__ import annotations

import json
from typing import Any

import pytest
import responses

from adapter.errors import InputError, UnknownOutcome
from tests.unit.transport.conftest import BASE, MakeServer
from tests.unit.transport.loopback import Loopback, answer

# Spelled as no serialiser would: what is sent must be these bytes, not what they mean.
FROZEN = (
    b'{ "type":"transaction",\n"resourceType" : "Bundle", '
    b'"entry":[{"x":1.50},{"x":"\xc3\xa4 \\u00e4"}]}'
)
FHIR = "application/fhir+json"


def landed(*entries: Any, kind: str = "transaction-response") -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": kind, "entry": list(entries)}


def entry(status: str = "201 Created", **response: str) -> dict[str, Any]:
    return {"response": {"status": status, **response}}


def test_the_very_bytes_are_sent(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(answer(landed(entry(), entry())))
    make_server(loopback.base).transact(FROZEN)
    (request,) = loopback.requests
    assert request.body == FROZEN
    assert (request.method, request.target) == ("POST", "/fhir")
    assert request.headers["content-type"] == FHIR
    assert request.headers["prefer"] == "return=representation"
    assert request.headers["accept"] == FHIR


@pytest.mark.parametrize(
    ("stored", "version"),
    [
        (entry(etag='W/"3"'), "3"),
        (entry(etag='"3"'), "3"),
        (entry(etag="3"), "3"),
        (entry(etag='W/"4e0e1b6c-0e5e-4b0b"'), "4e0e1b6c-0e5e-4b0b"),
        (entry(etag='W/"3"', location="Observation/a/_history/2"), "3"),
        (entry() | {"resource": {"resourceType": "X", "meta": {"versionId": "5"}}}, "5"),
        (entry(location=f"{BASE}/Observation/a/_history/7"), "7"),
        (entry(location=f"{BASE}/Observation/a"), None),
        (entry(etag=""), None),
        (entry(), None),
    ],
)
def test_the_version_is_found_where_the_server_puts_it(
    stored: dict[str, Any],
    version: str | None,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
) -> None:
    mocked.post(BASE, json=landed(stored, entry()), content_type=FHIR)
    assert make_server().transact(FROZEN)[0].version == version


def test_outcomes_keep_the_order_status_and_stored_resource(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    resource = {"resourceType": "Observation", "id": "a"}
    outcome = {"resourceType": "OperationOutcome", "issue": []}
    body = landed(entry("201") | {"resource": resource}, entry("200 OK") | {"resource": outcome})
    mocked.post(BASE, json=body, content_type=FHIR)
    first, second = make_server().transact(FROZEN)
    assert (first.status, first.resource) == (201, resource)
    assert (second.status, second.resource) == (200, None)


NOT_A_YES = [
    ("run as a batch", 200, FHIR, landed(entry(), entry(), kind="batch-response")),
    ("one entry too few", 200, FHIR, landed(entry())),
    ("one entry too many", 200, FHIR, landed(entry(), entry(), entry())),
    ("no entries", 200, FHIR, landed()),
    ("entries of another shape", 200, FHIR, landed() | {"entry": {"a": 1, "b": 2}}),
    ("429 inside", 200, FHIR, landed(entry(), entry("429 Too Many Requests"))),
    ("409 inside", 200, FHIR, landed(entry("409"), entry())),
    ("500 inside", 200, FHIR, landed(entry(), entry("500 Oops"))),
    ("304 inside", 200, FHIR, landed(entry(), entry("304 Not Modified"))),
    ("no status", 200, FHIR, landed(entry(), {"response": {}})),
    ("a status that is a number", 200, FHIR, landed(entry(), {"response": {"status": 201}})),
    ("a status of four digits", 200, FHIR, landed(entry(), entry("2010"))),
    ("a word for a status", 200, FHIR, landed(entry(), entry("Created"))),
    ("no response", 200, FHIR, landed(entry(), {})),
    ("an outcome for an entry", 200, FHIR, landed(entry(), {"resourceType": "OperationOutcome"})),
    ("null for an entry", 200, FHIR, landed(entry(), None)),
    ("text for an entry", 200, FHIR, landed(entry(), "201")),
    ("an outcome", 200, FHIR, {"resourceType": "OperationOutcome", "issue": []}),
    ("the Bundle itself", 200, FHIR, json.loads(FROZEN)),
    ("no resource", 200, FHIR, {}),
    ("HTML", 200, "text/html", b"<html/>"),
    ("no JSON", 200, FHIR, b"<html/>"),
    ("JSON cut", 200, FHIR, b'{"resourceType":"Bundle"'),
    ("two Bundles in a row", 200, FHIR, b'{"resourceType":"Bundle"}{"resourceType":"Bundle"}'),
    ("a list", 200, FHIR, b"[]"),
    ("nothing", 200, FHIR, b""),
    ("accepted for later", 202, FHIR, landed(entry(), entry())),
    ("no content", 204, FHIR, b""),
    ("partial content", 206, FHIR, landed(entry(), entry())),
    ("a searchset", 200, FHIR, landed(entry(), entry(), kind="searchset")),
    ("no type", 200, FHIR, {"resourceType": "Bundle", "entry": [entry(), entry()]}),
    ("a batch without statuses", 200, FHIR, landed({}, {}, kind="batch-response")),
    ("a batch, one refused", 200, FHIR, landed(entry(), entry("422"), kind="batch-response")),
    ("everything refused", 200, FHIR, landed(entry("400"), entry("400"))),
    ("401 inside", 200, FHIR, landed(entry("401 Unauthorized"), entry())),
    ("a status of blanks", 200, FHIR, landed(entry(), entry("   "))),
    ("a status of another sign", 200, FHIR, landed(entry(), entry("-201"))),
    ("a status that is null", 200, FHIR, landed(entry(), {"response": {"status": None}})),
    ("a response that is a list", 200, FHIR, landed(entry(), {"response": ["201"]})),
    ("an entry in an entry", 200, FHIR, landed([entry(), entry()])),
    ("the bundle twice", 200, FHIR, {**landed(), "entry": landed(entry(), entry())}),
    ("a key twice", 200, FHIR, b'{"resourceType":"Bundle","type":"a","type":"b","entry":[]}'),
    ("two entries run together", 200, FHIR, b'{"entry":[{"response":{}}{"response":{}}]}'),
    ("an outcome of fatal errors", 200, FHIR, b'{"resourceType":"OperationOutcome","issue":1}'),
    ("text", 200, "text/plain", b"ok"),
]
assert len(NOT_A_YES) >= 40


@pytest.mark.parametrize(
    ("status", "content_type", "body"),
    [row[1:] for row in NOT_A_YES],
    ids=[row[0] for row in NOT_A_YES],
)
def test_a_success_that_is_not_clear_is_unknown_and_not_repeated(
    status: int, content_type: str, body: Any, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(body, status=f"{status} Whatever", content_type=content_type))
    with pytest.raises(UnknownOutcome) as raised:
        make_server(loopback.base).transact(FROZEN)
    assert raised.value.status == status
    assert len(loopback.requests) == 1


def test_what_is_no_json_is_not_sent(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    with pytest.raises(InputError):
        make_server().transact(b'{"entry":[],"entry":[]}')
    assert len(mocked.calls) == 0
