"""What `status` says of the mappings that a running adapter decides with, and of those that it refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adapter.cli.printing import number_of

if TYPE_CHECKING:
    from adapter.ports import StateStore


def mapping_facts(store: StateStore) -> dict[str, Any]:
    """Say what is in force at the adapter that writes, as the state has it; None where none has run yet.

    `mappings_refused` is a sentence while something else lies on the disk that was not taken. Raises: StoreError.
    """
    from adapter.sync.in_force import kept

    now = kept(store)
    refused = None
    if now is not None and now.refused_at is not None:
        refused = (
            f"the overlay on the disk is invalid since {now.refused_at.isoformat(timespec='seconds')}, "
            f"{number_of(now.defects, 'defect')}; in force: {' '.join(now.versions)}"
        )
    return {
        "mappings": " ".join(now.versions) if now else None,
        "mappings_since": now.loaded_at.isoformat(timespec="seconds") if now else None,
        "mappings_refused": refused,
    }


def mapping_trouble(facts: dict[str, Any]) -> list[str]:
    """Say what an operator has to do, where mappings were refused."""
    refused = facts["mappings_refused"]
    if refused is None:
        return []
    return [
        f"{refused[:1].upper()}{refused[1:]}. `her2-adapter mappings check FOLDER` names every defect; "
        "what is repaired is taken before the next pass, and a restart needs it repaired"
    ]
