"""Protects how failures are met: which are tried again, how often, after how long, and which never.

A write that may have landed must not be repeated blindly, and a busy server must not be hammered.
"""

from __future__ import annotations

import socket
import ssl
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.utils import format_datetime

import pytest
import requests
import responses
import urllib3.exceptions

from adapter.errors import (
    AmbiguousMatch,
    ForeignOrigin,
    NotAuthorised,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.transport.http import RETRYABLE_STATUSES, SAFE_TO_RESEND_STATUSES, parse_retry_after
from tests.fakes.clock import START, FakeClock
from tests.unit.transport.conftest import BASE, MakeServer
from tests.unit.transport.loopback import Loopback, answer, then_hang_up

BUNDLE = b'{"resourceType":"Bundle","type":"transaction","entry":[{}]}'
LANDED = {
    "resourceType": "Bundle",
    "type": "transaction-response",
    "entry": [{"response": {"status": "201 Created", "etag": 'W/"1"'}}],
}
PATIENT = {"resourceType": "Patient", "id": "a"}


def test_retry_after_in_seconds_is_read() -> None:
    assert parse_retry_after("120", now=START) == 120.0


def test_retry_after_as_a_date_is_read() -> None:
    later = format_datetime(START + timedelta(seconds=90), usegmt=True)
    assert parse_retry_after(later, now=START) == 90.0


@pytest.mark.parametrize("value", ["18000", "9" * 5000, "Sun, 01 Mar 2026 13:00:00 GMT"])
def test_a_long_retry_after_is_capped(value: str) -> None:
    assert parse_retry_after(value, now=START) == 900.0
    assert parse_retry_after(value, now=START, cap_seconds=30) == 30.0


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "-5",
        "1.5",
        "soon",
        "٣",
        "1e3",
        "0x10",
        "NaN",
        "inf",
        "Sun, 01 Mar 2026 07:59:59 GMT",
        "Sun, 99 Mar 2026 07:59:59 GMT",
        "Mon, 01 Jan 99999 00:00:00 GMT",
        ",,,",
    ],
)
def test_junk_negative_and_past_retry_after_is_no_wish(value: str | None) -> None:
    assert parse_retry_after(value, now=START) is None


READS = [
    # status, error, attempts of 3
    (400, PermanentServerError, 1),
    (401, NotAuthorised, 1),
    (403, NotAuthorised, 1),
    (405, PermanentServerError, 1),
    (406, PermanentServerError, 1),
    (408, TemporaryServerError, 3),
    (409, VersionConflict, 1),
    (412, VersionConflict, 1),
    (413, PermanentServerError, 1),
    (422, PermanentServerError, 1),
    (425, TemporaryServerError, 3),
    (429, TemporaryServerError, 3),
    (500, TemporaryServerError, 3),
    (501, PermanentServerError, 1),
    (502, TemporaryServerError, 3),
    (503, TemporaryServerError, 3),
    (504, TemporaryServerError, 3),
    (507, TemporaryServerError, 1),
    (301, ForeignOrigin, 1),
    (304, PermanentServerError, 1),
]


@pytest.mark.parametrize(("status", "error", "attempts"), READS, ids=[str(r[0]) for r in READS])
def test_a_read_meets_each_status_as_the_table_says(
    status: int,
    error: type[ServerError],
    attempts: int,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
    clock: FakeClock,
) -> None:
    headers = {"Location": "https://login.example.org/"} if status == 301 else {}
    mocked.get(f"{BASE}/Patient/a", status=status, headers=headers)
    with pytest.raises(ServerError) as raised:
        make_server(attempts=3).read("Patient/a")
    assert type(raised.value) is error
    assert raised.value.status == status
    assert len(mocked.calls) == attempts
    assert len(clock.sleeps) == attempts - 1


WRITES = [
    (400, PermanentServerError, 1),
    (401, NotAuthorised, 1),
    (404, PermanentServerError, 1),
    (408, UnknownOutcome, 1),
    (409, VersionConflict, 1),
    (410, PermanentServerError, 1),
    (412, VersionConflict, 1),
    (413, PermanentServerError, 1),
    (422, PermanentServerError, 1),
    (425, TemporaryServerError, 3),
    (429, TemporaryServerError, 3),
    (500, UnknownOutcome, 1),
    (501, PermanentServerError, 1),
    (502, UnknownOutcome, 1),
    (503, TemporaryServerError, 3),
    (504, UnknownOutcome, 1),
    (507, UnknownOutcome, 1),
    (307, PermanentServerError, 1),
]


@pytest.mark.parametrize(("status", "error", "attempts"), WRITES, ids=[str(w[0]) for w in WRITES])
def test_a_write_meets_each_status_as_the_table_says(
    status: int,
    error: type[ServerError],
    attempts: int,
    make_server: MakeServer,
    mocked: responses.RequestsMock,
) -> None:
    headers = {"Location": f"{BASE}/elsewhere"} if status == 307 else {}
    mocked.post(BASE, status=status, headers=headers)
    with pytest.raises(ServerError) as raised:
        make_server(attempts=3).transact(BUNDLE)
    assert type(raised.value) is error
    assert raised.value.status == status
    assert len(mocked.calls) == attempts
    assert {call.request.body for call in mocked.calls} == {BUNDLE}


def test_every_retryable_status_has_a_reason() -> None:
    assert all(reason for reason in RETRYABLE_STATUSES.values())
    assert set(SAFE_TO_RESEND_STATUSES) <= set(RETRYABLE_STATUSES)


def test_a_write_refused_for_now_is_sent_again_with_the_same_bytes(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.post(BASE, status=503)
    mocked.post(BASE, status=429, headers={"Retry-After": "7"})
    mocked.post(BASE, json=LANDED, content_type="application/fhir+json")
    outcomes = make_server().transact(BUNDLE)
    assert [outcome.version for outcome in outcomes] == ["1"]
    assert [call.request.body for call in mocked.calls] == [BUNDLE] * 3
    assert 7 <= clock.sleeps[1] <= 8


def test_waits_grow_and_are_spread(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.get(f"{BASE}/Patient/a", status=503)
    with pytest.raises(TemporaryServerError):
        make_server(attempts=5).read("Patient/a")
    for wait, least in zip(clock.sleeps, [0.5, 1.0, 2.0, 4.0], strict=True):
        assert least <= wait <= least + 0.5
    assert len({wait % 0.5 for wait in clock.sleeps}) > 1


def test_retry_after_is_waited_for_before_the_next_attempt(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.get(f"{BASE}/Patient/a", status=429, headers={"Retry-After": "20"})
    mocked.get(f"{BASE}/Patient/a", json=PATIENT, content_type="application/fhir+json")
    assert make_server().read("Patient/a") == PATIENT
    assert len(clock.sleeps) == 1
    assert 20 <= clock.sleeps[0] <= 21


def test_a_retry_after_date_is_measured_by_the_servers_own_clock(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    # The server is two hours behind us: by our clock its wish would lie in the past.
    theirs = START - timedelta(hours=2)
    mocked.get(
        f"{BASE}/Patient/a",
        status=503,
        headers={
            "Date": format_datetime(theirs, usegmt=True),
            "Retry-After": format_datetime(theirs + timedelta(seconds=40), usegmt=True),
        },
    )
    mocked.get(f"{BASE}/Patient/a", json=PATIENT, content_type="application/fhir+json")
    make_server().read("Patient/a")
    assert 40 <= clock.sleeps[0] <= 41


@pytest.mark.parametrize("name", ["Date", "Retry-After"])
def test_a_time_that_no_calendar_has_is_none(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock, name: str
) -> None:
    spoilt = {name: "Mon, 1 Jan 0001 00:00:00 +2359"}
    mocked.get(f"{BASE}/Patient/a", status=503, headers=spoilt)
    mocked.get(f"{BASE}/Patient/a", json=PATIENT, content_type="application/fhir+json")
    assert make_server().read("Patient/a") == PATIENT
    assert len(clock.sleeps) == 1


def test_no_attempt_begins_after_the_total_time(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.get(f"{BASE}/Patient/a", status=503)
    with pytest.raises(TemporaryServerError):
        make_server(attempts=100, total_seconds=10).read("Patient/a")
    assert sum(clock.sleeps) <= 10
    assert 3 <= len(mocked.calls) <= 5


def test_a_pause_longer_than_the_total_time_goes_to_the_caller_at_once(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.get(f"{BASE}/Patient/a", status=429, headers={"Retry-After": "600"})
    server = make_server(total_seconds=60)
    with pytest.raises(TemporaryServerError) as raised:
        server.read("Patient/a")
    assert raised.value.retry_after_seconds == 600
    with pytest.raises(TemporaryServerError, match="pause"):
        server.read("Patient/b")
    assert len(mocked.calls) == 1
    assert clock.sleeps == []


def test_a_pause_holds_back_other_requests_to_the_same_server(
    make_server: MakeServer, mocked: responses.RequestsMock, clock: FakeClock
) -> None:
    mocked.get(f"{BASE}/Patient/b", status=429, headers={"Retry-After": "30"})
    mocked.get(f"{BASE}/Patient/a", json=PATIENT, content_type="application/fhir+json")
    server = make_server(attempts=1)
    with pytest.raises(TemporaryServerError):
        server.read("Patient/b")
    server.read("Patient/a")
    assert clock.sleeps == [30.0]


def test_a_read_cut_off_by_the_server_is_tried_again(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(then_hang_up(b""), then_hang_up(b"HTTP/1.1 200 OK\r\nContent"), answer(PATIENT))
    assert make_server(loopback.base).read("Patient/a") == PATIENT
    assert len(loopback.requests) == 3


def test_a_write_cut_off_by_the_server_is_not_sent_again(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(then_hang_up(b""), answer(LANDED))
    with pytest.raises(UnknownOutcome):
        make_server(loopback.base).transact(BUNDLE)
    assert len(loopback.requests) == 1


def test_a_write_without_an_answer_in_time_is_not_sent_again(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(lambda connection: connection.recv(1))
    with pytest.raises(UnknownOutcome) as raised:
        make_server(loopback.base, read_timeout_seconds=0.1).transact(BUNDLE)
    assert raised.value.status is None
    assert len(loopback.requests) == 1


def test_a_write_whose_answer_breaks_off_has_an_unknown_outcome(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(then_hang_up(answer(LANDED, Content_Length="9999")))
    with pytest.raises(UnknownOutcome) as raised:
        make_server(loopback.base).transact(BUNDLE)
    assert raised.value.status == 200


def test_a_write_that_reached_nobody_is_tried_again_and_is_not_unknown(
    make_server: MakeServer, clock: FakeClock
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(TemporaryServerError) as raised:
        make_server(f"http://127.0.0.1:{port}/fhir", attempts=3).transact(BUNDLE)
    assert type(raised.value) is TemporaryServerError
    assert f"on port {port}: ConnectionError (refused: nothing listens there" in str(raised.value)
    assert len(clock.sleeps) == 2


def test_a_server_that_is_not_there_is_told_by_port_and_cause(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    told = {}
    for cause in (
        socket.gaierror(-2, "Name or service not known"),
        ConnectionRefusedError(111, "Connection refused"),
        urllib3.exceptions.ConnectTimeoutError(),
        TimeoutError("timed out"),
    ):
        failed = requests.exceptions.ConnectionError()
        failed.__cause__ = cause
        mocked.get(f"{BASE}/metadata", body=failed)
        with pytest.raises(TemporaryServerError) as raised:
            make_server(attempts=1).capability()
        told[type(cause).__name__] = str(raised.value)
    assert all(" on port " in said for said in told.values())
    assert "the name is not known" in told["gaierror"]
    assert "nothing listens there" in told["ConnectionRefusedError"]
    assert "a firewall" in told["ConnectTimeoutError"]
    assert told["TimeoutError"].endswith("(timed out)")


def test_a_connection_that_times_out_before_sending_is_tried_again(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    refused = requests.exceptions.ConnectTimeout()
    refused.__cause__ = urllib3.exceptions.ConnectTimeoutError()
    mocked.post(BASE, body=refused)
    mocked.post(BASE, json=LANDED, content_type="application/fhir+json")
    assert len(make_server().transact(BUNDLE)) == 1


def test_an_error_names_neither_query_nor_body(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.get(f"{BASE}/Observation", body=requests.exceptions.ConnectionError("?patient=SECRET"))
    with pytest.raises(TemporaryServerError) as raised:
        next(make_server(attempts=1).search("Observation", [("patient", "SECRET")]))
    assert "SECRET" not in str(raised.value)


def test_412_for_several_matches_is_no_version_conflict(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    issue = {"severity": "error", "code": "processing", "diagnostics": "this matched 2 resources"}
    mocked.post(BASE, status=412, json={"resourceType": "OperationOutcome", "issue": [issue]})
    with pytest.raises(AmbiguousMatch):
        make_server().transact(BUNDLE)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_never_followed(
    status: int, make_server: MakeServer, loopback: Loopback
) -> None:
    canary = Loopback()
    loopback.will(answer(status=f"{status} Moved", Location=f"{canary.base}/Patient/a"))
    with pytest.raises(ForeignOrigin, match="redirect"):
        make_server(loopback.base).read("Patient/a")
    canary.stop()
    assert canary.connections == 0
    assert len(loopback.requests) == 1


def test_a_redirect_inside_the_server_is_not_followed_either(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(status="302 Found", Location="/fhir/login"))
    with pytest.raises(PermanentServerError, match="redirect") as raised:
        make_server(loopback.base).read("Patient/a")
    assert not isinstance(raised.value, ForeignOrigin)
    assert len(loopback.requests) == 1


def test_connections_are_used_again(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(*[answer(PATIENT)] * 5)
    server = make_server(loopback.base)
    for _ in range(5):
        server.read("Patient/a")
    assert loopback.connections == 1


def test_a_certificate_that_is_not_trusted_is_named_and_nothing_was_sent(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    refused = requests.exceptions.SSLError()
    refused.__cause__ = ssl.SSLCertVerificationError()
    mocked.post(BASE, body=refused)
    with pytest.raises(TemporaryServerError, match="ca_file") as raised:
        make_server(attempts=1).transact(BUNDLE)
    assert not isinstance(raised.value, UnknownOutcome)


def test_a_write_answered_with_nonsense_headers_has_an_unknown_outcome(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(LANDED, Content_Length="5, 6"))
    with pytest.raises(UnknownOutcome):
        make_server(loopback.base).transact(BUNDLE)
    assert len(loopback.requests) == 1


def test_a_request_that_cannot_be_built_is_not_tried_again(
    make_server: MakeServer, mocked: responses.RequestsMock
) -> None:
    mocked.post(BASE, body=requests.exceptions.InvalidHeader("CANARY"))
    with pytest.raises(PermanentServerError, match="InvalidHeader"):
        make_server().transact(BUNDLE)
    assert len(mocked.calls) == 1


def test_a_server_that_is_closed_keeps_no_connection(
    make_server: MakeServer, loopback: Loopback
) -> None:
    loopback.will(answer(PATIENT), answer(PATIENT))
    with make_server(loopback.base) as server:
        server.read("Patient/a")
    server.read("Patient/a")
    assert loopback.connections == 2


def test_several_threads_share_one_server(make_server: MakeServer, loopback: Loopback) -> None:
    loopback.will(*[answer(PATIENT)] * 200)
    server = make_server(loopback.base)
    with ThreadPoolExecutor(max_workers=8) as pool:
        read = list(pool.map(lambda _: server.read("Patient/a"), range(200)))
    assert read == [PATIENT] * 200
    assert loopback.connections <= 8
