"""Whether a server was put back to an earlier state: then times say nothing, and everything is read.

A server restored from a backup has lost what came after it, and what it lost has the times of before:
no window of time shows it. So the newest resource seen on each server is remembered, and looked at
before each pass. One that is gone, or older than it was, asks for a full sweep; so does one that was
merely deleted, which costs a sweep and no more.

Source: row A17 of the failure modes.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from adapter.errors import ServerError
from adapter.fhir.references import reference_to
from adapter.ports import FhirServer, JsonObject, Read, RefusedResource, StateStore
from adapter.sync.facts import json_of
from adapter.sync.reading.search_params import last_updated

SEEN: Final = "newest-seen"
"""Setting: the landmark of each discovery, as JSON."""
_ANSWERS_NOBODY: Final = frozenset({401, 408, 429, 502, 503, 504})
"""Statuses of a token that has ended, of a server that is busy, and of what stands before one that is away."""


@dataclass(frozen=True)
class Landmark:
    """A resource ("Type/id") and when it was last changed."""

    reference: str
    changed: datetime

    @classmethod
    def of(cls, resources: Iterable[JsonObject], before: Landmark | None = None) -> Landmark | None:
        """Give the newest of some resources, or the one before where none is newer."""
        newest = before
        for resource in resources:
            changed = last_updated(resource)
            if changed is not None and (newest is None or changed > newest.changed):
                newest = cls(reference_to(resource), changed)
        return newest

    def is_newer(self, other: Landmark | None) -> bool:
        """Tell whether it was changed later than another, or there is no other."""
        return other is None or self.changed > other.changed

    def stands_in(self, resource: Read) -> bool:
        """Tell whether the server still holds it, as it was or newer.

        One that is no strict JSON stands, in a version that cannot be read: a sweep would not tell.
        """
        if isinstance(resource, RefusedResource):
            return True
        changed = None if resource is None else last_updated(resource)
        return changed is not None and changed >= self.changed


Landmarks = Mapping[str, Landmark]
"""Discovery → the newest it saw."""


def remembered(store: StateStore) -> dict[str, Landmark]:
    """Read the landmarks of earlier passes; none where they cannot be read."""
    try:
        return {
            name: Landmark(reference, datetime.fromisoformat(changed))
            for name, (reference, changed) in json_of(store, SEEN).items()
        }
    except (TypeError, ValueError):
        return {}


def remember(store: StateStore, landmarks: Landmarks) -> None:
    """Replace the landmarks of earlier passes."""
    said = {name: (one.reference, one.changed.isoformat()) for name, one in landmarks.items()}
    store.set_setting(SEEN, json.dumps(said, sort_keys=True) if said else None)


@dataclass(frozen=True)
class GoneBack:
    """Landmarks by "Type/id". `lost`: that do not stand any more. `untold`: of which that cannot be told."""

    lost: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()


def gone_back(landmarks: Landmarks, servers: Mapping[str, FhirServer]) -> GoneBack:
    """Look at the landmarks.

    One is anybody's newest resource: that the server answers it with an error is no reason to read nothing else.

    Args:
        landmarks: what was remembered.
        servers: discovery → the server that it reads; those of one server are read at once.

    Raises: ServerError as the port says, where the server answers nobody.

    """
    by_server: dict[int, tuple[FhirServer, list[Landmark]]] = {}
    for name, landmark in landmarks.items():
        server = servers[name]
        by_server.setdefault(id(server), (server, []))[1].append(landmark)
    lost: list[str] = []
    untold: list[str] = []
    for server, asked in by_server.values():
        found = _read(server, sorted({one.reference for one in asked}))
        for one in asked:
            if one.reference not in found:
                untold.append(one.reference)
            elif not one.stands_in(found[one.reference]):
                lost.append(one.reference)
    return GoneBack(tuple(lost), tuple(untold))


def _read(server: FhirServer, references: Sequence[str]) -> dict[str, Read]:
    """Read what the server gives; what it answers with an error is left out."""
    try:
        return server.read_all(references)
    except ServerError as error:
        if _is_of_everybody(error):
            raise
        if len(references) == 1:
            return {}
    return {name: read for one in references for name, read in _read(server, [one]).items()}


def _is_of_everybody(error: ServerError) -> bool:
    """Tell whether nobody is answered; anything else may be about one resource."""
    return error.status is None or error.status in _ANSWERS_NOBODY
