"""`sync`: one pass; `run`: pass after pass until it is stopped."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.alone import WAIT_SECONDS, Wait, writing
from adapter.cli.classifying import FailOn, FailOnOption, fail_on
from adapter.cli.exit_codes import DONE, FAIL_ON, INTERRUPTED, NEEDS_OPERATOR
from adapter.cli.printing import say
from adapter.cli.progress import shown_progress
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals
from adapter.errors import TemporaryServerError

if TYPE_CHECKING:
    from adapter.bootstrap import Adapter
    from adapter.ports import FhirServer
    from adapter.sync.report import PassReport

Patients = Annotated[
    list[str] | None,
    typer.Option("--patient", metavar="ID", help="Only this patient; may be given again."),
]
PatientsFile = Annotated[
    Path | None,
    typer.Option(
        "--patients",
        metavar="FILE",
        help="Only the patients in this file, one id a line.",
        exists=True,
        dir_okay=False,
    ),
]
Since = Annotated[
    str | None,
    typer.Option("--since", metavar="D", help="What changed from this day or instant (UTC) on."),
]
Backfill = Annotated[
    bool, typer.Option("--backfill", help="Read everything; a first pass may create any number.")
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Compute and report; write nothing.")]
Once = Annotated[bool, typer.Option("--once", help="Accepted; a sync is always one pass.")]
Observe = Annotated[
    bool, typer.Option("--observe", help="Compute, count and report; write nothing.")
]

Http = Annotated[
    bool,
    typer.Option(
        "--http",
        help="Answer over HTTP too, at HOST:PORT or as http.address says; loopback by default.",
    ),
]
HttpAddress = Annotated[
    str | None,
    typer.Argument(metavar="[HOST:PORT]", help="Where --http listens.", show_default=False),
]


def sync(  # noqa: PLR0913 - each parameter is an option of the command
    shared: Shared,
    patient: Patients = None,
    patients: PatientsFile = None,
    since: Since = None,
    backfill: Backfill = False,
    dry_run: DryRun = False,
    fail_on_list: FailOnOption = None,
    wait: Wait = WAIT_SECONDS,
    once: Once = False,  # noqa: ARG001 - means nothing
) -> int:
    """Run one pass: read what changed, decide, write the difference, report.

    With patients given only these are read. Running it again is always safe: what stands already
    is not written again. A running adapter on this state steps aside for it between two of its passes.
    """
    from adapter.bootstrap import open_adapter
    from adapter.cli.discovery_text import discovery_sentence
    from adapter.cli.pass_report import print_pass, without_results
    from adapter.cli.site_text import overlay_sentences
    from adapter.sync.cycle import Cycle, Interrupts, PassOptions

    conditions = fail_on(fail_on_list)
    settings = shared.settings(quiet=True)
    is_by_list = settings.poll.discovery != "changes"
    if since and is_by_list:
        raise typer.BadParameter("--since asks what changed, and poll.discovery is another way")
    only_looks = dry_run or settings.mode == "observe"
    asked = PassOptions(
        patients=_patients(patient, patients),
        since=instant(since) if since else None,
        backfill=backfill,
        dry_run=dry_run,
        full_sweep=is_by_list,  # somebody who runs a pass by hand wants it now
    )
    with (
        stop_on_signals() as stop,
        shown_progress() as watched,
        open_adapter(settings, stop.event, watched=watched, sets_aside=not only_looks) as adapter,
    ):
        say(discovery_sentence(adapter.settings), *overlay_sentences(adapter))
        with (
            nullcontext(Interrupts(stopped=stop.is_set))
            if only_looks
            else writing(adapter.parts, stop, "sync", wait)
        ) as interrupts:
            report = Cycle(adapter.parts, adapter.options, interrupts=interrupts).run_pass(asked)
    print_pass(report, shared.form)
    if stop.is_set():
        return INTERRUPTED
    say(*without_results(report, asked.patients or ()))
    return ended(report, conditions)


def run(
    shared: Shared, observe: Observe = False, http: Http = False, address: HttpAddress = None
) -> int:
    """Keep polling: pass after pass until stopped; SIGTERM ends it in good order with 0.

    What a pass cannot do the next one does; a server that is away is waited for. A state that is found to be damaged
    ends it with 3, and its next start makes that anew. One log line tells
    of each pass. With --output the samples that changed are printed too. With --http it can be
    called, woken and watched meanwhile: docs/operate.md.
    """
    from adapter.bootstrap import open_adapter
    from adapter.service import Service
    from adapter.settings import DEFAULT_ADDRESS

    if address and not http:
        raise typer.BadParameter(f"{address!r} is where to listen: say --http {address}")
    settings = shared.settings(mode="observe" if observe else None, http__address=address)
    if http and settings.http.address is None:
        settings = shared.settings(
            mode="observe" if observe else None, http__address=DEFAULT_ADDRESS
        )
    with stop_on_signals() as stop, open_adapter(settings, stop.event, sets_aside=True) as adapter:
        _tell_start(adapter)
        _ask_server(adapter.parts.source)
        Service(adapter, stop.event, lambda report: _tell(report, shared)).run()
    return INTERRUPTED if stop.was_interrupted else DONE


def instant(text: str) -> datetime:
    """Read a day or an instant; without a zone it is UTC. Wrong usage when it is neither."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is no day or instant such as 2024-01-31") from error
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _patients(named: Sequence[str] | None, file: Path | None) -> tuple[str, ...] | None:
    """Give the patients asked for as "Patient/<id>"; None when all are."""
    if not named and file is None:
        return None
    found = [patient_asked(word) for word in named or ()]
    return tuple(dict.fromkeys([*found, *(_of_file(file) if file else ())]))


def patient_asked(text: str) -> str:
    """Give "Patient/<id>" of a patient whom an option names; wrong usage, without the text, where it is no id."""
    from adapter.patient_file import patient_named

    found = patient_named(text.strip())
    if found is None:
        raise typer.BadParameter("--patient: give a FHIR id, with or without Patient/ before it")
    return found


def _of_file(file: Path) -> list[str]:
    """Read a file as poll.patients_file is read; but a line that is no id is refused, and what it says not told."""
    from adapter.errors import ListUnusable
    from adapter.patient_file import PatientsOfFile

    try:
        patients, wrong = PatientsOfFile(file).lines()
    except ListUnusable as error:
        raise typer.BadParameter(f"--patients: {error}") from error
    if wrong:
        lines = "1 line is" if len(wrong) == 1 else f"{len(wrong)} lines are"
        raise typer.BadParameter(
            f"--patients: {file}: {lines} no patient id, the first is line {wrong[0]}; nobody was looked at"
        )
    if not patients:
        raise typer.BadParameter(f"--patients: {file} names no patient")
    return sorted(patients)


def _tell_start(adapter: Adapter) -> None:
    """Tell in the log what runs, and on a console every setting that is not its default."""
    import structlog

    from adapter.cli.discovery_text import discovery_sentence, log_discovery
    from adapter.cli.site_text import log_overlay, overlay_sentences
    from adapter.settings import describe

    settings, context = adapter.settings, adapter.parts.context
    structlog.get_logger(__name__).info(
        "run_started",
        software=context.software_version,
        policy=f"{context.policy.name}|{context.policy.version}",
        mappings=context.mappings_version,
        mode=settings.mode,
        url=adapter.parts.source.base_url,
    )
    log_overlay(adapter)
    log_discovery(settings)
    if settings.log.format == "console":
        say(discovery_sentence(settings), *overlay_sentences(adapter))
        rows = describe(settings)
        say(
            *(
                f"{row.name} = {row.value} ({row.origin})"
                for row in rows
                if row.value != row.default
            )
        )


def _ask_server(server: FhirServer) -> None:
    """Refuse at start what can never be polled; a server that is merely away is waited for."""
    import structlog

    try:
        server.capability()
    except TemporaryServerError as error:
        structlog.get_logger(__name__).warning("server_not_there_yet", error=error, exc_info=error)


def _tell(report: PassReport, shared: Shared) -> None:
    """Print what a pass of `run` changed, where somebody asked for data."""
    from adapter.cli.pass_report import print_pass
    from adapter.sync.planning.plan import Action

    if shared.output is None:
        return
    rows = tuple(row for row in report.rows if row.action is not Action.SKIP)
    if rows:
        print_pass(replace(report, rows=rows, set_aside=()), shared.form)
        sys.stdout.flush()


def ended(report: PassReport, conditions: frozenset[FailOn]) -> int:
    """Give the exit code of a pass."""
    if report.needs_operator:
        return NEEDS_OPERATOR
    occurs = {
        FailOn.PARKED: bool(report.parked),
        FailOn.REVIEW: any(row.review for row in report.rows),
        FailOn.UNMAPPED: any(one.outcome == "unreadable" for one in report.set_aside),
    }
    return FAIL_ON if any(occurs[one] for one in conditions) else DONE
