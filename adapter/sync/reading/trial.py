"""Trying searches: what a server says it can do is believed only after it was seen to do it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapter.errors import ParameterDropped, PermanentServerError
from adapter.ports import FhirServer, JsonObject, SearchPage, SearchParams

REFUSALS: Final = frozenset({200, 400, 422, 501})
"""Statuses by which servers refuse a parameter; 200 with an OperationOutcome among the entries."""
MANY: Final = "20"
NOWHERE: Final = "zz-no-such-test"
"""A name and a code that no test has: who finds something by it has not looked at it."""


@dataclass(frozen=True)
class Trial:
    """Tries searches for Observations on one server.

    A parameter that the server refuses, or leaves out and says so, finds nothing. Every method
    raises ServerError as the port says. `within`: narrows every search, for a server that refuses
    one of no patient.
    """

    server: FhirServer
    within: tuple[tuple[str, str], ...] = ()

    def finds(self, params: SearchParams) -> bool:
        """Tell whether a search has a match."""
        return self.first(params) is not None

    def first(self, params: SearchParams) -> JsonObject | None:
        """Give the first match, if any."""
        return next((page.matches[0] for page in self._pages(params, "1") if page.matches), None)

    def some(self, params: SearchParams) -> Iterator[tuple[JsonObject, ...]]:
        """Give matches, a page of at most twenty at a time."""
        return (page.matches for page in self._pages(params, MANY))

    def number(self, params: SearchParams) -> int | None:
        """Ask how many matches there are; None where the server does not say."""
        pages = self._pages([*params, ("_total", "accurate")], "1")
        return next((page.total for page in pages), None)

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
