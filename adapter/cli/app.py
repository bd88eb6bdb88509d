"""All commands, put together; importing this must stay quick, so the work is imported in them."""

from __future__ import annotations

import typer

from adapter.cli import (
    auditing,
    braking,
    classifying,
    demonstrating,
    doctor,
    erasing,
    explaining,
    golive,
    listing,
    mapping_diff,
    mapping_package,
    mapping_rows,
    mappings,
    operating,
    passes,
    queueing,
    sandboxing,
    setting_up,
    subscribing,
    table,
    torturing,
    verifying,
)
from adapter.cli.documents import PageOutput
from adapter.cli.shared import Version, command

app = typer.Typer(
    help=(
        "HER2 results in, derived HER2 categories with Provenance out (FHIR R4). Decision support, not a "
        "diagnosis: the laboratory's report is the result of record."
    ),
    epilog=(
        "Exit codes: 0 done · 1 a defect of the adapter · 2 wrong usage, settings or input · 3 server or state "
        "not usable, run again · 4 only with --fail-on · 5 needs an operator · 130 interrupted."
    ),
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def _root(version: Version = False) -> None:
    """Take the options that stand before a command."""


command(app)(passes.sync)
command(app)(passes.run)
command(app)(classifying.classify)
command(app)(classifying.derive)
command(app)(explaining.explain)
command(app)(verifying.verify)
command(app, outputs=table.TableOutput)(table.table)

_mappings = typer.Typer(
    help="The vocabulary: check it, list it, see what a change alters, add to it, pack it.",
    no_args_is_help=True,
)
app.add_typer(_mappings, name="mappings")
command(_mappings)(mappings.check)
command(_mappings, "list", outputs=mappings.ListOutput)(mappings.list_files)
command(_mappings)(mapping_diff.diff)
command(_mappings)(mapping_package.package)
command(_mappings)(mapping_rows.add)

command(app)(operating.status)
command(app)(listing.unmapped)
_parked = typer.Typer(
    help="Results that the server refuses: list them, send them again.", no_args_is_help=True
)
app.add_typer(_parked, name="parked")
command(_parked, "list")(operating.parked)
command(_parked)(operating.retry)
_queue = typer.Typer(
    help="Patients who wait to be looked at: list them, take off whom the server never shows.",
    no_args_is_help=True,
)
app.add_typer(_queue, name="queue")
command(_queue, "list")(queueing.queued)
command(_queue)(queueing.drop)
command(app, without=("policy",))(operating.withdraw)

command(app)(erasing.erase)

_brake = typer.Typer(
    help="What an engaged brake holds back: show it, let it go.", no_args_is_help=True
)
app.add_typer(_brake, name="brake")
command(_brake)(braking.show)
command(_brake)(braking.release)

_audit = typer.Typer(
    help="Who did what, when and under which rules: show it, check it.", no_args_is_help=True
)
app.add_typer(_audit, name="audit")
command(_audit)(auditing.show)
command(_audit)(auditing.verify)
command(_audit)(auditing.head)

_subscribe = typer.Typer(
    help="The server's Subscriptions that wake the poller: make them, show them, take them away.",
    no_args_is_help=True,
)
app.add_typer(_subscribe, name="subscribe")
command(_subscribe)(subscribing.create)
command(_subscribe)(subscribing.show)
command(_subscribe)(subscribing.remove)

command(app)(setting_up.config)
command(app)(doctor.doctor)
command(app, "go-live-report", outputs=PageOutput)(golive.go_live_report)
command(app)(sandboxing.sandbox)
command(app)(demonstrating.demo)
command(app, outputs=torturing.TortureOutput)(torturing.torture)
