"""What an earlier process or pass left under way, finished or dropped before anything new is planned."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

import structlog

from adapter.audit import AuditEvent
from adapter.errors import PermanentServerError, ResourceRefused, ServerError
from adapter.ports import FrozenBundle, ParkedCase, StateStore
from adapter.sync.auditing import Auditor
from adapter.sync.writing.delivery import (
    NO_TRANSACTIONS,
    Delivery,
    Fate,
    Stands,
    may_blame_content,
)
from adapter.sync.writing.doubts import Health
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.one_by_one import OneByOne
from adapter.sync.writing.sent import cases_in, is_part, parts_of

log = structlog.get_logger(__name__)

STUCK_SECONDS: Final = 900.0
"""A case that cannot be written for so long, by a server that takes other writes, is parked."""
FROZEN_FOR: Final = "frozen-for"
"""Setting: base URL of the target that the bundles in the outbox were frozen for."""


def keep_for(store: StateStore, target_url: str) -> int:
    """Leave nothing in the outbox that was frozen for another target; returns how many bundles were dropped.

    What a bundle names is relative to its server: `Patient/1` of another one is somebody else. Nothing is lost by it,
    because a pass decides anew what ought to stand. To be called by whoever writes, before anything is sent or frozen.
    """
    said = store.setting(FROZEN_FOR)
    if said == target_url:
        return 0
    foreign = () if said is None else store.outbox()
    for bundle in foreign:
        store.settle(bundle.key)
    store.set_setting(FROZEN_FOR, target_url)
    if foreign:
        log.warning("outbox_of_another_server", count=len(foreign))
    return len(foreign)


@dataclass
class Outbox:
    """Finds out what became of the bundles that are frozen and not settled.

    `health`: asks whether the server takes another write now. `guard` raises LeaseLost when another adapter has taken
    over. `park`: keeps a case that cannot be written. `waiting`: patients of whom a write still is under way, so that
    nothing new may be written of them.
    """

    delivery: Delivery
    store: StateStore
    ladder: Ladder
    auditor: Auditor
    health: Callable[[], Health]
    park: Callable[[ParkedCase], None]
    guard: Callable[[], None] = lambda: None
    waiting: set[str] = field(default_factory=set)

    def settle(self) -> int:
        """Settle what can be settled; returns how many bundles there were.

        What the plan saw still stands: the same bytes are sent, so that a write which lands late
        changes nothing. Where a part of a bundle stands, or may stand without its Provenance, each
        case is finished alone. Their patients are looked at again in any case.

        A bundle that cannot be finished while the server takes another write is parted into its cases, so that the
        one that is to blame waits alone; it is sent again by every pass, until it lands or is parked. So waits a case
        of which something stands that cannot be read.

        Raises: ServerError where the server takes no write; everything then stays in the outbox.
        """
        frozen = self.store.outbox()
        for bundle in frozen:
            if any(is_part(bundle, whole) for whole in frozen):
                self.store.settle(
                    bundle.key
                )  # killed while it was parted: the whole finishes what the part holds
            else:
                self._settle(bundle)
        return len(frozen)

    def _settle(self, bundle: FrozenBundle) -> None:
        self.store.enqueue(sorted(bundle.patients), reason="outbox")
        try:
            self._finish(bundle)
        except ServerError as error:
            health = self._is_to_blame(error)
            parts = parts_of(bundle)
            if len(parts) == 1:
                self._leave(bundle, error, health)
                return
            self._part(bundle, parts)
            for part in parts:
                try:
                    self._finish(part)
                except ServerError as of_part:
                    self._leave(part, of_part, self._is_to_blame(of_part))

    def _is_to_blame(self, error: ServerError) -> Health:
        """Raise what is no fault of the content; else tell what the server makes of another write."""
        if isinstance(error, ResourceRefused):
            return Health.TAKES
        if isinstance(error, PermanentServerError) and not (
            may_blame_content(error) or error.status in NO_TRANSACTIONS
        ):
            raise error
        health = self.health()
        if health is Health.FAILS:
            raise error
        return health

    def _part(self, bundle: FrozenBundle, parts: Sequence[FrozenBundle]) -> None:
        self.guard()
        for part in parts:
            self.store.freeze(part)
        self.store.settle(bundle.key)

    def _leave(self, bundle: FrozenBundle, error: ServerError, health: Health) -> None:
        """Let a case wait; park one that has waited for long, once it was read that nothing of it stands."""
        age = (self.delivery.attempts.clock.now() - bundle.frozen_at).total_seconds()
        is_stuck = age >= STUCK_SECONDS and health is Health.TAKES
        if is_stuck and len(bundle.patients) == 1 and not isinstance(error, ResourceRefused):
            try:
                stands, told = self.delivery.look(bundle), list(self._found(bundle))
            except ServerError as unread:
                error = unread
            else:
                if stands is Stands.AS_BEFORE or not self.ladder.manner.atomic:
                    self._park(bundle, error)
                    self.store.settle(bundle.key, told)
                    return
        log.warning("outbox_waits", status=error.status, reason=error.code)
        self.waiting |= bundle.patients

    def _park(self, bundle: FrozenBundle, error: ServerError) -> None:
        ((key, said),) = bundle.fingerprints.items()
        (patient,) = bundle.patients
        now = self.delivery.attempts.clock.now()
        self.park(ParkedCase(key, patient, str(error), said, now))

    def _finish(self, bundle: FrozenBundle) -> None:
        """Finish a bundle and settle it; one case is sent once, because the next pass sends it again."""
        self._write(bundle)
        self.store.settle(bundle.key, list(self._found(bundle)))

    def _write(self, bundle: FrozenBundle, *, after_others: bool = False) -> None:
        """Write what does not stand yet, an Observation and its Provenance at once where the server can.

        `after_others`: something of its bundle moved, so that another writer may have left this case half done.
        """
        delivery = self.delivery
        if len(bundle.expected) == 1:
            attempts = delivery.attempts
            limits = replace(attempts.limits, attempts=1)
            delivery = replace(delivery, attempts=replace(attempts, limits=limits))
        stands, is_atomic = delivery.look(bundle), self.ladder.manner.atomic
        if is_atomic and stands is Stands.MOVED and len(bundle.expected) > 1:
            for part in parts_of(bundle):
                self._write(part, after_others=True)
            return
        is_whole = is_atomic and stands is Stands.AS_SENT and not after_others
        if is_atomic and stands is Stands.AS_BEFORE:
            delivered = delivery.deliver(bundle)
            is_refused = delivered.refusal is not None and self.ladder.pairs_are_whole
            is_whole = (
                is_refused or delivered.fate is not Fate.NOT_ATOMIC or not self.ladder.send_singly()
            )
        if not is_whole:
            OneByOne(delivery).deliver(bundle, looks_first=True)

    def _found(self, bundle: FrozenBundle) -> Iterator[AuditEvent]:
        """Tell of what stands as it was sent: the process that sent it could not."""
        now = self.delivery.attempts.clock.now()
        for key, copies in self.delivery.lookup.of_cases(cases_in(bundle.body)).items():
            for stored in copies:
                if self.delivery.says(stored, bundle.fingerprints[key]):
                    yield self.auditor.found(stored, replaced=bundle.expected[key], at=now)
                    break
