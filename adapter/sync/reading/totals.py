"""Whether the pages of a search hold all of it, as far as the server's own totals tell.

Where a server pages by offset into what it finds now, a row that is deleted, stops matching or moves hides another
one: a total falls, or is more than what was shown. New rows only make it rise, and are found by discovery. A total may
also be an estimate, of one page, or count what is not shown: where a second reading shows nothing more it was enough.

Source: row A8 of the failure modes (what is found changes while it is paged).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from adapter.fhir.references import reference_to
from adapter.fhir.shapes import string
from adapter.ports import Clock, JsonObject, SearchPage
from adapter.sync.reading.search_params import last_updated

MOST_IN_VAIN: Final = 3
"""So many searches that were read again for nothing, one after the other, show that the totals are none."""
MISCOUNTED: Final = (
    "the server's totals were not the number of what it showed, time and again: "
    "whether pages shift while they are read cannot be told by them"
)
UNSETTLED: Final = (
    "what a search finds kept changing while its pages were read: "
    "a result may have been passed over; this counts as no full sweep, and one is due at once where this site makes any"
)


@dataclass
class Rows:
    """What one search showed, each time that it was read; nothing is noted where its very first page says no total.

    HAPI sends that page before it has counted, and its searches do not shift: a total of later pages calls for nothing.

    `is_whole` after a reading: no total fell, and as many rows were shown as matched when it began. Rows of readings
    before count too, unless a total fell since: who hides differs from one reading to the next.
    """

    resource_type: str
    clock: Clock
    _held: set[str] = field(default_factory=set)
    """Shown since a total fell last."""
    _before: set[str] = field(default_factory=set)
    """Shown before a total fell."""
    _late: set[str] = field(default_factory=set)
    """Shown for the first time and changed since this reading began: where totals rise it may be new."""
    _first: int | None = None
    _last: int | None = None
    _is_counted: bool | None = None
    _pages: int = 0
    _unnamed: int = 0
    _has_risen: bool = False
    _has_fallen: bool = False
    _has_fresh: bool = False
    _began: datetime | None = None
    _asked: datetime | None = None
    _newest: datetime | None = None
    _edge: datetime | None = None

    def note(self, page: SearchPage) -> None:
        """Take in a page."""
        if self._is_counted is None:
            self._is_counted = page.total is not None
        if not self._is_counted:
            return
        self._began = self._began or self.clock.now()
        self._asked = self._asked or page.server_time or self.clock.now()
        self._pages += 1
        if page.total is not None:
            if self._last is not None and page.total < self._last:
                self._has_fallen |= self._pages > 1
                self._before |= self._held
                self._held.clear()
            self._has_risen |= self._first is not None and page.total > self._first
            self._first = page.total if self._first is None else self._first
            self._last = page.total
        refused = (string(one.known, "resourceType") for one in page.refused)
        self._unnamed += len(page.unusable) + sum(one == self.resource_type for one in refused)
        for resource in page.matches:
            self._note(resource)

    def begin_again(self) -> None:
        """Be told that the search is asked anew, from its first page."""
        if self._edge is None and self._newest is not None and self._began is not None:
            self._edge = self._newest - (self.clock.now() - self._began)
        self._first, self._asked, self._pages, self._unnamed = None, None, 0, 0
        self._has_risen = self._has_fallen = self._has_fresh = False
        self._late.clear()

    @property
    def is_whole(self) -> bool:
        """Whether all was shown that matched when the last reading began; a single page cannot shift."""
        if self._pages <= 1 or self._first is None:
            return True
        stood = self._held - self._late if self._has_risen else self._held
        return not self._has_fallen and len(stood) + self._unnamed >= self._first

    @property
    def has_fresh(self) -> bool:
        """Whether the last reading showed what none before it had, and what no discovery would find.

        Where the server does not say when a row was changed, a new one cannot be told from one that was passed over.
        """
        return self._has_fresh

    def _note(self, resource: JsonObject) -> None:
        name, changed = reference_to(resource), last_updated(resource)
        if changed is not None and name not in self._held and name not in self._before:
            self._has_fresh |= self._edge is not None and changed < self._edge
            if self._asked is not None and changed >= self._asked:
                self._late.add(name)
        self._held.add(name)
        if changed is not None and (self._newest is None or changed > self._newest):
            self._newest = changed


@dataclass
class Totals:
    """What the totals of one server are worth, as this process has seen.

    `said`: what a pass says of them, once. `in_vain`: searches read again for nothing, one after the other.
    `unsettled`: searches of this pass that never came to rest.
    """

    said: dict[str, None] = field(default_factory=dict)
    in_vain: int = 0
    unsettled: int = 0

    def is_enough(self, rows: Rows, repeats: int) -> bool:
        """Tell whether a search need not be read again, which it was so often already."""
        if rows.is_whole:
            self.in_vain = 0 if repeats else self.in_vain
            return True
        if self.in_vain >= MOST_IN_VAIN:
            self.said[MISCOUNTED] = None
            return True
        if not repeats:
            return False
        self.in_vain = 0 if rows.has_fresh else self.in_vain + 1
        return not rows.has_fresh

    def give_up(self) -> None:
        """Note a search whose rows kept changing."""
        self.unsettled += 1
        self.said[UNSETTLED] = None
