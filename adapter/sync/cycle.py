"""Passes, one after the other: the public face of `sync`. A test calls `run_pass` without a thread.

The idea is level-triggered reconcile: order, repetition and loss of events do not matter, and a
crash anywhere is healed by running again.
"""

from __future__ import annotations

from adapter.sync.auditing import Auditor
from adapter.sync.one_pass import OnePass
from adapter.sync.options import PassOptions, SyncOptions
from adapter.sync.parts import Interrupts, Parts
from adapter.sync.reading.discover import Recent
from adapter.sync.reading.searches import Searches
from adapter.sync.releasing import note_shown
from adapter.sync.report import CaseRow, PassKind, PassOutcome, PassReport, SetAside

__all__ = [
    "CaseRow",
    "Cycle",
    "Interrupts",
    "Parts",
    "PassKind",
    "PassOptions",
    "PassOutcome",
    "PassReport",
    "SetAside",
    "SyncOptions",
]

_EVERYTHING_DUE = PassOptions()


class Cycle:
    """Runs passes; keeps between them only what may be lost at any time."""

    def __init__(
        self, parts: Parts, options: SyncOptions, *, interrupts: Interrupts | None = None
    ) -> None:
        self.interrupts = interrupts or Interrupts()
        self.parts = parts
        self.options = options
        self._watched = self.interrupts.watching(parts)
        self.searches = Searches.of(self._watched, options.read)
        self._recent = Recent()

    def run_pass(self, asked: PassOptions = _EVERYTHING_DUE) -> PassReport:
        """Run one pass.

        Args:
            asked: which patients, and what may be written; by default whatever is due.

        Raises:
            ServerError: when the source or target cannot be used; nothing is lost, the next pass
            does it all. StoreError: when the state cannot be kept; LeaseLost when another adapter
            writes.

        """
        # Kept only when the pass ends well: after an error nobody knows what was dealt with.
        recent, self._recent = self._recent, Recent()
        one = OnePass(
            parts=self._watched,
            options=self.options,
            asked=asked,
            searches=self.searches,
            recent=recent,
            interrupts=self.interrupts,
        )
        report = one.run()
        self._recent = recent
        return report

    def show_brake(self) -> PassReport:
        """Compute a pass and keep what a brake would hold back: a release goes that far and no further.

        Raises: as `run_pass`.
        """
        report = self.run_pass(PassOptions(dry_run=True))
        auditor = Auditor(self.parts.context, self.parts.actor)
        note_shown(self.parts.store, report.brake, auditor, report.ended_at)
        return report
