"""Which patients a pass looks at where nobody can ask the source what changed: by a list, or on request alone.

Everybody on the list is read from time to time, and who is new on it at once; in between only the queue is looked
at. Nothing here compares versions or times: what a patient's results say now is held against what stands.
A patient who leaves the list is looked at no more, and keeps what stands: absence from a list says nothing of
a result. Why: docs/adr/0024-a-list-instead-of-changes.md.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog

from adapter.errors import PermanentServerError
from adapter.ports import Clock, HandedOut, ListedPatients, PatientList, StateStore
from adapter.sync.facts import instant_of, json_of
from adapter.sync.options import PassOptions, ReadLimits
from adapter.sync.reading.discover import Recent
from adapter.sync.reading.gather import Gatherer
from adapter.sync.reading.pool import Gathered
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.searches import FORBIDDEN, Searches
from adapter.sync.references import patient_reference
from adapter.sync.report import PassKind
from adapter.sync.scope import LAST_SWEEP, SWEPT_WITH, Scope

log = structlog.get_logger(__name__)

LISTED: Final = "listed"
"""Setting: a hash of the list that was read last, and the length that the next one is held against, as JSON."""


@dataclass(frozen=True)
class Walking:
    """Chooses the scope; `listed`: None where requests alone say whom to look at, `basis` as for Scoping."""

    searches: Searches
    store: StateStore
    clock: Clock
    limits: ReadLimits
    listed: PatientList | None
    basis: str

    def choose(self, asked: PassOptions, recent: Recent, *, observe: bool) -> Scope:
        """Find the patients of a pass.

        Raises: ListUnusable where the list names nobody; ServerError as the port says.
        """
        if asked.patients is not None:
            named = list(map(patient_reference, asked.patients))
            return self._scope(PassKind.PATIENTS, named, self.store.queued(among=named))
        queued = self.store.queued()
        if self.listed is None:
            self._see_that_it_answers(list(queued))
            return self._scope(PassKind.INCREMENTAL, list(queued), queued)
        read = self.listed.read()
        everybody = frozenset(read.patients)
        unseen = everybody - recent.listed
        if not recent.listed and json_of(self.store, LISTED).get("hash") == _hash(read):
            unseen = frozenset()
        is_due = self._is_due(asked, recent, observe=observe)
        is_walk = is_due or unseen == everybody
        shrunk = tuple(self._shrunk(read, asked))
        if not asked.dry_run:
            recent.listed = everybody
            recent.walked_at = self.clock.now() if is_walk else recent.walked_at
        last_walk = recent.walked_at or instant_of(self.store, LAST_SWEEP, until=self.clock.now())
        patients = {*queued, *(everybody if is_walk else unseen)}
        self._see_that_it_answers(sorted(patients), everybody)
        kind = PassKind.WALK if is_walk else PassKind.INCREMENTAL
        scope = self._scope(kind, sorted(patients), queued)
        scope.marks_sweep = scope.is_whole = scope.is_walk = is_walk
        scope.seen_up_to = None if is_walk else last_walk
        scope.warnings = (*read.warnings, *shrunk)
        scope.facts = {LISTED: self._said(read, is_accepted=not shrunk or _is_by_hand(asked))}
        return scope

    def _scope(self, kind: PassKind, patients: Sequence[str], queued: HandedOut) -> Scope:
        if patients:
            Proving(self.searches).prepare(patients)
        gatherer = Gatherer(self.searches, self.store, self.clock, self.limits)
        if kind is PassKind.WALK:
            chunks = _unless_all_are_denied(gatherer.patients(patients))
        else:
            chunks = gatherer.asked_for(patients)
        return Scope(kind, chunks, queued=queued)

    def _see_that_it_answers(
        self, patients: Sequence[str], everybody: Collection[str] = ()
    ) -> None:
        """Ask the source something where nobody is to be looked at: a server that is away must not look calm (H15).

        Each time another one of the list is read, because /metadata asks nobody who they are. That one
        record is protected (403) or gone says nothing of the others.
        """
        if patients:
            return
        source = self.searches.source
        if not everybody:
            source.capability()
            return
        in_turn = int(self.clock.now().timestamp()) % len(everybody)
        try:
            source.read(sorted(everybody)[in_turn])
        except PermanentServerError as error:
            if error.status != FORBIDDEN:
                raise

    def _is_due(self, asked: PassOptions, recent: Recent, *, observe: bool) -> bool:
        if asked.full_sweep or asked.backfill or asked.since is not None:
            return True
        now = self.clock.now()
        if observe:  # nothing is kept of a pass that may not write
            last = recent.walked_at
        elif self.store.setting(SWEPT_WITH) != self.basis:
            return True
        else:
            last = instant_of(self.store, LAST_SWEEP, until=now)
        return last is None or now - last >= timedelta(hours=self.limits.sweep_hours)

    def _shrunk(self, read: ListedPatients, asked: PassOptions) -> Iterator[str]:
        """Say that a list is less than half as long as it was, until somebody runs a pass by hand."""
        before = json_of(self.store, LISTED).get("length")
        if not isinstance(before, int) or 2 * len(read.patients) >= before:
            return
        log.warning("list_shrank", count=len(read.patients), total=before)
        yield (
            f"the list names {len(read.patients)} patients, and named {before}: who left it is not looked at any "
            "more, and what stands of them stays as it is"
            + ("" if _is_by_hand(asked) else "; `her2-adapter sync` accepts the shorter list")
        )

    def _said(self, read: ListedPatients, *, is_accepted: bool) -> str:
        before = json_of(self.store, LISTED).get("length")
        length = len(read.patients) if is_accepted else before
        return json.dumps({"hash": _hash(read), "length": length})


def _is_by_hand(asked: PassOptions) -> bool:
    return asked.full_sweep or asked.backfill


def _hash(read: ListedPatients) -> str:
    return hashlib.sha256("\n".join(read.patients).encode()).hexdigest()


def _unless_all_are_denied(chunks: Iterator[Gathered]) -> Iterator[Gathered]:
    """Give them on; one patient may be denied and the others read, but a walk that is denied everybody has failed."""
    denied, was_read = "", False
    for gathered in chunks:
        was_read = was_read or not gathered.unread
        denied = denied or gathered.unread
        yield gathered
    if denied and not was_read:
        raise PermanentServerError(f"no patient could be read: {denied}")
