"""One pass, as it goes: take in, decide, judge the brakes, write, move the store on.

Everything is computed before anything is written, so that a brake can stop it whole. Only on a
server that holds none of ours, where nothing can be changed or withdrawn, creations are written
while the rest is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import structlog

from adapter.fhir.references import reference_to
from adapter.sync.auditing import Auditor
from adapter.sync.deciding import Decider
from adapter.sync.details import Details
from adapter.sync.facts import count_of, instant_in
from adapter.sync.inbox import ASKED, OBSERVED
from adapter.sync.link_watch import LinkWatch
from adapter.sync.options import DiscoverBy, PassOptions, SyncOptions
from adapter.sync.parked_cases import ParkedCases
from adapter.sync.parts import Interrupts, Parts
from adapter.sync.planning.brakes import (
    RELEASED,
    BrakeState,
    Load,
    judge,
    judge_first_contact,
    load_of,
)
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.planning.reconcile import Reconciled
from adapter.sync.planning.worklist import worklist_entries
from adapter.sync.reading.discover import RESULTS, Recent
from adapter.sync.reading.landmarks import remember, remembered
from adapter.sync.reading.pool import Gathered
from adapter.sync.reading.proving import Proving
from adapter.sync.reading.searches import Searches
from adapter.sync.reading.unread import CHANGES_UNREAD
from adapter.sync.references import mark_of, patient_reference
from adapter.sync.refusals import Refusals
from adapter.sync.releasing import BrakeBook
from adapter.sync.report import PassOutcome, PassReport
from adapter.sync.scope import (
    BACKFILL,
    DERIVED_COUNT,
    LAST_SWEEP,
    SINCE,
    SWEEP_FAILS,
    SWEPT_WITH,
    Scope,
    Scoping,
)
from adapter.sync.seen import Seen
from adapter.sync.tally import Tally
from adapter.sync.walk import Walking
from adapter.sync.writing.bundle import BundleMaker
from adapter.sync.writing.delivery import Attempts, Delivery
from adapter.sync.writing.fenced import FencedServer
from adapter.sync.writing.foreign_edits import EDITED_BY_OTHERS, ForeignEdits
from adapter.sync.writing.ladder import Ladder
from adapter.sync.writing.lanes import Lanes
from adapter.sync.writing.outbox import Outbox, keep_for
from adapter.sync.writing.write_back import TRIED_AGAIN, WAITS, Writer

log = structlog.get_logger(__name__)

AGAIN: Final = "again"
"""Reason in the queue: somebody asked for the patient a while ago, and an index may have been late then."""
MOST_HEARD: Final = 20
"""So many different sentences of the servers a report holds; their results are counted whatever they say."""


@dataclass
class OnePass:
    """The state of one pass. Make a new one for each."""

    parts: Parts
    options: SyncOptions
    asked: PassOptions
    searches: Searches
    recent: Recent
    interrupts: Interrupts = field(default_factory=Interrupts)
    tally: Tally = field(default_factory=Tally)
    pending: list[Planned] = field(default_factory=list)
    sent: list[Planned] = field(default_factory=list)
    looked_at: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)
    unfinished: set[str] = field(default_factory=set)
    unread: set[str] = field(default_factory=set)
    decided: set[str] = field(default_factory=set)
    seen: Seen = field(default_factory=lambda: Seen({}))
    load: Load = field(default_factory=Load)
    held_back: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Derive what stays the same for the whole pass."""
        parts, options = self.parts, self.options
        self.store = parts.store
        self.may_write = not (self.asked.dry_run or options.observe)
        self.started_at: datetime = parts.clock.now()
        self.asked_before = parts.traffic.counts()
        urls = tuple(dict.fromkeys((parts.source.base_url, parts.target.base_url)))
        self.where = " ".join((*urls, parts.context.namespace))
        self.basis = f"{parts.basis} {options.read.basis} {self.where}"
        self.context = replace(parts.context, now=self.started_at, base_urls=urls)
        target = FencedServer(parts.target, self.interrupts.guard)
        self.delivery = Delivery(target, Attempts(parts.clock, options.send), urls)
        self.auditor = Auditor(self.context, parts.actor, parts.source.base_url)
        self.book = BrakeBook(parts.store, self.auditor, self.asked.released_by)
        self.parked = ParkedCases(parts.store, self.auditor, self.started_at)
        self.ladder = Ladder(parts.store, parts.target.base_url, options.send)
        self.writer = Writer(
            delivery=self.delivery,
            store=parts.store,
            clock=parts.clock,
            maker=BundleMaker(self.context, parts.source.base_url, parts.target.base_url),
            auditor=self.auditor,
            ladder=self.ladder,
            guard=self.interrupts.guard,
            stopped=self.interrupts.stopped,
            retried=self.parked.retried,
        )
        self.decider = Decider(
            self.delivery.lookup,
            self.ladder,
            parts.catalogue,
            self.context,
            parts.source.base_url,
            parts.links,
        )
        self.links = LinkWatch(parts.links)
        self.details = Details(parts.catalogue, self.context.policy)
        self.refusals = Refusals(parts.store, self.started_at, not self.asked.dry_run)
        self.edits = ForeignEdits(parts.store, self.started_at, options.read.sweep_hours)
        self.backfills = (
            self.asked.backfill
            or self.asked.since is not None
            or instant_in(parts.store.setting(SINCE)) is not None
        )

    def run(self) -> PassReport:
        """Run it; raises as Cycle.run_pass."""
        self.searches.begin_pass()
        if self.options.read.discovery is DiscoverBy.CHANGES:
            Proving(self.searches).prepare()
        if self.may_write:
            self._note_what_was_asked()
            self.interrupts.guard()
            if self.asked.patients is None:
                self.store.wake_due(self.started_at, reason=AGAIN)
            manner = self.ladder.manner
            log.info("write_manner", rung=manner.strategy.value, atomic=manner.atomic)
            self._settle_outbox()
        self.parked.read()
        scope = self._scope()
        self.edits.woken_by = self.decider.woken_by = scope.discovered.marks
        self.seen = Seen(scope.discovered.marks, scope.discovered.listed)
        self.parked.retries = self.may_write and self._may_retry(scope)
        held_none = scope.sweep is not None and not any(
            map(self.decider.is_ours, scope.sweep.own())
        )
        self.load = replace(self.load, first_contact=held_none)
        self.decider.trusts_search = held_none
        if scope.sweep is not None:
            self._warn_of_narrowed_scope(sum(map(self.decider.is_ours, scope.sweep.own())))
        self._warn(
            f"{one} is gone or older than it was: everything is read again" for one in scope.lost
        )
        self._warn(scope.warnings)
        self.tally.signals[SWEEP_FAILS] = int(scope.sweep_fails)
        self.tally.signals[CHANGES_UNREAD] = self.searches.changes_unread
        with Lanes(self.options.send.writers) as lanes:
            for gathered in scope.chunks:
                if self.interrupts.stopped():
                    return self._report(scope, PassOutcome.STOPPED, RELEASED)
                self._take(gathered)
                if self.load.first_contact and self.backfills and self.may_write:
                    self._write_pending(lanes)
            self._prune_worklist(scope)
            if scope.is_walk:
                self._warn_of_narrowed_scope(self.load.existing)
            self._warn(self.links.never_found() if scope.sees_everybody else ())
            brake = self._judge(scope)
            outcome = self._write(brake, lanes)
        if self.may_write and not (brake.engaged and self.load.first_contact):
            self._move_on(scope, brake)
        elif self.options.observe and not self.asked.dry_run:
            self._take_off(self.store.queued(scope.queued, reason=OBSERVED), scope)
        return self._report(scope, outcome, brake)

    def _settle_outbox(self) -> None:
        dropped = keep_for(self.store, self.parts.target.base_url)
        if dropped:
            self.tally.warn(
                f"{dropped} writes to another server were not finished, and are not sent to this one"
            )
        outbox = Outbox(
            delivery=self.delivery,
            store=self.store,
            ladder=self.ladder,
            auditor=self.auditor,
            health=self.writer.health,
            park=self.writer.keep_parked,
            guard=self.interrupts.guard,
        )
        self.tally.signals["outbox"] = outbox.settle()
        self.held_back = frozenset(outbox.waiting)
        if self.held_back:
            self.tally.signals[WAITS] = len(self.held_back)
            self._warn_of_waiting(self.held_back)

    def _warn_of_waiting(self, patients: Iterable[str]) -> None:
        self._warn(f"{patient}: {TRIED_AGAIN}" for patient in sorted(patients))

    def _scope(self) -> Scope:
        parts, observe = self.parts, self.options.observe
        if self.options.read.discovery is not DiscoverBy.CHANGES:
            walking = Walking(
                searches=self.searches,
                store=parts.store,
                clock=parts.clock,
                limits=self.options.read,
                listed=parts.listed,
                basis=self.basis,
            )
            return walking.choose(self.asked, self.recent, observe=observe)
        scoping = Scoping(
            searches=self.searches,
            store=parts.store,
            clock=parts.clock,
            limits=self.options.read,
            may_remember=self.may_write,
            basis=self.basis,
        )
        return scoping.choose(self.asked, self.recent, observe=observe)

    def _warn_of_narrowed_scope(self, seen: int) -> None:
        """Say when everybody has far less of ours than stood before: an account may see less than it did."""
        before = count_of(self.store, DERIVED_COUNT)
        if 2 * seen < before:
            self.tally.signals["sees-less"] = 1
            self.tally.warn(
                f"only {seen} of about {before} derived results are shown: check what the "
                "adapter's account may read"
            )

    def _note_what_was_asked(self) -> None:
        if self.asked.backfill:
            self.store.set_setting(SINCE, None)
            self.store.set_setting(BACKFILL, self.started_at.isoformat())
        elif self.asked.since is not None and self.store.watermark(RESULTS) is None:
            self.store.set_setting(SINCE, self.asked.since.isoformat())

    def _take(self, gathered: Gathered) -> None:
        """Decide for some patients, and keep what is to be written."""
        if self.may_write and gathered.others:
            # Once the others' results stand nothing names them any more, should this pass not come to its end.
            self.store.enqueue(sorted(gathered.others), reason="moved")
        if gathered.unread:
            self._leave(gathered)
            return
        self.seen.note(gathered)
        decided = self.decider.decide(gathered)
        if decided.hidden:
            self.tally.signals["hidden-from-search"] += decided.hidden
            self.load = replace(self.load, first_contact=False)
        found = decided.reconciled
        self.looked_at |= gathered.patients
        self.tally.patients += len(gathered.patients)
        self.tally.add_candidates(found.fetched, found.outcomes, found.set_aside)
        if not self.asked.dry_run:
            self._list(gathered, found)
        self._warn(self.refusals.of_nobody(gathered.refused))
        for patient, refused in decided.held_back.items():
            self._leave(Gathered.held_back(patient, refused))
        self._warn(self.links.look_at(found))
        if self.asked.in_detail:
            self.details.look_at(decided)
        wanted = [one for one in decided.planned if self._is_wanted(one)]
        self.load = self.load.plus(load_of(wanted, existing=decided.existing))
        if self.may_write and not self._is_over_first_contact():
            self.pending.extend(wanted)

    def _leave(self, gathered: Gathered) -> None:
        """Decide nothing of these patients and change nothing that stands; they are looked at again."""
        self.unread |= gathered.patients
        self.unfinished |= gathered.patients
        self.tally.warn(f"{', '.join(sorted(gathered.patients))}: {gathered.unread}")
        for patient in gathered.patients:
            self.refusals.note(gathered.refused, patient)

    def _warn(self, sentences: Iterable[str]) -> None:
        for sentence in sentences:
            self.tally.warn(sentence)

    def _list(self, gathered: Gathered, found: Reconciled) -> None:
        """Show on the worklist what stands about these patients now; also where nothing may be written."""
        self.store.replace_worklist(
            subjects=gathered.patients,
            references=[one.reference for one in found.recognised],
            entries=worklist_entries(found, self.parts.catalogue),
            at=self.started_at,
        )

    def _may_retry(self, scope: Scope) -> bool:
        """Tell whether what the server refused is sent once more: by a pass over everybody, though not by each."""
        is_due = self.asked.full_sweep or self.parked.are_due(self.options.read.sweep_hours / 2)
        return scope.sees_everybody and is_due

    def _prune_worklist(self, scope: Scope) -> None:
        """Forget what a sweep did not come across: results that are gone, or name another patient now."""
        if self._saw_everybody(scope) and not self.asked.dry_run:
            self.store.prune_worklist(self.started_at, keep=sorted(self.unread))

    def _is_over_first_contact(self) -> bool:
        """Tell whether the first pass will be stopped anyway: bodies need not be kept then."""
        limits = self.options.brakes
        return judge_first_contact(self.load, limits, allowed=self.backfills).engaged

    def _is_wanted(self, planned: Planned) -> bool:
        """Count a decision; whether it is to be written now."""
        self.decided.add(planned.key)
        self.known.add(planned.patient)
        is_held_back = planned.patient in self.held_back
        is_held = is_held_back or self.parked.holds(planned)
        self.tally.add_decision(planned, is_held=is_held)
        if planned.action is Action.WAIT or is_held_back:
            self.unfinished.add(planned.patient)
        if self.may_write and not is_held and self.edits.is_fought(planned):
            self.writer.park(planned, EDITED_BY_OTHERS)
            self.edits.forget(planned.key)
            return False
        if not is_held:
            self.parked.stands(planned)
        elif (reason := self.parked.reason(planned)) is not None:
            self.tally.parked[planned.key] = reason
        return planned.writes and not is_held

    def _judge(self, scope: Scope) -> BrakeState:
        limits = self.options.brakes
        existing = self.load.existing
        if scope.sweep is None:
            if not scope.is_walk:
                existing = max(existing, count_of(self.store, DERIVED_COUNT))
            is_first = self.load.creations > limits.first_pass and self._holds_none_of_ours()
            self.load = replace(self.load, existing=existing, first_contact=is_first)
        if scope.sees_everybody and self._awaits_first_pass():
            # A patient who was asked for before it is no release: what stands does not say that somebody looked.
            is_first = self.load.first_contact or self.load.creations > self.load.existing
            self.load = replace(self.load, first_contact=is_first)
        first = judge_first_contact(self.load, limits, allowed=self.backfills)
        if first.engaged:
            return first
        before = self.book.withdrawn_before(self.load, self.started_at)
        self.load = replace(self.load, lately=before)
        brake = judge(self.load, limits, shown=self.book.shown)
        if self.asked.patients is not None:
            brake = self.book.held_to_it(brake)
        if self.may_write:
            self.book.judged(brake, self.started_at)
        return brake

    def _awaits_first_pass(self) -> bool:
        """Tell whether no pass over everybody has ended well here last, and nobody has asked for a backfill."""
        swept_with = self.store.setting(SWEPT_WITH) or ""
        return not swept_with.endswith(f" {self.where}") and self.store.setting(BACKFILL) is None

    def _holds_none_of_ours(self) -> bool:
        shown = (one for page in self.searches.own() for one in page.matches)
        return not any(map(self.decider.is_ours, shown))

    def _write(self, brake: BrakeState, lanes: Lanes) -> PassOutcome:
        if not self.may_write:
            return PassOutcome.OBSERVED
        if brake.engaged:
            self.unfinished.update(one.patient for one in self.pending)
            return PassOutcome.BRAKED
        self._write_pending(lanes)
        lanes.wait()
        self.writer.finish()
        written = self.writer.written
        self.unfinished |= written.replan | written.left | written.waiting
        self._warn_of_waiting(written.waiting)
        self.tally.parked.update(written.parked)
        self.tally.signals["replanned"] = len(written.replan)
        self.tally.signals.update(written.signals)
        return PassOutcome.STOPPED if written.left else PassOutcome.DONE

    def _write_pending(self, lanes: Lanes) -> None:
        batch = self._once_each(self.pending)
        self.pending = []
        self.edits.begin(batch)
        self.writer.write(batch, lanes)
        # Bodies are dropped: a backfill of a whole hospital must not pile them up.
        self.sent.extend(replace(one, body=None, desired=None) for one in batch)

    def _once_each(self, planned: Iterable[Planned]) -> list[Planned]:
        """Keep one decision for each id; a second one (its subject was edited) waits for the next pass."""
        kept: dict[str, Planned] = {}
        for one in planned:
            if kept.setdefault(one.key, one) is not one:
                self.unfinished |= {one.patient, kept[one.key].patient}
        return list(kept.values())

    @property
    def _landed(self) -> Iterator[Planned]:
        """Give the cases that stand on the server now; only once the lanes are done."""
        landed = self.writer.written.landed
        return (one for one in self.sent if one.key in landed)

    def _move_on(self, scope: Scope, brake: BrakeState) -> None:
        """Move the store on, now that the server has confirmed what it stands for."""
        store, landed = self.store, self.writer.written.landed
        store.remember_patients(sorted(self.known - {""}))
        self.edits.note(self._landed)
        # A write of a client that was killed, or of another adapter, can land seconds later.
        created = {one.patient for one in self._landed if one.action is Action.CREATE}
        store.enqueue(sorted(created), reason="created")
        # Who was handed out is queued still, unless somebody took them off by hand meanwhile.
        store.enqueue(sorted(self.unfinished - scope.queued.keys()), reason="unfinished")
        self._note_second_looks(scope)
        # Last, so that no crash leaves one of those off the queue.
        self._take_off(scope.queued, scope)
        self.parked.end(landed, self.decided, lambda one: self._was_looked_at(one, scope))
        self.book.ended(brake, self.started_at, of_all=self.asked.patients is None)
        store.set_setting(DERIVED_COUNT, str(self._standing_now()))
        remember(store, scope.landmarks(remembered(store)))
        if scope.sweep is not None:
            for name, instant in scope.sweep.watermarks().items():
                store.set_watermark(name, instant)
        if not self.searches.is_settled:
            store.set_setting(LAST_SWEEP, None)
        elif scope.marks_sweep:
            store.set_setting(LAST_SWEEP, self.started_at.isoformat())
        if scope.is_whole and self.searches.is_settled:
            store.set_setting(SWEPT_WITH, self.basis)
            store.set_setting(BACKFILL, None)
        for name, fact in scope.facts.items():
            store.set_setting(name, fact)
        finished = (self.looked_at | scope.queued.keys()) - self.unfinished
        self.recent.remember(self.seen.dealt_with(finished))
        if self.seen.behind:
            self.tally.signals["read-behind"] = self.seen.behind
        strays = scope.discovered.without_patient.values()
        self.recent.remember({reference_to(one): mark_of(one) for one in strays})
        self.recent.remember({one.reference: one.version for one in landed.values()})

    def _note_second_looks(self, scope: Scope) -> None:
        """Have those whom somebody asked for looked at once more when the overlap has passed.

        Who asks has just stored a result, and a server's index may show it later. Where the source says what changed,
        the overlap finds that; a list or requests alone would not, for hours or for good.
        """
        limits = self.options.read
        if limits.discovery is DiscoverBy.CHANGES:
            return
        named = self.asked.patients
        asked = (
            self.store.queued(scope.queued, reason=ASKED)
            if named is None
            else map(patient_reference, named)
        )
        finished = set(asked) - self.unfinished
        if finished:
            due = self.started_at + timedelta(seconds=limits.overlap_seconds)
            self.store.look_again(sorted(finished), at=due)

    def _take_off(self, patients: Iterable[str], scope: Scope) -> None:
        """Take off the queue those of some patients of whom nothing is left to do.

        Only who was handed out before anything was read of them, and was not queued again since.
        """
        finished = set(patients) - self.unfinished
        self.store.done({one: mark for one, mark in scope.queued.items() if one in finished})

    def _was_looked_at(self, patient: str, scope: Scope) -> bool:
        """Tell whether all that there is of a patient was decided on; a sweep sees everybody."""
        seen = patient in self.looked_at or self._saw_everybody(scope)
        return seen and patient not in self.unfinished

    def _saw_everybody(self, scope: Scope) -> bool:
        """Tell whether everything was read, and no page of it shifted for as long as it was asked for."""
        return scope.sweep is not None and self.searches.is_settled

    def _standing_now(self) -> int:
        """How many derived results stand after this pass."""
        actions = [one.action for one in self._landed]
        return self.load.existing + actions.count(Action.CREATE) - actions.count(Action.RETRACT)

    def _report(self, scope: Scope, outcome: PassOutcome, brake: BrakeState) -> PassReport:
        tally = self.tally
        tally.signals.update(self.refusals.counts)
        tally.signals["foreign-edit"] = sum(map(self.edits.is_one, self._landed))
        report = PassReport(
            kind=scope.kind,
            outcome=outcome,
            started_at=self.started_at,
            ended_at=self.parts.clock.now(),
            fetched=tally.fetched,
            outcomes=dict(+tally.outcomes),
            categories=dict(tally.categories),
            actions=dict(tally.actions),
            signals=dict(+tally.signals),
            rows=tuple(tally.rows),
            set_aside=tuple(tally.set_aside),
            parked=dict(tally.parked),
            warnings=(
                *self.searches.warnings,
                *self.searches.doubts,
                *islice(self.searches.heard, MOST_HEARD),
                *tally.warnings,
                *self._manner(),
                *brake.reasons,
            ),
            unfinished=frozenset(self.unfinished),
            patients=tally.patients,
            writes=self.writer.written.versions,
            queue_left=self.store.queue_length(),
            brake=brake,
            seen_up_to=scope.seen_up_to,
            traffic=self.parts.traffic.since(self.asked_before),
            compared=tuple(self.details.compared),
            worklist=tuple(self.details.worklist),
        )
        if not self.asked.dry_run:
            self.store.record_pass(report.as_record())
        log.info(
            "pass_ended", kind=report.kind.value, outcome=outcome.value, counts=report.counts()
        )
        return report

    def _manner(self) -> Iterator[str]:
        """Say how the target is written to, where it is not in the surest manner."""
        sentence = self.ladder.manner.sentence()
        if self.may_write and sentence is not None:
            yield sentence
