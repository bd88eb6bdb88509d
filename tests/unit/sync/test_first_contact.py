"""The first contact with a server is safe: look before writing, and write only what was asked for.

Protects observe mode, the limit on a first pass, --backfill, --since and --dry-run.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from adapter.errors import TemporaryServerError
from adapter.ports import ListedPatients
from adapter.sync import scope
from adapter.sync.cycle import Interrupts, PassKind, PassOutcome, SyncOptions
from adapter.sync.options import BrakeLimits, DiscoverBy, ReadLimits, SendLimits
from tests.fakes.server import Fault
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore


def site_with(patients: int, *, first_pass: int = 5, **options: Any) -> Site:
    site = Site(options=SyncOptions(brakes=BrakeLimits(first_pass=first_pass), **options))
    for number in range(patients):
        site.laboratory.ihc(f"p{number:03}", ("0", "1+", "3+")[number % 3])
    return site


class Everybody:
    """A list of the first patients of `site_with`."""

    def __init__(self, patients: int) -> None:
        self.names = tuple(f"Patient/p{number:03}" for number in range(patients))

    def read(self) -> ListedPatients:
        return ListedPatients(self.names)


def test_a_first_pass_that_would_create_too_much_stops_and_says_what_it_found() -> None:
    site = site_with(6)
    report = site.run()
    assert (report.outcome, report.writes, site.server.writes) == (PassOutcome.BRAKED, 0, 0)
    assert report.categories == {"low": 2, "negative": 2, "positive": 2}
    assert "--backfill" in report.brake.reasons[0]
    assert site.run().outcome is PassOutcome.BRAKED


def test_a_first_pass_within_its_limit_needs_no_asking() -> None:
    assert site_with(5).run().outcome is PassOutcome.DONE


def test_a_backfill_creates_everything() -> None:
    site = site_with(250)
    site.run()
    report = site.run(backfill=True)
    assert (report.kind, report.actions) == (PassKind.SWEEP, {"create": 250})
    assert site.settle().writes == 0
    assert len(site.derived()) == 250
    site.assert_sound()


@pytest.mark.parametrize("is_known", [True, False], ids=["after-the-brake", "before-any-pass"])
@pytest.mark.parametrize("discovery", [DiscoverBy.CHANGES, DiscoverBy.PATIENTS])
def test_a_patient_who_is_asked_for_does_not_let_the_first_pass_go(
    discovery: DiscoverBy, is_known: bool
) -> None:
    """A caller of POST /sync is nobody who has looked at the counts."""
    site = site_with(8, read=ReadLimits(discovery=discovery))
    site.listed = Everybody(8) if discovery is DiscoverBy.PATIENTS else None
    site.restart()
    if is_known:
        assert site.run().outcome is PassOutcome.BRAKED
    assert site.run(patients=["p000"]).writes > 0
    report = site.run()
    assert (report.outcome, report.brake.load.first_contact) == (PassOutcome.BRAKED, True)
    assert "--backfill" in report.brake.reasons[0]
    assert len(site.derived()) == 1
    site.run(backfill=True)
    site.settle()
    assert len(site.derived()) == 8


def test_nor_under_another_name_than_the_one_that_the_state_knows() -> None:
    """As on another server: what was let go for the one says nothing of the other."""
    site = site_with(8)
    site.run(backfill=True)
    site.settle()
    site.context = replace(site.context, namespace="another")
    site.restart()
    assert site.run(patients=["p000"]).writes > 0
    assert site.run().outcome is PassOutcome.BRAKED


def test_a_backfill_that_was_killed_goes_on_without_being_asked_for_again() -> None:
    """Few of its results stand, and more are to be created than stand."""
    site = site_with(60, send=SendLimits(batch_cases=5))
    step = 1
    while not 0 < len(site.derived()) < 30:
        site = site_with(60, send=SendLimits(batch_cases=5))
        site.die_at(step, backfill=True)
        step += 1
    assert site.run().outcome is PassOutcome.DONE
    site.settle()
    assert len(site.derived()) == 60


def test_a_state_that_was_lost_is_no_first_contact_where_more_stands_than_is_missing() -> None:
    site = site_with(9)
    site.run(backfill=True)
    site.settle()
    for number in range(7):
        site.laboratory.ihc(f"q{number}", "1+")
    site.store = MemoryStore()
    site.restart()
    assert site.run().outcome is PassOutcome.DONE
    assert len(site.derived()) == 16


def test_a_server_that_holds_results_of_ours_is_no_first_contact() -> None:
    site = site_with(3)
    site.settle()
    for number in range(20):
        site.laboratory.ihc(f"q{number}", "1+")
    assert site.run().outcome is PassOutcome.DONE


def test_many_results_at_once_on_a_server_without_ours_stop_an_incremental_pass_too() -> None:
    site = Site(options=SyncOptions(brakes=BrakeLimits(first_pass=5)))
    site.settle()
    site.laboratory.ihc("anna", "not yet")
    site.settle()
    for number in range(6):
        site.laboratory.ihc(f"p{number}", "1+")
    report = site.run()
    assert (report.kind, report.outcome) == (PassKind.INCREMENTAL, PassOutcome.BRAKED)
    assert site.server.writes == 0


def test_since_takes_what_changed_from_a_day_on_and_leaves_the_rest_for_good() -> None:
    site = site_with(6)
    site.clock.advance(hours=48)
    day = site.clock.now()
    site.laboratory.ihc("new", "3+")
    report = site.run(since=day)
    assert (report.outcome, site.categories()) == (PassOutcome.DONE, {"new": "positive"})
    site.clock.advance(hours=25)
    site.settle()
    site.run(full_sweep=True)
    assert site.categories() == {"new": "positive"}
    site.run(backfill=True)
    assert len(site.categories()) == 7


@pytest.mark.parametrize("behind", [timedelta(days=1), timedelta(days=365)])
def test_a_clock_that_was_put_back_before_the_day_a_site_began_with_brings_nothing_old(
    behind: timedelta,
) -> None:
    site = site_with(30)
    site.clock.advance(hours=48)
    site.laboratory.ihc("new", "3+")
    site.run(since=site.clock.now())
    site.settle()
    present, site.clock.instant = site.clock.instant, site.clock.instant - behind
    report = site.run(full_sweep=True)
    assert any("lies in the future by this clock" in words for words in report.warnings)
    site.clock.instant = present
    site.settle()
    site.run(full_sweep=True)
    assert site.categories() == {"new": "positive"}


def test_a_note_of_that_day_that_is_spoilt_lets_no_first_contact_through() -> None:
    site = site_with(6)
    site.store.set_setting("since", "no instant")
    assert site.run().outcome is PassOutcome.BRAKED
    assert site.server.writes == 0


def test_many_changes_at_once_bring_nothing_from_before_the_day_a_site_began_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(scope, "SWEEP_FROM_PATIENTS", 3)
    site = site_with(6)
    site.clock.advance(hours=48)
    site.run(since=site.clock.now())
    site.settle()
    for name in ("anna", "berta", "clara", "dora"):
        site.laboratory.ihc(name, "3+")
    assert site.run().kind is PassKind.INCREMENTAL
    assert set(site.categories()) == {"anna", "berta", "clara", "dora"}


def test_observe_computes_everything_every_time_and_writes_nothing() -> None:
    site = site_with(7, observe=True)
    reports = [site.run() for _ in range(2)]
    assert [report.outcome for report in reports] == [PassOutcome.OBSERVED] * 2
    assert [report.actions for report in reports] == [{"create": 7}] * 2
    assert sum(reports[1].categories.values()) == 7
    assert site.server.writes == 0
    assert len(site.store.audit) == 2


def test_going_live_after_observing_misses_nothing() -> None:
    site = site_with(4, observe=True)
    site.run()
    site.options = SyncOptions()
    site.restart()
    site.settle()
    assert len(site.derived()) == 4


def test_a_dry_run_leaves_no_trace() -> None:
    site = site_with(3)
    before = vars(site.store).copy()
    queue, settings = dict(site.store.queue), dict(site.store.settings)
    report = site.run(dry_run=True)
    assert (report.outcome, report.actions) == (PassOutcome.OBSERVED, {"create": 3})
    assert (site.store.queue, site.store.settings) == (queue, settings)
    assert (site.store.watermarks, site.store.audit) == (before["watermarks"], [])
    assert site.server.writes == 0


def test_a_dry_run_does_not_send_what_an_earlier_process_left() -> None:
    site = site_with(1)
    site.server.faults = [None, *[Fault(TemporaryServerError("503", status=503))] * 6]
    with pytest.raises(TemporaryServerError):
        site.run()
    sent = len(site.server.bundles)
    site.run(dry_run=True)
    assert (len(site.server.bundles), len(site.store.outbox())) == (sent, 1)


def test_a_stop_between_two_bundles_leaves_the_rest_in_the_queue() -> None:
    site = Site(options=SyncOptions(send=SendLimits(batch_cases=2)))
    for number in range(6):
        site.laboratory.ihc(f"p{number}", "1+")
    site.interrupts = Interrupts(stopped=lambda: len(site.server.bundles) >= 1)
    site.restart()
    report = site.run()
    assert (report.outcome, len(site.derived())) == (PassOutcome.STOPPED, 2)
    assert site.store.queue_length() == 6
    site.interrupts = Interrupts()
    site.restart()
    site.settle()
    assert len(site.derived()) == 6
    site.assert_sound()


def test_since_looks_again_at_what_was_dealt_with() -> None:
    site = site_with(2)
    site.settle()
    report = site.run(since=site.clock.now() - timedelta(days=1))
    assert (report.patients, report.writes) == (2, 0)
