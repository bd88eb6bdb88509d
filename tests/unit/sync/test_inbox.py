"""Wake-ups are coalesced, requests are served in turn, and neither starves the other.

Protects that ten thousand notifications do not become ten thousand passes, and that nobody who asks
waits for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from threading import Thread

import pytest

from adapter.errors import StoreError, TemporaryServerError
from adapter.ports import SearchParams
from adapter.sync.cycle import PassReport, SyncOptions
from adapter.sync.inbox import AnotherWrites, Ask, Inbox, InboxClosed, InboxFull, InboxLimits
from adapter.sync.loop import Loop, LoopOptions
from adapter.sync.pulse import Pulse
from tests.fakes.site import Site


class Seconds:
    """A clock for waits: it goes on a step whenever a wait looks at it, and stands still while a test acts."""

    def __init__(self, step: float = 0.5) -> None:
        self.value, self.step = 0.0, step
        self.then: list[tuple[float, Callable[[], object]]] = []
        self._acts = False

    def __call__(self) -> float:
        if self._acts:
            return self.value
        self.value += self.step
        self._acts = True
        for due in [one for one in self.then if one[0] <= self.value]:
            self.then.remove(due)
            due[1]()
        self._acts = False
        return self.value


@pytest.fixture(autouse=True)
def _no_real_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("adapter.sync.inbox._LOOK_SECONDS", 0.0)


class Running:
    """A loop whose interval is an hour, for some passes; what happens meanwhile is said by the test."""

    def __init__(self, site: Site, seconds: Seconds, *, passes: int) -> None:
        self.site, self.passes = site, passes
        self.inbox = Inbox(InboxLimits(asks=3, patients_at_once=2), seconds_now=seconds)
        self.reports: list[PassReport] = []
        self.began: list[float] = []
        self.seconds = seconds
        self.pulse = Pulse(site.clock.now())
        self.loop = Loop(
            site.parts,
            SyncOptions(),
            LoopOptions(interval_seconds=3600, holder="one"),
            stopped=lambda: len(site.store.audit) >= self.passes,
            tell=self.tell,
            inbox=self.inbox,
            pulse=self.pulse,
        )

    def tell(self, report: PassReport) -> None:
        self.reports.append(report)
        self.began.append(self.seconds.value)

    def run(self) -> Running:
        self.loop.run()
        return self


def test_ten_thousand_wake_ups_in_a_burst_end_in_two_passes() -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=2)

    def burst() -> None:
        for _ in range(10_000):
            running.inbox.wake()

    seconds.then.append((10, burst))
    running.run()
    assert running.inbox.wakes == 10_000
    assert running.began[1] < 60


def test_wake_ups_that_never_settle_wait_ten_seconds_and_no_longer() -> None:
    site, seconds = Site(), Seconds(step=0.1)
    running = Running(site, seconds, passes=2)
    for tenth in range(600):
        seconds.then.append((10 + tenth / 10, running.inbox.wake))
    running.run()
    assert 19 < running.began[1] < 22


def test_a_wake_up_during_a_pass_ends_in_one_more() -> None:
    site, seconds = Site(), Seconds()
    site.laboratory.ihc("anna", "1+")
    running = Running(site, seconds, passes=2)
    woken: list[bool] = []

    def wake_once() -> None:
        if not woken:
            woken.append(True)
            running.inbox.wake()

    site.server.before_transaction = wake_once
    running.run()
    assert running.began[1] - running.began[0] < 60


@pytest.mark.parametrize("by_queue", [False, True], ids=["a wake-up", "another process"])
def test_a_wake_up_does_not_hurry_a_server_that_asked_for_peace(by_queue: bool) -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=2)
    down = TemporaryServerError("503", status=503, retry_after_seconds=600)
    site.server.refuse_search = _raising(down)
    queue = partial(site.store.enqueue, ["Patient/berta"], reason="asked")
    seconds.then.append((10, queue if by_queue else running.inbox.wake))
    running.run()
    assert 600 < running.began[0] < 660
    assert site.store.audit[0].outcome == "failed"


def test_a_wake_up_waits_a_minute_for_a_server_in_trouble_and_not_an_hour() -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=2)
    site.server.refuse_search = _raising(TemporaryServerError("503", status=503))
    seconds.then.append((10, running.inbox.wake))
    running.run()
    assert 60 < running.began[0] < 90


@pytest.mark.parametrize("error", [TemporaryServerError("503", status=503), StoreError("disk")])
def test_what_woke_a_pass_that_failed_is_followed_until_one_has_seen_it(error: Exception) -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=5)

    def break_down() -> None:
        site.server.refuse_search = _raising(*[error] * 3)
        running.inbox.wake()

    seconds.then.append((10, break_down))
    running.run()
    assert [one.outcome for one in site.store.audit] == ["done", *["failed"] * 3, "done"]
    assert 180 < running.began[1] < 260
    assert running.inbox.wakes == 1


def test_a_pass_that_fails_and_was_woken_by_nobody_waits_for_its_hour() -> None:
    site, seconds = Site(), Seconds()
    site.server.refuse_search = _raising(TemporaryServerError("503", status=503))
    running = Running(site, seconds, passes=2).run()
    assert running.began[0] > 3600


def test_who_asks_gets_the_report_of_the_pass_over_their_patients() -> None:
    site, seconds = Site(), Seconds()
    site.laboratory.ihc("anna", "1+")
    site.laboratory.ihc("berta", "3+")
    running = Running(site, seconds, passes=2)
    ask = running.inbox.ask(("Patient/anna",))
    running.run()
    report = ask.report.result(0)
    assert report.kind == "patients"
    assert [(row.patient, row.category) for row in report.rows] == [("Patient/anna", "low")]


def test_requests_that_wait_share_a_pass_as_far_as_it_goes() -> None:
    site, seconds = Site(), Seconds()
    for name in ("anna", "berta", "cleo"):
        site.laboratory.ihc(name, "1+")
    running = Running(site, seconds, passes=3)
    asks = [running.inbox.ask((f"Patient/{name}",)) for name in ("anna", "berta", "cleo")]
    running.run()
    reports = [ask.report.result(0) for ask in asks]
    assert reports[0] is reports[1]
    assert reports[2] is not reports[1]


def test_one_who_asks_for_more_than_a_pass_takes_is_served_alone() -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=2)
    ask = running.inbox.ask(("Patient/anna", "Patient/berta", "Patient/cleo"))
    running.run()
    assert ask.report.result(0).kind == "patients"


def test_a_flood_of_requests_does_not_keep_the_poller_from_its_pass() -> None:
    site, seconds = Site(), Seconds(step=30)
    running = Running(site, seconds, passes=200)

    def ask_again(report: PassReport) -> None:
        running.tell(report)
        running.inbox.ask(("Patient/anna",))

    running.loop.tell = ask_again
    running.run()
    kinds = [record.kind for record in site.store.audit]
    assert kinds.count("incremental") >= 3
    assert kinds.count("patients") >= 100


def test_beyond_its_limit_the_inbox_says_when_to_come_again() -> None:
    inbox = Inbox(InboxLimits(asks=2))
    inbox.ask(("Patient/a",))
    inbox.ask(("Patient/b",))
    with pytest.raises(InboxFull) as caught:
        inbox.ask(("Patient/c",))
    assert caught.value.retry_after_seconds >= 1
    assert inbox.waiting == 2


def test_who_is_still_being_queued_has_a_place_and_is_not_served_yet() -> None:
    inbox = Inbox(InboxLimits(asks=2))
    inbox.ask(("Patient/a",))
    with inbox.place() as place:
        with pytest.raises(InboxFull):
            inbox.ask(("Patient/c",))
        assert [one.patients for one in _waiting(inbox)] == [("Patient/a",)]
        place(("Patient/b",))
    assert [one.patients for one in _waiting(inbox)] == [("Patient/b",)]


def test_a_place_that_was_not_used_is_free_again() -> None:
    inbox = Inbox(InboxLimits(asks=1))
    with pytest.raises(StoreError), inbox.place():
        raise StoreError("disk full")
    assert inbox.ask(("Patient/a",)).patients == ("Patient/a",)
    inbox.close()
    with pytest.raises(InboxClosed), inbox.place():
        pass


def test_who_is_being_queued_while_the_adapter_stops_is_told_so() -> None:
    inbox = Inbox()
    with inbox.place() as place:
        inbox.close()
        with pytest.raises(InboxClosed):
            place(("Patient/a",))


def test_a_pass_that_fails_is_told_to_who_asked_and_the_loop_goes_on() -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=3)
    ask = running.inbox.ask(("Patient/anna",))
    down = TemporaryServerError("503", status=503)
    running.loop.tell = lambda _: setattr(site.server, "refuse_search", _raising(down))
    seconds.then.append((30, running.inbox.wake))
    running.run()
    assert ask.report.exception(0) is down
    assert [record.outcome for record in site.store.audit] == ["done", "failed", "done"]


def test_who_asks_while_another_adapter_writes_is_told_so() -> None:
    site, seconds = Site(), Seconds()
    site.store.acquire_lease("another", now=site.clock.now(), seconds=3600)
    inbox = Inbox(seconds_now=seconds)
    ask = inbox.ask(("Patient/anna",))
    loop = Loop(
        site.parts,
        SyncOptions(),
        LoopOptions(interval_seconds=60, holder="one"),
        stopped=lambda: ask.report.done(),
        inbox=inbox,
    )
    loop.run()
    assert isinstance(ask.report.exception(0), AnotherWrites)
    assert loop.pulse.beat.holds_lease is False


def test_the_lease_is_renewed_while_one_waits_for_an_hour() -> None:
    site, seconds = Site(), Seconds()
    running = Running(site, seconds, passes=2)
    seen: list[object] = []

    def look() -> None:
        site.clock.advance(200)
        other = site.store.acquire_lease("another", now=site.clock.now(), seconds=300)
        seen.append(other)

    for number in range(17):
        seconds.then.append((200.0 * (number + 1), look))
    running.run()
    assert seen == [None] * 17


def test_what_another_process_queues_is_not_left_for_an_hour() -> None:
    site, seconds = Site(), Seconds()
    site.laboratory.ihc("anna", "1+")
    running = Running(site, seconds, passes=2)
    seconds.then.append((40, lambda: site.store.enqueue(["Patient/berta"], reason="asked")))
    running.run()
    assert running.began[1] - running.began[0] < 200


def test_a_stop_ends_a_wait_and_tells_whoever_still_asks() -> None:
    site = Site()
    inbox = Inbox(InboxLimits(patients_at_once=1))
    stopping: list[bool] = []
    loop = Loop(
        site.parts,
        SyncOptions(),
        LoopOptions(interval_seconds=3600, holder="one"),
        stopped=lambda: bool(stopping),
        tell=lambda _: stopping.append(True),
        inbox=inbox,
    )
    ask = inbox.ask(("Patient/anna",))
    thread = Thread(target=loop.run)
    thread.start()
    thread.join(20)
    assert not thread.is_alive()
    assert isinstance(ask.report.exception(0), InboxClosed)
    with pytest.raises(InboxClosed):
        inbox.ask(("Patient/berta",))


def test_a_request_that_nobody_waits_for_any_more_is_dropped() -> None:
    inbox = Inbox()
    gone, there = inbox.ask(("Patient/a",)), inbox.ask(("Patient/b",))
    assert gone.report.cancel()
    assert inbox.wait(inbox.now() + 60, stopped=lambda: False) == (there,)


def _waiting(inbox: Inbox) -> tuple[Ask, ...]:
    return inbox.wait(inbox.now() + 60, stopped=lambda: False)


def _raising(*errors: Exception) -> Callable[[SearchParams], bool]:
    left = list(errors)

    def refuse(_: SearchParams) -> bool:
        if left:
            raise left.pop()
        return False

    return refuse
