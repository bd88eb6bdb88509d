"""`demo`: see it work, in this process or on a real server."""

from __future__ import annotations

import re
import uuid
from textwrap import wrap
from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapter.cli.exit_codes import BUG, DONE
from adapter.cli.printing import Block, Output, complain, print_blocks, safe, say, terminal
from adapter.cli.shared import Shared
from adapter.errors import ConfigError

if TYPE_CHECKING:
    from adapter.demo import Stage
    from adapter.settings import ServerSettings, Settings
    from adapter.sync.report import CaseRow, PassReport

_NAME: Final = re.compile(r"demo-[A-Za-z0-9]{1,16}")
_SANDBOX_NAME: Final = "demo-sandbox"

Server = Annotated[
    str | None,
    typer.Option(
        "--server",
        metavar="URL",
        help="Play it on this FHIR server, under a tag of its own; default: a sandbox here.",
    ),
]
Cleanup = Annotated[
    bool,
    typer.Option("--cleanup", help="Remove afterwards what was put there; with --tag only that."),
]
Tag = Annotated[
    str | None,
    typer.Option("--tag", metavar="NAME", help="Name of the run, demo-…; default: a new one."),
]

NEXT: Final = """\
What to try next:
  her2-adapter explain FILE   one sample's way from words to category
  her2-adapter table          the decision table, from the code that decides
  her2-adapter sandbox        a FHIR server of your own to play with
  fixtures/*/input.json       change a score, run the demo again: its row follows
  docs/go-live.md             your server: observe, backfill, run
"""
WIDE_ENOUGH: Final = 120
"""Columns that the table takes with nothing broken."""
NARROW_CELL: Final = 13
DISCLAIMER: Final = (
    "Not verified by a pathologist; the laboratory's report is the result of record."
)


class TerminalStage:
    """Shows the demo on stdout: it is the data of this command."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def say(self, text: str) -> None:
        """Print a sentence, or several lines."""
        for line in text.splitlines():
            self._console.print(Text(safe(line)))

    def show(self, report: PassReport, *, only_changes: bool) -> None:
        """Print the samples of a pass, and what was set aside."""
        is_narrow = self._console.width < WIDE_ENOUGH
        table = Table(
            header_style="bold",
            box=box.SIMPLE if is_narrow else box.HEAVY_HEAD,
            padding=(0, 1, 0, 0) if is_narrow else (0, 1),
        )
        for heading in _HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in sorted(report.rows, key=lambda one: (one.patient, one.sample)):
            if not only_changes or _is_change(row):
                cells = _cells(row)
                table.add_row(*(map(_narrow, cells) if is_narrow else cells))
        self._console.print(table, markup=False)
        if only_changes:
            return
        for one in report.set_aside:
            name = one.observation.removeprefix("Observation/")
            self.say(
                f"   Set aside: {name}, {one.outcome} ({one.reason}); nothing is written for it."
            )


class LinesStage:
    """Prints the samples of each pass as rows in one of the forms of output; what is said goes to stderr."""

    def __init__(self, form: Output) -> None:
        self._form = form

    def say(self, text: str) -> None:
        """Print a sentence on stderr."""
        say(*text.splitlines())

    def show(self, report: PassReport, *, only_changes: bool) -> None:
        """Print the samples of a pass."""
        from adapter.cli.pass_report import pass_line

        rows = [pass_line(row) for row in report.rows if not only_changes or _is_change(row)]
        print_blocks(self._form, [Block("", {}, rows)])


_HEADINGS: Final = (
    "Patient",
    "Sample",
    "Sources",
    "Category",
    "ASCO/CAP",
    "Rule",
    "Review",
)


def _is_change(row: CaseRow) -> bool:
    return row.action.value != "skip"


def _cells(row: CaseRow) -> tuple[str, ...]:
    category = "withdrawn" if row.action.value == "retract" else row.category
    if row.before is not None and row.before != category:
        category = f"{category} (was {row.before})"
    return (
        safe(_bare(row.patient)),
        safe(_short(row.sample, row.patient)),
        "\n".join(safe(_short(source, row.patient)) for source in row.sources),
        category,
        row.asco_cap or "–",
        row.rule or ", ".join(row.reasons),
        "yes" if row.review else "no",
    )


def _narrow(text: str) -> str:
    """Break a cell at hyphens and blanks, so that a table fits 80 columns."""
    lines = (wrap(line, NARROW_CELL) for line in text.splitlines())
    return "\n".join(part for line in lines for part in line)


def _bare(reference: str) -> str:
    return reference.rpartition("/")[2]


def _short(reference: str, patient: str) -> str:
    """Leave out what an example's id repeats of its patient's."""
    return _bare(reference).removeprefix(f"{_bare(patient)}-")


def demo(shared: Shared, server: Server = None, cleanup: Cleanup = False, tag: Tag = None) -> int:
    """See it work: example patients, one pass, an amendment and a withdrawal, what changed.

    Without --server a FHIR server runs inside this process on a free loopback port, and nothing is
    kept. With it the same happens on a real server under a namespace and tag of its own.
    """
    if tag is not None and not _NAME.fullmatch(tag):
        raise typer.BadParameter("--tag takes demo- and up to 16 letters and digits")
    if server is None and (cleanup or tag):
        raise typer.BadParameter("--cleanup and --tag go with --server; a sandbox keeps nothing")
    form = Output(shared.output) if shared.output else Output.TABLE
    stage: Stage = TerminalStage(terminal()) if form is Output.TABLE else LinesStage(form)
    if server is None:
        went_well = _on_sandbox(stage, shared)
    else:
        went_well = _on_server(stage, shared, server, cleanup=cleanup, tag=tag)
    stage.say(DISCLAIMER)
    if not went_well:
        complain("the second pass wrote although nothing had changed; please report it")
    return DONE if went_well else BUG


def _on_sandbox(stage: Stage, shared: Shared) -> bool:
    from adapter import logs
    from adapter.bootstrap import open_adapter
    from adapter.demo import Run, run_demo, sandbox_settings
    from adapter.sandbox.server import Sandbox

    logs.configure(shared.log_format.value if shared.log_format else "console", "warning")
    with Sandbox() as sandbox:
        settings = sandbox_settings(sandbox.base_url, name=_SANDBOX_NAME, policy=shared.policy)
        run = Run(_SANDBOX_NAME, writes=lambda: sandbox.writes)
        with open_adapter(settings, Event()) as adapter:
            went_well = run_demo(stage, adapter, run)
    stage.say(NEXT)
    return went_well


def _on_server(stage: Stage, shared: Shared, url: str, *, cleanup: bool, tag: str | None) -> bool:
    from adapter.bootstrap import open_adapter
    from adapter.demo import MEMORY, Run, clean_up, run_demo

    name = tag or f"demo-{uuid.uuid4().hex[:8]}"
    given = shared.settings(quiet=True)
    _refuse_others_credentials(given, url)
    if given.mode == "observe":
        raise typer.BadParameter(
            "mode is observe: nothing is written, and --server plays with examples it puts there"
        )
    settings = shared.settings(
        quiet=True,
        source__url=url,
        target__url=url,
        output__namespace=name,
        store__url=MEMORY,
        mode="write",
    )
    went_well = True
    with open_adapter(settings, Event()) as adapter:
        adapter.parts.source.capability()
        if not (cleanup and tag):
            run = Run(name, prefix=f"{name}-", patients_only=True)
            went_well = run_demo(stage, adapter, run)
        if cleanup:
            clean_up(stage, adapter, name)
    if not cleanup:
        stage.say(f"To remove all of it: her2-adapter demo --server {url} --tag {name} --cleanup")
    return went_well


def _refuse_others_credentials(settings: Settings, url: str) -> None:
    """Never send credentials to another server than the one they were configured for."""

    def is_anothers(server: ServerSettings) -> bool:
        named = server.url is not None and server.url.rstrip("/") != url.rstrip("/")
        return named and server.auth.kind != "none"

    if is_anothers(settings.source) or is_anothers(settings.target):
        raise ConfigError(
            [
                f"the settings hold credentials for another server than {url}; use a file or an "
                "environment that has none, or those of this server"
            ]
        )
