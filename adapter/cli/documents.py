"""A page of several parts in every form: on the terminal, as rows, as Markdown, and as HTML that prints well.

The HTML is one file that asks nobody for anything: no script, no font, no picture, and a policy that forbids them.
"""

from __future__ import annotations

import hashlib
import html
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from rich.text import Text

from adapter.cli.printing import Block, Output, Row, cell, print_blocks, safe, terminal, write_out

LONGEST_WORD: Final = 16
"""Characters of a word that is never broken."""


class PageOutput(StrEnum):
    """The forms of output of a page: those of all commands, and two to be kept and printed."""

    TABLE = "table"
    JSON = "json"
    NDJSON = "ndjson"
    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True)
class Part:
    """A heading, sentences and tables. `is_form`: its table is filled in by hand."""

    heading: str
    says: Sequence[str] = ()
    blocks: Sequence[Block] = ()
    is_form: bool = False


@dataclass(frozen=True)
class Page:
    """A title, the statement that stands beside every result, and parts. `footer`: sentences under all of it."""

    title: str
    statement: str
    parts: Sequence[Part] = field(default_factory=tuple)
    footer: Sequence[str] = ()

    def rows(self) -> Iterator[Row]:
        """Give everything but the footer as rows: each sentence one, each row of a table one."""
        yield {"kind": "page", "title": self.title, "statement": self.statement}
        for part in self.parts:
            for sentence in part.says:
                yield {"kind": "statement", "part": part.heading, "text": sentence}
            for block in part.blocks:
                yield from block.rows

    def sha256(self) -> str:
        """Give the hash of the content: of these rows as lines of NDJSON, each with its end of line."""
        lines = "".join(f"{line_of(row)}\n" for row in self.rows())
        return hashlib.sha256(lines.encode()).hexdigest()


def line_of(row: Row) -> str:
    """Write a row as a line of NDJSON, as every command prints it."""
    return json.dumps(row, ensure_ascii=False, default=str)


def printed(page: Page, form: PageOutput) -> None:
    """Print a page to stdout in the form that was asked for."""
    if form is PageOutput.TABLE:
        _print_on_terminal(page)
    else:
        write_out(text_of(page, form).removesuffix("\n"))


def text_of(page: Page, form: PageOutput) -> str:
    """Write a page as one text, with its last end of line.

    Args:
        page: what to write.
        form: any but the table, which is for a terminal.

    """
    match form:
        case PageOutput.HTML:
            return as_html(page)
        case PageOutput.MARKDOWN:
            return as_markdown(page)
        case PageOutput.JSON:
            return f"{json.dumps(_all_rows(page), ensure_ascii=False, indent=2, default=str)}\n"
        case _:
            return "".join(f"{line_of(row)}\n" for row in _all_rows(page))


def _all_rows(page: Page) -> list[Row]:
    return [*page.rows(), {"kind": "footer", "text": list(page.footer), "sha256": page.sha256()}]


def _print_on_terminal(page: Page) -> None:
    console = terminal()
    console.print(Text(safe(page.title), style="bold"), Text(safe(page.statement)), sep="\n")
    for part in page.parts:
        console.print(Text(f"\n{safe(part.heading)}", style="bold underline"))
        for sentence in part.says:
            console.print(Text(safe(sentence)))
        print_blocks(Output.TABLE, part.blocks)
    console.print(*(Text(safe(sentence)) for sentence in page.footer), sep="\n")


def as_markdown(page: Page) -> str:
    """Write a page in Markdown, as GitHub and every wiki show it."""
    return "\n\n".join(_markdown(page)) + "\n"


def _markdown(page: Page) -> Iterator[str]:
    yield f"# {_plain(page.title)}"
    yield f"**{_plain(page.statement)}**"
    for part in page.parts:
        yield f"## {_plain(part.heading)}"
        if part.says:
            yield "\n".join(f"- {_plain(sentence)}" for sentence in part.says)
        for block in part.blocks:
            if block.title and block.rows:
                yield f"### {_plain(block.title)}"
            if block.rows:
                yield "\n".join(_markdown_table(block))
    yield "---"
    yield "  \n".join(map(_plain, page.footer))


def _markdown_table(block: Block) -> Iterator[str]:
    yield f"| {' | '.join(map(_plain, block.columns.values()))} |"
    yield f"|{'---|' * len(block.columns)}"
    for row in block.rows:
        yield f"| {' | '.join(_plain(cell(row.get(name))) for name in block.columns)} |"


_OBEYED: Final = {one: f"\\{one}" for one in "\\`*_[]<>|#"}


def _plain(text: str) -> str:
    """Keep Markdown from obeying what came from a server: everything is shown as it is."""
    return "".join(_OBEYED.get(one, one) for one in safe(text))


def as_html(page: Page) -> str:
    """Write a page as one HTML file that prints well."""
    return "\n".join(_html(page)) + "\n"


def _html(page: Page) -> Iterator[str]:
    yield "<!DOCTYPE html>"
    yield '<html lang="en"><head><meta charset="utf-8">'
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield f"<title>{_escaped(page.title)}</title><style>{_STYLE}</style></head><body>"
    yield f'<h1>{_escaped(page.title)}</h1><p class="statement">{_escaped(page.statement)}</p>'
    for part in page.parts:
        yield f"<section{' class=form' if part.is_form else ''}><h2>{_escaped(part.heading)}</h2>"
        if part.says:
            yield f"<ul>{''.join(f'<li>{_escaped(one)}</li>' for one in part.says)}</ul>"
        for block in part.blocks:
            yield from _html_table(block)
        yield "</section>"
    yield f"<footer>{'<br>'.join(map(_escaped, page.footer))}</footer></body></html>"


def _html_table(block: Block) -> Iterator[str]:
    if not block.rows:
        return
    if block.title:
        yield f"<h3>{_escaped(block.title)}</h3>"
    yield "<table><thead><tr>"
    yield "".join(f"<th>{_escaped(heading)}</th>" for heading in block.columns.values())
    yield "</tr></thead><tbody>"
    numbers = {
        name for name in block.columns if all(_is_number(row.get(name)) for row in block.rows)
    }
    for row in block.rows:
        cells = (_html_cell(cell(row.get(name)), name in numbers) for name in block.columns)
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table>"


def _is_number(value: Any) -> bool:
    return value is None or (isinstance(value, int | float) and not isinstance(value, bool))


def _html_cell(text: str, is_number: bool) -> str:
    """Write a cell; a word too long for a narrow column may be broken, as the ids of resources are."""
    is_long = any(len(word) > LONGEST_WORD for word in text.split())
    name = " class=number" if is_number else " class=long" if is_long else ""
    return f"<td{name}>{_escaped(text)}</td>"


def _escaped(text: str) -> str:
    return html.escape(safe(text))


_STYLE: Final = """
@page { size: A4 landscape; margin: 14mm }
body { font: 10pt/1.4 "Liberation Sans", Arial, sans-serif; color: #111; margin: 2em auto; max-width: 72em }
h1 { font-size: 18pt; margin: 0 0 .2em } h2 { font-size: 13pt; margin: 1.6em 0 .4em; border-bottom: 1px solid #888 }
h3 { font-size: 10.5pt; margin: 1em 0 .3em } ul { margin: .3em 0; padding-left: 1.4em } li { margin: .15em 0 }
.statement { font-weight: bold; border: 1px solid #111; padding: .5em .8em; display: inline-block }
table { border-collapse: collapse; margin: .3em 0 .8em } thead { display: table-header-group }
th, td { border: 1px solid #bbb; padding: .2em .5em; text-align: left; vertical-align: top }
.long { overflow-wrap: anywhere }
th { background: #eee } .number { text-align: right; font-variant-numeric: tabular-nums } tr { break-inside: avoid }
h2, h3 { break-after: avoid } .form { break-inside: avoid } .form table { width: 100% } .form td { height: 2.6em }
footer { margin-top: 2em; border-top: 1px solid #888; padding-top: .5em; font-size: 9pt; overflow-wrap: anywhere }
@media print { body { margin: 0; max-width: none } }
"""
