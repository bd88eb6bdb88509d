"""Which mappings a running adapter decides with, and whether it refused those that lie on the disk now."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.ports import StateStore
from adapter.sync.facts import instant_in, json_of

MAPPINGS: Final = "mappings-in-force"
"""Setting: what is in force at the adapter that writes, as JSON; `KeptMappings` reads it."""


@dataclass(frozen=True)
class MappingsInForce:
    """What a process decides with.

    `versions`: of the shipped mappings, then of each overlay, as every Provenance names them. `loaded_at`: since when
    they are in force here, UTC. `refused`: every defect of what lies on the disk now, as "file: JSON path: what is
    wrong"; () when that is in force. `refused_at`: since when.
    """

    versions: tuple[str, ...]
    loaded_at: datetime
    refused: tuple[str, ...] = ()
    refused_at: datetime | None = None

    @property
    def refusal(self) -> str:
        """One sentence while the disk holds what was refused, "" while it does not."""
        return _refusal(self.versions, len(self.refused), self.refused_at)

    @property
    def refused_places(self) -> tuple[str, ...]:
        """Where the defects are, as "file: JSON path", each once: without a word of what the files say."""
        places = (": ".join(defect.split(": ")[:2]) for defect in self.refused)
        return tuple(dict.fromkeys(places))


@dataclass(frozen=True)
class KeptMappings:
    """The same as another process finds it in the state store.

    `defects`: how many; their sentences are for `mappings check`. `by`: the account and host that decides with them.
    """

    versions: tuple[str, ...]
    loaded_at: datetime
    by: str
    defects: int = 0
    refused_at: datetime | None = None

    @property
    def refusal(self) -> str:
        """As `MappingsInForce.refusal`."""
        return _refusal(self.versions, self.defects, self.refused_at)


def keep(store: StateStore, one: MappingsInForce, by: str) -> KeptMappings | None:
    """Keep what is in force where it is not kept yet; give what was kept before, None where it is the same.

    Raises: StoreError.
    """
    before = kept(store)
    now = KeptMappings(one.versions, one.loaded_at, by, len(one.refused), one.refused_at)
    if before == now:
        return None
    said = {
        "versions": now.versions,
        "loaded_at": now.loaded_at.isoformat(),
        "by": by,
        "defects": now.defects,
        "refused_at": now.refused_at.isoformat() if now.refused_at else None,
    }
    store.set_setting(MAPPINGS, json.dumps(said))
    return before


def kept(store: StateStore) -> KeptMappings | None:
    """Read what is in force at the adapter that writes; None where nothing is kept, or nonsense. Raises: StoreError."""
    said = json_of(store, MAPPINGS)
    versions, loaded_at = said.get("versions"), instant_in(said.get("loaded_at"))
    if not isinstance(versions, list) or loaded_at is None:
        return None
    defects = said.get("defects")
    return KeptMappings(
        tuple(map(str, versions)),
        loaded_at,
        str(said.get("by", "")),
        defects if isinstance(defects, int) else 0,
        instant_in(said.get("refused_at")),
    )


def _refusal(versions: tuple[str, ...], defects: int, since: datetime | None) -> str:
    if since is None:
        return ""
    number = "1 defect" if defects == 1 else f"{defects} defects"
    return (
        f"The overlay on the disk is invalid since {since.isoformat(timespec='seconds')}, {number}; "
        f"in force: {' '.join(versions)}. `her2-adapter mappings check FOLDER` names every defect; what is repaired "
        "is taken before the next pass, and a restart needs it repaired."
    )
