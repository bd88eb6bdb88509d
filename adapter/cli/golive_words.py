"""Words that the parts of the go-live report share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from adapter.cli.printing import Block
from adapter.her2.compared import Comparison

STATEMENT: Final = "Not verified by a pathologist; the laboratory's report is the result of record."

AGREEMENT: Final = {
    Comparison.AGAINST: "The single results give another definite category than the laboratory concluded",
    Comparison.LABORATORY_DIFFERS: "The laboratory's own conclusions differ",
    Comparison.UNDECIDED: "The laboratory concluded, and the answer is open or indeterminate",
    Comparison.TAKEN: "The answer rests on the laboratory's conclusion itself: nothing was compared",
    Comparison.FINER: "The laboratory says negative, and its scores say low or ultralow",
    Comparison.AGREES: "They agree",
}

SHORTLY: Final = {
    Comparison.AGAINST: "another category",
    Comparison.LABORATORY_DIFFERS: "the laboratory differs with itself",
    Comparison.UNDECIDED: "left open",
}
GRAVE: Final = "positive against negative"


def facts(part: str, told_of: Mapping[str, Any], title: str = "") -> Block:
    """Make a table of two columns: what, and its value."""
    rows = [
        {"kind": "fact", "part": part, "fact": name, "value": value}
        for name, value in told_of.items()
    ]
    return Block(title, {"fact": "What", "value": "Value"}, rows)


def minute(at: datetime | None) -> str:
    """Write an instant to the minute, UTC; "–" for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at else "–"


def span(seconds: float) -> str:
    """Write how long something took, in the unit that suits it."""
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def day_of(at: datetime | None) -> str:
    """Write the day of an instant, UTC; "" for none."""
    return f"{at.astimezone(UTC):%Y-%m-%d}" if at else ""
