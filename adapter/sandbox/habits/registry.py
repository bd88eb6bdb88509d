"""All habits there are, by theme."""

from __future__ import annotations

from collections.abc import Mapping

from adapter.sandbox.habits import (
    bundles,
    contents,
    denying,
    later,
    links,
    paging,
    parameters,
    refusing,
    searching,
    spoiling,
    stating,
    time,
    transport,
    versions,
    writing,
)
from adapter.sandbox.habits.habit import Habit

THEMES: Mapping[str, tuple[type[Habit], ...]] = {
    "Transport": transport.HABITS,
    "The text of JSON": spoiling.HABITS,
    "Refusing for a while": refusing.HABITS,
    "Elsewhere, or later": later.HABITS,
    "Denying": denying.HABITS,
    "What an answer holds": contents.HABITS,
    "Next links": links.HABITS,
    "Paging": paging.HABITS,
    "What a search finds": searching.HABITS,
    "Search parameters": parameters.HABITS,
    "Time": time.HABITS,
    "Bundles": bundles.HABITS,
    "Ids and conditions": writing.HABITS,
    "Versions, references, deletions": versions.HABITS,
    "The CapabilityStatement": stating.HABITS,
}
"""The habits by theme; as layers, the first is the outermost."""

HABITS: tuple[type[Habit], ...] = tuple(habit for theme in THEMES.values() for habit in theme)
