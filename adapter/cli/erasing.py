"""Erasing a patient from everything the adapter keeps itself; the FHIR server's content is another matter."""

from __future__ import annotations

from threading import Event
from typing import TYPE_CHECKING, Annotated, Final

import typer

from adapter.cli.alone import writing_at_once
from adapter.cli.passes import patient_asked
from adapter.cli.printing import Block, print_blocks, say
from adapter.cli.shared import Shared

if TYPE_CHECKING:
    from adapter.ports import StateStore

OfPatient = Annotated[str, typer.Option("--patient", metavar="ID", help="Whom to erase.")]
Preview = Annotated[
    bool, typer.Option("--preview", help="Show what would be erased, and erase nothing.")
]
LEASE_SECONDS: Final = 600.0
"""How long no service can begin to write while rows are erased and files written anew."""
STOP_IT: Final = "It could write down the patient again: stop it, erase, start it."


def erase(shared: Shared, patient: OfPatient, preview: Preview = False) -> None:
    """Erase a patient from the state: queue, parked, worklist, their key in the audit trail, damaged files.

    A running adapter is stopped first. The FHIR server, logs and backups are not touched.
    """
    from adapter.bootstrap import open_state

    person = patient_asked(patient)
    short = person.removeprefix("Patient/")
    with open_state(shared.settings(quiet=True)) as store:
        held = store.held_about(person)
        limits = () if preview else _erased(store, person)
    rows = [{"kind": "held", "where": where, "count": held[where]} for where in held]
    title = "Would be erased" if preview else "Erased"
    print_blocks(shared.form, [Block(title, {"where": "Where", "count": "Count"}, rows)])
    say(*limits)
    if not any(held.values()):
        say(f"Nothing was held of {person}: is the id right?")
    say(
        "Not touched: the derived Observations on the FHIR server "
        f"(first `her2-adapter withdraw --patient {short}`, then their deletion is for who runs that server); "
        "logs; backups of the state, which bring the patient back when they are restored",
        "As long as the server shows results of this patient, a later pass looks at them anew",
    )
    if preview:
        say("Nothing was erased; without --preview it is, and cannot be undone")


def _erased(store: StateStore, person: str) -> tuple[str, ...]:
    from adapter.audit import AuditAction, AuditEvent
    from adapter.bootstrap import SystemClock, actor
    from adapter.sync.reading.landmarks import SEEN
    from adapter.sync.releasing import SHOWN, WITHDRAWN_LATELY
    from adapter.sync.writing.foreign_edits import EDITS, WROTE

    clock = SystemClock(Event())
    with writing_at_once(store, clock, "erase", STOP_IT, lease_seconds=LEASE_SECONDS):
        event = AuditEvent(AuditAction.ERASED, "done", actor(), clock.now())
        return store.erase(person, [event], settings=(EDITS, SEEN, SHOWN, WITHDRAWN_LATELY, WROTE))
