"""Repeats the pass until asked to stop: lease, interval, what came in, and what to do when a pass fails.

This is the one place of `sync` that catches every exception: an adapter that runs unattended must
outlive a bug of its own, and say so. It decides nothing about results.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from adapter.audit import AuditAction
from adapter.errors import StateDamaged, StoreError, TemporaryServerError
from adapter.ports import PassRecord
from adapter.sync.auditing import Auditor
from adapter.sync.cycle import Cycle, Interrupts, Parts
from adapter.sync.inbox import AnotherWrites, Ask, Inbox
from adapter.sync.lease import LEASE_SECONDS, WriterLease
from adapter.sync.options import PassOptions, SyncOptions
from adapter.sync.pulse import Pulse
from adapter.sync.reloading import Refresh
from adapter.sync.report import PassKind, PassReport

log = structlog.get_logger(__name__)

FAILED: Final = "failed"
"""Outcome of a pass that raised, in the audit; the count beside it names the class of the error."""

LOOK_SECONDS: Final = 2.0
"""How often it is looked, while a loop rests, whether somebody asks for the lease or for patients."""

TROUBLE_SECONDS: Final = 60.0
"""So long at least a server that failed a pass is left alone, whatever wakes us; a shorter interval is enough."""


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs.

    `interval_seconds`: from the end of a pass to the start of the next. `lease_seconds`: how long
    another adapter waits for one that died; two intervals where those are longer, so that who writes goes
    on writing: two that took turns with different mappings would undo each other's results. `holder`: names
    this process, and no other one.
    """

    interval_seconds: float = 60.0
    lease_seconds: float = LEASE_SECONDS
    holder: str = ""


@dataclass(frozen=True)
class _Began:
    """When a pass began, and what had been asked of the servers by then."""

    at: datetime
    asked: Mapping[str, int]


class Loop:
    """Runs passes until `stopped` says so; the caller's signal handlers make it say so.

    `tell` is given every report, `pulse` what happens. With an `inbox` a wake-up makes a pass begin earlier,
    and requests are served between passes; without one Clock.sleep waits, and must return early when a stop
    is asked for. `refresh` is asked for other parts before every pass, also while another adapter writes: who
    waits must not take over with the mappings of its start.
    """

    def __init__(  # noqa: PLR0913 - the parts of a loop, each a different thing
        self,
        parts: Parts,
        options: SyncOptions,
        loop: LoopOptions,
        *,
        stopped: Callable[[], bool],
        tell: Callable[[PassReport], None] = lambda _: None,
        inbox: Inbox | None = None,
        pulse: Pulse | None = None,
        refresh: Refresh | None = None,
    ) -> None:
        self.parts = parts
        self.options = loop
        self.stopped = stopped
        self.tell = tell
        self.inbox = inbox
        self.pulse = pulse or Pulse(parts.clock.now())
        holder = loop.holder or uuid.uuid4().hex
        self.lease = WriterLease(parts.store, parts.clock, holder, loop.lease_seconds)
        self.refresh = refresh
        self.damage: StateDamaged | None = None
        self.interrupts = Interrupts.of(self.lease, stopped)
        self.cycle = Cycle(parts, options, interrupts=self.interrupts)

    def run(self) -> None:
        """Repeat until stopped, then give the lease back.

        What a pass raises is logged and counted, and the next pass tries again. Raises: StateDamaged, because no
        pass makes a damaged state sound, and the next start of the service does.
        """
        self._record(AuditAction.SERVICE_STARTED)
        while not self._ends():
            were_woken = self.inbox.take_wakes() if self.inbox is not None else False
            outcome = self._attempt(PassOptions())
            if self.inbox is not None and were_woken and _has_failed(outcome):
                self.inbox.keep_wakes()
            if not self._ends():
                self._rest(outcome)
        if self.inbox is not None:
            self.inbox.close()
        self.lease.give_back()
        self._record(AuditAction.SERVICE_STOPPED)
        if self.damage is not None:
            raise self.damage

    def _ends(self) -> bool:
        return self.damage is not None or self.stopped()

    def _record(self, action: AuditAction) -> None:
        """Tell the trail that this process began or ended; a state that cannot be written is waited for."""
        context, clock = self.parts.context, self.parts.clock
        event = Auditor(context, self.parts.actor).happened(
            action, "done", at=clock.now(), facts={"holder": self.lease.holder}
        )
        try:
            self.parts.store.record([event])
        except StoreError as error:
            log.warning("not_recorded", error=error)

    def _attempt(self, asked: PassOptions) -> PassReport | Exception:
        """Run one pass; give its report, or the error that ended it, which is logged and counted."""
        began = _Began(self.parts.clock.now(), self.parts.traffic.counts())
        self.pulse.began(began.at)
        try:
            self._take_other_parts()
            if not self._has_its_turn():
                self.pulse.stands_by()
                log.info("another_adapter_writes", wait_seconds=self.options.interval_seconds)
                return AnotherWrites("another adapter writes; what is queued is done by that one")
            self.pulse.holds_lease()
            if self.refresh is not None:
                self.refresh.note()
            report = self.cycle.run_pass(asked)
            self.pulse.ended(report, is_whole=asked.patients is None)
            if report.needs_operator:
                log.warning("brake_engaged", kind=report.kind.value)
            self.tell(report)
        except Exception as error:  # noqa: BLE001 - the one place: a bug must not end the service
            self._note_failure(error, began)
            if isinstance(error, StateDamaged):
                self.damage = error
            return error
        return report

    def _has_its_turn(self) -> bool:
        """Take the lease, or where nothing is written see that nobody else has it: an observer is no writer."""
        return not self.lease.is_others() if self.cycle.options.observe else self.lease.take()

    def _take_other_parts(self) -> None:
        """Go on with other parts where there are any; what was remembered of earlier passes goes with the old ones."""
        parts = self.refresh() if self.refresh is not None else None
        if parts is not None:
            self.parts = parts
            self.cycle = Cycle(parts, self.cycle.options, interrupts=self.interrupts)

    def _rest(self, outcome: PassReport | Exception) -> None:
        """Wait for the next pass, and serve in the meantime whoever asks for patients.

        The lease is renewed in the meantime too: however rare passes are, two adapters do not take turns, and
        one that died is replaced as soon as its lease has run out. A command that asks for it gets it meanwhile;
        a pass that came due by then begins as soon as it has ended.
        """
        rest = self._seconds_after(outcome)
        if self.inbox is None:
            self.parts.clock.sleep(rest)
            return
        began, queued = self.inbox.now(), self._queued()
        looks_from = began
        due = began + rest
        wakes_from = began + self._peace_after(outcome)
        while not self._ends():
            look_at = self.inbox.now() + LOOK_SECONDS
            asks = self.inbox.wait(
                due, wakes_from=wakes_from, look_at=look_at, stopped=self.stopped
            )
            now = self.inbox.now()
            if asks:
                self._serve(asks)
            elif self.inbox.is_time(due, wakes_from):
                return
            elif now >= looks_from:
                try:
                    came_back = self.lease.rest()
                    # Somebody asked another process, which does not write.
                    is_longer = self.parts.store.queue_length() > queued
                except StoreError as error:  # waited for, and not looked at every other second
                    log.warning("lease_not_renewed", error=error)
                    looks_from = now + self.lease.renewed_every
                    continue
                if (is_longer and now >= wakes_from) or (
                    came_back and isinstance(outcome, AnotherWrites)
                ):
                    return

    def _queued(self) -> int:
        """How many patients wait to be looked at; 0 where the state cannot be read, which the next pass tells."""
        try:
            return self.parts.store.queue_length()
        except StoreError:
            return 0

    def _seconds_after(self, outcome: PassReport | Exception) -> float:
        """Say how long to rest: longer where a server asks for it, at most a lease where another writes."""
        interval = self.options.interval_seconds
        match outcome:
            case TemporaryServerError(retry_after_seconds=asked_for):
                return max(interval, asked_for or 0.0)
            case AnotherWrites():
                return min(interval, self.options.lease_seconds)
        return interval

    def _peace_after(self, outcome: PassReport | Exception) -> float:
        """Say how long no wake-up makes a pass begin: whoever wakes us cannot know of a server or a state in trouble.

        Not for a whole interval where that is long: then wake-ups are what results wait for.
        """
        interval = min(self.options.interval_seconds, TROUBLE_SECONDS)
        match outcome:
            case TemporaryServerError(retry_after_seconds=asked_for):
                return max(interval, asked_for or 0.0)
        return interval if _has_failed(outcome) else 0.0

    def _serve(self, asks: Sequence[Ask]) -> None:
        """Look at the patients of these requests in one pass, and tell each what came of it."""
        patients = tuple(dict.fromkeys(one for ask in asks for one in ask.patients))
        outcome = self._attempt(PassOptions(patients=patients))
        for ask in asks:
            if isinstance(outcome, Exception):
                ask.report.set_exception(outcome)
            else:
                ask.report.set_result(outcome)

    def _note_failure(self, error: Exception, began: _Began) -> None:
        """Log a failure under an id that can be quoted, and put it into the audit."""
        event_id, now = uuid.uuid4().hex, self.parts.clock.now()
        log.error("pass_failed", error=error, event_id=event_id, exc_info=error)
        self.pulse.failed(error, event_id, at=now)
        record = PassRecord(
            started_at=began.at,
            ended_at=now,
            kind=PassKind.INCREMENTAL.value,
            outcome=FAILED,
            counts={f"error.{type(error).__name__}": 1, **self.parts.traffic.since(began.asked)},
        )
        try:
            self.parts.store.record_pass(record)
        except StoreError as store_error:
            log.warning("failure_not_recorded", error=store_error)


def _has_failed(outcome: PassReport | Exception) -> bool:
    """Whether a pass ended in an error; that another adapter writes is none."""
    return isinstance(outcome, Exception) and not isinstance(outcome, AnotherWrites)
