"""An engaged brake: since when, what it holds back, and its release by a named person who was shown that.

A release is held to its preview decision by decision, not by counts: whatever the preview did not show stays held
back. So what changes between the look and the release cannot ride along (A6, H16).

What was withdrawn for absence without being asked is kept for a day, so that many small passes are held to the same
limit as one. A release ends the account: a person has looked.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from adapter.audit import AuditAction, AuditEvent, Facts
from adapter.ports import StateStore
from adapter.sync.auditing import Auditor
from adapter.sync.facts import instant_in, json_of
from adapter.sync.planning.brakes import BrakeState, Load
from adapter.sync.report import GOOD, LOOKS_AT_ALL, PassOutcome

BRAKE: Final = "brake"
"""Setting: since when a brake is engaged and how much it holds back, as JSON; None while none is."""
SHOWN: Final = "brake-shown"
"""Setting: the marks of what an operator was shown last, as JSON; None when nothing was."""
WITHDRAWN_LATELY: Final = "withdrawn-lately"
"""Setting: mark of each withdrawal for absence → the instant of its pass, as JSON; None when there was none."""
LATELY: Final = timedelta(hours=24)
"""So long a withdrawal for absence counts; a sweep, which sees everybody at once, is due as often."""


@dataclass(frozen=True)
class Engaged:
    """A brake that is engaged; `withdrawals`, `changes`: what the last pass wanted.

    `since`: None where an earlier release of this software engaged it, or the note of it is damaged.
    """

    since: datetime | None
    withdrawals: int
    changes: int


def engaged(store: StateStore) -> Engaged | None:
    """Read whether a brake is engaged."""
    if store.setting(BRAKE) is None:
        return None
    said = json_of(store, BRAKE)
    return Engaged(
        instant_in(said.get("since")), said.get("withdrawals", 0), said.get("changes", 0)
    )


def first_contact_stopped(store: StateStore) -> bool:
    """Tell whether the last pass over whatever was due was stopped by a brake; a first contact leaves no other note."""
    last = store.latest_pass(LOOKS_AT_ALL, GOOD | {PassOutcome.BRAKED})
    return last is not None and last.outcome == PassOutcome.BRAKED


def shown_marks(store: StateStore) -> frozenset[str]:
    """Read what an operator was shown last."""
    marks = json_of(store, SHOWN).get("marks")
    return frozenset(map(str, marks)) if isinstance(marks, list) else frozenset()


def note_shown(store: StateStore, brake: BrakeState, auditor: Auditor, at: datetime) -> None:
    """Keep what an operator was shown, so that a release can be held to it; nothing where nothing is held back."""
    marks = sorted(brake.load.held.values()) if brake.engaged else []
    if marks:
        told = auditor.happened(AuditAction.BRAKE_SHOWN, "done", at=at, facts=_counts(brake.load))
        store.record([told])
    store.set_setting(SHOWN, json.dumps({"marks": marks}) if marks else None)


@dataclass(frozen=True)
class BrakeBook:
    """Keeps the books of the brake for one pass; `by`: who releases it, "" when nobody does."""

    store: StateStore
    auditor: Auditor
    by: str = ""

    @property
    def shown(self) -> frozenset[str]:
        """What may pass because somebody was shown it and releases it now."""
        return shown_marks(self.store) if self.by else frozenset()

    def withdrawn_before(self, load: Load, at: datetime) -> int:
        """Count what earlier passes withdrew for absence lately, but for what this one wants to withdraw itself."""
        return len(self._lately(at).keys() - load.gone)

    def held_to_it(self, brake: BrakeState) -> BrakeState:
        """Hold a pass over some patients to a brake that is engaged: nobody gets round it one by one."""
        held = len(brake.load.held)
        if brake.engaged or not held or engaged(self.store) is None:
            return brake
        reason = (
            f"a brake is engaged, and {held} of these derived results would change their category or be withdrawn "
            "because sources cannot be read any more. Look with `her2-adapter brake show`."
        )
        return BrakeState(True, (reason,), brake.load)

    def judged(self, brake: BrakeState, at: datetime) -> None:
        """Record, before anything of it is written, a release or its refusal, and what is withdrawn for absence.

        A pass that dies and is made again withdraws the same under the same marks: it counts once.
        """
        if self.by:
            outcome = "goes-further-than-shown" if brake.engaged else "granted"
            self.store.record([self._released(outcome, brake.load, at)])
        if brake.engaged:
            return
        if self.by:
            self.store.set_setting(WITHDRAWN_LATELY, None)
        elif brake.load.gone:
            now = dict.fromkeys(sorted(brake.load.gone), at.isoformat())
            self.store.set_setting(WITHDRAWN_LATELY, json.dumps(self._lately(at) | now))

    def _lately(self, at: datetime) -> dict[str, str]:
        """Read what was withdrawn within the time that counts; an instant that lies ahead counts too."""
        return {
            mark: said
            for mark, said in json_of(self.store, WITHDRAWN_LATELY).items()
            if (instant := instant_in(said)) is not None and at - instant < LATELY
        }

    def ended(self, brake: BrakeState, at: datetime, *, of_all: bool) -> None:
        """Note how a pass that wrote, or was held back, leaves the brake.

        `of_all`: it looked at all that was due. One over some patients says nothing of what is held back of others.
        """
        before = engaged(self.store)
        if not of_all and (before is not None or not brake.engaged):
            return
        if brake.engaged:
            if before is None:
                self._record(AuditAction.BRAKE_ENGAGED, brake.load, at)
            since = (before.since if before else None) or at
            said = {"since": since.isoformat(), **_counts(brake.load)}
            self.store.set_setting(BRAKE, json.dumps(said))
            return
        if before is None and not self.by:
            return
        if not self.by:
            self._record(AuditAction.BRAKE_ENDED, brake.load, at)
        self.store.set_setting(SHOWN, None)
        self.store.set_setting(BRAKE, None)

    def _record(self, action: AuditAction, load: Load, at: datetime) -> None:
        self.store.record([self.auditor.happened(action, "done", at=at, facts=_counts(load))])

    def _released(self, outcome: str, load: Load, at: datetime) -> AuditEvent:
        facts = {**self.auditor.basis, **_counts(load), "account": self.auditor.actor}
        return AuditEvent(AuditAction.BRAKE_RELEASED, outcome, self.by, at, facts=facts)


def _counts(load: Load) -> Facts:
    return {"withdrawals": load.withdrawals, "changes": load.changes}
