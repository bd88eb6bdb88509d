"""A search read to its end, although the server forgets it on the way or is overcome by its size.

One that breaks off is begun again from its first page. One that keeps breaking off, or at which the
server fails because it finds too much, is read in slices of time, the earlier first: what is changed
meanwhile moves into a later one. So pages may come twice; whoever takes them keeps one version of
each resource. Nothing here reads what a resource means.

One whose totals say that what it finds changed between its pages is read again (`totals`).

Source: rows A7, A2b and A8 of the failure modes (page tokens that expire; windows too large; pages that shift).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from adapter.errors import ServerError, TemporaryServerError
from adapter.ports import Clock, FhirServer, SearchPage, SearchParams
from adapter.sync.reading.search_params import at_or_after, before, last_updated
from adapter.sync.reading.totals import Rows, Totals

log = structlog.get_logger(__name__)

RESTARTS: Final = 3
"""How often one search is begun again before it is cut in two."""
REPEATS: Final = 3
"""How often a search is read again because its pages shifted."""
MAX_HALVINGS: Final = 40
"""From thirty years to a millisecond; what is still too much then is an error."""
MAX_IN_THE_DARK: Final = 8
"""How often the earlier half is cut again without a page seen: a server that fails at everything is down."""
FAILED: Final = 500
"""Status of a server that fails at what it has found: at too much, or at one resource that it cannot give."""
TOO_MUCH: Final = frozenset({413, FAILED})
"""Statuses of a first page by which servers fail at a search that finds too much."""
_FIRST: Final = datetime(2000, 1, 1, tzinfo=UTC)  # FHIR is younger; the first slice is open anyway
_TICK: Final = timedelta(milliseconds=1)


@dataclass(frozen=True)
class Slice:
    """What was last changed from `start` on and before `end`; None where a side is open."""

    start: datetime | None = None
    end: datetime | None = None

    def params(self) -> SearchParams:
        """Write it down as `_lastUpdated`, once for each side."""
        since = [("_lastUpdated", at_or_after(self.start))] if self.start else []
        return [*since, *([("_lastUpdated", before(self.end))] if self.end else [])]

    def holds(self, instant: datetime) -> bool:
        """Tell whether a cut there leaves something on both sides."""
        after = self.start is None or instant >= self.start + _TICK
        return after and (self.end is None or instant <= self.end - _TICK)


@dataclass
class WholeSearch:
    """One search of one server, to be read to its end.

    `of_patients`: it is for some patients, so that what fails with 500 is parted by them (gather.py), not by time.
    `has_times`: searching by `_lastUpdated` was proved. Elsewhere nothing is sliced: a server that
    knows no such parameter may answer it with an empty page. `totals`: what those of this server are worth.
    """

    server: FhirServer
    resource_type: str
    params: SearchParams
    clock: Clock
    has_times: bool
    totals: Totals = field(default_factory=Totals)
    of_patients: bool = False

    def pages(self) -> Iterator[SearchPage]:
        """Give the pages; some may come twice.

        Raises: ServerError as the port says, when the server fails in spite of all.
        """
        return self._of(Slice(), MAX_HALVINGS, MAX_IN_THE_DARK)

    def _of(self, part: Slice, halvings: int, in_the_dark: int) -> Iterator[SearchPage]:
        told: set[datetime] = set()
        for begun in range(RESTARTS + 1):
            is_begun = False
            try:
                for page in self._settled(self._asked(part)):
                    is_begun = True
                    told.update(filter(None, map(last_updated, page.matches)))
                    yield page
            except ServerError as error:
                is_lost = isinstance(error, TemporaryServerError) and is_begun
                if is_lost and begun < RESTARTS:
                    log.info("search_begun_again", attempt=begun + 1, status=error.status)
                    continue
                is_too_much = is_lost or (error.status in TOO_MUCH and in_the_dark > 0)
                is_theirs = self.of_patients and error.status == FAILED
                is_cut = is_too_much and not is_theirs and halvings > 0
                middle = self._middle(part, told) if is_cut else None
                if middle is None or not self.has_times:
                    raise
                log.info("search_sliced", status=error.status)
                left = MAX_IN_THE_DARK if is_lost else in_the_dark - 1
                yield from self._of(replace(part, end=middle), halvings - 1, left)
                # The earlier half came through, so the server answers.
                yield from self._of(replace(part, start=middle), halvings - 1, MAX_IN_THE_DARK)
            return

    def _settled(self, asked: SearchParams) -> Iterator[SearchPage]:
        """Read it, and again for as long as a row may have been passed over."""
        rows = Rows(self.resource_type, self.clock)
        for repeats in range(REPEATS + 1):
            if repeats:
                log.info("search_shifted", attempt=repeats)
                rows.begin_again()
            for page in self.server.search(self.resource_type, asked):
                rows.note(page)
                yield page
            if self.totals.is_enough(rows, repeats):
                return
        self.totals.give_up()

    def _asked(self, part: Slice) -> SearchParams:
        return [*self.params, *part.params()]

    def _middle(self, part: Slice, told: set[datetime]) -> datetime | None:
        """Choose where to cut: in the middle of what was seen, else of the time."""
        seen = sorted(instant for instant in told if part.holds(instant))
        if seen:
            return seen[len(seen) // 2]
        start, end = part.start or _FIRST, part.end or self.clock.now()
        middle = start + (end - start) / 2
        return middle if part.holds(middle) else None
