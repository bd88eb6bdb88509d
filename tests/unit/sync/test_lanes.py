"""Several bundles under way at once change nothing but the time it takes.

Protects the overlap of reading, deciding and writing: what lands, failures, and the bound on what waits.
"""

from __future__ import annotations

import threading
from functools import partial

import pytest

from adapter.errors import TemporaryServerError
from adapter.sync.cycle import SyncOptions
from adapter.sync.options import SendLimits
from adapter.sync.writing.lanes import Lanes
from tests.fakes.server import Fault
from tests.fakes.site import Site


def busy_site(patients: int = 60) -> Site:
    site = Site(options=SyncOptions(send=SendLimits(batch_cases=4, writers=2)))
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", "1+")
    return site


def test_two_writers_land_every_case_once() -> None:
    site = busy_site()
    report = site.run(backfill=True)
    assert (len(site.derived()), report.writes) == (60, 1 + 120)
    assert site.settle().writes == 0
    site.assert_sound()


def test_a_poisoned_case_is_parked_by_two_writers_too() -> None:
    site = busy_site()
    site.server.refuse = lambda resource: (
        "no" if resource.get("subject", {}).get("reference") == "Patient/p033" else None
    )
    report = site.run(backfill=True)
    assert (len(site.derived()), list(report.parked.values())) == (59, ["no"])


def test_a_failure_of_one_writer_ends_the_pass_and_the_next_one_heals_it() -> None:
    site = busy_site()
    fault = Fault(TemporaryServerError("503", status=503))
    site.server.faults = [None, None, None, *[fault] * 20]
    with pytest.raises(TemporaryServerError):
        site.run(backfill=True)
    site.server.faults = []
    site.run(backfill=True)
    site.settle()
    assert len(site.derived()) == 60
    site.assert_sound()


def test_nothing_is_begun_after_a_failure() -> None:
    done: list[int] = []

    def fail() -> None:
        raise TemporaryServerError("down")

    def fail_and_go_on() -> None:
        with Lanes(2) as lanes:
            lanes.submit(fail)
            for number in range(50):
                lanes.submit(partial(done.append, number))
            lanes.wait()

    with pytest.raises(TemporaryServerError):
        fail_and_go_on()
    assert len(done) < 50


def test_the_caller_waits_when_all_lanes_are_busy() -> None:
    gate, begun = threading.Event(), []

    def work() -> None:
        begun.append(1)
        gate.wait(10)

    with Lanes(2) as lanes:
        for _ in range(4):
            lanes.submit(work)
        fifth = threading.Thread(target=lambda: lanes.submit(work))
        fifth.start()
        fifth.join(0.05)
        assert fifth.is_alive()
        gate.set()
        fifth.join(10)
        lanes.wait()
    assert len(begun) == 5


def test_one_lane_works_in_the_callers_own_thread() -> None:
    threads: list[threading.Thread] = []
    with Lanes(1) as lanes:
        lanes.submit(lambda: threads.append(threading.current_thread()))
        lanes.wait()
    assert threads == [threading.current_thread()]
