"""`table`: the decision table, printed from the code that decides."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table

from adapter.cli.printing import (
    Block,
    Output,
    default_output,
    print_blocks,
    say,
    terminal,
    write_out,
)
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.her2.model import Classification

WIDEST_CELL: Final = 16
"""Characters that a cell takes with its frame, broken at hyphens."""


class TableOutput(StrEnum):
    """The forms of output of this command: those of all, and the page of the documentation."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    CSV = "csv"
    MARKDOWN = "markdown"


SignedBy = Annotated[
    str | None,
    typer.Option(
        "--sign", metavar="NAME", help="Record that this person has read the table as it is now."
    ),
]
SignFile = Annotated[
    Path | None,
    typer.Option(
        "--sign-file",
        metavar="FILE",
        help="Where signatures are kept, instead of the site's folder of mappings.",
        show_default=False,
    ),
]


def table(shared: Shared, signed_by: SignedBy = None, sign_file: SignFile = None) -> None:
    """Print the decision table: 13 kinds of IHC against 13 of ISH.

    The cells are computed by the code that decides, so this is what a pathologist reads and signs.
    With markdown it is the page docs/decision-table.md, both policies and every rule.
    """
    if signed_by is not None:
        _sign(shared, signed_by, sign_file)
    elif sign_file is not None:
        raise typer.BadParameter("--sign-file goes with --sign NAME")
    else:
        _print(shared)


def _sign(shared: Shared, name: str, file: Path | None) -> None:
    from adapter.cli.signing import sign

    if shared.output == TableOutput.MARKDOWN:
        raise typer.BadParameter("--sign prints the signature alone; leave out -o markdown")
    settings = shared.settings(policy__signatures=str(file) if file else None)
    sign(settings, name, Output(shared.output) if shared.output else default_output())


def _print(shared: Shared) -> None:
    from adapter.bootstrap import policy_of
    from adapter.cli.grid_pages import cell_line, cells, page

    if shared.output == TableOutput.MARKDOWN:
        write_out(page().rstrip("\n"))
        return
    form = Output(shared.output) if shared.output else default_output()
    policy = policy_of(shared.settings())
    found = list(cells(policy))
    if form is not Output.TABLE:
        rows = [cell_line(*cell) for cell in found]
        print_blocks(form, [Block("", {}, rows)])
        return
    _print_grid(terminal(), found, f"{policy.name} {policy.version}: {policy.guideline}")
    say("* review: the category stands, and a human look is asked for.")
    say(
        "docs/decision-table.md says which rule is the guideline's [G] and which is our policy [P]."
    )


def _print_grid(console: Console, found: list[tuple[str, str, Classification]], title: str) -> None:
    """Print the grid in as many parts as the width of the terminal needs."""
    from adapter.cli.grid_pages import cell_text

    texts = {(row, column): cell_text(answer) for row, column, answer in found}
    rows = list(dict.fromkeys(row for row, _ in texts))
    columns = list(dict.fromkeys(column for _, column in texts))
    at_once = max(1, console.width // WIDEST_CELL - 1)
    for start in range(0, len(columns), at_once):
        part = columns[start : start + at_once]
        grid = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, header_style="bold")
        grid.add_column("IHC \\ ISH", style="bold", no_wrap=True)
        for column in part:
            grid.add_column(column, no_wrap=True)
        for row in rows:
            grid.add_row(row, *(_broken(texts[row, column]) for column in part))
        console.print(grid, markup=False)


def _broken(text: str) -> str:
    """Break a long category at its hyphens, so that more columns fit."""
    return text.replace("-", "-\n") if len(text) > WIDEST_CELL - 2 else text
