"""The edges as Protocols, and the records that cross them: FHIR server, state store, clock.

The core and `sync` know these and nothing behind them. Times are aware UTC datetimes, durations seconds.
A FHIR resource is a dict as parsed from JSON by the strict reader, numbers with a fraction as Decimal.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol

from adapter.audit import AuditEvent, AuditTrail

JsonObject = dict[str, Any]
"""A JSON object as parsed; FHIR keys as FHIR spells them."""

JsonReader = Callable[[bytes], JsonObject]
"""Reads one JSON object strictly; raises InputError with a stable code on anything doubtful.

That of a FHIR server may put a RefusedResource in place of one resource in a searchset or batch-response.
"""

SearchParams = Sequence[tuple[str, str]]
"""Search parameters in order; a repeated name means AND, a comma inside a value OR."""


class Clock(Protocol):
    """Time, as a dependency."""

    def now(self) -> datetime:
        """Tell the present instant, aware, UTC."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns early when the process is asked to stop."""
        ...


@dataclass(frozen=True)
class Capability:
    """What a server says it can do (CapabilityStatement), reduced to what we ask.

    `interactions`: resource type → names such as "read", "search-type", "update". `search_params`: resource type →
    parameter names. `system_interactions`: "transaction", "batch", … Empty mappings mean that the server does not say.
    """

    fhir_version: str
    software: str
    interactions: Mapping[str, frozenset[str]] = field(default_factory=dict)
    search_params: Mapping[str, frozenset[str]] = field(default_factory=dict)
    system_interactions: frozenset[str] = frozenset()


@dataclass(frozen=True)
class RefusedResource:
    """A resource that stands and cannot be had: what of it is beyond doubt, and why.

    `known`: its resourceType, its id and the reference of its subject, as a resource that says no more. `code`: a
    stable reason code (docs/limits.md). `mentions`: the references that stand anywhere in it, as written. `status`: by
    which the server does not show it; None where it is no strict JSON.
    """

    known: JsonObject
    code: str
    mentions: frozenset[str] = frozenset()
    status: int | None = None


REFUSED_ALONE: Final = frozenset(
    {
        "duplicate-key",
        "lone-surrogate",
        "not-a-number",
        "nul-character",
        "number-out-of-range",
        "too-deep",
    }
)
"""Codes of what can be wrong inside one resource; any other spoils the whole answer."""

Read = JsonObject | RefusedResource | None
"""What reading one resource gave; None where the server answers 404 or 410."""


@dataclass(frozen=True)
class SearchPage:
    """One page of a searchset: matches and included resources, and what the server warned of.

    `unusable`: matches that nothing may be decided from: without a valid id, or shortened by the server.
    `warnings` are shortened OperationOutcome texts of warning or information severity.
    `server_time`: the Date header as UTC, or None. `total`: all matches of the search, where the
    server says how many. `refused`: resources that are no strict JSON, of any type: matches or included.
    """

    matches: tuple[JsonObject, ...]
    included: tuple[JsonObject, ...] = ()
    warnings: tuple[str, ...] = ()
    server_time: datetime | None = None
    total: int | None = None
    unusable: tuple[JsonObject, ...] = ()
    refused: tuple[RefusedResource, ...] = ()


@dataclass(frozen=True)
class EntryOutcome:
    """What a transaction did with one entry: HTTP status, the new versionId, and the stored resource when returned.

    `reference`: of a single write, "Type/id" as the answer's Location names it; None where it does not.
    """

    status: int
    version: str | None
    resource: JsonObject | None = None
    reference: str | None = None


@dataclass(frozen=True)
class SingleWrite:
    """One create, update or delete outside a transaction.

    `method`: POST, PUT or DELETE. `url`: relative to the base: "Observation", "Observation/<id>", or the criteria of a
    conditional update ("Observation?identifier=…", FHIR-escaped and percent-encoded by the caller). `body`: sent as
    these very bytes. `if_match`: ETag, `W/"<versionId>"`; `if_none_exist`: criteria of a conditional create.
    """

    method: str
    url: str
    body: bytes = b""
    if_match: str | None = None
    if_none_exist: str | None = None


class FhirServer(Protocol):
    """A FHIR R4 REST server. Every method may raise ServerError as the tree in errors.py says."""

    @property
    def base_url(self) -> str:
        """Base URL without a trailing slash; references below it are written relative."""
        ...

    def capability(self) -> Capability:
        """Ask for the CapabilityStatement; raises NotFhirR4 when it is none of 4.0.x or 4.3.0."""
        ...

    def read(self, reference: str) -> JsonObject | None:
        """Read "Type/id" or "Type/id/_history/v"; None when the server answers 404 or 410.

        Raises: ResourceRefused when it is there and no strict JSON.
        """
        ...

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Read many by one batch Bundle or singly, as `read`; one that is refused stops no other."""
        ...

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search, page by page until there is no next link, never from the server's search cache."""
        ...

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Send a transaction Bundle as these very bytes; one outcome per entry, in order.

        Raises: VersionConflict or AmbiguousMatch (409, 412), PermanentServerError (400, 404, 410, 422, …: refused for
        good), TemporaryServerError (429, 5xx), UnknownOutcome (sent, no usable answer: read again).
        """
        ...

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Create, update or delete one resource; for servers without transactions, and to measure a server.

        Raises: as `transact`.
        """
        ...


@dataclass(frozen=True)
class ListedPatients:
    """Whom a list names ("Patient/<id>"), each once and sorted; `warnings`: what of it could not be used, in words."""

    patients: tuple[str, ...]
    warnings: tuple[str, ...] = ()


class PatientList(Protocol):
    """Whom to look at where the server cannot be asked what changed; kept by somebody else, and read anew each time."""

    def read(self) -> ListedPatients:
        """Read it as it is now; raises ListUnusable where it names nobody, ServerError as the port above says."""
        ...


@dataclass(frozen=True)
class ParkedCase:
    """A case that the server refuses for good, kept until it is retried or its sources change.

    `key` is the derived Observation's id; `patient` "Patient/<id>"; `fingerprint` of what was refused: the same content
    is not sent again by itself; `reason` holds no patient data.
    """

    key: str
    patient: str
    reason: str
    fingerprint: str
    parked_at: datetime
    attempts: int = 1


class WorklistKind(StrEnum):
    """Why something is on the worklist."""

    NOT_READ = "not-read"
    """A result that was not recognised or could not be read."""
    NARRATIVE = "narrative"
    """A HER2 statement in a narrative; a suggestion, never a category."""
    LIKELY_PARTNER = "likely-partner"
    """An open case with exactly one open counterpart on another specimen of the same patient."""


@dataclass(frozen=True)
class WorklistEntry:
    """One thing for a person to look at, as it stands now; logical ids, and never patient data beyond them.

    `subject`: "Patient/<id>", "" where it cannot be told. `reference`: the resource it is about
    ("Observation/<id>", "DiagnosticReport/<id>", …); with the kind it is the entry's key. `system`, `code`: of
    the code that no row knows. `pattern`: the shape of the text, what could be a value masked. `suggestion`: what it
    might mean, in the vocabulary's own words; "" where nothing is near. `partner`: the other side of a likely pair.
    """

    kind: WorklistKind
    subject: str
    reference: str
    reason: str
    system: str = ""
    code: str = ""
    pattern: str = ""
    suggestion: str = ""
    partner: str = ""


@dataclass(frozen=True)
class ListedEntry:
    """An entry as the worklist keeps it: when it was first listed without a break, and last confirmed."""

    entry: WorklistEntry
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True)
class FrozenBundle:
    """A transaction as it is sent: the very bytes, and what each case of it expects to stand on the server.

    `expected`: derived Observation id → versionId that the plan saw, or None when nothing stood there.
    `fingerprints`: derived Observation id → fingerprint of what is sent.
    """

    key: str
    body: bytes
    expected: Mapping[str, str | None]
    fingerprints: Mapping[str, str]
    patients: frozenset[str]
    frozen_at: datetime


@dataclass(frozen=True)
class PassRecord:
    """One pass in the audit: when, what kind, how it ended and its counts (no patient data)."""

    started_at: datetime
    ended_at: datetime
    kind: str
    outcome: str
    counts: Mapping[str, int]


HandedOut = Mapping[str, int]
"""Patients as the queue handed them out ("Patient/<id>"), each with the mark of their latest wake-up by then."""


@dataclass(frozen=True)
class HeldLease:
    """Who holds the writer's lease, and until when unless it is renewed."""

    holder: str
    until: datetime


class StateStore(AuditTrail, Protocol):
    """Durable state of the adapter. All but the audit trail is a cache: it can be rebuilt from the server.

    Every method commits before it returns. Raises StoreError (disk full, corrupt, not reachable) or LeaseLost.
    """

    def watermark(self, name: str) -> datetime | None:
        """Tell up to which instant `name` (a discovery, e.g. "Observation") was read; None before the first pass."""
        ...

    def set_watermark(self, name: str, instant: datetime) -> None:
        """Move a watermark; only after everything before it is queued."""
        ...

    def enqueue(self, patients: Iterable[str], *, reason: str) -> int:
        """Queue patients ("Patient/<id>") to be looked at; already queued ones stay once. Returns how many are new."""
        ...

    def queued(self, among: Iterable[str] | None = None, *, reason: str | None = None) -> HandedOut:
        """Hand out who is queued, those queued longest first; they stay queued until `done`.

        `among`: only some patients; `reason`: only those first queued for it.

        To be asked before anything is read of a patient: whoever is queued later wants a later look.
        """
        ...

    def queue_length(self, reason: str | None = None) -> int:
        """How many patients are queued, or were first queued for a reason."""
        ...

    def done(self, handed_out: HandedOut) -> None:
        """Take patients off the queue, after what they needed is confirmed on the server.

        Who was queued again since `queued` handed them out stays: what they need now was not looked at.
        """
        ...

    def look_again(self, patients: Iterable[str], *, at: datetime) -> None:
        """Note that patients are to be queued once more at an instant; what was said last counts."""
        ...

    def wake_due(self, now: datetime, *, reason: str) -> int:
        """Queue those whom `look_again` noted for an instant that has come, and forget that. Returns how many."""
        ...

    def remember_patients(self, patients: Iterable[str]) -> None:
        """Note patients with HER2 results, so that changes of their Specimens, reports and themselves wake them."""
        ...

    def known_patients(self, patients: Iterable[str]) -> frozenset[str]:
        """Which of these are remembered."""
        ...

    def freeze(self, bundle: FrozenBundle) -> None:
        """Put a bundle into the outbox, before it is sent; the same key replaces nothing (first bytes win)."""
        ...

    def outbox(self) -> tuple[FrozenBundle, ...]:
        """Bundles that were frozen and not settled, oldest first."""
        ...

    def settle(self, key: str, events: Iterable[AuditEvent] = ()) -> None:
        """Take a bundle out of the outbox, after its outcome is known, and record it in the same transaction.

        Nothing is recorded for a bundle that is not there: another process has settled it.
        """
        ...

    def park(self, case: ParkedCase) -> None:
        """Park a case, or count another attempt at it."""
        ...

    def parked(self) -> tuple[ParkedCase, ...]:
        """All parked cases, oldest first."""
        ...

    def unpark(self, keys: Iterable[str]) -> None:
        """Forget that these cases were parked."""
        ...

    def note_absent(self, reference: str, at: datetime) -> datetime:
        """Note that a source answered 404 or 410 now; give the first such instant, never a later one."""
        ...

    def note_present(self, references: Iterable[str]) -> None:
        """Forget earlier absences of these sources."""
        ...

    def replace_worklist(
        self,
        *,
        subjects: Iterable[str],
        references: Iterable[str],
        entries: Iterable[WorklistEntry],
        at: datetime,
    ) -> None:
        """Make these entries all there is about some patients and some resources; the others stay.

        Args:
            subjects: patients ("Patient/<id>") that were looked at whole.
            references: resources that were looked at, whomever they belonged to before.
            entries: what stands about them now; of several with one kind and reference the last counts.
            at: when they were looked at; an entry that was there keeps its `first_seen`.

        """
        ...

    def prune_worklist(self, before: datetime, *, keep: Iterable[str] = ()) -> None:
        """Forget entries that were last seen before this instant: a sweep that saw everything did not see them.

        What is listed about the patients of `keep` stays: they could not be looked at.
        """
        ...

    def worklist(self) -> tuple[ListedEntry, ...]:
        """Give the worklist: by kind, then longest listed first, then by reference."""
        ...

    def record_pass(self, record: PassRecord) -> None:
        """Append one pass to the audit."""
        ...

    def passes(self, limit: int = 20) -> tuple[PassRecord, ...]:
        """Give the latest passes, newest first."""
        ...

    def latest_pass(self, kinds: Collection[str], outcomes: Collection[str]) -> PassRecord | None:
        """Give the latest pass of these kinds that ended in one of these ways, None for none."""
        ...

    def passes_since(self, since: datetime | None = None) -> Iterator[PassRecord]:
        """Give the passes that ended from an instant on, oldest first; None for all that are kept.

        They are read piece by piece, because weeks of them are many. Raises: StoreError, also on the way.
        """
        ...

    def acquire_lease(self, holder: str, *, now: datetime, seconds: float) -> int | None:
        """Take or renew the writer's lease; give its fencing number, or None while another holder has it.

        A lease that would hold for more than an hour was taken by a clock that ran ahead: it holds no more.
        """
        ...

    def held_lease(self) -> HeldLease | None:
        """Tell who took the lease last and did not give it back; it may have run out."""
        ...

    def check_lease(self, holder: str, fencing: int, *, now: datetime) -> None:
        """Raise LeaseLost unless this holder with this number still has the lease."""
        ...

    def release_lease(self, holder: str) -> None:
        """Give the lease back if this holder has it."""
        ...

    def setting(self, name: str) -> str | None:
        """Give a small durable fact (e.g. "backfill-allowed", "brake"), or None."""
        ...

    def set_setting(self, name: str, value: str | None) -> None:
        """Set or, with None, forget a small durable fact."""
        ...

    def held_about(self, patient: str) -> Mapping[str, int]:
        """Count what the state holds about a patient ("Patient/<id>"), by where; zeros too."""
        ...

    def erase(
        self, patient: str, events: Iterable[AuditEvent], *, settings: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Erase a patient from everything but the server, and record that somebody was erased.

        Args:
            patient: "Patient/<id>".
            events: what is recorded in the same transaction, without the patient.
            settings: small durable facts that could name something of theirs, and are forgotten.

        Returns:
            Sentences for the operator on what could not be done.

        Raises:
            StoreError: a bundle of theirs is under way, or what was deleted could not be overwritten.

        """
        ...
