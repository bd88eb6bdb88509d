"""The audit trail: read it, for one patient or whole; check it; keep its head elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapter.cli.exit_codes import DONE, NEEDS_OPERATOR
from adapter.cli.printing import Block, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.audit import AuditRow

OfPatient = Annotated[
    str | None,
    typer.Option("--patient", metavar="ID", help="What concerns this patient, with its details."),
]
Limit = Annotated[int, typer.Option("--limit", min=1, help="The latest so many rows.")]
Head = Annotated[
    str | None,
    typer.Option("--head", metavar="N:MAC", help="A head that was kept: it must still be there."),
]
OldKeys = Annotated[
    list[Path] | None,
    typer.Option(
        "--old-key",
        metavar="FILE",
        help="A key under which earlier rows were written; may be given again.",
        exists=True,
        dir_okay=False,
    ),
]
_COLUMNS = {
    "seq": "Row",
    "at": "At (UTC)",
    "actor": "By",
    "action": "Done",
    "outcome": "Outcome",
    "facts": "Facts",
    "details": "Details",
    "subject": "Person",
}


def show(shared: Shared, patient: OfPatient = None, limit: Limit = 100) -> None:
    """Show the latest rows of the audit trail, oldest first; of one patient with all details.

    Without --patient a person is a pseudonym, and what could be tied to them stays sealed.
    """
    from adapter.bootstrap import open_state
    from adapter.sync.references import patient_reference

    named = patient_reference(patient) if patient else None
    with open_state(shared.settings(quiet=True)) as store:
        found = store.recorded(named, limit=limit)
    print_blocks(shared.form, [Block("Audit trail", _COLUMNS, [_line(row) for row in found])])
    if named and not found:
        say("Nothing is recorded of this patient, or they were erased")


def verify(shared: Shared, head: Head = None, old_key: OldKeys = None) -> int:
    """Check every row of the audit trail; names the first that is wrong, and ends in 5."""
    from adapter.bootstrap import open_state

    keys = [file.read_bytes().strip() for file in old_key or ()]
    settings = shared.settings(quiet=True)
    with open_state(settings) as store:
        check = store.check_trail(head=head or "", old_keys=keys)
        line = {
            "kind": "audit",
            "sound": check.is_sound,
            "rows": check.rows,
            "wrong_row": check.wrong_row,
            "problem": check.problem,
            "head": store.trail_head(),
        }
    columns = {name: name.replace("_", " ").capitalize() for name in line if name != "kind"}
    print_blocks(shared.form, [Block("Audit trail", columns, [line])])
    if not check.is_sound:
        say(f"Row {check.wrong_row}: {check.problem}")
        return NEEDS_OPERATOR
    if settings.store.audit_key is None:
        say(
            "The key lies beside the state: this shows damage, and no forger who can write there. "
            "store.audit_key keeps it elsewhere"
        )
    return DONE


def head(shared: Shared) -> None:
    """Print number and HMAC of the last row, to be kept where the adapter cannot write."""
    from adapter.bootstrap import open_state

    with open_state(shared.settings(quiet=True)) as store:
        line = {"kind": "audit-head", "head": store.trail_head()}
    print_blocks(shared.form, [Block("Audit trail", {"head": "Head"}, [line])])


def _line(row: AuditRow) -> dict[str, Any]:
    return {
        "kind": "audit",
        "seq": row.seq,
        "at": row.at,
        "actor": row.actor,
        "action": row.action,
        "outcome": row.outcome,
        "facts": dict(row.facts),
        "details": "sealed" if row.details is None else dict(row.details),
        "subject": row.subject,
    }
