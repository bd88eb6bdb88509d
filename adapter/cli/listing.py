"""`unmapped`: the worklist, as the person sees it who works it off."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from adapter.cli.printing import Block, Output, number_of, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.sync.planning.worklist import WorklistGroup


class ListedKind(StrEnum):
    """What the worklist is asked for."""

    NOT_READ = "not-read"
    NARRATIVE = "narrative"
    LIKELY_PARTNER = "likely-partner"
    ALL = "all"


Kind = Annotated[
    ListedKind,
    typer.Option("--kind", help="What was not read, suggestions from narratives, likely partners."),
]
_COLUMNS: Final = {
    "row": "Row",
    "count": "Count",
    "reason": "Reason",
    "system": "System",
    "code": "Code",
    "pattern": "Text pattern",
    "suggestion": "Suggestion",
    "example": "Example",
    "partner": "Partner",
    "first_seen": "First seen",
    "last_seen": "Last seen",
}


def unmapped(shared: Shared, kind: Kind = ListedKind.NOT_READ) -> None:
    """List what was not recognised or not read, by code and text pattern, most frequent first.

    It shows what stands now: a row goes when its results are read. It holds no patient data. A row's id is
    what `mappings add` takes.
    """
    from adapter.bootstrap import open_state
    from adapter.sync.planning.worklist import grouped

    with open_state(shared.settings(quiet=True)) as store:
        listed = [
            one
            for one in store.worklist()
            if kind is ListedKind.ALL or one.entry.kind.value == kind.value
        ]
    in_words = shared.form is Output.TABLE
    rows = [_row(group, in_words=in_words) for group in grouped(listed)]
    print_blocks(shared.form, [Block("To look at", _shown(rows), rows)])
    say(f"{number_of(len(rows), 'row')}, {number_of(sum(row['count'] for row in rows), 'result')}")


def _row(group: WorklistGroup, *, in_words: bool) -> dict[str, Any]:
    from adapter.fhir.reasons import SENTENCES

    return {
        "row": group.row,
        "kind": group.kind.value,
        "count": group.count,
        "reason": SENTENCES.get(group.reason, group.reason) if in_words else group.reason,
        "system": group.system,
        "code": group.code,
        "pattern": group.pattern,
        "suggestion": group.suggestion,
        "example": group.example,
        "partner": group.partner,
        "first_seen": group.first_seen.isoformat(timespec="seconds"),
        "last_seen": group.last_seen.isoformat(timespec="seconds"),
    }


def _shown(rows: list[dict[str, Any]]) -> dict[str, str]:
    """Leave out the columns of a table that no row fills."""
    needed = {name for row in rows for name, value in row.items() if value}
    return {name: heading for name, heading in _COLUMNS.items() if name in needed}
