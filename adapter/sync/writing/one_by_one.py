"""A case on a server without transactions: the Observation, then its Provenance, one write each (B7).

The outbox is the mark that a case is under way. Whatever an ended process left undone between two writes is seen from
it, and finished with the very bytes that were frozen. In this order no Provenance ever tells of a version that does
not stand; the one that a batch posing as a transaction leaves behind is taken back.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import structlog

from adapter.errors import (
    AmbiguousMatch,
    PermanentServerError,
    ServerError,
    TemporaryServerError,
    UnknownOutcome,
    VersionConflict,
)
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, string
from adapter.ports import EntryOutcome, FrozenBundle, JsonObject, SingleWrite
from adapter.sync.writing.delivery import (
    NO_TRANSACTIONS,
    Delivered,
    Delivery,
    Fate,
    Stands,
    may_blame_content,
)
from adapter.sync.writing.lookup import key_of
from adapter.sync.writing.sent import SentCase, cases_in, single_write

log = structlog.get_logger(__name__)

FOUND: Final = 200
"""Status of a conditional create that has found one and made none."""


@dataclass(frozen=True)
class OneByOne:
    """Writes the cases of frozen bundles one resource at a time."""

    delivery: Delivery

    def deliver(
        self, bundle: FrozenBundle, *, looks_first: bool = False, has_failed: bool = False
    ) -> Delivered:
        """Write every case of a bundle; gives the fate of the last one that did not land, else that it landed.

        `looks_first`: part of it may stand already. `has_failed`: the server has refused the Observation of this one
        case in a bundle that it carried out in part.

        Raises: as `Delivery.deliver`; then what has not landed is still in the outbox.
        """
        fate = Delivered(Fate.LANDED)
        for case in cases_in(bundle.body):
            one = self._case(bundle, case, looks_first=looks_first, has_failed=has_failed)
            fate = one if one.fate is not Fate.LANDED or fate.fate is Fate.LANDED else fate
        return fate

    def ensure(self, entry: JsonObject, reference: str | None) -> bool:
        """Write a resource that never changes, unless `reference` stands; tell whether it was written.

        Raises: ServerError as `Delivery.deliver`.
        """
        target, attempts = self.delivery.target, self.delivery.attempts
        for attempt in range(1, attempts.limits.attempts + 1):
            if reference is not None and target.read(reference) is not None:
                return attempt > 1
            try:
                target.write(single_write(entry))
            except (TemporaryServerError, VersionConflict):
                # Another adapter may be writing the very same thing.
                if attempts.is_last(attempt):
                    raise
                attempts.wait(attempt)
            else:
                return True
        raise AssertionError("it is tried at least once")

    def _case(
        self, bundle: FrozenBundle, case: SentCase, *, looks_first: bool, has_failed: bool
    ) -> Delivered:
        stands = self.delivery.look_at(bundle, [case]) if looks_first else Stands.AS_BEFORE
        if case.observation is None:
            return self._finished(case, Delivered(Fate.LANDED), f"Observation/{case.key}")
        # Nothing of ours stands, and yet its Provenance does: it tells of nothing unless this lands.
        is_early = looks_first and stands is Stands.AS_BEFORE and self._find(case) is not None
        sent = Delivered(Fate.LANDED)
        if stands is Stands.MOVED:
            sent = Delivered(Fate.MOVED)
        elif stands is Stands.AS_BEFORE:
            write = single_write(case.observation)
            sent = self.delivery.attempts.until_known(
                lambda: (self.delivery.target.write(write),),
                lambda: self.delivery.look_at(bundle, [case]),
            )
            if sent.refusal is not None and sent.refusal.status in NO_TRANSACTIONS:
                raise sent.refusal  # every write would meet it
        if self._has_met(bundle, case, sent):
            sent = Delivered(Fate.MOVED)
        if sent.fate is Fate.LANDED:
            stands_as = self._reference(bundle, case, sent)
            return self._finished(case, sent, stands_as, looks_first=looks_first)
        if case.provenance is not None and (is_early or has_failed):
            return replace(sent, orphaned=not self.take_back(case.provenance))
        return sent

    def _has_met(self, bundle: FrozenBundle, case: SentCase, sent: Delivered) -> bool:
        """Tell whether a conditional create met another content, and has written nothing."""
        if not sent.outcomes or string(child(case.observation, "request"), "method") != "POST":
            return False
        (outcome,) = sent.outcomes
        said = bundle.fingerprints[case.key]
        return outcome.status == FOUND and not self.delivery.says(outcome.resource, said)

    def take_back(self, entry: JsonObject) -> bool:
        """Delete the Provenance that an entry has made: it tells of a version that never came to stand.

        Gives whether none is left.
        """
        try:
            found = self.delivery.lookup.provenance(entry)
            if found is not None:
                self.delivery.target.write(SingleWrite("DELETE", found))
        except ServerError as error:
            log.warning("orphan_left", status=error.status)
            return False
        return True

    def _reference(self, bundle: FrozenBundle, case: SentCase, sent: Delivered) -> str:
        """Name the Observation as the server knows it."""
        if not case.is_conditional:
            return f"Observation/{case.key}"
        stored = sent.outcomes[0].resource if sent.outcomes else None
        if stored is not None and string(stored, "id"):
            return reference_to(stored)
        said = bundle.fingerprints[case.key]
        for copy in self.delivery.lookup.by_identifier([case.key])[case.key]:
            if self.delivery.says(copy, said):
                return reference_to(copy)
        raise UnknownOutcome("a result was written, and the server does not show it yet")

    def _finished(
        self, case: SentCase, sent: Delivered, target: str, *, looks_first: bool = True
    ) -> Delivered:
        """Write the Provenance of an Observation that stands."""
        if case.provenance is None:
            return sent
        attempts = self.delivery.attempts
        write = single_write(case.provenance, target)
        for attempt in range(1, attempts.limits.attempts + 1):
            if (looks_first or attempt > 1) and self._find(case, target) is not None:
                return sent
            try:
                made = self._created(case, write, target)
            except (TemporaryServerError, VersionConflict):
                if attempts.is_last(attempt):
                    raise
                attempts.wait(attempt)
            except PermanentServerError as error:
                if not may_blame_content(error):
                    raise
                return replace(sent, fate=Fate.UNPROVED, refusal=error)
            else:
                return replace(sent, outcomes=(*sent.outcomes, made))
        raise AssertionError("it is tried at least once")

    def _created(self, case: SentCase, write: SingleWrite, target: str) -> EntryOutcome:
        """Write a Provenance; without its condition where that was seen to find what belongs to others."""
        unconditional = replace(write, if_none_exist=None)
        try:
            made = self.delivery.target.write(write)
        except AmbiguousMatch:
            if write.if_none_exist is None or self._find(case, target) is not None:
                raise
            return self.delivery.target.write(unconditional)
        if not self._met_another(case, made, target):
            return made
        log.warning("condition_not_heard", status=made.status)
        return self.delivery.target.write(unconditional)

    def prove(
        self, bundle: FrozenBundle, case: SentCase, answer: EntryOutcome, proved: EntryOutcome
    ) -> None:
        """Write the Provenance that a transaction left out, because its condition found another one.

        `answer`, `proved`: to the entries of the Observation and of its Provenance.

        Raises: ServerError as `Delivery.deliver`.
        """
        if proved.resource is None and proved.status != FOUND:
            return
        sent = Delivered(Fate.LANDED, (answer,))
        target = self._reference(bundle, case, sent)
        if self._met_another(case, proved, target):
            self._finished(case, sent, target)

    def _met_another(self, case: SentCase, answer: EntryOutcome, target: str) -> bool:
        """Tell whether the conditional create of a Provenance was answered with one of another key or Observation.

        One of this key may tell of an Observation that somebody has deleted since.
        """
        shown, entry = answer.resource, case.provenance
        if not string(child(entry, "request"), "ifNoneExist"):
            return False
        if shown is None:
            return answer.status == FOUND and self._find(case, target) is None
        is_same_key = key_of(shown) == key_of(child(entry, "resource"))
        return not is_same_key or not self.delivery.lookup.is_about(shown, target)

    def _find(self, case: SentCase, target: str | None = None) -> str | None:
        if case.provenance is None:
            return None
        return self.delivery.lookup.provenance(case.provenance, target)
