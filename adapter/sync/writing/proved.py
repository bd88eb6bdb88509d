"""Which versions that stand have no Provenance: only where a server cannot write both as one (B7).

After a crash the outbox finishes what was under way. This finds what is left when the state is lost as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from adapter.fhir.identity import relative_reference
from adapter.fhir.record.derive import DeriveContext
from adapter.fhir.record.provenance import missing_provenance
from adapter.fhir.shapes import child, objects, references, string
from adapter.ports import JsonObject
from adapter.sync.references import version_of
from adapter.sync.writing.lookup import Lookup

SETTLED_SECONDS: Final = 600.0
"""A younger version is let be: its Provenance may be on its way, or not in the search index yet."""


def unproved_of(
    derived: Sequence[JsonObject], lookup: Lookup, context: DeriveContext
) -> frozenset[str]:
    """Give the ids of those that were issued a while ago and have no Provenance of their present version.

    Raises: ServerError as the port says.
    """
    settled = context.now - timedelta(seconds=SETTLED_SECONDS)
    old = [one for one in derived if (issued := _instant(one, "issued")) and issued <= settled]
    if not old:
        return frozenset()
    of_each: dict[str, list[JsonObject]] = {}
    for provenance in lookup.provenances_of(str(one["id"]) for one in old):
        for written in references(provenance.get("target")):
            target = relative_reference(written, context.base_urls)
            if target is not None:
                of_each.setdefault(target, []).append(provenance)
    return frozenset(
        str(one["id"])
        for one in old
        if not is_proved(one, of_each.get(f"Observation/{one['id']}", ()), context)
    )


def is_proved(
    observation: JsonObject, provenances: Iterable[JsonObject], context: DeriveContext
) -> bool:
    """Tell whether one of them is of the version that stands.

    A version's Provenance occurred when that version was issued; a server that writes instants anew is told by the
    key that a completion would have.
    """
    issued = _instant(observation, "issued")
    key = missing_provenance(
        observation, version=version_of(observation), sources=(), context=context
    )["id"]
    return any(
        (issued is not None and _instant(one, "occurredDateTime") == issued) or key in _names(one)
        for one in provenances
    )


def _names(provenance: JsonObject) -> list[str]:
    tags = objects(child(provenance, "meta").get("tag"))
    return [string(provenance, "id"), *(string(tag, "code") for tag in tags)]


def _instant(resource: dict[str, Any], element: str) -> datetime | None:
    try:
        instant = datetime.fromisoformat(string(resource, element))
        return instant.astimezone(UTC) if instant.tzinfo else None
    except (ValueError, OverflowError):  # the first year of a zone to the east has no UTC
        return None
