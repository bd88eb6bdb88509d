"""The loop runs for months: failures are told and tried again, one adapter writes, a stop is a stop.

Protects the lease, the interval, and that neither a dead server nor a bug of ours ends the service.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import structlog

from adapter.errors import NotAuthorised, StateDamaged, StoreError, TemporaryServerError
from adapter.ports import SearchParams
from adapter.sync.cycle import PassReport, SyncOptions
from adapter.sync.loop import Loop, LoopOptions
from adapter.traffic import Exchange, Fate
from tests.fakes.server import Fault
from tests.fakes.site import Site


class Running:
    """A loop that is stopped after a number of passes or waits."""

    def __init__(self, site: Site, *, rounds: int, holder: str = "one") -> None:
        self.reports: list[PassReport] = []
        self.site, self.rounds = site, rounds
        options = LoopOptions(interval_seconds=60, lease_seconds=300, holder=holder)
        self.loop = Loop(
            site.parts, SyncOptions(), options, stopped=self.stopped, tell=self.reports.append
        )

    def stopped(self) -> bool:
        return len(self.site.clock.sleeps) >= self.rounds

    def run(self) -> Running:
        self.loop.run()
        return self


def test_passes_repeat_at_the_interval_until_stopped() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    running = Running(site, rounds=3).run()
    assert len(running.reports) == 3
    assert site.clock.sleeps == [60, 60, 60]
    assert site.store.lease is None


def observing(site: Site, *, rounds: int, tell: Callable[[PassReport], None]) -> Loop:
    options = LoopOptions(interval_seconds=60, lease_seconds=300, holder="observer")
    stopped = lambda: len(site.clock.sleeps) >= rounds  # noqa: E731
    return Loop(site.parts, SyncOptions(observe=True), options, stopped=stopped, tell=tell)


def test_who_observes_keeps_nobody_from_writing() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    held: list[object] = []
    observing(site, rounds=2, tell=lambda _: held.append(site.store.held_lease())).run()
    assert held == [None, None]


def test_who_observes_stands_by_while_another_writes() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.store.acquire_lease("writer", now=site.clock.now(), seconds=90)
    reports: list[PassReport] = []
    observing(site, rounds=3, tell=reports.append).run()
    assert len(reports) == 1


def test_a_server_that_is_down_is_tried_again_at_the_next_interval() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    down = TemporaryServerError("503", status=503, retry_after_seconds=120)
    fails = iter([down])
    site.server.refuse_search = _raising(fails)
    running = Running(site, rounds=2).run()
    assert site.clock.sleeps == [120, 60]
    assert [record.outcome for record in site.store.audit] == ["failed", "done"]
    assert len(running.reports) == 1
    assert site.categories() == {"anna": "low"}


def test_refused_credentials_are_told_and_tried_again() -> None:
    site = Site()
    site.server.refuse_search = _raising(iter([NotAuthorised("token", status=401)]))
    Running(site, rounds=2).run()
    assert site.store.audit[0].counts == {"error.NotAuthorised": 1}


def test_a_failed_pass_tells_what_it_asked_of_the_server_too() -> None:
    site = Site()
    meter = site.traffic.meter("source")

    def ask(*_: object) -> str:
        meter(Exchange("search", Fate.NO_ANSWER))
        raise TemporaryServerError("away")

    site.server.refuse_search = ask
    Running(site, rounds=2).run()
    asked = [record.counts["requests.source.search.no-answer"] for record in site.store.audit]
    assert len(asked) == 2
    assert sum(asked) == site.traffic.counts()["requests.source.search.no-answer"]


def test_a_bug_of_ours_does_not_end_the_service() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.server.refuse_search = _raising(iter([KeyError("a bug")]))
    Running(site, rounds=2).run()
    assert site.store.audit[0].counts == {"error.KeyError": 1}
    assert site.categories() == {"anna": "low"}


def test_only_the_holder_of_the_lease_writes() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    site.store.acquire_lease("another", now=site.clock.now(), seconds=90)
    running = Running(site, rounds=3).run()
    assert len(running.reports) == 1


def test_nothing_is_sent_once_another_adapter_has_taken_over() -> None:
    site = Site()
    for number in range(60):
        site.laboratory.ihc(f"p{number}", "1+")
    running = Running(site, rounds=1)

    def taken_over() -> None:
        site.clock.advance(400)
        site.store.acquire_lease("another", now=site.clock.now(), seconds=300)

    site.server.before_transaction = taken_over
    running.run()
    assert site.store.audit[0].counts == {"error.LeaseLost": 1}
    assert len(site.server.bundles) <= 2
    assert site.store.frozen == {}


def test_a_lease_is_renewed_while_a_long_pass_writes() -> None:
    site = Site()
    for number in range(60):
        site.laboratory.ihc(f"p{number}", "1+")
    site.server.before_transaction = lambda: site.clock.advance(200)
    running = Running(site, rounds=1).run()
    assert running.reports[0].outcome == "done"
    assert len(site.derived()) == 60


def test_an_engaged_brake_is_told_at_every_pass_and_nothing_is_written() -> None:
    site = Site()
    for number in range(501):
        site.laboratory.ihc(f"p{number}", "1+")
    running = Running(site, rounds=2).run()
    assert [report.needs_operator for report in running.reports] == [True, True]
    assert site.server.writes == 0


def test_a_pass_that_fails_half_way_is_healed_by_the_next_one() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number}", "1+")
    site.server.faults = [None, None, *[Fault(TemporaryServerError("503", status=503))] * 5]
    Running(site, rounds=7).run()
    assert len(site.derived()) == 30
    site.assert_sound()


def test_the_log_says_in_words_why_a_pass_failed() -> None:
    site = Site()
    site.server.refuse_search = _raising(iter([NotAuthorised("the scope is missing", status=403)]))
    with structlog.testing.capture_logs() as lines:
        Running(site, rounds=1).run()
    (failed,) = [one for one in lines if one["event"] == "pass_failed"]
    assert isinstance(failed["exc_info"], NotAuthorised)


def test_one_that_took_over_says_that_it_writes_though_its_passes_fail() -> None:
    site = Site()
    running = Running(site, rounds=1)
    running.loop.pulse.stands_by()
    site.server.refuse_search = _raising(iter([NotAuthorised("no", status=403)]))
    running.run()
    assert running.loop.pulse.beat.holds_lease is True
    assert running.loop.pulse.beat.failures == 1


def test_a_damaged_state_ends_the_loop_so_that_its_next_start_makes_it_anew() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    running = Running(site, rounds=9)
    sound, damage = site.store.queued, StateDamaged("The state store is damaged.")

    def spoilt(*_: object, **__: object) -> object:
        raise damage

    running.loop.tell = lambda _: setattr(site.store, "queued", spoilt)
    with pytest.raises(StateDamaged):
        running.run()
    site.store.queued = sound  # type: ignore[method-assign]
    assert len(site.clock.sleeps) == 1
    assert site.store.lease is None
    assert site.store.audit[-1].counts == {"error.StateDamaged": 1}


def test_a_state_that_is_merely_away_does_not_end_the_loop() -> None:
    site = Site()
    running = Running(site, rounds=3)
    sound, errors = site.store.queued, iter([StoreError("locked")])

    def away(*given: Any, **named: Any) -> Any:
        for error in errors:
            raise error
        return sound(*given, **named)

    site.store.queued = away  # type: ignore[method-assign]
    running.run()
    assert len(site.clock.sleeps) == 3
    assert len(running.reports) == 2


def _raising(errors: object) -> Callable[[SearchParams], bool]:
    def refuse(_: SearchParams) -> bool:
        error = next(errors, None)  # type: ignore[call-overload]
        if error is not None:
            raise error
        return False

    return refuse
