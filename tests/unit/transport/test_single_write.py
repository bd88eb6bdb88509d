"""Protects single writes: the very bytes, the precondition, and a clear yes or an unknown outcome."""

from __future__ import annotations

import pytest

from adapter.errors import (
    AmbiguousMatch,
    PermanentServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.ports import SingleWrite
from tests.unit.transport.conftest import MakeServer
from tests.unit.transport.loopback import Loopback, answer, then_hang_up

BODY = b'{ "resourceType":"Observation",\n"id": "a", "n":2.00}'
STORED = {"resourceType": "Observation", "id": "a", "meta": {"versionId": "4"}}
PUT = SingleWrite("PUT", "Observation/a", BODY)
OUTCOME = {
    "resourceType": "OperationOutcome",
    "issue": [{"severity": "error", "code": "multiple-matches", "diagnostics": "several"}],
}


def test_the_very_bytes_and_the_preconditions_are_sent(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(STORED, status="201 Created"))
    one = SingleWrite("POST", "Observation", BODY, 'W/"3"', "identifier=urn:x%7C1")
    make_server(loopback.base).write(one)
    (request,) = loopback.requests
    assert (request.method, request.target, request.body) == ("POST", "/fhir/Observation", BODY)
    assert request.headers["if-match"] == 'W/"3"'
    assert request.headers["if-none-exist"] == "identifier=urn:x%7C1"


def test_the_outcome_holds_status_version_and_what_was_stored(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(STORED, status="201 Created", ETag='W/"5"'))
    outcome = make_server(loopback.base).write(PUT)
    assert (outcome.status, outcome.version, outcome.resource) == (201, "5", STORED)


@pytest.mark.parametrize(
    ("location", "reference"),
    [
        ("https://proxy.test/r4/Subscription/17/_history/1", "Subscription/17"),
        ("Subscription/17", "Subscription/17"),
        ("https://proxy.test/r4/Subscription/", None),
        ("", None),
    ],
)
def test_an_answer_without_a_body_names_what_was_made_by_its_location(
    make_server: MakeServer, loopback: Loopback, location: str, reference: str | None
) -> None:
    loopback.will(answer(status="201 Created", content_type="", Location=location))
    outcome = make_server(loopback.base).write(SingleWrite("POST", "Subscription", BODY))
    assert (outcome.status, outcome.resource, outcome.reference) == (201, None, reference)


def test_a_conditional_update_keeps_its_criteria(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(STORED))
    make_server(loopback.base).write(SingleWrite("PUT", "Observation?identifier=urn:x%7C1", BODY))
    assert loopback.requests[0].target == "/fhir/Observation?identifier=urn:x%7C1"


@pytest.mark.parametrize("status", ["204 No Content", "404 Not Found", "410 Gone"])
def test_a_delete_of_what_is_not_there_is_an_outcome(
    status: str, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status=status, content_type=""))
    outcome = make_server(loopback.base).write(SingleWrite("DELETE", "Observation/a"))
    assert outcome.status == int(status[:3])


@pytest.mark.parametrize(
    ("status", "error"),
    [
        ("400 Bad Request", PermanentServerError),
        ("409 Conflict", VersionConflict),
        ("412 Precondition Failed", AmbiguousMatch),
        ("500 Internal Server Error", UnknownOutcome),
    ],
)
def test_refusals_are_classed_as_those_of_a_transaction(
    status: str, error: type[Exception], make_server: MakeServer, loopback: Loopback
) -> None:
    body = OUTCOME if status.startswith("412") else b""
    loopback.will(answer(body, status=status))
    with pytest.raises(error):
        make_server(loopback.base).write(PUT)
    assert len(loopback.requests) == 1


@pytest.mark.parametrize(
    "said",
    [
        answer(b"<html>", content_type="text/html"),
        answer(b'{"a":1,"a":2}'),
        answer(OUTCOME),
        answer(STORED, status="202 Accepted"),
        answer(STORED, Content_Length="9999"),
        b"",
    ],
    ids=["a page", "no strict JSON", "an error in a 200", "accepted only", "cut", "hung up"],
)
def test_what_is_no_clear_yes_is_an_unknown_outcome_and_not_sent_again(
    said: bytes, make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(then_hang_up(said))
    with pytest.raises(UnknownOutcome):
        make_server(loopback.base).write(PUT)
    assert len(loopback.requests) == 1


def test_a_busy_server_gets_the_same_bytes_again(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status="429 Too Many Requests"), answer(STORED))
    make_server(loopback.base).write(PUT)
    assert [request.body for request in loopback.requests] == [BODY, BODY]


@pytest.mark.parametrize(
    "url",
    [
        "",
        "../admin",
        "Observation/..",
        "Observation/a/_history/2",
        "Observation/a?x=1",
        "https://evil.example/Observation",
        "//evil.example/x",
        "Observation?x=1#y",
        "Observation?x= 1",
        "Observation/a/$meta",
    ],
)
def test_an_address_that_is_none_of_ours_is_never_called(
    url: str, make_server: MakeServer, loopback: Loopback
) -> None:
    with pytest.raises(PermanentServerError):
        make_server(loopback.base).write(SingleWrite("PUT", url, BODY))
    assert loopback.connections == 0


def test_a_server_that_cannot_be_reached_has_stored_nothing(make_server: MakeServer) -> None:
    with pytest.raises(TemporaryServerError) as caught:
        make_server("http://127.0.0.1:9/fhir", attempts=1).write(PUT)
    assert not isinstance(caught.value, UnknownOutcome)
