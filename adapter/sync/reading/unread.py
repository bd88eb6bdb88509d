"""What of a window of time a server cannot give: it is left out and said, so that one resource stops nobody else.

A server that fails with 500 at whatever holds one resource is asked for less and less, down to the millisecond in
which that resource was changed. Who else was changed in that very millisecond is left out too, and of whom they are
is not known: so a full sweep is due at once, and stays due until one is read.

Source: rows C7 and P9 of the failure modes (a poison resource).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from adapter.sync.reading.search_params import Params, at_or_after, before

MOST_UNREAD: Final = 5
"""So many slices may be left out of one pass; a server that fails at more of them is broken, and no pass goes on."""
TICK: Final = timedelta(milliseconds=1)
"""The shortest slice: servers keep times to the millisecond, and `_lastUpdated` is asked for by it."""
CHANGES_UNREAD: Final = "changes-unread"
"""Signal: slices of time of which the server failed to give what changed."""
_UNREAD: Final = (
    "the server fails (500) at {kind} changed at {at}: of whom it is cannot be told, and they are not looked at; "
    "a full sweep is due; have the server mended"
)


def to_the_tick(instant: datetime) -> datetime:
    """Cut an instant as servers are asked by it."""
    return instant.replace(microsecond=instant.microsecond // 1000 * 1000)


@dataclass(frozen=True)
class Slice:
    """What was last changed from `start` on and before `end`; None where a side is open."""

    start: datetime | None = None
    end: datetime | None = None

    def params(self) -> Params:
        """Write it down as `_lastUpdated`, once for each side."""
        since = [("_lastUpdated", at_or_after(self.start))] if self.start else []
        return [*since, *([("_lastUpdated", before(self.end))] if self.end else [])]

    def holds(self, instant: datetime) -> bool:
        """Tell whether a cut there leaves something on both sides."""
        after = self.start is None or instant >= self.start + TICK
        return after and (self.end is None or instant <= self.end - TICK)


@dataclass
class Unread:
    """The slices that one server fails at.

    `gives_others`: whether it gives any results just now; where it does not, nothing is left out. `said`: what a pass
    says of them, once. `in_pass`: those of this pass. What is known of earlier ones only says where to cut, so that a
    search need not find it out again.
    """

    gives_others: Callable[[], bool]
    said: dict[str, None] = field(default_factory=dict)
    in_pass: set[tuple[str, Slice]] = field(default_factory=set)
    _known: dict[str, dict[datetime, Slice]] = field(default_factory=dict)

    def begin_pass(self) -> None:
        """Forget what was left out in the pass before."""
        self.in_pass.clear()

    def parts(self, kind: str, begin: datetime) -> Iterator[Slice]:
        """Part the time from `begin` on into the slices known to fail and what lies between them."""
        known = {start: one for start, one in self._known.get(kind, {}).items() if start >= begin}
        self._known[kind] = known
        rest = Slice()
        for start, one in sorted(known.items()):
            if rest.start is None or rest.start < start:
                yield replace(rest, end=start)
            yield one
            rest = Slice(one.end)
        yield rest

    def leave_out(self, kind: str, part: Slice) -> bool:
        """Leave a slice of one tick out; gives whether it is one, and so many may be."""
        if part.start is None or part.end is None or part.end - part.start > TICK:
            return False
        self.in_pass.add((kind, part))
        if len(self.in_pass) > MOST_UNREAD:
            return False
        self._known.setdefault(kind, {})[part.start] = part
        self.said[_UNREAD.format(kind=kind, at=part.start.isoformat())] = None
        return True
