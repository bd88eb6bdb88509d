"""The writer's lease as one process holds it: taken, kept while a long pass writes, given back."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from adapter.errors import LeaseLost, StoreError
from adapter.ports import Clock, StateStore

log = structlog.get_logger(__name__)


class WriterLease:
    """One holder's side of the lease in the state store; `seconds` is how long another one waits for a dead holder."""

    def __init__(self, store: StateStore, clock: Clock, holder: str, seconds: float) -> None:
        self.holder = holder
        self._store, self._clock, self._seconds = store, clock, seconds
        self._fencing = 0
        self._renewed_at: datetime | None = None

    @property
    def renewed_every(self) -> float:
        """Seconds after which a holder renews it, so that it does not run out while the holder lives."""
        return self._seconds / 3

    def renew(self) -> None:
        """Renew it between two passes, if it is ours; a state that cannot be written is waited for."""
        if self._renewed_at is None:
            return
        try:
            self.take()
        except StoreError as error:
            log.warning("lease_not_renewed", error=error)

    def take(self) -> bool:
        """Take or renew it; False while another holder has it."""
        now = self._clock.now()
        fencing = self._store.acquire_lease(self.holder, now=now, seconds=self._seconds)
        if fencing is None:
            self._renewed_at = None
            return False
        self._fencing, self._renewed_at = fencing, now
        return True

    def keep(self) -> None:
        """Raise LeaseLost when another adapter has taken over; renew the lease in good time.

        A lease that merely ran out while much was read is taken again: updates are held to the
        version that the plan saw, so nothing older is written over anything newer.
        """
        now = self._clock.now()
        age = now - self._renewed_at if self._renewed_at else timedelta.max
        if age < timedelta(seconds=self.renewed_every):
            self._store.check_lease(self.holder, self._fencing, now=now)
        elif not self.take():
            raise LeaseLost("another adapter has taken the writer's lease; nothing more is written")

    def give_back(self) -> None:
        """Let another adapter write at once, instead of when the lease has run out."""
        self._renewed_at = None
        try:
            self._store.release_lease(self.holder)
        except StoreError as error:
            log.warning("lease_not_released", error=error)
