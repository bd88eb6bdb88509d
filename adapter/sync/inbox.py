"""What comes in between two passes: wake-ups, and patients that somebody asks for now.

A wake-up says only that something may have changed; any number of them end in one pass, which starts
when they have settled, and what arrives while it runs ends in one more. Whoever asks for patients gets
the report of the pass that looked at them; several that wait are served by one pass. Nothing here is
durable: the queue of the state store and the discovery of the next pass hold what must not be lost.
"""

from __future__ import annotations

import math
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition
from time import monotonic
from typing import Final

from adapter.errors import AdapterError
from adapter.sync.report import PassReport

ASKED: Final = "asked"
"""Reason in the durable queue: somebody asked for the patient."""
OBSERVED: Final = "asked-to-observe"
"""The same where nothing may be written: to look is all that is asked for."""
_LOOK_SECONDS: Final = 0.25
"""How often a wait looks whether a stop was asked for: a signal handler can take no lock."""


class InboxFull(AdapterError):
    """As many ask already as may wait; `retry_after_seconds` is when to come again."""

    def __init__(self, retry_after_seconds: int) -> None:
        self.retry_after_seconds = retry_after_seconds
        super().__init__(f"the queue is full; ask again in {retry_after_seconds} s")


class InboxClosed(AdapterError):
    """The adapter is stopping; what was asked for stays queued for the next start."""


class AnotherWrites(AdapterError):
    """Another adapter holds the lease: it does what is queued, this one stands by."""


@dataclass(frozen=True)
class InboxLimits:
    """How much may wait, and how long.

    `asks`: requests that wait. `patients_at_once`: patients that one pass over requests looks at.
    `settle_seconds`: a pass starts when no wake-up came for so long, `settle_most_seconds` after the first
    at the latest.
    """

    asks: int = 100
    patients_at_once: int = 100
    settle_seconds: float = 1.0
    settle_most_seconds: float = 10.0


@dataclass(frozen=True)
class Ask:
    """Patients ("Patient/<id>") that somebody asks for; `report`: the pass over them, or why there was none."""

    patients: tuple[str, ...]
    key: str = field(default_factory=lambda: uuid.uuid4().hex)
    report: Future[PassReport] = field(default_factory=Future)


class Inbox:
    """Hands wake-ups and requests of any thread to the one thread that runs passes.

    `seconds_now`: a clock that never goes back, in seconds.
    """

    def __init__(
        self,
        limits: InboxLimits | None = None,
        *,
        seconds_now: Callable[[], float] = monotonic,
    ) -> None:
        self.limits = limits or InboxLimits()
        self._now = seconds_now
        self._changed = Condition()
        self._asks: deque[Ask] = deque()
        self._places = 0
        self._first_wake: float | None = None
        self._last_wake = 0.0
        self._is_closed = False
        self._wakes = 0

    @property
    def wakes(self) -> int:
        """Wake-ups so far, those that were coalesced included."""
        return self._wakes

    @property
    def waiting(self) -> int:
        """Requests that wait."""
        return len(self._asks)

    def wake(self) -> None:
        """Say that something may have changed."""
        with self._changed:
            self._wakes += 1
            self._last_wake = self._now()
            if self._first_wake is None:
                self._first_wake = self._last_wake
                self._changed.notify_all()

    def ask(self, patients: tuple[str, ...]) -> Ask:
        """Ask for patients now; raises InboxFull, InboxClosed."""
        with self.place() as ask:
            return ask(patients)

    @contextmanager
    def place(self) -> Iterator[Callable[[tuple[str, ...]], Ask]]:
        """Keep a place free, and give what asks for patients in it.

        So whoever asks can queue the patients first: a pass that began over them before they are queued would
        leave them there, to be looked at again for nothing. Raises: InboxFull, InboxClosed, also when asking.
        """
        with self._changed:
            self._see_that_it_is_open()
            if len(self._asks) + self._places >= self.limits.asks:
                raise InboxFull(self._come_again)
            self._places += 1
        try:
            yield self._put
        finally:
            with self._changed:
                self._places -= 1

    def _put(self, patients: tuple[str, ...]) -> Ask:
        with self._changed:
            self._see_that_it_is_open()
            one = Ask(patients)
            self._asks.append(one)
            self._changed.notify_all()
            return one

    def _see_that_it_is_open(self) -> None:
        if self._is_closed:
            raise InboxClosed("the adapter is stopping; ask again after its next start")

    def now(self) -> float:
        """Tell the seconds of the clock that waits go by."""
        return self._now()

    def wait(
        self,
        due: float,
        *,
        wakes_from: float = 0.0,
        look_at: float = math.inf,
        stopped: Callable[[], bool],
    ) -> tuple[Ask, ...]:
        """Wait for requests, until a pass over everything is due.

        Args:
            due: when that pass begins at the latest, as `now` counts.
            wakes_from: no wake-up makes it begin earlier than this, because a server asked for peace.
            look_at: when the wait ends for now where nobody asks.
            stopped: ends the wait.

        Returns:
            The requests that waited longest, as many as one pass can look at; none when the pass over
            everything is due, the wait ends for now, or a stop was asked for.

        """
        with self._changed:
            while not stopped():
                begins, now = self._begins(due, wakes_from), self._now()
                if begins <= now:
                    break
                if self._asks:
                    return self._taken()
                if look_at <= now:
                    break
                self._changed.wait(min(begins - now, _LOOK_SECONDS))
            return ()

    def is_time(self, due: float, wakes_from: float) -> bool:
        """Tell whether a pass over everything is due; arguments as `wait`."""
        with self._changed:
            return self._begins(due, wakes_from) <= self._now()

    def take_wakes(self) -> bool:
        """Note that a pass begins which will see what the wake-ups so far were about; tell whether there were any."""
        with self._changed:
            were_any, self._first_wake = self._first_wake is not None, None
            return were_any

    def keep_wakes(self) -> None:
        """Note that the pass which took the wake-ups saw nothing: they are still to be followed."""
        with self._changed:
            if self._first_wake is None:
                self._first_wake = self._last_wake = self._now()

    def close(self) -> None:
        """Take nothing in any more, and tell everybody who waits."""
        with self._changed:
            self._is_closed = True
            left, self._asks = tuple(self._asks), deque()
        for one in left:
            if one.report.set_running_or_notify_cancel():
                one.report.set_exception(InboxClosed("the adapter is stopping"))

    @property
    def _come_again(self) -> int:
        """Seconds after which a place is likely; a pass over few patients takes about one."""
        return max(1, len(self._asks) // 10)

    def _begins(self, due: float, wakes_from: float) -> float:
        if self._first_wake is None:
            return due
        settled = min(
            self._last_wake + self.limits.settle_seconds,
            self._first_wake + self.limits.settle_most_seconds,
        )
        return min(due, max(settled, wakes_from))

    def _taken(self) -> tuple[Ask, ...]:
        taken: list[Ask] = []
        patients: set[str] = set()
        while self._asks:
            wanted = patients | set(self._asks[0].patients)
            if taken and len(wanted) > self.limits.patients_at_once:
                break
            patients, one = wanted, self._asks.popleft()
            if one.report.set_running_or_notify_cancel():  # whoever asked may have gone
                taken.append(one)
        return tuple(taken)
