"""What the recorded passes of a period say: how many, how they ended, how fresh the results were, what they asked.

Pure; the passes are taken one by one, because weeks of them are tens of thousands.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapter.ports import PassRecord
from adapter.sync.loop import FAILED
from adapter.sync.report import GOOD, LOOKS_AT_ALL, PassKind
from adapter.traffic import MILLISECONDS, RECEIVED, REQUESTS, SENT, requests_in

_ERROR: Final = "error."
SHORTEST_SECONDS: Final = 1.0
"""A pass counts as this long at least, where a rate is worked out."""


_LOOKS_AT_EVERYBODY: Final = frozenset({PassKind.SWEEP, PassKind.WALK})
"""Kinds of passes after which nothing is left unseen where nobody can ask what changed."""


@dataclass(frozen=True)
class Gap:
    """The longest time from the end of one good pass that left nothing unseen to the end of the next."""

    seconds: float
    begun: datetime
    ended: datetime


@dataclass(frozen=True)
class KindOfPass:
    """The passes of one kind that did not fail. Seconds by nearest rank; `requests`: of those that counted them."""

    kind: str
    passes: int
    patients: int
    seconds_p50: float
    seconds_p95: float
    seconds_longest: float
    requests: int


@dataclass(frozen=True)
class Busiest:
    """The pass that asked most in a second, on average over the pass."""

    started_at: datetime
    requests: int
    per_second: float


@dataclass(frozen=True)
class Asked:
    """What was asked of the servers.

    `counted`: passes that counted requests; those of an older version did not. `requests`: (server, interaction,
    fate) → number. `sent_bytes`, `received_bytes`, `server_seconds`: by server; seconds from sending to the end of
    the answer.
    """

    counted: int = 0
    requests: Mapping[tuple[str, str, str], int] = field(default_factory=dict)
    sent_bytes: Mapping[str, int] = field(default_factory=dict)
    received_bytes: Mapping[str, int] = field(default_factory=dict)
    server_seconds: Mapping[str, float] = field(default_factory=dict)
    busiest: Busiest | None = None

    @property
    def total(self) -> int:
        """All requests."""
        return sum(self.requests.values())


@dataclass(frozen=True)
class Period:
    """What was observed. `outcomes`, `failures`: passes by outcome, and those that failed by class of error."""

    since: datetime | None = None
    until: datetime | None = None
    outcomes: Mapping[str, int] = field(default_factory=dict)
    failures: Mapping[str, int] = field(default_factory=dict)
    kinds: tuple[KindOfPass, ...] = ()
    writes: int = 0
    patients: int = 0
    longest_gap: Gap | None = None
    last_good: datetime | None = None
    asked: Asked = field(default_factory=Asked)

    @property
    def passes(self) -> int:
        """All passes."""
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Passes that an error ended."""
        return self.outcomes.get(FAILED, 0)

    @property
    def days(self) -> float:
        """From the start of the first pass to the end of the last; 0 without a pass."""
        if self.since is None or self.until is None:
            return 0.0
        return (self.until - self.since).total_seconds() / 86_400


def period_of(passes: Iterable[PassRecord], *, asks_what_changed: bool = True) -> Period:
    """Add up the passes of a period, which come oldest first.

    Args:
        passes: of the period.
        asks_what_changed: False where whom to look at is told by a list or by requests. Then a poll looks at the queue
            alone, and only a walk over the list, or a sweep, ends the time in which a change may be unseen.

    """
    count = _Count(LOOKS_AT_ALL if asks_what_changed else _LOOKS_AT_EVERYBODY)
    for one in passes:
        count.add(one)
    return count.period()


@dataclass
class _Count:
    """A period as it is read; `sees_all`: kinds of passes after which nothing is left unseen."""

    sees_all: Collection[str]
    since: datetime | None = None
    until: datetime | None = None
    last_good: datetime | None = None
    last_seen: datetime | None = None
    longest: Gap | None = None
    counted: int = 0
    busiest: Busiest | None = None
    outcomes: Counter[str] = field(default_factory=Counter)
    sums: Counter[str] = field(default_factory=Counter)
    seconds: defaultdict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    of_kind: Counter[tuple[str, str]] = field(default_factory=Counter)

    def add(self, one: PassRecord) -> None:
        seconds = max(0.0, (one.ended_at - one.started_at).total_seconds())
        requests = requests_in(one.counts)
        self.since = min(self.since or one.started_at, one.started_at)
        self.until = max(self.until or one.ended_at, one.ended_at)
        self.outcomes[one.outcome] += 1
        self.sums.update(one.counts)
        if one.outcome != FAILED:
            self.seconds[one.kind].append(seconds)
            self.of_kind[one.kind, "patients"] += one.counts.get("patients", 0)
            self.of_kind[one.kind, "requests"] += requests
        if one.outcome in GOOD and one.kind in LOOKS_AT_ALL:
            self.last_good = one.ended_at
        if one.outcome in GOOD and one.kind in self.sees_all:
            self._note_seen(one.ended_at)
        if requests:
            self.counted += 1
            rate = requests / max(seconds, SHORTEST_SECONDS)
            if self.busiest is None or rate > self.busiest.per_second:
                self.busiest = Busiest(one.started_at, requests, rate)

    def _note_seen(self, ended: datetime) -> None:
        if self.last_seen is not None:
            gap = Gap((ended - self.last_seen).total_seconds(), self.last_seen, ended)
            if self.longest is None or gap.seconds > self.longest.seconds:
                self.longest = gap
        self.last_seen = ended

    def period(self) -> Period:
        failures = {
            name.removeprefix(_ERROR): number
            for name, number in sorted(self.sums.items())
            if name.startswith(_ERROR)
        }
        return Period(
            since=self.since,
            until=self.until,
            outcomes=dict(sorted(self.outcomes.items())),
            failures=failures,
            kinds=tuple(self._kind(kind) for kind in sorted(self.seconds)),
            writes=self.sums["writes"],
            patients=sum(n for (_, what), n in self.of_kind.items() if what == "patients"),
            longest_gap=self.longest,
            last_good=self.last_good,
            asked=asked_in(self.sums, counted=self.counted, busiest=self.busiest),
        )

    def _kind(self, kind: str) -> KindOfPass:
        seconds = sorted(self.seconds[kind])
        return KindOfPass(
            kind,
            passes=len(seconds),
            patients=self.of_kind[kind, "patients"],
            seconds_p50=percentile(seconds, 50),
            seconds_p95=percentile(seconds, 95),
            seconds_longest=seconds[-1],
            requests=self.of_kind[kind, "requests"],
        )


def asked_in(
    counts: Mapping[str, int], *, counted: int = 1, busiest: Busiest | None = None
) -> Asked:
    """Read what was asked of the servers from the counts of one pass, or of several added up."""
    requests: dict[tuple[str, str, str], int] = {}
    for name, number in sorted(counts.items()):
        first, *more = name.split(".")
        if first == REQUESTS and len(more) == 3:
            requests[more[0], more[1], more[2]] = number
    return Asked(
        counted=counted,
        requests=requests,
        sent_bytes=_by_server(counts, SENT),
        received_bytes=_by_server(counts, RECEIVED),
        server_seconds={
            role: number / 1000 for role, number in _by_server(counts, MILLISECONDS).items()
        },
        busiest=busiest,
    )


def _by_server(counts: Mapping[str, int], first: str) -> dict[str, int]:
    begins = f"{first}."
    return {
        name.removeprefix(begins): number
        for name, number in sorted(counts.items())
        if name.startswith(begins)
    }


def percentile(ascending: Sequence[float], percent: int) -> float:
    """Give the smallest value that this many percent do not exceed (nearest rank); `ascending` is not empty."""
    return ascending[max(0, math.ceil(percent / 100 * len(ascending)) - 1)]
