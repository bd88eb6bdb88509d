"""All habits there are; as layers, the first is the outermost."""

from __future__ import annotations

from adapter.sandbox.habits import (
    bundles,
    paging,
    refusing,
    searching,
    time,
    transport,
    writing,
)
from adapter.sandbox.habits.habit import Habit

HABITS: tuple[type[Habit], ...] = (
    *transport.HABITS,
    *refusing.HABITS,
    *paging.HABITS,
    *searching.HABITS,
    *time.HABITS,
    *bundles.HABITS,
    *writing.HABITS,
)
