"""What `status` says of the mappings that a running adapter decides with, and of those that it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from adapter.ports import StateStore


def mapping_facts(store: StateStore) -> dict[str, Any]:
    """Say what is in force at the adapter that writes, as the state has it; None where none has run yet.

    `mappings_refused` is a sentence while something else lies on the disk that was not taken. Raises: StoreError.
    """
    from adapter.sync.in_force import kept

    now = kept(store)
    return {
        "mappings": " ".join(now.versions) if now else None,
        "mappings_since": now.loaded_at.isoformat(timespec="seconds") if now else None,
        "mappings_refused": (now.refusal or None) if now else None,
    }
