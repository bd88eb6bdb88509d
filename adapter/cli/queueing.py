"""Who waits to be looked at, and taking somebody off whom the server will never show."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from adapter.cli.printing import Block, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.audit import AuditEvent

OfPatients = Annotated[
    list[str], typer.Option("--patient", metavar="ID", help="Whom to take off; may be repeated.")
]


def queued(shared: Shared) -> None:
    """List the patients who wait to be looked at, those queued longest first."""
    from adapter.bootstrap import open_state

    with open_state(shared.settings(quiet=True)) as store:
        patients = tuple(store.queued())
    rows = [{"patient": patient} for patient in patients]
    print_blocks(shared.form, [Block("Queued", {"patient": "Patient"}, rows)])
    say(f"{len(rows)} queued")


def drop(shared: Shared, patient: OfPatients) -> None:
    """Take patients off the queue: an id that the server does not know, a record that it will not show.

    Nothing that stands of them changes; a result of theirs that changes, a request or a full sweep looks at them anew.
    """
    from adapter.bootstrap import open_state
    from adapter.sync.references import patient_reference

    wanted = list(dict.fromkeys(map(patient_reference, patient)))
    with open_state(shared.settings(quiet=True)) as store:
        found = store.queued(wanted)
        wrong = [one for one in wanted if one not in found]
        if wrong:
            raise typer.BadParameter(f"not queued: {', '.join(wrong)}")
        store.record([_dropped(one) for one in wanted])
        store.done(found)
    rows = [{"patient": one} for one in wanted]
    print_blocks(shared.form, [Block("Taken off the queue", {"patient": "Patient"}, rows)])
    say(f"{len(rows)} taken off")


def _dropped(patient: str) -> AuditEvent:
    from adapter.audit import AuditAction, AuditEvent
    from adapter.bootstrap import actor

    return AuditEvent(
        AuditAction.DROPPED, "off-the-queue", actor(), datetime.now(UTC), patient=patient
    )
