"""Which patients a pass looks at: the list given, what changed, or everything.

Discovery says whom to look at; the queue keeps them until what they need is confirmed on the
server. The planner picks between gathering by patient and a sweep by count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from adapter.errors import ServerError
from adapter.ports import Clock, HandedOut, StateStore
from adapter.sync.facts import count_of, instant_in, instant_of
from adapter.sync.options import PassOptions, ReadLimits
from adapter.sync.reading.discover import OWN, RESULTS, Discovered, Discovery, Recent
from adapter.sync.reading.gather import Gatherer
from adapter.sync.reading.landmarks import (
    GoneBack,
    Landmarks,
    gone_back,
    remembered,
)
from adapter.sync.reading.pool import Gathered
from adapter.sync.reading.searches import Searches
from adapter.sync.reading.slices import FAILED
from adapter.sync.reading.sweep import Sweep, read_everything
from adapter.sync.references import patient_reference
from adapter.sync.report import PassKind

LAST_SWEEP: Final = "last-sweep"
"""Setting: when everything, or everybody on the list, was last read, as an ISO instant."""
SWEPT_WITH: Final = "swept-with"
"""Setting: what the answers of that sweep were given with, as OnePass.basis."""
BACKFILL: Final = "backfill"
"""Setting: when somebody asked for a backfill, until a pass over everybody has ended well; a killed one goes on."""
SINCE: Final = "since"
"""Setting: the day a site began from with --since; what is older stays untouched, by sweeps too."""
DERIVED_COUNT: Final = "derived-count"
"""Setting: how many derived results of ours stand, as far as is known."""

_BEFORE_IT_BEGAN: Final = (
    "this site began with a day that lies in the future by this clock: nothing is swept before that is put right; look "
    "at the clock, or begin anew with `sync --since DAY` or `--backfill`"
)

SWEEP_AGAIN: Final = timedelta(hours=1)
"""So long after a sweep that the server failed at no other one is tried, unless somebody asks for it."""
SWEEP_FAILS: Final = "sweep-fails"
"""Signal: the server fails at the searches of a sweep that is due, and what changed is looked at meanwhile."""
_SWEEP_FAILS: Final = (
    "the server fails (500) at a search of the full sweep that is due, most likely at a resource that it cannot give: "
    "only what changed is looked at, and the sweep is tried again every hour; have the server mended"
)

SWEEP_FROM_PATIENTS: Final = 1000
"""Below this many patients a sweep is never worth it."""
SWEEP_FROM_SHARE: Final = 0.7
"""A sweep costs about 1.2 ms a patient on the server, gathering by patient 0.8 ms (HAPI,
measured).
"""


@dataclass
class Scope:
    """What a pass looks at; `sweep` is there when everything is read.

    `is_whole`: it looks at everything that this site looks at, be it from the day it began with.
    `lost`: what was there before and is gone or older now, so that everything is read. `is_walk`: it looks at
    everybody on the list of patients. `facts`: settings to keep when it has ended well. `seen_up_to`: as PassReport.
    `sweep_fails`: a sweep is due and the server fails at it.
    `queued`: whom the queue handed out before anything was read of them; only these are ever taken off it.
    """

    kind: PassKind
    chunks: Iterator[Gathered]
    discovered: Discovered = field(default_factory=Discovered)
    sweep: Sweep | None = None
    queued: HandedOut = field(default_factory=dict)
    marks_sweep: bool = False
    is_whole: bool = False
    lost: tuple[str, ...] = ()
    is_walk: bool = False
    sweep_fails: bool = False
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    seen_up_to: datetime | None = None

    @property
    def sees_everybody(self) -> bool:
        """Whether it looks at everybody whom this site looks at, whatever changed."""
        return self.sweep is not None or self.is_walk

    def landmarks(self, before: Landmarks) -> Landmarks:
        """Give what is remembered of this pass: all that a sweep saw, else what is newer than before."""
        if self.sweep is not None:
            return self.sweep.landmarks()
        dealt_with = self.lost if self.is_whole else ()
        kept = {name: one for name, one in before.items() if one.reference not in dealt_with}
        seen = self.discovered.landmarks
        return {
            **kept,
            **{name: one for name, one in seen.items() if one.is_newer(kept.get(name))},
        }


@dataclass(frozen=True)
class Scoping:
    """Chooses the scope; `may_remember` is False for a dry run, which leaves no trace.

    `basis`: what answers depend on beside the results, and what is searched for.
    """

    searches: Searches
    store: StateStore
    clock: Clock
    limits: ReadLimits
    may_remember: bool
    basis: str

    def choose(self, asked: PassOptions, recent: Recent, *, observe: bool) -> Scope:
        """Find the patients of a pass.

        What discovery found is queued before its watermarks move. Raises: ServerError as the port
        says.
        """
        gatherer = Gatherer(self.searches, self.store, self.clock, self.limits)
        if asked.patients is not None:
            named = list(map(patient_reference, asked.patients))
            queued = self.store.queued(among=named)
            return Scope(PassKind.PATIENTS, gatherer.asked_for(named), queued=queued)
        queued = self.store.queued()
        since, failed_before = asked.since, self.searches.sweep_failed_at
        found, warnings = GoneBack(), list[str]()
        if since is None:
            is_due = observe or self._sweep_is_due(asked)
            found = GoneBack() if is_due else self._gone_back()
            if is_due or found.lost:
                since = None if asked.backfill else self._began()
                if since is None:
                    is_needed = asked.full_sweep or asked.backfill or bool(found.lost)
                    swept = self._sweep_unless_it_fails(gatherer, queued, is_needed=is_needed)
                    if swept is not None:
                        return replace(swept, lost=found.lost)
                elif since > self.clock.now():
                    # Of what is older than that day nothing may be looked at: a clock that was put back asks for less.
                    since = None
                    warnings.append(_BEFORE_IT_BEGAN)
        warnings += [
            f"{one} cannot be read: whether the server was put back to a backup is not known before the next sweep"
            for one in found.untold
        ]
        try:
            changed = self._changed(gatherer, queued, recent, since)
        except ServerError:
            self.searches.sweep_failed_at = failed_before  # it was no sweep alone that failed
            raise
        fails = changed.sweep is None and self.searches.sweep_failed_at is not None
        warnings += [_SWEEP_FAILS] if fails else []
        return replace(changed, lost=found.lost, warnings=tuple(warnings), sweep_fails=fails)

    def _sweep_unless_it_fails(
        self, gatherer: Gatherer, queued: HandedOut, *, is_needed: bool
    ) -> Scope | None:
        """Sweep; None where the server fails at that and what changed may be looked at instead.

        Not where only a sweep tells what is right: the first one, with other rules, after a backup, or asked for.
        """
        is_needed = is_needed or not self.may_remember
        try:
            return self._sweep(gatherer, queued)
        except ServerError as error:
            if error.status != FAILED or is_needed or self._needs_a_sweep():
                raise
            if self._gone_back().lost:  # not looked at where a sweep was due anyway
                raise
        self.searches.sweep_failed_at = self.clock.now()
        return None

    def _gone_back(self) -> GoneBack:
        """Look at what was newest on a server.

        What is gone or older now stays remembered until everything was read because of it: that pass may fail.
        """
        searches = self.searches
        return gone_back(remembered(self.store), {RESULTS: searches.source, OWN: searches.target})

    def _sweep(self, gatherer: Gatherer, queued: HandedOut) -> Scope:
        sweep = read_everything(gatherer)
        self.searches.sweep_failed_at = None
        return Scope(
            PassKind.SWEEP,
            sweep.chunks(),
            sweep=sweep,
            queued=queued,
            marks_sweep=True,
            is_whole=True,
        )

    def _changed(
        self,
        gatherer: Gatherer,
        queued: HandedOut,
        recent: Recent,
        since: datetime | None,
    ) -> Scope:
        limits = self.limits
        # A look back from a given day is a sweep of its own: what was dealt with is looked at
        # again.
        memory = recent if since is None else Recent()
        discovery = Discovery(self.searches, self.store, self.clock, memory, limits.overlap_seconds)
        found = discovery.changed(since)
        if self.may_remember:
            self.store.enqueue(sorted(found.patients), reason="changed")
            if not self.searches.is_settled:  # before it is asked from later on
                self.store.set_setting(LAST_SWEEP, None)
            for name, instant in found.watermarks.items():
                self.store.set_watermark(name, instant)
            queued = self.store.queued()
        patients, began = {*queued, *found.patients}, self._began()
        may_sweep = since is None and began is None and self.searches.sweep_failed_at is None
        if may_sweep and self._is_worth_a_sweep(len(patients)):
            swept = self._sweep_unless_it_fails(gatherer, queued, is_needed=False)
            if swept is not None:
                return swept
        return Scope(
            PassKind.INCREMENTAL,
            _chunks(gatherer, sorted(patients), found),
            discovered=found,
            queued=queued,
            marks_sweep=since is not None,
            is_whole=since is not None and began is not None and since <= began,
        )

    def _sweep_is_due(self, asked: PassOptions) -> bool:
        if asked.full_sweep or asked.backfill or self._needs_a_sweep():
            return True
        now = self.clock.now()
        failed = self.searches.sweep_failed_at
        if failed is not None:
            return not failed <= now < failed + SWEEP_AGAIN
        last = instant_of(self.store, LAST_SWEEP, until=now)
        return last is None or now - last >= timedelta(hours=self.limits.sweep_hours)

    def _needs_a_sweep(self) -> bool:
        """Tell whether what changed cannot be asked for, or says too little."""
        if not self.searches.incremental or self.searches.patient_param is None:
            return True
        # Other rules or words may change every answer, and no server tells of that.
        is_first = self.store.setting(SWEPT_WITH) != self.basis
        return is_first or self.store.watermark(RESULTS) is None

    def _began(self) -> datetime | None:
        """Tell from which day on this site looks at results; None for one that looks at everything."""
        return instant_in(self.store.setting(SINCE))

    def _is_worth_a_sweep(self, patients: int) -> bool:
        known = count_of(self.store, DERIVED_COUNT)
        return patients >= SWEEP_FROM_PATIENTS and patients >= SWEEP_FROM_SHARE * known


def _chunks(gatherer: Gatherer, patients: Sequence[str], found: Discovered) -> Iterator[Gathered]:
    if found.without_patient or found.refused:
        results, refused = found.without_patient.values(), found.refused.values()
        yield gatherer.without_patient(results, refused=refused)
    yield from gatherer.patients(patients)
