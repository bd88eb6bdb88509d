"""Real servers count what they were asked: the adapter counts the same, to the request, and a look writes nothing."""

from __future__ import annotations

from adapter.traffic import requests_in
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.servers import LiveServer
from tests.workloads.disagreeing import EXPECTED, hospital


def test_a_look_in_detail_compares_writes_nothing_and_counts_every_request(
    server: LiveServer, laboratory: Laboratory, adapter: AdapterUnderTest
) -> None:
    for resource in hospital():
        laboratory.put(resource)
    before = server.mark()
    report = adapter.run(dry_run=True, full_sweep=True, in_detail=True)
    asked = server.since(before)
    assert asked.writes == 0
    assert requests_in(report.traffic) == asked.requests > 0
    found = {one.row.patient.removeprefix("Patient/"): one for one in report.compared}
    expected = {name: how for name, (*_, how) in EXPECTED.items() if how}
    assert {name: one.compared.how.value for name, one in found.items()} == {
        **expected,
        "two-words": "laboratory-differs",
    }


def test_a_pass_that_writes_counts_every_request_too(
    server: LiveServer, laboratory: Laboratory, adapter: AdapterUnderTest
) -> None:
    for resource in hospital():
        laboratory.put(resource)
    before = server.mark()
    report = adapter.run(backfill=True)
    asked = server.since(before)
    assert requests_in(report.traffic) == asked.requests
    assert asked.writes == report.writes > 0
    sent = {name for name in report.traffic if ".transaction." in name or ".update." in name}
    assert sent
