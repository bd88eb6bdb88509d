"""Protects results that are read on one real server and written to another: every reference leads somewhere.

The source is a stock HAPI; the targets are a second HAPI, told to take references to other servers, and Medplum. A
stock HAPI refuses such references: there nothing is written, and why is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from adapter.bootstrap import SystemClock
from adapter.connections import server_of
from adapter.doctor import single_writes
from adapter.doctor.bench import Bench
from adapter.doctor.traces import Traces
from adapter.settings import load_settings
from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import FISH, IHC, Laboratory
from tests.live.records import Records, category_of
from tests.live.servers import LiveServer, OnHapi, OnMedplum, strict_sandbox
from tests.servers import hapi as hapi_server
from tests.servers.hapi import HapiServer
from tests.servers.required import skip_or_fail

pytestmark = pytest.mark.real

Json = dict[str, Any]

OURS = ("Observation", "Provenance", "Device")
_TIMEOUT_SECONDS = 60.0


@pytest.fixture(scope="module")
def second_hapi(hapi: HapiServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[HapiServer]:
    """Another HAPI, which takes references to other servers; started after the first one."""
    assert hapi.base_url
    folder = tmp_path_factory.mktemp("second-hapi")
    with skip_or_fail(), hapi_server.running(folder=folder, external_references=True) as server:
        yield server


@pytest.fixture(params=["hapi", "medplum"])
def target(request: pytest.FixtureRequest) -> LiveServer:
    """A server beside the source, empty."""
    if request.param == "medplum":
        return OnMedplum(request.getfixturevalue("empty_medplum"))
    second: HapiServer = request.getfixturevalue("second_hapi")
    second.empty()
    return OnHapi(second)


@pytest.fixture
def laboratory(empty_hapi: HapiServer) -> Iterator[Laboratory]:
    made = Laboratory(empty_hapi.base_url)
    yield made
    made.close()


@pytest.fixture
def records(target: LiveServer, empty_hapi: HapiServer) -> Iterator[Records]:
    made = Records(target.base_url, empty_hapi.base_url)
    yield made
    made.close()


@pytest.fixture
def between(
    target: LiveServer, empty_hapi: HapiServer, tmp_path: Path
) -> Iterator[AdapterUnderTest]:
    """An adapter that reads on the first HAPI and writes to the target."""
    made = AdapterUnderTest(
        empty_hapi.base_url,
        tmp_path / "state.sqlite",
        target__url=target.base_url,
        poll__absence_confirm_seconds=0,
    )
    yield made
    made.stop()


def references_in(value: Any) -> Iterator[str]:
    """Every Reference.reference, at any depth."""
    if isinstance(value, list):
        for item in value:
            yield from references_in(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from references_in(item)


def followed(records: Records, source: str, *, versions: bool = True) -> dict[str, set[str]]:
    """Follow every reference of everything on the target; gives where they lead, and fails where one does not."""
    led: dict[str, set[str]] = {"source": set(), "target": set()}
    for kind in OURS:
        for resource in records.search(kind, _count="100"):
            said = records.history(resource) if versions else [resource]
            for reference in {one for version in said for one in references_in(version)}:
                is_absolute = reference.startswith("http")
                where = reference if is_absolute else f"{records.base_url}/{reference}"
                assert where.startswith((f"{source}/", f"{records.base_url}/")), reference
                answer = requests.get(where, timeout=_TIMEOUT_SECONDS)
                assert answer.ok, f"{answer.status_code} for {where}, named by a {kind}"
                led["source" if where.startswith(f"{source}/") else "target"].add(
                    reference.removeprefix(f"{source}/").partition("/")[0]
                )
    return led


def test_every_reference_leads_somewhere_through_a_correction_and_a_withdrawal(
    empty_hapi: HapiServer,
    target: LiveServer,
    laboratory: Laboratory,
    records: Records,
    between: AdapterUnderTest,
) -> None:
    source = empty_hapi.base_url
    anna = laboratory.ihc("anna", "2+")
    laboratory.fish("anna", "Positive")
    berta = laboratory.ihc("berta", "3+")
    read_only = empty_hapi.mark()
    between.settle()
    records.assert_sound(patients=2)
    # Histories at the end only: HAPI keeps their length for a minute.
    led = followed(records, source, versions=False)
    assert led["source"] == {"Patient", "Specimen", "Observation"}
    assert led["target"] == {"Observation", "Device"}

    laboratory.amend(anna, "1+")
    laboratory.withdraw(berta)
    between.settle()
    found = {one["subject"]["reference"]: one for one in records.assert_sound(patients=2)}
    of_anna = found[f"{source}/{laboratory.patient('anna')}"]
    of_berta = found[f"{source}/{laboratory.patient('berta')}"]
    assert len(records.history(of_anna)) == 2
    assert of_berta["status"] == "entered-in-error"
    followed(records, source)
    for one in (of_anna, of_berta):
        records.assert_sources_stand(one)
    assert not [one for one in empty_hapi.writes_since(read_only) if "her2-adapter" in one.target]

    quiet = target.mark()
    between.run(full_sweep=True)
    between.start()
    between.settle()
    assert target.since(quiet).writes == 0


def test_what_is_deleted_on_the_source_is_withdrawn_and_named_no_more(
    empty_hapi: HapiServer, laboratory: Laboratory, records: Records, between: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("clara", "3+")
    between.settle()
    laboratory.delete(ihc)
    assert between.run(full_sweep=True).actions == {"wait": 1}
    between.settle()
    (derived,) = records.assert_sound(patients=1)
    assert derived["status"] == "entered-in-error"
    # The version that a Provenance names can still be read; the result itself is gone.
    followed(records, empty_hapi.base_url, versions=False)


def test_a_moved_result_leaves_no_category_with_its_former_patient(
    empty_hapi: HapiServer, laboratory: Laboratory, records: Records, between: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("dora", "3+", specimen=None)
    laboratory.report(laboratory.result("emma", FISH, "Negative", specimen=None))
    between.settle()
    laboratory.change(ihc, subject={"reference": laboratory.patient("emma")})
    between.settle()
    standing = {
        one["subject"]["reference"].rpartition("-")[2]
        for one in records.derived()
        if one["status"] != "entered-in-error"
    }
    assert standing == {"emma"}
    followed(records, empty_hapi.base_url)


def test_a_stock_hapi_refuses_references_to_another_server_and_that_is_said(
    empty_hapi: HapiServer, tmp_path: Path
) -> None:
    with strict_sandbox() as source:
        laboratory = Laboratory(source.base_url)
        laboratory.report(laboratory.result("anna", IHC, "3+"))
        adapter = AdapterUnderTest(
            source.base_url, tmp_path / "state.sqlite", target__url=empty_hapi.base_url
        )
        try:
            report = adapter.settle()
            (reason,) = report.parked.values()
            assert "HAPI-0507" in reason
            assert Records(empty_hapi.base_url).derived() == []
        finally:
            adapter.stop()
            laboratory.close()


def test_the_doctor_sees_whether_references_to_another_server_are_taken(
    empty_hapi: HapiServer, second_hapi: HapiServer
) -> None:
    clock = SystemClock(Event())
    for server, taken in ((empty_hapi, False), (second_hapi, True)):
        settings = load_settings(None, {"source.url": server.base_url}).source
        with server_of(settings, clock) as client:
            bench = Bench(client, clock, patience_seconds=60)
            traces = Traces(bench, "two")
            single_writes.client_ids(bench, traces)
            found = single_writes.foreign_references(bench, traces, "https://results.test/fhir")
            assert (found.works, traces.take_away({}).left) == (taken, ())


def test_the_category_is_found_on_the_target_by_the_patient_s_url(
    empty_hapi: HapiServer, laboratory: Laboratory, records: Records, between: AdapterUnderTest
) -> None:
    laboratory.ihc("anna", "3+")
    laboratory.ihc("berta", "1+")
    between.settle()
    subject = f"{empty_hapi.base_url}/{laboratory.patient('anna')}"
    (found,) = records.search("Observation", subject=subject)
    assert category_of(found) == "positive"
