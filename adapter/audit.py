"""The audit trail as a port: what is recorded, how it reads back, and what a check of it says.

The trail says who did what, when, how it ended, under which policy and vocabulary, and for whom. It is not a cache:
nothing can rebuild it. A person stands in it as a pseudonym under a key of their own, and everything that could be
tied to them is sealed with that key, so that deleting the key takes the person out and leaves every row as it was
(S15, docs/state.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

Facts = Mapping[str, str | int]
"""Plain facts of a row: versions, counts, file names; nothing of a person."""

Details = Mapping[str, str | Sequence[str]]
"""What is sealed with the person's key: references, versions, rule, categories."""


class AuditAction(StrEnum):
    """What was done."""

    CREATED = "created"
    UPDATED = "updated"
    WITHDRAWN = "withdrawn"
    REPAIRED = "repaired"
    COMPLETED = "completed"
    PARKED = "parked"
    UNPARKED = "unparked"
    DROPPED = "dropped"
    BRAKE_ENGAGED = "brake-engaged"
    BRAKE_SHOWN = "brake-shown"
    BRAKE_RELEASED = "brake-released"
    BRAKE_ENDED = "brake-ended"
    ERASED = "erased"
    WITHDRAWAL_RUN = "withdrawal-run"
    DOCTOR_RUN = "doctor-run"
    GO_LIVE_REPORT = "go-live-report"
    MAPPINGS_RELOADED = "mappings-reloaded"
    MAPPINGS_REFUSED = "mappings-refused"
    SUBSCRIBED = "subscribed"
    UNSUBSCRIBED = "unsubscribed"
    SERVICE_STARTED = "service-started"
    SERVICE_STOPPED = "service-stopped"
    TRAIL_BEGUN = "trail-begun"
    TRAIL_RESUMED = "trail-resumed"


@dataclass(frozen=True)
class AuditEvent:
    """One thing to record.

    `outcome`: a stable code. `actor`: the operator's name, or the account and host of the process. `patient`:
    "Patient/<id>" or "" where no person is concerned; it is kept as a pseudonym only. `facts`: plain. `details`: sealed
    with the person's key; only where there is a patient.
    """

    action: AuditAction
    outcome: str
    actor: str
    at: datetime
    patient: str = ""
    facts: Facts = field(default_factory=dict)
    details: Details = field(default_factory=dict)


@dataclass(frozen=True)
class AuditRow:
    """One row of the trail, read back.

    `at`: UTC, whole seconds, ISO 8601. `subject`: the person's pseudonym or "". `details`: None while sealed: nobody
    asked for this person, or their key is gone. `mac`: 64 hexadecimal digits.
    """

    seq: int
    at: str
    actor: str
    action: str
    outcome: str
    subject: str
    facts: Facts
    details: Details | None
    mac: str


@dataclass(frozen=True)
class TrailCheck:
    """What a check of the whole trail found.

    `rows`: how many are right, from the first on. `wrong_row`: number of the first that is not, None when all are.
    `problem`: one sentence, "" when there is none.
    """

    rows: int
    wrong_row: int | None = None
    problem: str = ""

    @property
    def is_sound(self) -> bool:
        """Whether every row is as it was written, and none is missing."""
        return not self.problem


class AuditTrail(Protocol):
    """An append-only trail, each row with an HMAC over its content and the row before it."""

    def record(self, events: Iterable[AuditEvent]) -> None:
        """Append rows, in one transaction; raises StoreError, and then none of them stands."""
        ...

    def recorded(self, patient: str | None = None, *, limit: int = 100) -> tuple[AuditRow, ...]:
        """Give the latest rows, oldest first: all, or those of one person with their details."""
        ...

    def trail_head(self) -> str:
        """Give number and HMAC of the last row as "<number>:<mac>", to be kept elsewhere; "0:" when there is none."""
        ...

    def check_trail(self, *, head: str = "", old_keys: Sequence[bytes] = ()) -> TrailCheck:
        """Check every row, the head, and that a head kept elsewhere is still in the trail.

        Args:
            head: as `trail_head` gave it at some time; "" for none.
            old_keys: keys under which earlier rows were written.

        """
        ...
