"""Writing back: cases in transactions, frozen before they are sent, bisected if refused.

A case lands with its Provenance or not at all. One that the server will not take is parked with its
reason while the rest land (`doubts`); one of which nobody knows waits in the outbox; one under which
something moved is planned again. What was stored is held against what was sent. How the target is
written to is found out on the way (`ladder`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Final

import structlog

from adapter.audit import AuditEvent
from adapter.errors import (
    AmbiguousMatch,
    InvalidRecord,
    PartlyCarriedOut,
    PermanentServerError,
    ResourceRefused,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
)
from adapter.fhir.record.provenance import frozen_bundle_body
from adapter.ports import Clock, FrozenBundle, JsonObject, ParkedCase, StateStore
from adapter.sync.auditing import Auditor
from adapter.sync.planning.plan import Planned
from adapter.sync.strategy import ENTRIES_PER_CASE
from adapter.sync.writing.bundle import BundleMaker
from adapter.sync.writing.confirming import IF_MATCH_IGNORED, NOT_WRITTEN, Confirming, Landed
from adapter.sync.writing.delivery import Delivered, Delivery, Fate, Stands
from adapter.sync.writing.doubts import Doubt, Doubts, Health
from adapter.sync.writing.first_write import FirstWrite
from adapter.sync.writing.foreign_edits import EDITED_BY_OTHERS
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.lanes import Lanes
from adapter.sync.writing.one_by_one import OneByOne
from adapter.sync.writing.sent import cases_in, single_write

log = structlog.get_logger(__name__)

STORED_DIFFERENTLY: Final = "stored-differently"
"""Why a case is parked whose stored form does not say what was sent."""
REFUSED: Final = "refused"
"""Why a case is parked that the server, or our own check of it, refuses for good."""
ORPHAN: Final = "orphan-provenance"
"""Signal: a Provenance of a version that never came to stand could not be taken back."""
WAITS: Final = "outbox-waits"
"""Signal: patients of whom a write that could not be finished waits in the outbox; the next pass goes on with it."""
TOO_BIG: Final = 413
MAX_REASON: Final = 256
TRIED_AGAIN: Final = "a write cannot be finished, and is tried again by every pass"
MOST_LEFT: Final = 3
"""After so many bundles in a row of which nobody knows what became of them, the pass stops."""


@dataclass
class Written:
    """What became of the cases that were to be written.

    `landed`: key of the planned case → what stands now. `replan`: patients to look at again,
    because something moved. `parked`: key → reason. `left`: patients whose cases were not sent,
    because the pass was asked to stop. `waiting`: patients of whom a write is still under way.
    `versions`: versions of resources that were made. `signals`: what the operator should know, counted.
    """

    landed: dict[str, Landed] = field(default_factory=dict)
    replan: set[str] = field(default_factory=set)
    parked: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    waiting: set[str] = field(default_factory=set)
    versions: int = 0
    signals: Counter[str] = field(default_factory=Counter)


@dataclass
class Writer:
    """Writes planned cases to the target, for one pass.

    `guard` raises LeaseLost when another adapter has taken over. `stopped` asks for an early end
    between two bundles. `retried`: keys of cases that are parked with this very content; refused once
    more they stay so.
    """

    delivery: Delivery
    store: StateStore
    clock: Clock
    maker: BundleMaker
    auditor: Auditor
    ladder: Ladder
    guard: Callable[[], None] = lambda: None
    stopped: Callable[[], bool] = lambda: False
    written: Written = field(default_factory=Written)
    doubts: Doubts = field(default_factory=Doubts)
    retried: set[str] = field(default_factory=set)
    _left_in_a_row: int = 0
    _device_stands: bool = False
    _next_at: datetime | None = None
    _counting: Lock = field(default_factory=Lock)

    def write(self, cases: Sequence[Planned], lanes: Lanes) -> None:
        """Send cases, a bundle a lane; what became of them is in `written` once the lanes are done, and after `finish`.

        Raises, here or where the lanes are waited for:
            TemporaryServerError: after the last attempt, of a server that fails every write; the bundle stays in the
                outbox.
            NotAuthorised, PermanentServerError: what no smaller bundle would heal.
            LeaseLost, StoreError: nothing is sent that is not frozen.

        """
        self._judge()
        start = 0
        while start < len(cases):
            batch = cases[start : start + self._size()]
            start += len(batch)
            if self.stopped():
                self.written.left.update(one.patient for one in batch)
            else:
                self._ensure_device()
                self._pace(len(batch))
                lanes.submit(partial(self._send, batch))

    def finish(self) -> None:
        """Decide of what was refused whether the content is to blame; once the lanes are done.

        Raises: the first refusal, where the server takes nothing else either; those cases stay in the outbox.
        """
        self._judge()
        if self.doubts.first is not None:
            health, refusal = self.health(), self.doubts.first
            if health is not Health.TAKES:
                raise refusal
            self._judge()

    def health(self) -> Health:
        """Ask what the server makes of a write that changes nothing: the Device once more."""
        manner = self.ladder.manner
        entry = replace(self.maker, strategy=manner.strategy).device_again()
        target = self.delivery.target
        try:
            if manner.atomic:
                target.transact(frozen_bundle_body([entry]))
            else:
                target.write(single_write(entry))
        except (PartlyCarriedOut, PermanentServerError) as error:
            if not isinstance(error, AmbiguousMatch):
                return Health.REFUSES
        except TemporaryServerError:
            return Health.FAILS
        self.doubts.took()
        return Health.TAKES

    def _size(self) -> int:
        limits = self.delivery.limits
        size = limits.batch_cases
        if limits.cases_per_minute is not None:
            size = max(1, min(size, int(limits.cases_per_minute)))
        return self.ladder.manner.cases_at_once(size)

    def _pace(self, cases: int) -> None:
        """Wait until `cases_per_minute` allows this many more."""
        rate = self.delivery.limits.cases_per_minute
        if rate is None:
            return
        now = self.clock.now()
        if self._next_at is not None and self._next_at > now:
            self.clock.sleep((self._next_at - now).total_seconds())
        self._next_at = self.clock.now() + timedelta(seconds=60 * cases / rate)

    def _ensure_device(self) -> None:
        """Write the Device of this software version before the first result that names it."""
        if not self._device_stands:
            first = FirstWrite(self.delivery, self.ladder, self.guard)
            self.maker, written = first.device(self.maker)
            with self._counting:
                self.written.versions += written
            self._device_stands = True

    def _send(self, batch: Sequence[Planned]) -> bool:
        """Send cases that are not more than one bundle may hold; tell whether all of them landed."""
        size = self._size()
        if len(batch) > size:  # it was found out meanwhile that fewer go at once
            parts = (batch[start : start + size] for start in range(0, len(batch), size))
            every = [self._send(part) for part in parts]
            return all(every)
        frozen = self._frozen(batch)
        if frozen is None:
            return False
        bundle, sound = frozen
        try:
            delivered = self._deliver(bundle, is_single=len(sound) == 1)
        except TemporaryServerError as error:
            self._leave(bundle, error)
            return False
        if delivered.fate is Fate.NOT_ATOMIC:
            self._send_singly(sound, delivered)
        self._end(bundle, sound, delivered)
        if delivered.fate is Fate.REFUSED and len(sound) > 1:
            return self._send_halves(sound, is_too_big=_status(delivered) == TOO_BIG)
        return delivered.fate is Fate.LANDED and len(sound) == len(batch)

    def _frozen(self, batch: Sequence[Planned]) -> tuple[FrozenBundle, list[Planned]] | None:
        """Freeze what is valid of a batch, and park the rest."""
        entries: list[JsonObject] = []
        sound: list[Planned] = []
        for planned in batch:
            try:
                entries.extend(self.maker.entries(planned))
                sound.append(planned)
            except InvalidRecord as error:
                self.park(planned, str(error))
        if not sound:
            return None
        bundle = self.maker.frozen(sound, entries)
        self.guard()
        self.store.freeze(bundle)
        return bundle, sound

    def _deliver(self, bundle: FrozenBundle, *, is_single: bool) -> Delivered:
        ladder, one_by_one = self.ladder, OneByOne(self.delivery)
        looks_first = ladder.if_match_ignored
        if not ladder.manner.atomic:
            return one_by_one.deliver(bundle, looks_first=looks_first)
        delivered = self.delivery.deliver(bundle, looks_first=looks_first)
        if delivered.fate is Fate.LANDED:
            ladder.landed_whole()
        is_denied = delivered.fate is Fate.NOT_ATOMIC and delivered.refusal is not None
        if is_denied and (ladder.pairs_are_whole or self._takes_transactions()):
            # It takes transactions: this answer is about the content, or of a moment.
            delivered = replace(delivered, fate=Fate.REFUSED)
        may_be_no_transaction = (
            is_single and delivered.fate is Fate.REFUSED and not ladder.pairs_are_whole
        )
        if may_be_no_transaction and ladder.may_send_singly and not self._takes_transactions():
            alone = one_by_one.deliver(bundle)
            if alone.fate is Fate.LANDED:
                ladder.send_singly()
            return alone
        return delivered

    def _takes_transactions(self) -> bool:
        """Tell by a transaction of two entries, which changes nothing, whether the server refuses all of them.

        A case that is refused for what it says must not be sent in two parts: its Provenance may be what is refused.
        """
        body = self.maker.harmless()
        try:
            tried = self.delivery.attempts.until_known(
                lambda: self.delivery.target.transact(body), lambda: Stands.AS_BEFORE
            )
        except PartlyCarriedOut:
            return False
        if tried.fate is Fate.LANDED:
            self.ladder.landed_whole()
        return tried.fate is Fate.LANDED

    def _send_singly(self, cases: Sequence[Planned], delivered: Delivered) -> None:
        """Finish a bundle on a server that turns out to have no real transactions."""
        if not self.ladder.send_singly():
            raise delivered.refusal or UnknownOutcome("the server carries out no transactions")
        for planned in cases:
            frozen = self._frozen([planned])
            if frozen is None:
                continue
            bundle, _ = frozen
            has_failed = planned.key in delivered.failed
            one_by_one = OneByOne(self.delivery)
            try:
                one = one_by_one.deliver(bundle, looks_first=True, has_failed=has_failed)
            except TemporaryServerError as error:
                self._leave(bundle, error)
            else:
                self._end(bundle, [planned], one)

    def _leave(self, bundle: FrozenBundle, error: ServerError) -> None:
        """Leave a bundle of which nobody knows in the outbox; raises where it is the server that fails."""
        if not isinstance(error, ResourceRefused):
            with self._counting:
                self._left_in_a_row += 1
            if self._left_in_a_row > MOST_LEFT or self.health() is Health.FAILS:
                raise error
        log.warning("outbox_waits", status=error.status, reason=error.code)
        with self._counting:
            self.written.waiting |= bundle.patients
            self.written.signals[WAITS] += len(bundle.patients)

    def _judge(self) -> None:
        """Send once more what was refused before the server took another write, and park what it refuses again."""
        for doubt in self.doubts.pop_founded():
            try:
                delivered = self._again(doubt)
            except TemporaryServerError as error:
                self._leave(doubt.bundle, error)
                continue
            if delivered.fate in (Fate.REFUSED, Fate.UNPROVED):
                self.park(doubt.planned, str(delivered.refusal))
                self.store.settle(doubt.bundle.key)
            else:
                self._end(doubt.bundle, [doubt.planned], delivered)

    def _again(self, doubt: Doubt) -> Delivered:
        if self.ladder.manner.atomic:
            looks_first = self.ladder.if_match_ignored
            delivered = self.delivery.deliver(doubt.bundle, looks_first=looks_first)
            if delivered.fate is not Fate.NOT_ATOMIC:
                return delivered
            if delivered.refusal is not None:
                return replace(delivered, fate=Fate.REFUSED)
        return OneByOne(self.delivery).deliver(doubt.bundle, looks_first=True)

    def _end(self, bundle: FrozenBundle, cases: Sequence[Planned], delivered: Delivered) -> None:
        """Take in what became of a bundle, then settle it."""
        with self._counting:
            self.written.signals[ORPHAN] += delivered.orphaned
        landed: list[AuditEvent] = []
        match delivered.fate:
            case Fate.LANDED:
                self.doubts.took()
                self._left_in_a_row = 0
                try:
                    self._prove(bundle, delivered)
                    landed = self._confirm(cases, delivered)
                except TemporaryServerError as error:
                    self._leave(bundle, error)
                    return
            case Fate.MOVED:
                self._look_again(bundle.patients, "moved")
            case Fate.REFUSED | Fate.UNPROVED:
                log.info("bundle_refused", cases=len(cases), status=_status(delivered))
                if len(cases) == 1 and cases[0].key in self.retried:
                    self.park(cases[0], str(delivered.refusal))
                elif len(cases) == 1 and delivered.refusal is not None:
                    self.doubts.add(bundle, cases[0], delivered.refusal)
                    return  # it stays in the outbox until `finish`
        # Settled only now: a crash before leaves the outbox to say what may have been sent.
        self.store.settle(bundle.key, landed)

    def _send_halves(self, cases: Sequence[Planned], *, is_too_big: bool) -> bool:
        """Find the case that a bundle was refused for; where none is, the bundle was too big (B8)."""
        middle = (len(cases) + 1) // 2
        first, second = self._send(cases[:middle]), self._send(cases[middle:])
        if first and second:
            self.ladder.cap(ENTRIES_PER_CASE * middle, is_said=is_too_big)
        return first and second

    def _confirm(self, batch: Sequence[Planned], delivered: Delivered) -> list[AuditEvent]:
        """Hold what was stored against what was sent; give what the trail is to say of what stands."""
        told = []
        with self._counting:
            self.written.versions += len(delivered.outcomes)
        confirming = Confirming(self.delivery, self.maker.strategy, self.maker.context.output)
        for planned, one in zip(batch, confirming.of(batch, delivered), strict=True):
            if one.landed is not None:
                self.written.landed[planned.key] = one.landed
                stands_as = one.landed
                told.append(self.auditor.written(planned, stands_as, at=self.clock.now()))
            elif not one.again:
                self.park(planned, STORED_DIFFERENTLY)
            if one.again == IF_MATCH_IGNORED:
                self.ladder.if_match_ignored = True
            if one.again == NOT_WRITTEN:
                self._take_back(planned)
            if one.again:
                with self._counting:
                    self.written.signals[one.again] += 1
                self._look_again([planned.patient], one.again)
        return told

    def _prove(self, bundle: FrozenBundle, delivered: Delivered) -> None:
        """Write what a transaction left out because a condition of it found another Provenance."""
        outcomes = delivered.outcomes
        if self.ladder.manner.strategy.chooses_ids or len(outcomes) != 2 * len(bundle.expected):
            return
        pairs = zip(cases_in(bundle.body), outcomes[::2], outcomes[1::2], strict=True)
        for case, written, proved in pairs:
            OneByOne(self.delivery).prove(bundle, case, written, proved)

    def _take_back(self, planned: Planned) -> None:
        """Leave no Provenance of what was not written."""
        made = self.maker.entries(planned)[-1]
        if not OneByOne(self.delivery).take_back(made):
            with self._counting:
                self.written.signals[ORPHAN] += 1

    def _look_again(self, patients: Sequence[str] | frozenset[str], reason: str) -> None:
        self.written.replan.update(patients)
        self.store.enqueue(sorted(patients), reason=reason)

    def park(self, planned: Planned, reason: str) -> None:
        """Keep a planned case that cannot be written until it is retried or its sources change."""
        now = self.clock.now()
        case = ParkedCase(planned.key, planned.patient, reason, planned.fingerprint, now)
        self.keep_parked(case)

    def keep_parked(self, case: ParkedCase) -> None:
        """Keep a case that cannot be written until it is retried or its sources change."""
        reason = case.reason
        case = replace(case, reason=reason[:MAX_REASON])
        self.written.parked[case.key] = case.reason
        log.warning("case_parked", key=case.key)
        code = reason if reason in (STORED_DIFFERENTLY, EDITED_BY_OTHERS) else REFUSED
        if case.key not in self.retried:
            # Recorded first: a crash in between tells of it twice, and never not at all.
            self.store.record([self.auditor.parked(case, code)])
        self.store.park(case)


def _status(delivered: Delivered) -> int | None:
    return delivered.refusal.status if delivered.refusal else None
