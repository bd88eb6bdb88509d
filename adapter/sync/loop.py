"""Repeats the pass until asked to stop: lease, interval, and what to do when a pass fails.

This is the one place of `sync` that catches every exception: an adapter that runs unattended must
outlive a bug of its own, and say so. It decides nothing about results.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from adapter.audit import AuditAction
from adapter.errors import AdapterError, LeaseLost, StoreError, TemporaryServerError
from adapter.ports import PassRecord
from adapter.sync.auditing import Auditor
from adapter.sync.cycle import Cycle, Interrupts, Parts
from adapter.sync.options import SyncOptions
from adapter.sync.report import PassKind, PassReport

log = structlog.get_logger(__name__)

FAILED: Final = "failed"
"""Outcome of a pass that raised, in the audit; the count beside it names the class of the error."""


@dataclass(frozen=True)
class LoopOptions:
    """How the loop runs.

    `interval_seconds`: from the end of a pass to the start of the next. `lease_seconds`: how long
    another adapter waits for one that died. `holder`: names this process, and no other one.
    """

    interval_seconds: float = 60.0
    lease_seconds: float = 300.0
    holder: str = ""


class Loop:
    """Runs passes until `stopped` says so; the caller's signal handlers make it say so.

    `tell` is given every report. Clock.sleep must return early when a stop is asked for.
    """

    def __init__(
        self,
        parts: Parts,
        options: SyncOptions,
        loop: LoopOptions,
        *,
        stopped: Callable[[], bool],
        tell: Callable[[PassReport], None] = lambda _: None,
    ) -> None:
        self.parts = parts
        self.options = loop
        self.holder = loop.holder or uuid.uuid4().hex
        self.stopped = stopped
        self.tell = tell
        self.cycle = Cycle(
            parts, options, interrupts=Interrupts(guard=self._keep_lease, stopped=stopped)
        )
        self._fencing = 0
        self._renewed_at: datetime | None = None

    def run(self) -> None:
        """Repeat until stopped, then give the lease back.

        Raises: nothing on purpose; what a pass raises is logged and counted, and the next pass
        tries again.
        """
        self._record(AuditAction.SERVICE_STARTED)
        while not self.stopped():
            wait = self._one_pass()
            if not self.stopped():
                self.parts.clock.sleep(wait)
        self._give_lease_back()
        self._record(AuditAction.SERVICE_STOPPED)

    def _record(self, action: AuditAction) -> None:
        """Tell the trail that this process began or ended; a state that cannot be written is waited for."""
        context, clock = self.parts.context, self.parts.clock
        event = Auditor(context, self.parts.actor).happened(
            action, "done", at=clock.now(), facts={"holder": self.holder}
        )
        try:
            self.parts.store.record([event])
        except StoreError as error:
            log.warning("not_recorded", error=error)

    def _one_pass(self) -> float:
        """Run one pass and give the seconds to wait afterwards."""
        started_at = self.parts.clock.now()
        wait = self.options.interval_seconds
        try:
            if not self._take_lease():
                log.info("another_adapter_writes", wait_seconds=wait)
                return wait
            report = self.cycle.run_pass()
            if report.needs_operator:
                log.warning("brake_engaged", kind=report.kind.value)
            self.tell(report)
        except TemporaryServerError as error:
            self._note_failure(error, started_at)
            return max(wait, error.retry_after_seconds or 0.0)
        except AdapterError as error:
            self._note_failure(error, started_at)
        except Exception as error:  # noqa: BLE001 - the one place: a bug must not end the service
            self._note_failure(error, started_at)
        return wait

    def _take_lease(self) -> bool:
        now = self.parts.clock.now()
        fencing = self.parts.store.acquire_lease(
            self.holder, now=now, seconds=self.options.lease_seconds
        )
        if fencing is None:
            return False
        self._fencing, self._renewed_at = fencing, now
        return True

    def _keep_lease(self) -> None:
        """Raise LeaseLost when another adapter has taken over; renew the lease in good time.

        A lease that merely ran out while much was read is taken again: updates are held to the
        version that the plan saw, so nothing older is written over anything newer.
        """
        now = self.parts.clock.now()
        age = now - self._renewed_at if self._renewed_at else timedelta.max
        if age < timedelta(seconds=self.options.lease_seconds / 3):
            self.parts.store.check_lease(self.holder, self._fencing, now=now)
        elif not self._take_lease():
            raise LeaseLost("another adapter has taken the writer's lease; nothing more is written")

    def _give_lease_back(self) -> None:
        try:
            self.parts.store.release_lease(self.holder)
        except StoreError as error:
            log.warning("lease_not_released", error=error)

    def _note_failure(self, error: Exception, started_at: datetime) -> None:
        """Log a failure under an id that can be quoted, and put it into the audit."""
        is_bug = not isinstance(error, AdapterError)
        log.error(
            "pass_failed",
            error=error,
            event_id=uuid.uuid4().hex,
            exc_info=error if is_bug else None,
        )
        record = PassRecord(
            started_at=started_at,
            ended_at=self.parts.clock.now(),
            kind=PassKind.INCREMENTAL.value,
            outcome=FAILED,
            counts={f"error.{type(error).__name__}": 1},
        )
        try:
            self.parts.store.record_pass(record)
        except StoreError as store_error:
            log.warning("failure_not_recorded", error=store_error)
