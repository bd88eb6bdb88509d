"""Others who edit what we wrote: put right a few times, then left to a person, never fought for ever (B6)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from adapter.ports import StateStore
from adapter.sync.facts import instant_in, json_of
from adapter.sync.planning.plan import Action, Planned

EDITED_BY_OTHERS: Final = "edited-by-others"
"""Why a case is parked that somebody else edits again and again; `parked retry` lets it be written anew."""
MOST_CORRECTIONS: Final = 3
"""So often an edit is put right within the time between two sweeps; the next one is left to stand."""
EDITS: Final = "foreign-edits"
"""Setting: key of a derived result → when edits of it were put right, as ISO instants."""
WROTE: Final = "written-lately"
"""Setting: key of a derived result → a mark of what was written there last, and when, as JSON."""
_REPLACES: Final = frozenset({Action.UPDATE, Action.RETRACT})


class ForeignEdits:
    """Counts the edits of others; `woken_by`: patient → what woke it in this pass.

    Where nobody was woken (a sweep, a walk, a request) an edit is told by what was written last: the same is wanted
    again, and something else stands there that was issued no later. Another adapter's writes were.
    """

    def __init__(self, store: StateStore, now: datetime, within_hours: float) -> None:
        self._store = store
        self._now = now
        self._since = now - timedelta(hours=within_hours)
        self._put_right = _read(store.setting(EDITS))
        self._wrote = _read_wrote(json_of(store, WROTE))
        self._found: set[str] = set()
        self.woken_by: Mapping[str, Mapping[str, str]] = {}

    def is_one(self, planned: Planned) -> bool:
        """Tell whether an update that `is_fought` has seen puts an edit right."""
        return planned.action is Action.UPDATE and planned.key in self._found

    def is_fought(self, planned: Planned) -> bool:
        """Tell whether this edit follows so many others that a person has to look; asked of all that is planned."""
        if not self._puts_right(planned):
            return False
        self._found.add(planned.key)
        return len(self._recent(planned.key)) >= MOST_CORRECTIONS

    def begin(self, planned: Iterable[Planned]) -> None:
        """Remember nothing of what is about to be written: should the process die, nobody knows what came to stand."""
        known = [one.key for one in planned if one.key in self._wrote]
        for key in known:
            del self._wrote[key]
        if known:
            self._keep_wrote()

    def note(self, landed: Iterable[Planned]) -> None:
        """Remember what was written, and the edits that were put right."""
        replaced = [one for one in landed if one.action in _REPLACES]
        self._wrote.update((one.key, (_mark(one), self._now)) for one in replaced)
        if replaced:
            self._keep_wrote()
        keys = [one.key for one in replaced if self.is_one(one)]
        for key in keys:
            self._put_right[key] = [*self._recent(key), self._now]
        if keys:
            self._keep()

    def forget(self, key: str) -> None:
        """Begin to count anew: the case was given to a person."""
        if self._put_right.pop(key, None) is not None:
            self._keep()

    def _puts_right(self, planned: Planned) -> bool:
        """Tell whether an update puts an edit right.

        Nothing but our own result changed, or what it says did not, or it was written in these very words before.
        """
        if planned.action is not Action.UPDATE:
            return False
        is_alone = set(self.woken_by.get(planned.patient, ())) == {f"Observation/{planned.key}"}
        return is_alone or bool(planned.edited) or self._is_as_written(planned)

    def _is_as_written(self, planned: Planned) -> bool:
        mark, at = self._wrote.get(planned.key, ("", self._now))
        stands_since = instant_in(planned.issued)
        is_older = stands_since is not None and stands_since <= at
        return mark == _mark(planned) and at >= self._since and is_older

    def _recent(self, key: str) -> list[datetime]:
        return [at for at in self._put_right.get(key, ()) if at >= self._since]

    def _keep(self) -> None:
        recent = {key: self._recent(key) for key in self._put_right}
        said = {key: [at.isoformat() for at in all_of_it] for key, all_of_it in recent.items()}
        kept = {key: texts for key, texts in said.items() if texts}
        self._store.set_setting(EDITS, json.dumps(kept) if kept else None)

    def _keep_wrote(self) -> None:
        recent = {key: said for key, said in self._wrote.items() if said[1] >= self._since}
        kept = {key: (mark, at.isoformat()) for key, (mark, at) in recent.items()}
        self._store.set_setting(WROTE, json.dumps(kept) if kept else None)


def _mark(planned: Planned) -> str:
    return planned.fingerprint[:16]


def _read(text: str | None) -> dict[str, list[datetime]]:
    """Read the setting; what cannot be read counts as no edit."""
    try:
        return {
            str(key): [datetime.fromisoformat(at) for at in all_of_it]
            for key, all_of_it in json.loads(text or "{}").items()
        }
    except (ValueError, TypeError, AttributeError):
        return {}


def _read_wrote(said: Mapping[str, Any]) -> dict[str, tuple[str, datetime]]:
    """Read the setting; what cannot be read counts as nothing written."""
    pairs = {key: one for key, one in said.items() if isinstance(one, list) and len(one) == 2}
    return {
        key: (str(mark), instant)
        for key, (mark, at) in pairs.items()
        if (instant := instant_in(at)) is not None
    }
