"""What was refused, until it is clear whether the content is to blame or the server.

A gateway that fails for some minutes, a validator out of order and permissions that were taken away refuse everything
alike. So a case is parked only when it was refused twice and the server took another write in between.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from threading import Lock
from typing import Final

from adapter.errors import PermanentServerError
from adapter.ports import FrozenBundle
from adapter.sync.planning.plan import Planned

MOST_DOUBTS: Final = 10
"""More cases than this that are refused with no case landing in between stop the pass: it is not the cases."""


class Health(StrEnum):
    """What became of a write that changes nothing, sent to tell a refused content from a server that refuses all."""

    TAKES = "takes"
    REFUSES = "refuses"
    FAILS = "fails"


@dataclass(frozen=True)
class Doubt:
    """A case that was refused once, still in the outbox; `taken`: how many writes the server had taken by then."""

    bundle: FrozenBundle
    planned: Planned
    refusal: PermanentServerError
    taken: int


@dataclass
class Doubts:
    """The refused cases of one pass. Safe to use from several threads."""

    _open: list[Doubt] = field(default_factory=list)
    _taken: int = 0
    _lock: Lock = field(default_factory=Lock)

    def took(self) -> None:
        """Note that the server has taken a write."""
        with self._lock:
            self._taken += 1

    def add(self, bundle: FrozenBundle, planned: Planned, refusal: PermanentServerError) -> None:
        """Note a case that was refused; raises the refusal when there are too many with nothing taken in between."""
        with self._lock:
            self._open.append(Doubt(bundle, planned, refusal, self._taken))
            if sum(one.taken == self._taken for one in self._open) > MOST_DOUBTS:
                raise refusal

    def pop_founded(self) -> list[Doubt]:
        """Take out those after which the server took another write."""
        with self._lock:
            founded = [one for one in self._open if one.taken < self._taken]
            self._open = [one for one in self._open if one.taken == self._taken]
        return founded

    @property
    def first(self) -> PermanentServerError | None:
        """The first refusal that is still open."""
        with self._lock:
            return self._open[0].refusal if self._open else None
