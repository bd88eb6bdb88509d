"""Small durable facts, read so that one which says nonsense counts as unknown.

A database checks its structure and not our values: a flipped byte in one of them must neither stop every pass nor
blind it. Unknown is safe: what is not known asks for a sweep (C3).
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

from adapter.ports import StateStore


def instant_of(store: StateStore, name: str, *, until: datetime) -> datetime | None:
    """Read an instant; None where there is none, it has no time zone, or it lies after `until`."""
    found = instant_in(store.setting(name))
    return found if found is not None and found <= until else None


def instant_in(said: object) -> datetime | None:
    """Read an instant with a time zone out of some text; None for anything else."""
    try:
        found = datetime.fromisoformat(str(said))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def count_of(store: StateStore, name: str) -> int:
    """Read a count; 0 where there is none."""
    text = store.setting(name) or ""
    return int(text) if text.isdecimal() else 0


def json_of(store: StateStore, name: str) -> dict[str, Any]:
    """Read a JSON object; empty where there is none."""
    try:
        found = json.loads(store.setting(name) or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
