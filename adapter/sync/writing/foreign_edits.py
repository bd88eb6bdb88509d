"""Others who edit what we wrote: put right a few times, then left to a person, never fought for ever (B6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from adapter.ports import StateStore
from adapter.sync.planning.plan import Action, Planned

EDITED_BY_OTHERS: Final = "edited-by-others"
"""Why a case is parked that somebody else edits again and again; `parked retry` lets it be written anew."""
MOST_CORRECTIONS: Final = 3
"""So often an edit is put right within the time between two sweeps; the next one is left to stand."""
EDITS: Final = "foreign-edits"
"""Setting: key of a derived result → when edits of it were put right, as ISO instants."""


class ForeignEdits:
    """Counts the edits of others; `woken_by`: patient → what woke it in this pass."""

    def __init__(self, store: StateStore, now: datetime, within_hours: float) -> None:
        self._store = store
        self._now = now
        self._since = now - timedelta(hours=within_hours)
        self._put_right = _read(store.setting(EDITS))
        self.woken_by: Mapping[str, Mapping[str, str]] = {}

    def is_one(self, planned: Planned) -> bool:
        """Tell whether an update puts an edit right: nothing but our own result changed, or what it says did not."""
        woken = set(self.woken_by.get(planned.patient, ()))
        is_alone = woken == {f"Observation/{planned.key}"}
        return planned.action is Action.UPDATE and (is_alone or bool(planned.edited))

    def is_fought(self, planned: Planned) -> bool:
        """Tell whether this edit follows so many others that a person has to look."""
        return self.is_one(planned) and len(self._recent(planned.key)) >= MOST_CORRECTIONS

    def note(self, landed: Iterable[Planned]) -> None:
        """Remember the edits that were put right."""
        keys = [one.key for one in landed if self.is_one(one)]
        for key in keys:
            self._put_right[key] = [*self._recent(key), self._now]
        if keys:
            self._keep()

    def forget(self, key: str) -> None:
        """Begin to count anew: the case was given to a person."""
        if self._put_right.pop(key, None) is not None:
            self._keep()

    def _recent(self, key: str) -> list[datetime]:
        return [at for at in self._put_right.get(key, ()) if at >= self._since]

    def _keep(self) -> None:
        recent = {key: self._recent(key) for key in self._put_right}
        said = {key: [at.isoformat() for at in all_of_it] for key, all_of_it in recent.items()}
        kept = {key: texts for key, texts in said.items() if texts}
        self._store.set_setting(EDITS, json.dumps(kept) if kept else None)


def _read(text: str | None) -> dict[str, list[datetime]]:
    """Read the setting; what cannot be read counts as no edit."""
    try:
        return {
            str(key): [datetime.fromisoformat(at) for at in all_of_it]
            for key, all_of_it in json.loads(text or "{}").items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}
