"""Protects the numbers that a change board is shown: every request is counted once, with its kind and its fate.

Beside a real server the server's own count is the judge; see tests/cli/test_golive.py.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import responses

from adapter.errors import ServerError
from adapter.fhir.strict_json import read_json
from adapter.ports import SingleWrite
from adapter.traffic import Exchange, Fate, Traffic, fate_of, requests_in
from adapter.transport.auth import NoAuth
from adapter.transport.fhir_server import RestFhirServer, ServerConfig
from tests.fakes.clock import FakeClock

BASE = "https://fhir.example.org/r4"
PATIENT = '{"resourceType":"Patient","id":"1","meta":{"versionId":"1"}}'


@pytest.mark.parametrize(
    ("status", "fate"),
    [
        (200, "ok"),
        (202, "ok"),
        (302, "refused"),
        (400, "refused"),
        (401, "denied"),
        (403, "denied"),
        (404, "not-found"),
        (409, "conflict"),
        (410, "not-found"),
        (412, "conflict"),
        (429, "too-many"),
        (500, "server-error"),
        (503, "server-error"),
    ],
)
def test_a_status_has_one_fate(status: int, fate: str) -> None:
    assert fate_of(status).value == fate


def test_threads_lose_no_count() -> None:
    traffic = Traffic()
    meter = traffic.meter("source")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: meter(Exchange("read", Fate.OK, 1, 2, 0.003)), range(2000)))
    assert traffic.counts() == {
        "requests.source.read.ok": 2000,
        "bytes-sent.source": 2000,
        "bytes-received.source": 4000,
        "request-ms.source": 6000,
    }
    assert requests_in(traffic.counts()) == 2000


def test_only_what_was_added_counts_for_a_pass() -> None:
    traffic = Traffic()
    source, target = traffic.meter("source"), traffic.meter("target")
    source(Exchange("read", Fate.OK, received_bytes=7))
    before = traffic.counts()
    target(Exchange("transaction", Fate.CONFLICT, sent_bytes=9))
    assert traffic.since(before) == {
        "requests.target.transaction.conflict": 1,
        "bytes-sent.target": 9,
    }


def _server(traffic: Traffic) -> RestFhirServer:
    config = ServerConfig(BASE, attempts=3)
    meter = traffic.meter("source")
    return RestFhirServer(
        config, read_json=read_json, clock=FakeClock(), auth=NoAuth(), meter=meter
    )


def test_every_attempt_counts_with_its_own_fate() -> None:
    traffic = Traffic()
    with responses.RequestsMock() as mock, _server(traffic) as server:
        mock.get(f"{BASE}/Patient/1", status=503)
        mock.get(f"{BASE}/Patient/1", body=ConnectionResetError())
        mock.get(f"{BASE}/Patient/1", PATIENT, content_type="application/fhir+json")
        assert server.read("Patient/1") is not None
    counts = traffic.counts()
    assert counts["requests.source.read.server-error"] == 1
    assert counts["requests.source.read.no-answer"] == 1
    assert counts["requests.source.read.ok"] == 1
    assert counts["bytes-received.source"] == len(PATIENT)


def test_pages_and_writes_are_told_apart_and_bodies_that_are_sent_are_weighed() -> None:
    traffic, body = Traffic(), PATIENT.encode()
    more = f'{{"resourceType":"Bundle","type":"searchset","link":[{{"relation":"next","url":"{BASE}?p=2"}}]}}'
    last = '{"resourceType":"Bundle","type":"searchset"}'
    with responses.RequestsMock() as mock, _server(traffic) as server:
        mock.get(f"{BASE}/Patient", more, content_type="application/fhir+json")
        mock.get(BASE, last, content_type="application/fhir+json")
        mock.put(f"{BASE}/Patient/1", PATIENT, content_type="application/fhir+json")
        mock.post(BASE, status=412)
        assert len(list(server.search("Patient", []))) == 2
        server.write(SingleWrite("PUT", "Patient/1", body))
        with pytest.raises(ServerError):
            server.transact(b'{"resourceType":"Bundle","type":"transaction","entry":[]}')
    counts = traffic.counts()
    kinds = {name.removeprefix("requests.source."): number for name, number in counts.items()}
    assert {name: kinds[name] for name in kinds if "source" not in name} == {
        "search.ok": 1,
        "page.ok": 1,
        "update.ok": 1,
        "transaction.conflict": 1,
    }
    assert counts["bytes-sent.source"] == len(body) + 57
