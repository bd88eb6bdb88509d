"""MemoryStore: the StateStore port in dictionaries; outlives a Killed process as a database."""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from adapter.audit import AuditEvent, AuditRow, TrailCheck
from adapter.errors import LeaseLost, StoreError
from adapter.ports import (
    FrozenBundle,
    HandedOut,
    HeldLease,
    ListedEntry,
    ParkedCase,
    PassRecord,
    WorklistEntry,
    WorklistKind,
)

from .crash import CrashPoints


class MemoryStore:
    """What `adapter.store` keeps in SQL, in memory. `crash` may kill before each change."""

    def __init__(self, crash: CrashPoints | None = None) -> None:
        self.crash = crash or CrashPoints()
        self.watermarks: dict[str, datetime] = {}
        self.queue: dict[str, int] = {}
        self.marks = itertools.count()
        self.reasons: dict[str, str] = {}
        self.later: dict[str, datetime] = {}
        self.patients: set[str] = set()
        self.frozen: dict[str, FrozenBundle] = {}
        self.parked_cases: dict[str, ParkedCase] = {}
        self.absences: dict[str, datetime] = {}
        self.listed: dict[tuple[WorklistKind, str], ListedEntry] = {}
        self.audit: list[PassRecord] = []
        self.trail: list[AuditEvent] = []
        self.settings: dict[str, str] = {}
        self.lease: tuple[str, int, datetime] | None = None
        self.fencing = 0

    def watermark(self, name: str) -> datetime | None:
        return self.watermarks.get(name)

    def set_watermark(self, name: str, instant: datetime) -> None:
        self.crash.step()
        self.watermarks[name] = instant

    def enqueue(self, patients: Iterable[str], *, reason: str) -> int:
        self.crash.step()
        wanted = dict.fromkeys(patients)
        fresh = [patient for patient in wanted if patient not in self.queue]
        self.reasons.update(dict.fromkeys(fresh, reason))
        self.queue.update({patient: next(self.marks) for patient in wanted})
        return len(fresh)

    def queued(self, among: Iterable[str] | None = None, *, reason: str | None = None) -> HandedOut:
        named = set(self.queue if among is None else among)
        return {
            patient: mark
            for patient, mark in self.queue.items()
            if patient in named and reason in (None, self.reasons[patient])
        }

    def queue_length(self, reason: str | None = None) -> int:
        return len(self.queued(reason=reason))

    def done(self, handed_out: HandedOut) -> None:
        self.crash.step()
        for patient, mark in handed_out.items():
            if self.queue.get(patient) == mark:
                del self.queue[patient]

    def look_again(self, patients: Iterable[str], *, at: datetime) -> None:
        self.crash.step()
        self.later.update(dict.fromkeys(patients, at))

    def wake_due(self, now: datetime, *, reason: str) -> int:
        due = [patient for patient, at in self.later.items() if at <= now]
        if due:
            self.enqueue(due, reason=reason)
            self.later = {one: at for one, at in self.later.items() if one not in due}
        return len(due)

    def remember_patients(self, patients: Iterable[str]) -> None:
        self.crash.step()
        self.patients.update(patients)

    def known_patients(self, patients: Iterable[str]) -> frozenset[str]:
        return frozenset(self.patients.intersection(patients))

    def freeze(self, bundle: FrozenBundle) -> None:
        self.crash.step()
        self.frozen.setdefault(bundle.key, bundle)

    def outbox(self) -> tuple[FrozenBundle, ...]:
        return tuple(self.frozen.values())

    def settle(self, key: str, events: Iterable[AuditEvent] = ()) -> None:
        self.crash.step()
        if self.frozen.pop(key, None) is not None:
            self.trail += events

    def park(self, case: ParkedCase) -> None:
        self.crash.step()
        known = self.parked_cases.get(case.key)
        attempts = known.attempts + 1 if known else case.attempts
        self.parked_cases[case.key] = replace(case, attempts=attempts)

    def parked(self) -> tuple[ParkedCase, ...]:
        return tuple(sorted(self.parked_cases.values(), key=lambda case: case.parked_at))

    def unpark(self, keys: Iterable[str]) -> None:
        self.crash.step()
        for key in keys:
            self.parked_cases.pop(key, None)

    def note_absent(self, reference: str, at: datetime) -> datetime:
        self.crash.step()
        self.absences[reference] = min(at, self.absences.get(reference, at))
        return self.absences[reference]

    def note_present(self, references: Iterable[str]) -> None:
        self.crash.step()
        for reference in references:
            self.absences.pop(reference, None)

    def replace_worklist(
        self,
        *,
        subjects: Iterable[str],
        references: Iterable[str],
        entries: Iterable[WorklistEntry],
        at: datetime,
    ) -> None:
        wanted = {(entry.kind, entry.reference): entry for entry in entries}
        patients = set(subjects) - {""}
        resources = set(references) | {reference for _, reference in wanted}
        old = {
            key: one
            for key, one in self.listed.items()
            if one.entry.subject in patients or one.entry.reference in resources
        }
        if not old and not wanted:
            return
        self.crash.step()
        for key in old:
            del self.listed[key]
        for key, entry in wanted.items():
            self.listed[key] = ListedEntry(entry, old[key].first_seen if key in old else at, at)

    def prune_worklist(self, before: datetime, *, keep: Iterable[str] = ()) -> None:
        kept = set(keep)
        gone = [
            key
            for key, one in self.listed.items()
            if one.last_seen < before and one.entry.subject not in kept
        ]
        if gone:
            self.crash.step()
        for key in gone:
            del self.listed[key]

    def worklist(self) -> tuple[ListedEntry, ...]:
        return tuple(
            sorted(
                self.listed.values(),
                key=lambda one: (one.entry.kind, one.first_seen, one.entry.reference),
            )
        )

    def record_pass(self, record: PassRecord) -> None:
        self.crash.step()
        self.audit.append(record)

    def passes(self, limit: int = 20) -> tuple[PassRecord, ...]:
        return tuple(reversed(self.audit))[:limit]

    def latest_pass(self, kinds: Collection[str], outcomes: Collection[str]) -> PassRecord | None:
        found = (
            one for one in reversed(self.audit) if one.kind in kinds and one.outcome in outcomes
        )
        return next(found, None)

    def passes_since(self, since: datetime | None = None) -> Iterator[PassRecord]:
        return (one for one in tuple(self.audit) if since is None or one.ended_at >= since)

    def record(self, events: Iterable[AuditEvent]) -> None:
        self.crash.step()
        self.trail += events

    def recorded(self, patient: str | None = None, *, limit: int = 100) -> tuple[AuditRow, ...]:
        rows = [
            _audit_row(number, event)
            for number, event in enumerate(self.trail, 1)
            if patient in (None, event.patient)
        ]
        return tuple(rows[-limit:])

    def trail_head(self) -> str:
        return f"{len(self.trail)}:"

    def check_trail(self, *, head: str = "", old_keys: Sequence[bytes] = ()) -> TrailCheck:
        return TrailCheck(len(self.trail))

    def acquire_lease(self, holder: str, *, now: datetime, seconds: float) -> int | None:
        ends = self.lease[2] if self.lease else now
        runs = now < ends <= now + timedelta(hours=1)
        if self.lease and self.lease[0] != holder and runs:
            return None
        if self.lease is None or self.lease[0] != holder or not runs:
            self.fencing += 1
        self.lease = (holder, self.fencing, now + timedelta(seconds=seconds))
        return self.fencing

    def held_lease(self) -> HeldLease | None:
        return HeldLease(self.lease[0], self.lease[2]) if self.lease else None

    def check_lease(self, holder: str, fencing: int, *, now: datetime) -> None:
        if self.lease is None or self.lease[:2] != (holder, fencing) or self.lease[2] <= now:
            raise LeaseLost("another adapter holds the writer's lease")

    def release_lease(self, holder: str) -> None:
        if self.lease and self.lease[0] == holder:
            self.lease = None

    def setting(self, name: str) -> str | None:
        return self.settings.get(name)

    def set_setting(self, name: str, value: str | None) -> None:
        self.crash.step()
        if value is None:
            self.settings.pop(name, None)
        else:
            self.settings[name] = value

    def held_about(self, patient: str) -> Mapping[str, int]:
        return {
            "queue": int(patient in self.queue),
            "second looks": int(patient in self.later),
            "known patients": int(patient in self.patients),
            "parked": sum(case.patient == patient for case in self.parked_cases.values()),
            "worklist": sum(one.entry.subject == patient for one in self.listed.values()),
            "key in the audit trail": int(any(one.patient == patient for one in self.trail)),
            "bundles under way": sum(patient in one.patients for one in self.frozen.values()),
            "damaged files": 0,
        }

    def erase(
        self, patient: str, events: Iterable[AuditEvent], *, settings: Sequence[str] = ()
    ) -> tuple[str, ...]:
        if any(patient in one.patients for one in self.frozen.values()):
            raise StoreError("a bundle is under way")
        self.crash.step()
        self.queue.pop(patient, None)
        self.later.pop(patient, None)
        self.patients.discard(patient)
        for key in [key for key, one in self.parked_cases.items() if one.patient == patient]:
            del self.parked_cases[key]
        for found in [key for key, one in self.listed.items() if one.entry.subject == patient]:
            del self.listed[found]
        self.absences.clear()
        for name in settings:
            self.settings.pop(name, None)
        self.trail = [
            replace(one, patient="erased", details={}) if one.patient == patient else one
            for one in self.trail
        ]
        self.trail += [replace(one, patient="", details={}) for one in events]
        return ()

    def counts(self) -> Mapping[str, int]:
        """How much of everything there is, for a test's messages."""
        return {
            "queue": len(self.queue),
            "outbox": len(self.frozen),
            "parked": len(self.parked_cases),
        }


def _audit_row(number: int, event: AuditEvent) -> AuditRow:
    """A row as it reads back; there is no chain in memory, and nothing is sealed."""
    at = event.at.isoformat(timespec="seconds")
    said = (event.actor, event.action.value, event.outcome, event.patient)
    json.dumps([event.facts, event.details])  # what cannot be stored must not be recorded
    return AuditRow(number, at, *said, event.facts, event.details, "")
