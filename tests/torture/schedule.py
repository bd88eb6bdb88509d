"""Which crash points are still to be reached: each once, in an order by seed, before any comes again."""

from __future__ import annotations

import random
from collections import Counter, deque
from collections.abc import Sequence
from typing import Final

from tests.torture.points import CrashPoint

TRIES: Final = 4
"""How many lives may miss a point before it counts as one that this work never comes to."""
_LATER_TIMES: Final = 4


class Schedule:
    """The points of one torture, over all its runs."""

    def __init__(self, points: Sequence[CrashPoint], dice: random.Random) -> None:
        self._points = list(points)
        dice.shuffle(self._points)
        self._waiting = deque(self._points)
        self._missed: Counter[CrashPoint] = Counter()
        self._reached: Counter[CrashPoint] = Counter()

    @property
    def has_new(self) -> bool:
        """Whether points are left at which no process has died yet."""
        return any(not self._reached[one] for one in self._waiting)

    def next(self) -> CrashPoint | None:
        """Give the next point; None when there is none to reach."""
        if not self._waiting:
            self._waiting.extend(one for one in self._points if self._reached[one])
        return self._waiting.popleft() if self._waiting else None

    def time_for(self, point: CrashPoint, dice: random.Random) -> int:
        """At which time of coming there to die: the first, or once that is done some later one."""
        return dice.randint(1, _LATER_TIMES) if self._reached[point] else 1

    def misses(self, point: CrashPoint) -> int:
        """How often a process was to die there and never came there, since one last did."""
        return 0 if self._reached[point] else self._missed[point]

    def reached(self, point: CrashPoint) -> None:
        """Note that a process died there."""
        self._reached[point] += 1

    def missed(self, point: CrashPoint) -> None:
        """Note that a process never came there; it is tried again, though not for ever."""
        self._missed[point] += 1
        if not self._reached[point] and self._missed[point] < TRIES:
            self._waiting.append(point)

    @property
    def points_reached(self) -> tuple[CrashPoint, ...]:
        """Where a process died."""
        return tuple(sorted(one for one in self._points if self._reached[one]))

    @property
    def points_missed(self) -> tuple[CrashPoint, ...]:
        """Where none ever came, though it was tried as often as it is."""
        return tuple(sorted(one for one in self._points if self._is_given_up(one)))

    @property
    def points_left(self) -> tuple[CrashPoint, ...]:
        """Which there were too few kills for."""
        never = (one for one in self._points if not self._reached[one])
        return tuple(sorted(one for one in never if not self._is_given_up(one)))

    def _is_given_up(self, point: CrashPoint) -> bool:
        return not self._reached[point] and self._missed[point] >= TRIES
