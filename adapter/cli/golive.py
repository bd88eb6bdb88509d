"""`go-live-report`: the page that a hospital's change board signs, of weeks of observation and one pass of now."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapter.cli.documents import PageOutput
from adapter.cli.exit_codes import DONE, INTERRUPTED
from adapter.cli.passes import instant
from adapter.cli.printing import default_output, say
from adapter.cli.progress import shown_progress
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from adapter.audit import Facts
    from adapter.bootstrap import Adapter
    from adapter.cli.documents import Page
    from adapter.golive.look import Look, Setup
    from adapter.sync.report import PassReport

Since = Annotated[
    str | None,
    typer.Option("--since", metavar="D", help="Passes from this day or instant (UTC) on."),
]
To = Annotated[
    list[Path] | None,
    typer.Option(
        "--to",
        metavar="FILE",
        help="Into this file instead of stdout: .html, .md, .json or .ndjson; may be given again.",
        dir_okay=False,
    ),
]
_FORMS: Final = {
    ".html": PageOutput.HTML,
    ".md": PageOutput.MARKDOWN,
    ".json": PageOutput.JSON,
    ".ndjson": PageOutput.NDJSON,
}
OWNER_ALONE: Final = 0o600
"""Who may read a report that is made: it names patients and samples."""
TRAIL_ROWS: Final = 100_000
"""So many of the latest rows of the trail are looked through for starts of the service."""


def go_live_report(shared: Shared, since: Since = None, to: To = None) -> int:
    """Report before go-live: what was observed and would be written, what disagrees, and the load on the server.

    Reads everything once and writes nothing. It ends in 0 whatever it shows: people read it and decide. Its hash
    goes into the audit trail.
    """
    from adapter.bootstrap import open_adapter

    forms = _forms(to or ())
    begins = instant(since) if since else None
    settings = shared.settings(quiet=True)
    with (
        stop_on_signals() as stop,
        shown_progress() as watched,
        open_adapter(settings, stop.event, watched=watched) as adapter,
    ):
        report = _pass(adapter, stop.is_set)
        if stop.is_set():
            say("Stopped: there is no report")
            return INTERRUPTED
        look = _look(adapter, report, begins)
        page = _finished(look)
        _record(adapter, look, page)
    _give(page, forms, shared)
    return DONE


def _forms(files: Sequence[Path]) -> dict[Path, PageOutput]:
    wrong = [str(one) for one in files if one.suffix not in _FORMS]
    if wrong:
        raise typer.BadParameter(f"--to: {', '.join(wrong)}: knows {', '.join(_FORMS)}")
    if lost := [str(one.parent) for one in files if not one.parent.is_dir()]:
        raise typer.BadParameter(f"--to: {', '.join(lost)}: there is no such folder")
    return {one: _FORMS[one.suffix] for one in files}


def _pass(adapter: Adapter, stopped: Callable[[], bool]) -> PassReport:
    """Run one pass over everything that writes nothing, and look at it in detail."""
    from adapter.sync.cycle import Cycle, Interrupts, PassOptions

    cycle = Cycle(adapter.parts, adapter.options, interrupts=Interrupts(stopped=stopped))
    return cycle.run_pass(PassOptions(dry_run=True, full_sweep=True, in_detail=True))


def _look(adapter: Adapter, report: PassReport, since: datetime | None) -> Look:
    from adapter.golive.findings import worklist_groups
    from adapter.golive.look import Look, versions_in
    from adapter.golive.period import period_of
    from adapter.sync.options import DiscoverBy

    store, now = adapter.parts.store, adapter.parts.clock.now()
    asks = adapter.options.read.discovery is DiscoverBy.CHANGES
    return Look(
        made_at=now,
        made_by=adapter.parts.actor,
        asked_since=since,
        setup=_setup(adapter),
        period=period_of(store.passes_since(since), asks_what_changed=asks),
        versions=versions_in(store.recorded(limit=TRAIL_ROWS), since),
        report=report,
        worklist=tuple(worklist_groups(report.worklist, store.worklist(), now)),
        parked=store.parked(),
    )


def _setup(adapter: Adapter) -> Setup:
    from adapter.cli.signing import signature_facts
    from adapter.golive.look import Setup
    from adapter.her2.policy import choices
    from adapter.sync.measured import measured_target

    parts, settings = adapter.parts, adapter.settings
    context, policy = parts.context, parts.context.policy
    capability = parts.source.capability()
    is_one = parts.target is parts.source
    signed = signature_facts(settings)
    measured = measured_target(parts.store, parts.target.base_url)
    return Setup(
        source_url=parts.source.base_url,
        target_url="" if is_one else parts.target.base_url,
        server=f"{capability.software or 'does not say'}, FHIR {capability.fhir_version}",
        software=context.software_version,
        policy=f"{policy.name} {policy.version}",
        guideline=policy.guideline,
        choices=choices(policy),
        mappings=context.mappings_version,
        overlays=context.overlay_versions,
        signature=signed["signature"],
        signature_says=signed["decision_table"],
        mode=settings.mode,
        interval_seconds=settings.poll.interval_seconds,
        options=adapter.options,
        measured_at=measured[1].at if measured else None,
    )


def _finished(look: Look) -> Page:
    from adapter.cli.golive_page import page
    from adapter.cli.golive_words import minute

    made = page(look)
    footer = (
        f"SHA-256 of the content (the lines of -o ndjson before the last): {made.sha256()}",
        f"Made by her2-adapter {look.setup.software} go-live-report on {minute(look.made_at)}; the audit trail has "
        "the hash.",
        made.statement,
    )
    return replace(made, footer=footer)


def _record(adapter: Adapter, look: Look, page: Page) -> None:
    """Tell the trail that this very report was made; counts only, and nothing of a person."""
    from adapter.audit import AuditAction
    from adapter.golive.findings import disagreements
    from adapter.sync.auditing import Auditor

    parts = adapter.parts
    told: Facts = {
        "sha256": page.sha256(),
        "passes": look.period.passes,
        "samples": len(look.report.rows),
        "disagreements": len(disagreements(look.report.compared)),
    }
    event = Auditor(parts.context, parts.actor).happened(
        AuditAction.GO_LIVE_REPORT, "made", at=look.made_at, facts=told
    )
    parts.store.record([event])


def _give(page: Page, forms: dict[Path, PageOutput], shared: Shared) -> None:
    from adapter.cli.documents import printed, text_of
    from adapter.offline.whole_files import write_whole

    for file, form in forms.items():
        write_whole(file, text_of(page, form).encode(), new_mode=OWNER_ALONE)
        say(f"{file} written")
    if not forms:
        printed(page, PageOutput(shared.output) if shared.output else PageOutput(default_output()))
    say(f"SHA-256 {page.sha256()}; the audit trail has it")
