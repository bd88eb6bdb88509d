"""An engaged brake: show what it holds back, then let it go, by name and no further than was shown."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.alone import WAIT_SECONDS, Wait, writing
from adapter.cli.exit_codes import DONE, INTERRUPTED, NEEDS_OPERATOR
from adapter.cli.passes import ended
from adapter.cli.printing import number_of, say
from adapter.cli.progress import shown_progress
from adapter.cli.shared import Shared
from adapter.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from adapter.ports import StateStore
    from adapter.sync.report import PassReport

By = Annotated[
    str, typer.Option("--by", metavar="NAME", help="Who has looked and decides; it is recorded.")
]
_NAME_LENGTH = 100


def show(shared: Shared) -> int:
    """Show what an engaged brake holds back: which results, of whom, and what would become of them.

    Computed anew and written nowhere; a release goes as far as this and no further. Ends in 5 while
    a brake holds anything back.
    """
    from adapter.bootstrap import open_adapter, require_state
    from adapter.cli.pass_report import print_pass
    from adapter.sync.cycle import Cycle

    settings = shared.settings(quiet=True)
    require_state(settings)
    with (
        stop_on_signals() as stop,
        shown_progress() as watched,
        open_adapter(settings, stop.event, watched=watched) as adapter,
    ):
        _say_since(adapter.parts.store)
        report = Cycle(adapter.parts, adapter.options).show_brake()
    print_pass(_held_back(report), shared.form)
    if not report.needs_operator:
        say("A pass would be let through as it is now: nothing has to be released")
        return DONE
    if report.brake.load.first_contact:
        count = number_of(report.actions.get("create", 0), "result")
        say(
            f"This is a first contact, {count} to create: `her2-adapter sync --backfill` creates them"
        )
    else:
        count = number_of(len(report.brake.load.held), "result")
        say(
            f"{count} held back. `her2-adapter brake release --by NAME` lets these go, and no others"
        )
    return NEEDS_OPERATOR


def release(shared: Shared, by: By, wait: Wait = WAIT_SECONDS) -> int:
    """Let go what `brake show` showed last: one pass, which stops if it would go any further.

    A running adapter on this state steps aside for it between two of its passes.
    """
    from adapter.bootstrap import open_adapter, require_state
    from adapter.cli.pass_report import print_pass
    from adapter.sync.cycle import Cycle, PassOptions
    from adapter.sync.releasing import shown_marks

    name = by.strip()
    if not name or not name.isprintable() or len(name) > _NAME_LENGTH:
        raise typer.BadParameter("--by: give the name of who decides, in one line")
    settings = shared.settings(quiet=True)
    if settings.mode == "observe":
        raise typer.BadParameter("mode is observe: nothing is written, so nothing can be let go")
    require_state(settings)
    with (
        stop_on_signals() as stop,
        shown_progress() as watched,
        open_adapter(settings, stop.event, watched=watched) as adapter,
    ):
        if not shown_marks(adapter.parts.store):
            raise typer.BadParameter("nothing was shown: run `her2-adapter brake show` first")
        with writing(adapter.parts, stop, "brake release", wait) as interrupts:
            cycle = Cycle(adapter.parts, adapter.options, interrupts=interrupts)
            report = cycle.run_pass(PassOptions(released_by=name))
    print_pass(report, shared.form)
    return INTERRUPTED if stop.is_set() else ended(report, frozenset())


def _say_since(store: StateStore) -> None:
    from adapter.sync.releasing import engaged, first_contact_stopped

    brake = engaged(store)
    if brake is None:
        told = (
            "Engaged: the last pass was a first contact that would have created too many"
            if first_contact_stopped(store)
            else "No brake was engaged by the last pass"
        )
        say(told)
        return
    since = brake.since.isoformat(timespec="seconds") if brake.since else "an earlier release"
    say(
        f"Engaged since {since}: the last pass wanted {brake.withdrawals} withdrawals for absence and "
        f"{brake.changes} changed categories"
    )


def _held_back(report: PassReport) -> PassReport:
    """Leave of a pass only the rows that the brake holds back."""
    from adapter.sync.planning.plan import Action

    load = report.brake.load
    held = {f"Observation/{key}" for key in load.held}
    is_first = report.needs_operator and load.first_contact
    rows = tuple(
        row
        for row in report.rows
        if row.derived in held or (is_first and row.action is Action.CREATE)
    )
    return replace(report, rows=rows, set_aside=())
