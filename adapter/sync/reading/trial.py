"""Trying searches: what a server says it can do is believed only after it was seen to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Final

from adapter.errors import ParameterDropped, PermanentServerError, TemporaryServerError
from adapter.ports import Clock, FhirServer, JsonObject, SearchPage, SearchParams
from adapter.sync.reading.slices import AHEAD, EARLIEST, FAILED
from adapter.sync.reading.unread import Slice, to_the_tick

REFUSALS: Final = frozenset({200, 400, 422, 501})
"""Statuses by which servers refuse a parameter; 200 with an OperationOutcome among the entries."""
MANY: Final = "20"
MOST_CUTS: Final = 16
"""From thirty years to some four hours; each time the server may be asked in vain, with all repeats."""
NOWHERE: Final = "zz-no-such-test"
"""A name and a code that no test has: who finds something by it has not looked at it."""


@dataclass(frozen=True)
class Trial:
    """Tries searches for Observations on one server.

    A parameter that the server refuses, or leaves out and says so, finds nothing. Every method
    raises ServerError as the port says. `within`: narrows every search, for a server that refuses
    one of no patient. `clock`: by which some results are found where the server cannot give the first ones.
    """

    server: FhirServer
    within: tuple[tuple[str, str], ...] = ()
    clock: Clock | None = None

    def finds(self, params: SearchParams) -> bool:
        """Tell whether a search has a match."""
        return self.first(params) is not None

    def first(self, params: SearchParams) -> JsonObject | None:
        """Give the first match, if any."""
        return next((page.matches[0] for page in self._pages(params, "1") if page.matches), None)

    def some(self, params: SearchParams) -> Iterator[tuple[JsonObject, ...]]:
        """Give matches, a page of at most twenty at a time.

        Where the server fails (500) at the first ones, some that were changed at another time are given, and the
        failure is raised after them: whether there are more cannot be told.
        """
        try:
            for page in self._pages(params, MANY):
                yield page.matches
        except TemporaryServerError as error:
            if error.status != FAILED or self.clock is None:
                raise
            yield from self._of_another_time(params, self.clock)
            raise

    def a_page(self, params: SearchParams) -> tuple[JsonObject, ...]:
        """Give the first of these pages that has matches; servers give empty ones with more behind them."""
        return next(filter(None, self.some(params)), ())

    def _of_another_time(
        self, params: SearchParams, clock: Clock
    ) -> Iterator[tuple[JsonObject, ...]]:
        """Look in one half of the time and the other, and on in that at which the server fails.

        Gives nothing where it fails at both, and then at both again: it is not one resource; where neither shows any:
        then it does not search by `_lastUpdated`; and where all were changed at about the same time.
        """
        latest = clock.now() + AHEAD
        failed_at_both = 0
        part = Slice()
        for _ in range(MOST_CUTS):
            start, end = part.start or EARLIEST, part.end or latest
            middle = to_the_tick(start + (end - start) / 2)
            failing = []
            for half in (replace(part, start=middle), replace(part, end=middle)):
                pages = self._pages([*params, *half.params()], MANY)
                shown = (page.matches for page in pages if page.matches)
                try:
                    first = next(shown, None)
                except TemporaryServerError as error:
                    if error.status != FAILED:
                        raise
                    failing.append(half)
                    continue
                if first is not None:
                    yield first
                    yield from shown
                    return
            failed_at_both += len(failing) > 1
            if not failing or failed_at_both > 1:
                return
            part = failing[0]

    def number(self, params: SearchParams) -> int | None:
        """Ask how many matches there are; None where the server does not say."""
        try:
            return self._total([*params, ("_total", "accurate")])
        except TemporaryServerError as error:
            # The first of them cannot be given; their number can, where it is asked for alone.
            number = (
                self._total([*params, ("_summary", "count")]) if error.status == FAILED else None
            )
            if number is None:
                raise
            return number

    def _total(self, params: SearchParams) -> int | None:
        return next((page.total for page in self._pages(params, "1")), None)

    def looks_at(self, name: str) -> bool:
        """Tell whether a parameter narrows a search: it is neither refused nor ignored."""
        page = next(self._pages([(name, NOWHERE)], "1"), None)
        shown = () if page is None else (*page.matches, *page.unusable, *page.refused)
        return page is not None and not shown

    def refuses(self, params: SearchParams) -> bool:
        """Tell whether the server refuses a search, or leaves out a part of it and says so."""
        try:
            next(self.server.search("Observation", self._asked(params, "1")), None)
        except PermanentServerError as error:
            if error.status not in REFUSALS and not isinstance(error, ParameterDropped):
                raise
            return True
        return False

    def _pages(self, params: SearchParams, count: str) -> Iterator[SearchPage]:
        try:
            yield from self.server.search("Observation", self._asked(params, count))
        except ParameterDropped:
            return
        except PermanentServerError as error:
            if error.status not in REFUSALS:
                raise

    def _asked(self, params: SearchParams, count: str) -> SearchParams:
        named = {name for name, _ in params}
        return [*params, *(one for one in self.within if one[0] not in named), ("_count", count)]
