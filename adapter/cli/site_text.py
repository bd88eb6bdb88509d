"""What people are told of a site's overlay: which one, what it adds, what it overrides."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Final

from adapter.cli.printing import number_of

if TYPE_CHECKING:
    from adapter.bootstrap import Adapter
    from adapter.terminology.differences import Difference

DIFFERENCE_COLUMNS: Final = {
    "where": "Where",
    "system": "System",
    "code": "Code or phrase",
    "before": "Before",
    "after": "After",
    "map": "Said by",
}


def difference_line(one: Difference, kind: str) -> dict[str, Any]:
    """Make the line of one difference between two sets of mappings."""
    return {
        "kind": kind,
        "where": one.where,
        "system": one.system,
        "code": one.code,
        "before": one.before,
        "after": one.after,
        "map": one.map,
    }


def number_of_changes(found: Iterable[Difference]) -> str:
    """Say how many meanings a change adds and overrides: "adds 12 meanings, overrides 1"."""
    added, overridden = _counts(found)
    return f"adds {number_of(added, 'meaning')}, overrides {overridden}"


def overlay_sentences(adapter: Adapter) -> list[str]:
    """Say what a site's overlay does to the mappings, and which of its policies has no effect."""
    from adapter.bootstrap import overruled

    catalogue = adapter.parts.catalogue
    if not catalogue.overlay_versions:
        return []
    named = " ".join((*catalogue.overlay_names, *catalogue.overlay_versions))
    changes = number_of_changes(_of_overlay(adapter))
    return [f"Overlay {named}: {changes}", *overruled(adapter.settings)]


def log_overlay(adapter: Adapter) -> None:
    """Tell the log which overlay is used; nothing without one."""
    import structlog

    catalogue = adapter.parts.catalogue
    if not catalogue.overlay_versions:
        return
    added, overridden = _counts(_of_overlay(adapter))
    structlog.get_logger(__name__).info(
        "overlay_loaded",
        overlay=", ".join(catalogue.overlay_names),
        mappings=catalogue.overlay_versions[-1],
        added=added,
        overridden=overridden,
    )


def _of_overlay(adapter: Adapter) -> tuple[Difference, ...]:
    from adapter.terminology.catalogue import load_catalogue
    from adapter.terminology.differences import differences

    return differences(load_catalogue(), adapter.parts.catalogue)


def _counts(found: Iterable[Difference]) -> tuple[int, int]:
    overrides = [one.overrides for one in found]
    return overrides.count(False), overrides.count(True)
