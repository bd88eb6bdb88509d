"""What an earlier process left under way, finished or dropped before anything new is planned."""

from __future__ import annotations

from collections.abc import Iterator

import structlog

from adapter.audit import AuditEvent
from adapter.errors import ResourceRefused
from adapter.ports import FrozenBundle, StateStore
from adapter.sync.auditing import Auditor
from adapter.sync.writing.delivery import Delivery, Fate, Stands
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.one_by_one import OneByOne
from adapter.sync.writing.sent import cases_in

log = structlog.get_logger(__name__)


def settle_outbox(delivery: Delivery, store: StateStore, ladder: Ladder, auditor: Auditor) -> int:
    """Find out what became of bundles that an earlier process froze; returns how many there were.

    What the plan saw still stands: the same bytes are sent, so that a write which lands late
    changes nothing. Where a part of a bundle stands, or may stand without its Provenance, each
    case is finished alone. Their patients are looked at again in any case. A bundle of which something
    stands that is no strict JSON waits in the outbox, and stops no other.

    Raises: ServerError as `deliver`; the bundle then stays in the outbox.
    """
    bundles = store.outbox()
    for bundle in bundles:
        store.enqueue(sorted(bundle.patients), reason="outbox")
        try:
            _finish(bundle, delivery, ladder)
            told = list(_found(bundle, delivery, auditor))
        except ResourceRefused as refused:
            log.warning("outbox_waits", reason=refused.code)
        else:
            store.settle(bundle.key, told)
    return len(bundles)


def _finish(bundle: FrozenBundle, delivery: Delivery, ladder: Ladder) -> None:
    stands = delivery.look(bundle)
    is_whole = ladder.manner.atomic and stands is not Stands.MOVED
    if is_whole and stands is Stands.AS_BEFORE:
        is_whole = delivery.deliver(bundle).fate is not Fate.NOT_ATOMIC or not ladder.send_singly()
    if not is_whole:
        OneByOne(delivery).deliver(bundle, looks_first=True)


def _found(bundle: FrozenBundle, delivery: Delivery, auditor: Auditor) -> Iterator[AuditEvent]:
    """Tell of what stands as it was sent: the process that sent it could not."""
    now = delivery.attempts.clock.now()
    for key, copies in delivery.lookup.of_cases(cases_in(bundle.body)).items():
        for stored in copies:
            if delivery.says(stored, bundle.fingerprints[key]):
                yield auditor.found(stored, replaced=bundle.expected[key], at=now)
                break
