"""The writer's lease as one process holds it: taken, kept while a long pass reads and writes, lent, given back.

A service holds it between its passes too, so a command that is to write beside it would never get it. It
asks instead: the service gives the lease back when its pass has ended, does nothing while the command has
it, and takes it again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

import structlog

from adapter.errors import LeaseLost, StoreError
from adapter.ports import Clock, FhirServer, JsonObject, Read, SearchPage, SearchParams, StateStore
from adapter.sync.facts import instant_in, json_of
from adapter.sync.passed_on import PassedOn

log = structlog.get_logger(__name__)

LEASE_SECONDS: Final = 300.0
"""So long another one waits for a holder that died."""
WANTED: Final = "lease-wanted"
"""Setting: who asks the holder to step aside, and until when that holds, as JSON."""
WANTED_SECONDS: Final = 60.0
"""So long the holder steps aside for somebody who died while asking."""
LOOK_SECONDS: Final = 0.5
"""How often whoever asks looks whether the lease was let go."""


class WriterLease:
    """One holder's side of the lease in the state store; `seconds` is how long another one waits for a dead holder.

    Safe for threads: each lane of a pass asks before it writes.
    """

    def __init__(
        self, store: StateStore, clock: Clock, holder: str, seconds: float = LEASE_SECONDS
    ) -> None:
        self.holder = holder
        self._store, self._clock, self._seconds = store, clock, seconds
        self._fencing = 0
        self._renewed_at: datetime | None = None
        self._is_lent = False
        self._was_anothers = False
        self._one_at_a_time = Lock()

    @property
    def renewed_every(self) -> float:
        """Seconds after which a holder renews it, so that it does not run out while the holder lives."""
        return self._seconds / 3

    def take(self) -> bool:
        """Take or renew it for a pass to come; False while another holder has it, or asks for it."""
        now = self._clock.now()
        with self._one_at_a_time:
            if self._is_wanted(now):
                self._is_lent = self._is_lent or self._renewed_at is not None
                self._release()
                return False
            fencing = self._store.acquire_lease(self.holder, now=now, seconds=self._seconds)
            self._was_anothers = False
            self._renewed_at = None if fencing is None else now
            if fencing is not None:
                self._fencing, self._is_lent = fencing, False
        return fencing is not None

    def is_others(self) -> bool:
        """Tell whether another holder has it now; for who writes nothing, and so keeps nobody from writing."""
        held = self._store.held_lease()
        return held is not None and held.holder != self.holder and held.until > self._clock.now()

    def rest(self) -> bool:
        """Between two passes: renew it in good time, lend it to whoever asks for it; tell whether it has come back."""
        was_lent, now = self._is_lent, self._clock.now()
        if self._renewed_at is None and not was_lent:
            return False
        is_quiet = not was_lent and self._is_fresh(now) and not self._is_wanted(now)
        return not is_quiet and self.take() and was_lent

    def keep(self) -> None:
        """Raise LeaseLost when another adapter writes or has written since the pass began; renew it in good time.

        A lease that merely ran out while much was read is taken again. One that somebody else had meanwhile is not:
        what this pass has planned does not know what that one wrote.
        """
        now = self._clock.now()
        with self._one_at_a_time:
            if self._is_fresh(now) and not self._was_anothers:
                self._store.check_lease(self.holder, self._fencing, now=now)
            else:
                self._prolong(now)
            if self._was_anothers:
                raise LeaseLost(
                    "another adapter has taken the writer's lease; nothing more is written"
                )

    def lives(self) -> None:
        """Renew it in good time in the middle of a pass; whether it was lost is told by `keep`, before a write."""
        now = self._clock.now()
        with self._one_at_a_time:
            if self._renewed_at is None or self._is_fresh(now):
                return
            try:
                self._prolong(now)
            except StoreError as error:
                log.warning("lease_not_renewed", error=error)

    def give_back(self) -> None:
        """Let another adapter write at once, instead of when the lease has run out."""
        with self._one_at_a_time:
            self._release()

    def borrow(self, seconds: float, *, stopped: Callable[[], bool]) -> bool:
        """Take it, and ask whoever has it to step aside; False when that did not happen in so many seconds.

        `stopped`: ends the wait.
        """
        began = self._clock.now()
        asked_at: datetime | None = None
        try:
            while not self.take():
                now = self._clock.now()
                left = seconds - (now - began).total_seconds()
                if left <= 0 or stopped():
                    return False
                if asked_at is None or now - asked_at >= timedelta(seconds=WANTED_SECONDS / 3):
                    self._ask(now)
                    asked_at = now
                self._clock.sleep(min(LOOK_SECONDS, left))
            return True
        finally:
            if asked_at is not None:
                self._ask_no_more()

    def _is_fresh(self, now: datetime) -> bool:
        at = self._renewed_at
        return at is not None and now - at < timedelta(seconds=self.renewed_every)

    def _prolong(self, now: datetime) -> None:
        """Renew it within a pass, and note whether another holder has had it since the pass began."""
        fencing = self._store.acquire_lease(self.holder, now=now, seconds=self._seconds)
        if fencing is None or fencing > self._fencing + 1:  # ours that ran out counts one
            self._was_anothers = True
        self._renewed_at = None if fencing is None else now
        self._fencing = self._fencing if fencing is None else fencing

    def _release(self) -> None:
        was_ours, self._renewed_at = self._renewed_at is not None, None
        if not was_ours:
            return
        try:
            self._store.release_lease(self.holder)
        except StoreError as error:
            log.warning("lease_not_released", error=error)

    def _is_wanted(self, now: datetime) -> bool:
        """Tell whether somebody else asks for it; whose clock runs far ahead asks in vain."""
        said = json_of(self._store, WANTED)
        until = instant_in(said.get("until"))
        longest = now + timedelta(seconds=10 * WANTED_SECONDS)
        return said.get("by") != self.holder and until is not None and now < until <= longest

    def _ask(self, now: datetime) -> None:
        if self._is_wanted(now):  # one after the other
            return
        until = now + timedelta(seconds=WANTED_SECONDS)
        said = {"by": self.holder, "until": until.isoformat()}
        self._store.set_setting(WANTED, json.dumps(said))

    def _ask_no_more(self) -> None:
        """Forget that it was asked for; where that cannot be written it ends by itself."""
        try:
            if json_of(self._store, WANTED).get("by") == self.holder:
                self._store.set_setting(WANTED, None)
        except StoreError as error:
            log.warning("lease_not_released", error=error)


class SignOfLife(PassedOn):
    """A FHIR server that tells of each answer, so that whoever reads for long does not lose the lease.

    A pass that hangs is given none, and loses it: then another adapter takes over.
    """

    def __init__(self, server: FhirServer, answered: Callable[[], None]) -> None:
        super().__init__(server)
        self._answered = answered

    def read(self, reference: str) -> JsonObject | None:
        """Read, and tell of it."""
        found = self.server.read(reference)
        self._answered()
        return found

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Read many, and tell of it."""
        found = self.server.read_all(references)
        self._answered()
        return found

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search, and tell of each page."""
        for page in self.server.search(resource_type, params):
            self._answered()
            yield page
