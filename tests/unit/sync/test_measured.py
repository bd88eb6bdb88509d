"""What the doctor measured is kept with the server it was measured of, and read back only whole."""

from __future__ import annotations

import json

import pytest

from adapter.sync.cycle import PassKind, SyncOptions
from adapter.sync.measured import (
    SOURCE,
    TARGET,
    MeasuredSource,
    MeasuredTarget,
    Measurement,
    measured_source,
    measured_target,
    remember,
)
from adapter.sync.options import ReadLimits
from adapter.sync.strategy import WriteStrategy
from tests.fakes.clock import START
from tests.fakes.crash import CrashPoints, Killed
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore

URL = "https://ehr.test/fhir"
WHEN = Measurement(URL, START)
WRITES = MeasuredTarget(WriteStrategy.CONDITIONAL_UPDATE, atomic=False, max_entries=8)
READS = MeasuredSource(page_size=100, overlap_seconds=900.0, incremental=False)


def test_what_was_measured_is_kept_with_exactly_its_fields() -> None:
    store = MemoryStore()
    remember(store, WRITES, WHEN)
    remember(store, READS, WHEN)

    assert json.loads(store.settings[TARGET]) == {
        "strategy": "conditional-update",
        "atomic": False,
        "max_entries": 8,
    }
    assert json.loads(store.settings[SOURCE]) == {
        "page_size": 100,
        "overlap_seconds": 900.0,
        "incremental": False,
    }
    assert measured_target(store, URL) == (WRITES, WHEN)
    assert measured_source(store, URL) == (READS, WHEN)


def test_what_was_measured_of_one_server_is_not_believed_of_another() -> None:
    store = MemoryStore()
    remember(store, WRITES, WHEN)
    assert measured_target(store, "https://other.test/fhir") is None


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (TARGET, "no JSON"),
        (TARGET, "[]"),
        (TARGET, '{"strategy": "by-hope", "atomic": true, "max_entries": null}'),
        (TARGET, '{"strategy": "client-ids", "atomic": true}'),
        (f"{TARGET}-of", "null"),
        (f"{TARGET}-of", '{"base_url": "https://ehr.test/fhir", "at": "yesterday"}'),
    ],
)
def test_what_cannot_be_read_counts_as_never_measured(name: str, text: str) -> None:
    store = MemoryStore()
    remember(store, WRITES, WHEN)
    store.settings[name] = text
    assert measured_target(store, URL) is None


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_kill_between_leaves_no_mixture_of_two_measurements(step: int) -> None:
    store = MemoryStore()
    remember(store, READS, WHEN)
    store.crash = CrashPoints(at=step)
    later = MeasuredSource(page_size=7, overlap_seconds=601.0, incremental=True)
    with pytest.raises(Killed):
        remember(store, later, Measurement("https://other.test/fhir", START))

    assert measured_source(store, URL) in (None, (READS, WHEN))
    assert measured_source(store, "https://other.test/fhir") is None


@pytest.mark.parametrize(
    ("incremental", "kind"), [(True, PassKind.INCREMENTAL), (False, PassKind.SWEEP)]
)
def test_a_source_that_does_not_find_what_changed_is_swept_by_every_pass(
    incremental: bool, kind: PassKind
) -> None:
    site = Site(options=SyncOptions(read=ReadLimits(incremental=incremental)))
    site.laboratory.ihc("a", "3+")
    site.settle()
    assert site.run().kind is kind
