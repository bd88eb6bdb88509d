"""Writing back: cases in transactions, frozen before they are sent, bisected if refused.

A case lands with its Provenance or not at all. One that the server will not take is parked with its
reason while the rest land; one under which something moved is planned again. What was stored is
held against what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from threading import Lock
from typing import Final

import structlog

from adapter.audit import AuditEvent
from adapter.errors import InvalidRecord
from adapter.ports import (
    Clock,
    EntryOutcome,
    FrozenBundle,
    JsonObject,
    ParkedCase,
    StateStore,
)
from adapter.sync.auditing import Auditor
from adapter.sync.bundle import BundleMaker
from adapter.sync.delivery import Delivered, Delivery, Fate
from adapter.sync.lanes import Lanes
from adapter.sync.plan import Planned
from adapter.sync.references import version_of

log = structlog.get_logger(__name__)

STORED_DIFFERENTLY: Final = "stored-differently"
"""Why a case is parked whose stored form does not say what was sent."""
REFUSED: Final = "refused"
"""Why a case is parked that the server, or our own check of it, refuses for good."""
MAX_REASON: Final = 256


@dataclass
class Written:
    """What became of the cases that were to be written.

    `landed`: key of the derived Observation → its versionId now, "" where the server does not say.
    `replan`: patients to look at again, because something moved. `parked`: key → reason. `left`:
    patients whose cases were not sent, because the pass was asked to stop. `versions`: versions of
    resources that were made.
    """

    landed: dict[str, str] = field(default_factory=dict)
    replan: set[str] = field(default_factory=set)
    parked: dict[str, str] = field(default_factory=dict)
    left: set[str] = field(default_factory=set)
    versions: int = 0


@dataclass
class Writer:
    """Writes planned cases to the target, for one pass.

    `guard` raises LeaseLost when another adapter has taken over. `stopped` asks for an early end
    between two bundles.
    """

    delivery: Delivery
    store: StateStore
    clock: Clock
    maker: BundleMaker
    auditor: Auditor
    guard: Callable[[], None] = lambda: None
    stopped: Callable[[], bool] = lambda: False
    written: Written = field(default_factory=Written)
    _device_stands: bool = False
    _next_at: datetime | None = None
    _counting: Lock = field(default_factory=Lock)

    def write(self, cases: Sequence[Planned], lanes: Lanes) -> None:
        """Send cases, a bundle a lane; what became of them is in `written` once the lanes are done.

        Raises, here or where the lanes are waited for:
            TemporaryServerError: after the last attempt; the bundle stays in the outbox.
            NotAuthorised, PermanentServerError: what no smaller bundle would heal.
            LeaseLost, StoreError: nothing is sent that is not frozen.

        """
        for batch in self._batches(cases):
            if self.stopped():
                self.written.left.update(one.patient for one in batch)
            else:
                self._ensure_device()
                self._pace(len(batch))
                lanes.submit(partial(self._send, batch))

    def _batches(self, cases: Sequence[Planned]) -> Iterator[Sequence[Planned]]:
        limits = self.delivery.limits
        size = limits.batch_cases
        if limits.cases_per_minute is not None:
            size = max(1, min(size, int(limits.cases_per_minute)))
        for start in range(0, len(cases), size):
            yield cases[start : start + size]

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
        if self._device_stands:
            return
        reference, body = self.maker.device()
        self.guard()
        with self._counting:
            self.written.versions += self.delivery.ensure(reference, body)
        self._device_stands = True

    def _send(self, batch: Sequence[Planned]) -> None:
        entries: list[JsonObject] = []
        sound: list[Planned] = []
        for planned in batch:
            try:
                entries.extend(self.maker.entries(planned))
                sound.append(planned)
            except InvalidRecord as error:
                self._park(planned, str(error))
        if not sound:
            return
        bundle = self.maker.frozen(sound, entries)
        self.guard()
        self.store.freeze(bundle)
        delivered = self.delivery.deliver(bundle)
        landed: list[AuditEvent] = []
        match delivered.fate:
            case Fate.LANDED:
                landed = self._confirm(sound, delivered)
            case Fate.MOVED:
                self.written.replan.update(bundle.patients)
                self.store.enqueue(sorted(bundle.patients), reason="moved")
            case Fate.REFUSED:
                log.info("bundle_refused", cases=len(sound), status=_status(delivered))
                if len(sound) == 1:
                    self._park(sound[0], str(delivered.refusal))
        # Settled only now: a crash before leaves the outbox to say what may have been sent.
        self.store.settle(bundle.key, landed)
        if delivered.fate is Fate.REFUSED and len(sound) > 1:
            middle = len(sound) // 2
            self._send(sound[:middle])
            self._send(sound[middle:])

    def _confirm(self, batch: Sequence[Planned], delivered: Delivered) -> list[AuditEvent]:
        """Hold what was stored against what was sent; give what the trail is to say of what stands."""
        answers = _observations(delivered.outcomes, len(batch))
        with self._counting:
            self.written.versions += len(delivered.outcomes)
        unseen = [one.key for one in batch if _returned(answers.get(batch.index(one))) is None]
        read = (
            self.delivery.target.read_all([f"Observation/{key}" for key in unseen])
            if unseen
            else {}
        )
        landed = []
        for index, planned in enumerate(batch):
            answer = answers.get(index)
            stored = _returned(answer) or read.get(f"Observation/{planned.key}")
            if not self.delivery.says(stored, planned.fingerprint):
                self._park(planned, STORED_DIFFERENTLY)
                continue
            version = (version_of(stored) if stored else None) or ""
            self.written.landed[planned.key] = version
            landed.append(self.auditor.written(planned, version, at=self.clock.now()))
            if answer is not None and planned.replaced is None and answer.status == 200:
                # Somebody else has created it meanwhile: what stands now deserves another look.
                self.written.replan.add(planned.patient)
                self.store.enqueue([planned.patient], reason="unexpected-update")
        return landed

    def _park(self, planned: Planned, reason: str) -> None:
        self.written.parked[planned.key] = reason[:MAX_REASON]
        log.warning("case_parked", key=planned.key)
        case = ParkedCase(
            key=planned.key,
            patient=planned.patient,
            reason=reason[:MAX_REASON],
            fingerprint=planned.fingerprint,
            parked_at=self.clock.now(),
        )
        code = STORED_DIFFERENTLY if reason == STORED_DIFFERENTLY else REFUSED
        # Recorded first: a crash in between tells of it twice, and never not at all.
        self.store.record([self.auditor.parked(case, code)])
        self.store.park(case)


def settle_outbox(delivery: Delivery, store: StateStore, auditor: Auditor) -> int:
    """Find out what became of bundles that an earlier process froze; returns how many there were.

    What the plan saw still stands: the same bytes are sent, so that a write which lands late
    changes nothing. Anything else is dropped. Their patients are looked at again in any case.

    Raises: ServerError as `deliver`; the bundle then stays in the outbox.
    """
    bundles = store.outbox()
    for bundle in bundles:
        store.enqueue(sorted(bundle.patients), reason="outbox")
        if delivery.look(bundle) == "as-before":
            delivery.deliver(bundle)
        store.settle(bundle.key, _found(bundle, delivery, auditor))
    return len(bundles)


def _found(bundle: FrozenBundle, delivery: Delivery, auditor: Auditor) -> Iterator[AuditEvent]:
    """Tell of what stands as it was sent: the process that sent it could not."""
    now = delivery.clock.now()
    read = delivery.target.read_all([f"Observation/{key}" for key in bundle.expected])
    for key, replaced in bundle.expected.items():
        stored = read.get(f"Observation/{key}")
        if stored is not None and delivery.says(stored, bundle.fingerprints[key]):
            yield auditor.found(stored, replaced=replaced, at=now)


def _observations(outcomes: tuple[EntryOutcome, ...], cases: int) -> dict[int, EntryOutcome]:
    """Give the outcomes of the Observations: every other entry, two for each case."""
    if len(outcomes) != 2 * cases:
        return {}
    return dict(enumerate(outcomes[::2]))


def _returned(outcome: EntryOutcome | None) -> JsonObject | None:
    return outcome.resource if outcome is not None else None


def _status(delivered: Delivered) -> int | None:
    return delivered.refusal.status if delivered.refusal else None
