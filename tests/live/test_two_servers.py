"""Protects the usual house: results are read on one server and the record is written to another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.conftest import Adapters
from tests.live.laboratory import Laboratory
from tests.live.records import Records, Version, category_of
from tests.live.servers import LiveServer, OnSandbox, strict_sandbox


@pytest.fixture
def target() -> Iterator[LiveServer]:
    """A server beside the source, empty."""
    with strict_sandbox() as sandbox:
        yield OnSandbox(sandbox)


@pytest.fixture
def written(server: LiveServer, target: LiveServer) -> Iterator[Records]:
    """What the adapter wrote onto the target."""
    made = Records(target.base_url, server.base_url)
    yield made
    made.close()


@pytest.fixture
def between(install: Adapters, target: LiveServer) -> AdapterUnderTest:
    """An adapter that reads on the server and writes to the target."""
    return install(target__url=target.base_url, poll__absence_confirm_seconds=0)


def test_references_to_the_source_are_absolute_and_lead_there(
    server: LiveServer,
    target: LiveServer,
    laboratory: Laboratory,
    written: Records,
    between: AdapterUnderTest,
) -> None:
    ihc, fish = laboratory.ihc("anna", "2+"), laboratory.fish("anna", "Positive")
    read_only = server.mark()
    between.settle()
    assert server.since(read_only).writes == 0

    (derived,) = written.assert_sound(patients=1)
    assert category_of(derived) == "positive"
    assert derived["subject"]["reference"] == f"{server.base_url}/{laboratory.patient('anna')}"
    assert derived["specimen"]["reference"] == f"{server.base_url}/{laboratory.sample('anna')}"
    assert {one["reference"] for one in derived["derivedFrom"]} == {
        f"{server.base_url}/{ihc}",
        f"{server.base_url}/{fish}",
    }
    assert written.read(derived["device"]["reference"])["resourceType"] == "Device"
    written.assert_sources_stand(derived)

    quiet = target.mark()
    between.run(full_sweep=True)
    between.start()
    between.settle()
    assert target.since(quiet).writes == 0


def test_amendment_on_the_source_reaches_the_target(
    server: LiveServer, laboratory: Laboratory, written: Records, between: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("berta", "1+")
    between.run()
    laboratory.amend(ihc, "3+")
    between.settle()
    (derived,) = written.assert_sound(patients=1)
    assert written.story_of(derived) == [
        Version("final", "low", "CREATE", {f"{server.base_url}/{ihc}": "1"}),
        Version("corrected", "positive", "UPDATE", {f"{server.base_url}/{ihc}": "2"}),
    ]


def test_result_that_is_deleted_on_the_source_withdraws_the_record_on_the_second_look(
    laboratory: Laboratory, written: Records, between: AdapterUnderTest
) -> None:
    ihc = laboratory.ihc("clara", "3+")
    between.settle()
    laboratory.delete(ihc)
    report = between.run(full_sweep=True)
    assert report.actions == {"wait": 1}
    between.settle()
    (derived,) = written.assert_sound(patients=1)
    told = written.story_of(derived)
    assert [(one.status, one.activity) for one in told] == [
        ("final", "CREATE"),
        ("entered-in-error", "NULLIFY"),
    ]
    assert told[1].sources == {}
