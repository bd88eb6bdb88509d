"""The cases that the server refuses: which stay parked in a pass, which are sent once more, which are let go."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from adapter.ports import ParkedCase, StateStore
from adapter.sync.auditing import Auditor
from adapter.sync.facts import instant_of
from adapter.sync.planning.plan import Action, Planned
from adapter.sync.writing.foreign_edits import EDITED_BY_OTHERS
from adapter.sync.writing.write_back import STORED_DIFFERENTLY

PARKED_RETRIED: Final = "parked-retried"
"""Setting: when a pass over everybody last sent what is parked, as an ISO instant."""


@dataclass
class ParkedCases:
    """What was parked when a pass began, and what becomes of it.

    `retries`: this pass sends each of them once more. `retried`: the keys of those that it does send, for the writer.
    """

    store: StateStore
    auditor: Auditor
    at: datetime
    retries: bool = False
    retried: set[str] = field(default_factory=set)
    _cases: dict[str, ParkedCase] = field(default_factory=dict)
    _healed: set[str] = field(default_factory=set)

    def read(self) -> None:
        """Read what is parked now."""
        self._cases = {case.key: case for case in self.store.parked()}

    def are_due(self, every_hours: float) -> bool:
        """Tell whether the last retry is so long ago that a pass over everybody makes one."""
        last = instant_of(self.store, PARKED_RETRIED, until=self.at)
        return last is None or self.at - last >= timedelta(hours=every_hours)

    def holds(self, planned: Planned) -> bool:
        """Tell whether the very same content is parked and not to be sent again by this pass."""
        parked = self._cases.get(planned.key)
        if not planned.writes or parked is None or parked.fingerprint != planned.fingerprint:
            return False
        if not (self.retries and is_retried(parked, before=self.at)):
            return True
        self.retried.add(planned.key)
        return False

    def reason(self, planned: Planned) -> str | None:
        """Say why a case is parked; None where it is not."""
        parked = self._cases.get(planned.key)
        return None if parked is None else parked.reason

    def stands(self, planned: Planned) -> None:
        """Note that a case is as it is wanted, if it is: what was refused once stands by now."""
        if planned.action is Action.SKIP and planned.key in self._cases:
            self._healed.add(planned.key)

    def end(
        self,
        landed: Container[str],
        decided: Container[str],
        was_looked_at: Callable[[str], bool],
    ) -> None:
        """Forget cases that stand now, or of which nothing is left to write.

        Args:
            landed: keys of what this pass wrote.
            decided: keys of everything that it decided on.
            was_looked_at: whether all that there is of a patient was decided on.

        """
        reasons = dict.fromkeys(self._healed, "stands-already")
        for key, case in self._cases.items():
            if key in landed:
                reasons[key] = "landed"
            # Its laboratory results are gone: it is decided on no more.
            elif key not in decided and was_looked_at(case.patient):
                reasons[key] = "nothing-left"
        told = [
            self.auditor.unparked(self._cases[key], reason, at=self.at)
            for key, reason in reasons.items()
        ]
        self.store.record(told)
        self.store.unpark(reasons)
        if self.retries:
            self.store.set_setting(PARKED_RETRIED, self.at.isoformat())


def is_retried(case: ParkedCase, *, before: datetime) -> bool:
    """Tell whether a case that was parked earlier is sent again by itself: not where each try would make a version."""
    return case.parked_at < before and case.reason not in (STORED_DIFFERENTLY, EDITED_BY_OTHERS)
