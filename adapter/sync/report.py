"""What a pass reports: counts, rows to show, and what it could not do. Values only.

Rows hold logical ids, categories and reason codes, never what a laboratory wrote.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

from adapter.her2.compared import Compared
from adapter.ports import PassRecord, WorklistEntry
from adapter.sync.planning.brakes import RELEASED, BrakeState
from adapter.sync.planning.plan import Action


class PassKind(StrEnum):
    """How a pass came to its patients."""

    INCREMENTAL = "incremental"
    SWEEP = "sweep"
    WALK = "walk"
    """Everybody on the list of patients, one by one."""
    PATIENTS = "patients"
    WITHDRAWAL = "withdrawal"


class PassOutcome(StrEnum):
    """How a pass ended."""

    DONE = "done"
    OBSERVED = "observed"
    """Nothing was written because nothing was to be: observe mode or a dry run."""
    BRAKED = "braked"
    STOPPED = "stopped"
    """Asked to stop before all was written; the rest stays queued."""


LOOKS_AT_ALL: Final = frozenset({PassKind.INCREMENTAL, PassKind.SWEEP, PassKind.WALK})
"""Kinds of passes over whatever was due; one over named patients, or a withdrawal, makes nobody else fresh."""
GOOD: Final = frozenset({PassOutcome.DONE, PassOutcome.OBSERVED})
"""How a pass ends that left nothing undone but what a person has to decide."""


@dataclass(frozen=True)
class CaseRow:
    """One tumour sample, as it is shown.

    `sample`: "Specimen/<id>", else what joins its results. `asco_cap`: None while pending or in
    review. `action`: what the pass did or, unwritten, would do; "parked" and "moved" are said in
    the report's lists.
    """

    patient: str
    sample: str
    derived: str
    sources: tuple[str, ...]
    category: str
    asco_cap: str | None
    ish_group: int | None
    rule: str
    review: bool
    reasons: tuple[str, ...]
    action: Action
    before: str | None = None


@dataclass(frozen=True)
class ComparedRow:
    """One sample whose laboratory concluded something itself, and how the answer stands to that."""

    row: CaseRow
    compared: Compared


@dataclass(frozen=True)
class SetAside:
    """One result that gave no category: why, as a stable reason code."""

    observation: str
    subject: str | None
    outcome: str
    reason: str


@dataclass(frozen=True)
class PassReport:
    """One pass, whole.

    `outcomes`: what became of every HER2 candidate fetched, by outcome; with `fetched` it is the
    accounting identity. `categories`: cases by category. `actions`: decisions by action. `signals`:
    other counts (foreign-edit, absence-unconfirmed, replanned, outbox …). `writes`: versions of
    resources the server made. `parked`: key of the derived Observation → reason, those parked in
    this pass and those held from earlier ones. `traffic`: what was asked of the servers, as `Traffic.counts` names it.
    `compared`, `worklist`: only where the details were asked for. `seen_up_to`: so far it knows what changed of those
    whom it did not look at; None for up to its start.
    """

    kind: PassKind
    outcome: PassOutcome
    started_at: datetime
    ended_at: datetime
    fetched: int = 0
    outcomes: Mapping[str, int] = field(default_factory=dict)
    categories: Mapping[str, int] = field(default_factory=dict)
    actions: Mapping[str, int] = field(default_factory=dict)
    signals: Mapping[str, int] = field(default_factory=dict)
    rows: tuple[CaseRow, ...] = ()
    set_aside: tuple[SetAside, ...] = ()
    parked: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    unfinished: frozenset[str] = frozenset()
    patients: int = 0
    writes: int = 0
    queue_left: int = 0
    brake: BrakeState = RELEASED
    traffic: Mapping[str, int] = field(default_factory=dict)
    compared: tuple[ComparedRow, ...] = ()
    worklist: tuple[WorklistEntry, ...] = ()
    seen_up_to: datetime | None = None

    @property
    def is_complete(self) -> bool:
        """Whether everything due was looked at and nothing is left to do, but what a person has to decide."""
        return self.outcome in GOOD

    @property
    def needs_operator(self) -> bool:
        """Whether a brake stopped it, so that somebody has to look before it goes on."""
        return self.brake.engaged

    def without_results(self, asked: Iterable[str]) -> frozenset[str]:
        """Name those of the patients asked for of whom the server showed no HER2 result, and who do not wait for it."""
        shown = {row.patient for row in self.rows} | {one.subject for one in self.set_aside}
        return frozenset(asked) - self.unfinished - shown

    def counts(self) -> dict[str, int]:
        """All counts under flat names, for the audit and for metrics."""
        flat = {"fetched": self.fetched, "patients": self.patients, "writes": self.writes}
        flat["parked"] = len(self.parked)
        flat["queue"] = self.queue_left
        for group, numbers in (
            ("outcome", self.outcomes),
            ("category", self.categories),
            ("action", self.actions),
            ("signal", self.signals),
        ):
            flat.update({f"{group}.{name}": number for name, number in numbers.items()})
        return {**flat, **self.traffic}

    def as_record(self) -> PassRecord:
        """Reduce it to what the audit keeps: when, what kind, how it ended, and its counts."""
        return PassRecord(
            started_at=self.started_at,
            ended_at=self.ended_at,
            kind=self.kind.value,
            outcome=self.outcome.value,
            counts=self.counts(),
        )
