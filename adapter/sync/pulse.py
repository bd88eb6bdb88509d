"""What the loop last did, for whoever asks from another thread: health, metrics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock

from adapter.sync.report import PassReport


@dataclass(frozen=True)
class Beat:
    """A moment of the loop. Times are aware UTC.

    `good_since`: when the last pass began that did everything that was due and left nothing undone. `seen_since`: what
    changed later than that may be unseen; it is earlier than `good_since` where a list of patients is walked now and
    then. `busy_since`: when the pass under way began. `holds_lease`: as of the last
    pass tried, None before the first. `last`: the last report, and `last_error`, `error_id`, `failed_at` of the last
    pass that failed, since this process writes; `failures` counts those without a good one since. `passes`: kind and
    outcome → how many in this process.
    `totals`: the flat counts of all reports of this process, summed.
    """

    started_at: datetime
    good_since: datetime | None = None
    seen_since: datetime | None = None
    busy_since: datetime | None = None
    holds_lease: bool | None = None
    last: PassReport | None = None
    last_error: str = ""
    error_id: str = ""
    failed_at: datetime | None = None
    failures: int = 0
    passes: Mapping[tuple[str, str], int] = field(default_factory=dict)
    totals: Mapping[str, int] = field(default_factory=dict)


class Pulse:
    """Keeps the latest beat; safe for threads."""

    def __init__(self, started_at: datetime) -> None:
        self._beat = Beat(started_at)
        self._lock = Lock()

    @property
    def beat(self) -> Beat:
        """The latest."""
        return self._beat

    def stands_by(self) -> None:
        """Note that another process writes: what this one met before is that one's to tell."""
        with self._lock:
            self._beat = replace(
                self._beat,
                holds_lease=False,
                busy_since=None,
                last=None,
                last_error="",
                error_id="",
                failed_at=None,
                failures=0,
            )

    def holds_lease(self) -> None:
        """Note that this process writes, however its pass may end."""
        with self._lock:
            self._beat = replace(self._beat, holds_lease=True)

    def began(self, at: datetime) -> None:
        """Note that a pass is under way."""
        with self._lock:
            self._beat = replace(self._beat, busy_since=at)

    def ended(self, report: PassReport, *, is_whole: bool) -> None:
        """Take in a report; `is_whole`: the pass looked at whatever was due, and not at some patients only."""
        with self._lock:
            beat = self._beat
            passes = Counter(beat.passes)
            passes[report.kind.value, report.outcome.value] += 1
            totals = Counter(beat.totals)
            totals.update(report.counts())
            is_good = is_whole and report.is_complete
            seen_up_to = report.seen_up_to or report.started_at
            self._beat = replace(
                beat,
                busy_since=None,
                holds_lease=True,
                last=report if is_whole else beat.last,
                good_since=report.started_at if is_good else beat.good_since,
                seen_since=seen_up_to if is_good else beat.seen_since,
                failures=0 if is_whole else beat.failures,
                passes=passes,
                totals=totals,
            )

    def failed(self, error: Exception, error_id: str, *, at: datetime) -> None:
        """Note that a pass failed, by class and the id under which the log tells of it."""
        with self._lock:
            beat = self._beat
            passes = Counter(beat.passes)
            passes["any", "failed"] += 1
            self._beat = replace(
                beat,
                busy_since=None,
                last_error=type(error).__name__,
                error_id=error_id,
                failed_at=at,
                failures=beat.failures + 1,
                passes=passes,
            )
