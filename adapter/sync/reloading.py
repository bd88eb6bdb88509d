"""A site's mappings, read again while the adapter runs: all of them together, or none.

Asked before a pass, never within one. What is found on the disk is taken when it is at rest and without a defect;
until then the mappings in force stay so, whatever lies there. There is no thread and nobody to be waited for: a pass
that finds a folder being written decides with what it has.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final, Protocol

import structlog

from adapter.audit import AuditAction, Facts
from adapter.errors import MappingError
from adapter.sync.auditing import Auditor
from adapter.sync.in_force import MappingsInForce, keep
from adapter.sync.parts import Parts
from adapter.terminology.looks import Look, SiteFolders

log = structlog.get_logger(__name__)

REST_SECONDS: Final = 2.0
"""So long a changed folder must stay as it is before it is read: who saves two files saves them one after another."""

AGAIN_AFTER: Final = timedelta(minutes=10)
"""What was refused is tried again after so long without a change too: a full table of open files is no defect of it."""
RESTLESS_LOOKS: Final = 10
"""So many changes in a row while it was read are told as a defect: some tool writes the folder without end."""

TAKEN: Final = "in-force"
BACK: Final = "as-before"
REFUSED: Final = "defects"
"""Outcomes in the trail: another vocabulary decides now; what was in force lies there again; it was not taken."""


class Refresh(Protocol):
    """Other parts for the next pass, where what they are made of has changed."""

    @property
    def in_force(self) -> MappingsInForce:
        """What is decided with now, and whether the disk holds something that was refused."""
        ...

    def __call__(self) -> Parts | None:
        """Give the parts of the next pass, None where they stay; to be asked before each pass.

        Raises: StoreError when a change cannot be recorded; it is found again the next time.
        """
        ...

    def note(self) -> None:
        """Keep in the state what is in force here; for who holds the writer's lease. Raises: StoreError."""
        ...


class Reloading:
    """Watches a site's folders for one process; implements `Refresh`.

    A cheap look at names, sizes and times says whether anything has changed. What has is read between two equal looks.
    """

    def __init__(
        self, parts: Parts, folders: SiteFolders, seen: Look | None, *, load: Callable[[], Parts]
    ) -> None:
        """Begin.

        Args:
            parts: what is in force.
            folders: where it was read.
            seen: how the folders looked when it was; None when they changed meanwhile.
            load: reads the folders again; raises MappingError with every defect.

        """
        self.folders = folders
        self.load = load
        self._parts = parts
        self._seen = seen
        self._again_at: datetime | None = None
        self._refused = ""
        self._restless = 0
        self._in_force = MappingsInForce(_versions(parts), parts.clock.now())

    @property
    def in_force(self) -> MappingsInForce:
        """As `Refresh` says."""
        return self._in_force

    def __call__(self) -> Parts | None:
        """As `Refresh` says."""
        again = self._again_at is not None and self._parts.clock.now() >= self._again_at
        if not again and self._is_seen_cheaply():
            return None
        look = self.folders.look()
        if not again and self._seen is not None and look.content == self._seen.content:
            self._seen = look  # touched, or put there once more
            return None
        if not self._has_waited():
            return None
        try:
            found: Parts | MappingError = self._read(look)
        except MappingError as error:
            found = error
        if self.folders.look() != look:
            self._note_unrest()
            return None
        self._restless = 0
        if isinstance(found, MappingError):
            self._refuse(found.defects, look.content)
            self._seen, self._again_at = look, self._parts.clock.now() + AGAIN_AFTER
            return None
        return self._take(look, found)

    def note(self) -> None:
        """As `Refresh` says; warns when another adapter on this state decided with other mappings."""
        before = keep(self._parts.store, self._in_force, self._parts.actor)
        if before is None or before.by == self._parts.actor:
            return
        if before.versions != self._in_force.versions:
            log.warning(
                "other_mappings_before", holder=before.by, mappings=self._in_force.versions[-1]
            )

    def _is_seen_cheaply(self) -> bool:
        """Tell from names, sizes and times alone that nothing changed; what could not be read is read again."""
        seen = self._seen
        return seen is not None and not seen.unreadable and self.folders.marks() == seen.marks

    def _note_unrest(self) -> None:
        """Try again before the next pass; who never gets it read has to hear of it."""
        self._restless += 1
        log.info("mappings_still_changing", attempt=self._restless)
        if self._restless >= RESTLESS_LOOKS:
            names = ", ".join(map(str, self.folders.folders))
            self._refuse(
                (f"{names}: $: never stays as it is for as long as it takes to read it",), ""
            )

    def _read(self, look: Look) -> Parts:
        """Load what was looked at; raises MappingError with every defect."""
        if look.unreadable:
            raise MappingError(look.unreadable)
        return self.load()

    def _has_waited(self) -> bool:
        """Let the folder rest; a wait that a stop cut short is none."""
        clock = self._parts.clock
        began = clock.now()
        clock.sleep(REST_SECONDS)
        return clock.now() - began >= timedelta(seconds=REST_SECONDS / 2)

    def _take(self, look: Look, parts: Parts) -> Parts | None:
        before, is_other = self._in_force, parts.basis != self._parts.basis
        versions = _versions(parts)
        if is_other:
            self._record(
                parts, AuditAction.MAPPINGS_RELOADED, TAKEN, {"before": " ".join(before.versions)}
            )
            self._parts = parts
            self._in_force = MappingsInForce(versions, parts.clock.now())
            log.info(
                "mappings_reloaded",
                mappings=versions[-1],
                overlay=", ".join(parts.catalogue.overlay_names),
            )
        elif before.refused:
            self._record(parts, AuditAction.MAPPINGS_RELOADED, BACK, {})
            self._in_force = replace(before, refused=(), refused_at=None)
            log.info("mappings_as_before", mappings=versions[-1])
        self._seen, self._again_at = look, None
        return parts if is_other else None

    def _refuse(self, defects: tuple[str, ...], content: str) -> None:
        """Leave in force what is, and say so once for each content and what is wrong with it."""
        before, clock = self._in_force, self._parts.clock
        if (defects, content) == (before.refused, self._refused):
            return
        count = len(defects)
        self._record(self._parts, AuditAction.MAPPINGS_REFUSED, REFUSED, {"defects": count})
        since = before.refused_at or clock.now()
        self._in_force = replace(before, refused=defects, refused_at=since)
        self._refused = content
        log.warning(
            "mappings_refused",
            count=count,
            files=self._in_force.refused_places,
            mappings=before.versions[-1],
        )

    def _record(self, parts: Parts, action: AuditAction, outcome: str, facts: Facts) -> None:
        auditor = Auditor(parts.context, parts.actor)
        parts.store.record([auditor.happened(action, outcome, at=parts.clock.now(), facts=facts)])


def _versions(parts: Parts) -> tuple[str, ...]:
    return (parts.context.mappings_version, *parts.context.overlay_versions)
