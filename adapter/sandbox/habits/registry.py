"""All habits there are; as layers, the first is the outermost."""

from __future__ import annotations

from adapter.sandbox.habits import (
    bundles,
    contents,
    later,
    paging,
    parameters,
    refusing,
    searching,
    time,
    transport,
    versions,
    writing,
)
from adapter.sandbox.habits.habit import Habit

HABITS: tuple[type[Habit], ...] = (
    *transport.HABITS,
    *refusing.HABITS,
    *later.HABITS,
    *contents.HABITS,
    *paging.HABITS,
    *searching.HABITS,
    *parameters.HABITS,
    *time.HABITS,
    *bundles.HABITS,
    *writing.HABITS,
    *versions.HABITS,
)
