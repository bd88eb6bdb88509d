"""What stdout and stderr show: data on stdout in one of four forms, everything said to people on stderr.

Text that came from a server or a file never reaches a terminal or a spreadsheet as something these
could obey: control characters are written out, and a CSV cell that begins like a formula is
neutralised.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

Row = Mapping[str, Any]
"""One line of output: JSON values by name."""

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
WIDE: Final = 240
"""Columns of a table that goes into a file: nothing is cut."""


class Output(StrEnum):
    """The forms of output."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"


@dataclass(frozen=True)
class Block:
    """Rows of one kind, as a table shows them: `columns` name → heading."""

    title: str
    columns: Mapping[str, str]
    rows: Sequence[Row]


def default_output() -> Output:
    """Choose a table on a terminal, else NDJSON."""
    return Output.TABLE if sys.stdout.isatty() else Output.NDJSON


def print_blocks(output: Output, blocks: Sequence[Block]) -> None:
    """Print rows: as tables one after the other, or in one stream of the other forms."""
    rows = [row for block in blocks for row in block.rows]
    match output:
        case Output.TABLE:
            for block in blocks:
                if block.rows:
                    _print_table(block)
        case Output.JSON:
            write_out(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
        case Output.NDJSON:
            for row in rows:
                write_out(json.dumps(row, ensure_ascii=False, default=str))
        case Output.CSV:
            _print_csv(rows)


def write_out(text: str) -> None:
    """Write one line of data to stdout."""
    sys.stdout.write(f"{text}\n")


def terminal() -> Console:
    """Give the console of stdout; where nobody looks it is wide, so that nothing is cut."""
    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, width=width, soft_wrap=False, highlight=False)


def say(*sentences: str) -> None:
    """Tell people something, on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    for sentence in sentences:
        console.print(Text(safe(sentence)))


def complain(sentence: str) -> None:
    """Tell people what went wrong, on stderr."""
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("her2-adapter: ", "bold red"), safe(sentence)))


def safe(text: str) -> str:
    """Write out characters that a terminal could obey."""
    from adapter.logs import encoded  # structlog is not needed for --help

    return encoded(text)


def cell(value: object) -> str:
    """Show a JSON value in one cell."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case list() | tuple():
            return ", ".join(cell(item) for item in value)
        case dict():
            return ", ".join(f"{key} {cell(item)}" for key, item in value.items())
        case _:
            return str(value)


def _print_table(block: Block) -> None:
    table = Table(title=block.title, title_justify="left", header_style="bold")
    for heading in block.columns.values():
        table.add_column(heading, overflow="fold")
    for row in block.rows:
        table.add_row(*(Text(safe(cell(row.get(name)))) for name in block.columns))
    terminal().print(table)


def _print_csv(rows: Sequence[Row]) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.writer(sys.stdout, lineterminator="\n")
    if names:
        writer.writerow(names)
    for row in rows:
        writer.writerow([neutral(_csv_cell(row.get(name))) for name in names])


def _csv_cell(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(_csv_cell(item) for item in value)
    if isinstance(value, bool):
        return str(value).lower()
    return cell(value)


def neutral(text: str) -> str:
    """Keep a spreadsheet from running a cell as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def number_of(count: int, thing: str) -> str:
    """Write a number with its thing, in the plural where it is not one: "1 sample", "2 samples"."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def counted(counts: Iterable[tuple[str, int]]) -> str:
    """Write counts as "38 created, 2 unchanged", without those that are 0."""
    return ", ".join(f"{number} {name}" for name, number in counts if number)
