"""A search read to its end, although the server forgets it on the way or is overcome by its size.

One that breaks off is begun again from its first page. One that keeps breaking off, or at which the
server fails because it finds too much, is read in slices of time, the earlier first: what is changed
meanwhile moves into a later one. So pages may come twice; whoever takes them keeps one version of
each resource. Nothing here reads what a resource means.

One whose totals say that what it finds changed between its pages is read again (`totals`). What a server cannot give
of what changed is left out and said (`unread`).

Source: rows A7, A2b, A8 and C7 of the failure modes (page tokens that expire; windows too large; pages that shift;
a poison resource).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from adapter.errors import ServerError, TemporaryServerError
from adapter.ports import Clock, FhirServer, SearchPage, SearchParams
from adapter.sync.reading.search_params import begins_at, last_updated, names_some
from adapter.sync.reading.totals import Rows, Totals
from adapter.sync.reading.unread import Slice, Unread, to_the_tick

log = structlog.get_logger(__name__)

RESTARTS: Final = 3
"""How often one search is begun again before it is cut in two."""
REPEATS: Final = 3
"""How often a search is read again because its pages shifted."""
MAX_HALVINGS: Final = 70
"""From thirty years to a millisecond, and from a day ahead of our clock to one; what is still too much is an error."""
MAX_IN_THE_DARK: Final = 8
"""How often the earlier half is cut again without a page seen: a server that fails at everything is down."""
FAILED: Final = 500
"""Status of a server that fails at what it has found: at too much, or at one resource that it cannot give."""
TOO_MUCH: Final = frozenset({413, FAILED})
"""Statuses of a first page by which servers fail at a search that finds too much."""
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""FHIR is younger; the first slice is open anyway."""
AHEAD: Final = timedelta(days=1)
"""No server's clock is so far ahead of ours that it shows what changed later."""


@dataclass
class WholeSearch:
    """One search of one server, to be read to its end.

    `has_times`: searching by `_lastUpdated` was proved. Elsewhere nothing is sliced: a server that
    knows no such parameter may answer it with an empty page. `totals`: what those of this server are worth. `unread`:
    what is left out of what changed, where this server fails at it; None where nothing is.
    """

    server: FhirServer
    resource_type: str
    params: SearchParams
    clock: Clock
    has_times: bool
    totals: Totals = field(default_factory=Totals)
    unread: Unread | None = None

    def pages(self) -> Iterator[SearchPage]:
        """Give the pages; some may come twice.

        Raises: ServerError as the port says, when the server fails in spite of all.
        """
        parts: Iterable[Slice] = (Slice(),)
        if self.unread is not None and self._begin is not None:
            parts = self.unread.parts(self.resource_type, self._begin)
        for part in parts:
            yield from self._of(part, MAX_HALVINGS, MAX_IN_THE_DARK)

    @property
    def _begin(self) -> datetime | None:
        """From when on it asks for what changed; None where it asks for all, or may not be asked by time."""
        return begins_at(self.params) if self.has_times else None

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
                is_too_much = is_lost or (
                    error.status in TOO_MUCH and (in_the_dark > 0 or self._fails_at_one(error))
                )
                # What fails so for some is parted by these, and not by time (gather.py, searches.py).
                is_theirs = error.status == FAILED and names_some(self.params)
                is_cut = is_too_much and not is_theirs and halvings > 0
                middle = self._middle(part, told) if is_cut else None
                if middle is None or not self.has_times:
                    if self._leaves_out(part, error):
                        return
                    raise
                log.info("search_sliced", status=error.status)
                is_lit = is_lost or in_the_dark <= 0  # other pages come, or other searches do
                left = MAX_IN_THE_DARK if is_lit else in_the_dark - 1
                yield from self._of(replace(part, end=middle), halvings - 1, left)
                # The earlier half came through, so the server answers.
                yield from self._of(replace(part, start=middle), halvings - 1, MAX_IN_THE_DARK)
            return

    def _leaves_out(self, part: Slice, error: ServerError) -> bool:
        """Leave out a slice that cannot be cut, where the server fails at it and at few others."""
        return (
            self.unread is not None
            and self._fails_at_one(error)
            and self.unread.leave_out(self.resource_type, part)
        )

    def _fails_at_one(self, error: ServerError) -> bool:
        """Tell whether what changed may be left out: the server searches just so, and gives what others are about."""
        if self.unread is None or self._begin is None or error.status != FAILED:
            return False
        later = self._asked(Slice(self.clock.now() + AHEAD))  # where nothing is found
        try:
            next(self.server.search(self.resource_type, later), None)
        except ServerError:
            return False
        return self.unread.gives_others()

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
        seen = sorted(instant for instant in map(to_the_tick, told) if part.holds(instant))
        if seen:
            return seen[len(seen) // 2]
        start, now = part.start or begins_at(self.params) or EARLIEST, self.clock.now()
        # Of a server whose clock is ahead of ours something changed later than now.
        for end in (part.end or now, now + AHEAD):
            middle = to_the_tick(start + (end - start) / 2)
            if part.holds(middle):
                return middle
        return None
