"""In which manner a target is written to: how a result gets its id, and how much goes at once. Pure.

Three rungs, the surest first: an id that we choose; a conditional update; a conditional create. On the lower two the
server gives the id, and a result is found again by its case identifier.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

ENTRIES_PER_CASE: Final = 2
"""A derived Observation and its Provenance; they are never sent in two bundles."""


class WriteStrategy(StrEnum):
    """How a new derived Observation is written, so that a second writer cannot make a second one (B1)."""

    CLIENT_IDS = "client-ids"
    """`PUT Observation/<id>` with an id made from the case."""
    CONDITIONAL_UPDATE = "conditional-update"
    """`PUT Observation?identifier=…`; the server gives the id."""
    CONDITIONAL_CREATE = "conditional-create"
    """`POST Observation` with If-None-Exist; the server gives the id."""

    @property
    def below(self) -> WriteStrategy | None:
        """The next rung down; None on the lowest."""
        rungs = list(WriteStrategy)
        return next(iter(rungs[rungs.index(self) + 1 :]), None)

    @property
    def chooses_ids(self) -> bool:
        """Whether our own ids are the server's ids."""
        return self is WriteStrategy.CLIENT_IDS


@dataclass(frozen=True)
class WriteManner:
    """How one target is written to.

    `atomic`: in transactions that land whole or not at all; else one resource at a time. `max_entries`: the most that
    one transaction may hold, None where no limit is known.
    """

    strategy: WriteStrategy = WriteStrategy.CLIENT_IDS
    atomic: bool = True
    max_entries: int | None = None

    def cases_at_once(self, wanted: int) -> int:
        """Give how many cases one bundle may hold, at least one: a pair is never split (B8)."""
        if not self.atomic:
            return 1
        most = wanted if self.max_entries is None else self.max_entries // ENTRIES_PER_CASE
        return max(1, min(wanted, most))

    def capped(self, entries: int) -> WriteManner:
        """Hold bundles to so many entries, unless they are held to fewer already."""
        known = self.max_entries
        return replace(self, max_entries=entries if known is None else min(known, entries))

    def as_text(self) -> str:
        """Write it as the JSON that the store keeps."""
        return json.dumps(
            {
                "strategy": self.strategy.value,
                "atomic": self.atomic,
                "max_entries": self.max_entries,
            }
        )

    def sentence(self) -> str | None:
        """Say what differs from the surest manner, for the operator; None where nothing does."""
        said = []
        if not self.strategy.chooses_ids:
            said.append(
                f"the server lets nobody choose ids: results are written by {self.strategy}"
            )
        if not self.atomic:
            said.append("the server has no transactions that can be relied on: one write at a time")
        return "; ".join(said) or None


def manner_from(text: str | None) -> WriteManner | None:
    """Read what `as_text` wrote, or the doctor; None for anything else, which then counts as not known."""
    try:
        said = json.loads(text or "")
        strategy, atomic = WriteStrategy(said["strategy"]), said["atomic"]
        most = said["max_entries"]
    except (ValueError, TypeError, KeyError):
        return None
    if not isinstance(atomic, bool) or not (
        most is None or (isinstance(most, int) and not isinstance(most, bool) and most > 0)
    ):
        return None
    return WriteManner(strategy, atomic, most)
