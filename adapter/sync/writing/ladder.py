"""Which rung a target is written on: asked for, measured, or found by trying, and remembered.

A server does not say what it can do (HAPI's CapabilityStatement is silent about ids that clients choose), so the
refusals say it, never a single one. One goes down only, only where the setting leaves it open, and never from what was
proved: a server that takes no more what it took is in trouble, and the pass says so.
"""

from __future__ import annotations

import json
from dataclasses import replace
from threading import Lock
from typing import Any, Final

import structlog

from adapter.ports import StateStore
from adapter.sync.measured import TARGET, measured_target
from adapter.sync.options import SendLimits
from adapter.sync.strategy import WriteManner, WriteStrategy, manner_from

log = structlog.get_logger(__name__)

FOUND: Final = "write-manner"
"""Setting: what writing has taught: JSON with `url` (the target), `measured` (what it started from), `manner`, and
`whole`: that a transaction has landed. A rung that holds says nothing of transactions."""

NO_CLIENT_IDS: Final = frozenset({400, 404, 405, 412, 422})
"""Statuses by which servers refuse the `PUT` of an id that they have not given."""
NO_CONDITIONS: Final = NO_CLIENT_IDS | {501}
"""Statuses by which servers refuse a conditional update."""


class Ladder:
    """How the target is written to now. Safe to use from several threads.

    `is_proved`: the rung was asked for, measured, or a write has landed there. `if_match_ignored`: the
    server was seen to write over a version that the write forbade; from then on what stands is read
    right before every write.
    """

    def __init__(self, store: StateStore, target_url: str, limits: SendLimits) -> None:
        self._store = store
        self._url = target_url
        self._asked = limits
        self._measured = store.setting(TARGET)
        self._lock = Lock()
        kept = self._kept()
        written = manner_from(kept.get("manner"))
        measured = self._of_the_doctor() if written is None else None
        found = written or measured
        self.is_proved = found is not None or limits.strategy is not None
        known = found or WriteManner()
        self._manner = replace(
            known,
            strategy=limits.strategy or known.strategy,
            atomic=known.atomic if limits.atomic is None else limits.atomic,
        )
        self._first = self._manner
        self._is_known = kept.get("whole") is True or measured is not None or bool(limits.atomic)
        self._may_have_a_cap = False
        self.if_match_ignored = False

    @property
    def manner(self) -> WriteManner:
        """How it is written to now."""
        return self._manner

    @property
    def pairs_are_whole(self) -> bool:
        """Whether it is known, not only assumed, that a pair lands as one on this server."""
        return self._manner.atomic and self._is_known

    def landed_whole(self) -> None:
        """Remember that a transaction has landed: what is written from now on stands with its Provenance."""
        with self._lock:
            if not self._is_known:
                self._is_known = True
                self._remember()

    @property
    def may_send_singly(self) -> bool:
        """Whether the setting leaves it open to do without transactions."""
        return not self._asked.atomic

    def step_down(self) -> bool:
        """Go to the next rung; False where there is none, or another one was asked for.

        It is remembered by `holds`, once something was written there: a server that refuses every rung refuses the
        content.
        """
        below = self._manner.strategy.below
        if self._asked.strategy is not None or below is None:
            return False
        with self._lock:
            self._manner = replace(self._manner, strategy=below)
        return True

    def holds(self) -> None:
        """Remember the rung: a write on it has landed."""
        with self._lock:
            self.is_proved = True
            if self._manner.strategy is not self._first.strategy:
                self._first = self._manner
                self._remember()

    def send_singly(self) -> bool:
        """Trust the server with no transaction any more; False where transactions were asked for."""
        if not self.may_send_singly:
            return False
        self._learn(replace(self._manner, atomic=False))
        return True

    def cap(self, entries: int, *, is_said: bool) -> None:
        """Send no more entries at once than this: both halves of what was refused whole have landed.

        `is_said`: the server said that it was too much. Else a refusal could have been one of a moment, and counts
        with the second of a pass.
        """
        with self._lock:
            is_first, self._may_have_a_cap = not self._may_have_a_cap, True
        if is_said or not is_first:
            self._learn(self._manner.capped(entries))

    def _learn(self, manner: WriteManner) -> None:
        with self._lock:
            if manner == self._manner:
                return
            self._manner = manner
            self._remember()

    def _remember(self) -> None:
        manner = self._manner
        kept = {
            "url": self._url,
            "measured": self._measured,
            "manner": manner.as_text(),
            "whole": self._is_known,
        }
        self._store.set_setting(FOUND, json.dumps(kept))
        log.info("write_manner_changed", rung=manner.strategy.value, atomic=manner.atomic)

    def _of_the_doctor(self) -> WriteManner | None:
        """Take what a doctor measured of this very target."""
        known = measured_target(self._store, self._url)
        if known is None:
            return None
        target, _ = known
        return WriteManner(target.strategy, target.atomic, target.max_entries)

    def _kept(self) -> dict[str, Any]:
        """Read what was learned about this very target, unless it was measured anew since; empty where nothing was."""
        try:
            kept = json.loads(self._store.setting(FOUND) or "{}")
        except ValueError:
            return {}
        if not isinstance(kept, dict) or kept.get("url") != self._url:
            return {}
        return kept if kept.get("measured") == self._measured else {}


def refuses_rung(strategy: WriteStrategy, status: int | None) -> bool:
    """Tell whether this refusal of a first write says that the server does not do it in this way."""
    return status in (NO_CLIENT_IDS if strategy.chooses_ids else NO_CONDITIONS)
