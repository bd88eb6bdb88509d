"""What a pass does about resources that are no strict JSON or not shown: they are counted, listed and told, each once.

Nobody is decided without them (sync/reading): they stay on the worklist, with their reason code, until
they are corrected or opened where they are stored.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

import structlog

from adapter.fhir.references import reference_to
from adapter.ports import RefusedResource, StateStore, WorklistEntry, WorklistKind

log = structlog.get_logger(__name__)


@dataclass
class Refusals:
    """Those of one pass; `may_list` is False for a dry run, which leaves no trace."""

    store: StateStore
    at: datetime
    may_list: bool
    told: set[str] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)

    @property
    def counts(self) -> dict[str, int]:
        """How many are no strict JSON, and how many the server does not show."""
        return {"refused": len(self.told - self.hidden), "not-shown": len(self.hidden)}

    def of_nobody(self, refused: Iterable[RefusedResource]) -> list[str]:
        """Note those that name no patient of this server; gives what to warn of."""
        known = list(refused)
        self.note(known)
        return [
            f"{reference_to(one.known)} is no strict JSON ({one.code}) and names no patient of this server"
            for one in known
        ]

    def note(self, refused: Iterable[RefusedResource], patient: str = "") -> None:
        """Tell of these, and list them as what this patient ("" for nobody) waits for.

        Raises: StoreError as the port says.
        """
        refused = list(refused)
        self.hidden.update(reference_to(one.known) for one in refused if one.status is not None)
        entries = [
            WorklistEntry(WorklistKind.NOT_READ, patient, reference_to(one.known), reason=one.code)
            for one in refused
        ]
        for entry in entries:
            if entry.reference not in self.told:
                self.told.add(entry.reference)
                log.warning("resource_refused", reference=entry.reference, reason=entry.reason)
        if self.may_list and entries:
            names = [entry.reference for entry in entries]
            self.store.replace_worklist(subjects=(), references=names, entries=entries, at=self.at)
