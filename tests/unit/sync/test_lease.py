"""Only the holder of the lease writes, and a command gets it from a service that goes on afterwards.

Protects the lease within a long pass, and the asking: between passes, one after the other, and not for ever.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
from structlog.testing import capture_logs

from adapter.errors import LeaseLost, StoreError
from adapter.sync.cycle import Cycle, Interrupts, PassReport, SyncOptions
from adapter.sync.inbox import Inbox
from adapter.sync.lease import LEASE_SECONDS, WANTED, WANTED_SECONDS, WriterLease
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.withdraw import Selection, withdraw_ours
from tests.fakes.clock import FakeClock
from tests.fakes.site import Site
from tests.fakes.store import MemoryStore

from .test_inbox import Seconds


def never() -> bool:
    return False


class Pair:
    """A service and a command on one state; whenever the command waits the service looks after its lease."""

    def __init__(self) -> None:
        self.store, self.clock = MemoryStore(), FakeClock()
        self.service = WriterLease(self.store, self.clock, "service")
        self.command = WriterLease(self.store, self.clock, "command")
        self.came_back: list[bool] = []

    def meanwhile(self, act: Callable[[], object]) -> None:
        def sleep(seconds: float) -> None:
            self.clock.advance(seconds)
            act()

        self.clock.sleep = sleep  # type: ignore[method-assign]

    def rest(self) -> None:
        self.came_back.append(self.service.rest())


@pytest.fixture
def pair() -> Pair:
    two = Pair()
    two.meanwhile(two.rest)
    return two


def test_a_service_between_passes_lends_its_lease_and_takes_it_again(pair: Pair) -> None:
    assert pair.service.take()
    assert pair.command.borrow(10, stopped=never)
    assert pair.store.lease is not None
    assert pair.store.lease[0] == "command"
    assert pair.store.setting(WANTED) is None
    assert not pair.service.take()
    assert pair.service.rest() is False
    pair.command.give_back()
    assert pair.service.rest() is True
    assert pair.service.rest() is False
    pair.service.keep()


def test_a_service_in_a_pass_is_waited_for_and_not_for_longer_than_was_said(pair: Pair) -> None:
    assert pair.service.take()
    pair.meanwhile(pair.service.keep)
    before = pair.clock.now()
    assert not pair.command.borrow(30, stopped=never)
    assert (pair.clock.now() - before).total_seconds() == 30
    assert pair.store.setting(WANTED) is None
    assert pair.service.rest() is False
    assert pair.store.lease is not None
    assert pair.store.lease[0] == "service"


def test_without_a_wait_nobody_is_asked(pair: Pair) -> None:
    assert pair.service.take()
    assert not pair.command.borrow(0, stopped=never)
    assert pair.store.setting(WANTED) is None


def test_a_dead_holder_is_waited_for_until_its_lease_has_run_out(pair: Pair) -> None:
    assert pair.service.take()
    pair.meanwhile(lambda: None)
    assert pair.command.borrow(LEASE_SECONDS + 1, stopped=never)


def test_a_stop_ends_the_wait(pair: Pair) -> None:
    assert pair.service.take()
    pair.meanwhile(lambda: None)
    assert not pair.command.borrow(10_000, stopped=lambda: True)
    assert pair.store.setting(WANTED) is None


def test_one_that_stands_by_does_not_come_between(pair: Pair) -> None:
    other = WriterLease(pair.store, pair.clock, "stands by")
    tried: list[bool] = []
    pair.meanwhile(lambda: (pair.rest(), tried.append(other.take())))
    assert pair.service.take()
    assert pair.command.borrow(10, stopped=never)
    assert set(tried) == {False}


def test_two_that_ask_get_it_one_after_the_other(pair: Pair) -> None:
    second = WriterLease(pair.store, pair.clock, "second")
    assert pair.service.take()
    got: list[str] = []

    def later() -> None:
        pair.rest()
        if not got and pair.store.lease is None:
            got.append("first")
            pair.meanwhile(pair.rest)
            assert not second.borrow(1, stopped=never)

    pair.meanwhile(later)
    assert pair.command.borrow(10, stopped=never)
    pair.command.give_back()
    assert second.borrow(10, stopped=never)


def test_who_died_while_asking_holds_up_the_service_for_a_minute_only(pair: Pair) -> None:
    assert pair.service.take()
    pair.command._ask(pair.clock.now())
    assert pair.service.rest() is False
    assert pair.store.lease is None
    pair.clock.advance(WANTED_SECONDS - 1)
    assert pair.service.rest() is False
    pair.clock.advance(2)
    assert pair.service.rest() is True


@pytest.mark.parametrize(
    "said",
    ["", "{", "[]", '{"by": 7}', '{"by": "x", "until": "2099-01-01T00:00:00+00:00"}'],
    ids=["empty", "cut", "list", "no-instant", "clock-far-ahead"],
)
def test_a_wish_that_says_nonsense_stops_nobody(pair: Pair, said: str) -> None:
    pair.store.set_setting(WANTED, said)
    assert pair.service.take()
    pair.service.keep()


def test_a_lease_that_ran_out_and_nobody_took_is_taken_again(pair: Pair) -> None:
    assert pair.service.take()
    pair.clock.advance(2 * LEASE_SECONDS)
    pair.service.keep()
    pair.service.keep()


@pytest.mark.parametrize("looks", ["keep", "lives", "both"])
def test_a_lease_that_another_had_meanwhile_ends_the_pass(pair: Pair, looks: str) -> None:
    """What was planned before does not know what that one has written, though it has given the lease back."""
    assert pair.service.take()
    pair.clock.advance(LEASE_SECONDS + 1)
    assert pair.command.take()
    if looks == "both":
        pair.service.lives()
    pair.command.give_back()
    if looks != "keep":
        pair.service.lives()
    for _ in range(2):
        with pytest.raises(LeaseLost):
            pair.service.keep()
    assert pair.service.take()
    pair.service.keep()


def test_a_long_reading_keeps_the_lease_and_a_pass_that_hangs_does_not() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number}", "1+")
    lease = WriterLease(site.store, site.clock, "command")
    others = WriterLease(site.store, site.clock, "other")
    tried: list[bool] = []

    def slow(_: object) -> bool:
        site.clock.advance(LEASE_SECONDS / 2)
        tried.append(others.take())
        return False

    assert lease.take()
    site.server.refuse_search = slow
    report = Cycle(site.parts, site.options, interrupts=Interrupts.of(lease, never)).run_pass()
    assert report.outcome == "done"
    assert len(tried) > 3
    assert set(tried) == {False}
    site.clock.advance(LEASE_SECONDS + 1)
    assert others.take()


def test_a_withdrawal_sends_nothing_once_another_has_the_lease() -> None:
    site = Site()
    for number in range(30):
        site.laboratory.ihc(f"p{number}", "1+")
    site.settle()
    lease = WriterLease(site.store, site.clock, "command")
    assert lease.take()

    def taken_over() -> None:
        site.clock.advance(LEASE_SECONDS + 1)
        site.store.acquire_lease("another", now=site.clock.now(), seconds=300)

    site.server.before_transaction = taken_over
    with pytest.raises(LeaseLost):
        withdraw_ours(
            site.parts,
            site.options,
            Selection(),
            preview=False,
            interrupts=Interrupts.of(lease, never),
        )
    assert sum(one["status"] == "entered-in-error" for one in site.derived()) < 30


class Resting:
    """A loop with an interval of an hour, on a site; `then` happens at seconds of its rest."""

    def __init__(self, site: Site, *, passes: int, interval: float = 3600) -> None:
        self.seconds = Seconds()
        self.reports: list[PassReport] = []
        self.began: list[float] = []
        self.loop = Loop(
            site.parts,
            SyncOptions(),
            LoopOptions(interval_seconds=interval, holder="service"),
            stopped=lambda: len(self.reports) >= passes,
            tell=self.tell,
            inbox=Inbox(seconds_now=self.seconds),
        )

    def tell(self, report: PassReport) -> None:
        self.reports.append(report)
        self.began.append(self.seconds.value)


@pytest.fixture(autouse=True)
def _no_real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.sync.inbox._LOOK_SECONDS", 0.0)


def test_a_loop_at_rest_steps_aside_within_seconds_and_goes_on_by_itself() -> None:
    site = Site()
    site.laboratory.ihc("anna", "1+")
    resting = Resting(site, passes=2, interval=120)
    command = WriterLease(site.store, site.clock, "command")
    got: list[tuple[float, bool]] = []

    def ask() -> None:
        command._ask(site.clock.now())

    def look() -> None:
        if not got and command.take():
            got.append((resting.seconds.value, True))
            command._ask_no_more()

    resting.seconds.then.append((20, ask))
    resting.seconds.then += [(20 + tenth / 2, look) for tenth in range(30)]
    # It ends after the interval: the pass that came due begins as soon as it has ended, and not an interval later.
    resting.seconds.then.append((150, command.give_back))
    resting.loop.run()
    assert 20 <= got[0][0] < 25
    assert 150 <= resting.began[1] < 156
    assert site.store.lease is None  # given back at the stop


def test_a_state_that_cannot_be_read_does_not_end_the_rest_and_is_told_now_and_then() -> None:
    site = Site()
    resting = Resting(site, passes=2)
    sound = site.store.setting

    def away(name: str) -> str | None:
        raise StoreError("away")

    resting.seconds.then += [
        (20, lambda: setattr(site.store, "setting", away)),
        (800, lambda: setattr(site.store, "setting", sound)),
    ]
    with capture_logs() as logs:
        resting.loop.run()
    told = sum(one["event"] == "lease_not_renewed" for one in logs)
    assert len(resting.reports) == 2
    assert 4 <= told <= 9
