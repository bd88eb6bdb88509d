"""Find, read, check and replace the references inside a resource.

Source: FHIR R4, references.html (shapes), http.html#trules (replacement inside a transaction).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import bad_request
from adapter.sandbox.resource_types import RESOURCE_TYPES

_local = re.compile(r"([A-Za-z]+)/([A-Za-z0-9\-.]{1,64})(?:/_history/([A-Za-z0-9\-.]{1,64}))?")
_absolute = re.compile(r"[a-z][a-z0-9+.\-]*:\S+", re.IGNORECASE)

_linking_keys = frozenset({"reference", "valueUri", "valueUrl", "valueUuid", "valueOid"})
"""Elements whose content is a link that a transaction replaces (narrative is left as it is)."""

UNCHECKED_TYPES = frozenset({"Bundle", "OperationOutcome"})
"""Stored types whose inner references belong to another context and are not ours to judge."""


@dataclass(frozen=True, slots=True)
class Target:
    """A resource on this server that a reference names; `version` where the reference says one."""

    resource_type: str
    logical_id: str
    version: str | None = None

    @property
    def key(self) -> tuple[str, str]:
        """Type and id, without the version."""
        return self.resource_type, self.logical_id


def local_target(reference: str, base_url: str) -> Target | None:
    """Return what a reference names on this server, or None when it names something else.

    An absolute URL below `base_url` is local too (references.html#literal).
    """
    relative = reference.removeprefix(base_url + "/") if base_url else reference
    found = _local.fullmatch(relative.partition("#")[0])
    if found is None or found[1] not in RESOURCE_TYPES:
        return None
    return Target(found[1], found[2], found[3])


def is_conditional(reference: str) -> bool:
    """Say whether a reference is a search, `Patient?identifier=…`, to be resolved on write."""
    resource_type, mark, _ = reference.partition("?")
    return bool(mark) and resource_type in RESOURCE_TYPES


def references_in(resource: JsonObject) -> Iterator[tuple[str, str]]:
    """Yield (FHIRPath-like place, text) of every Reference.reference, contained resources included.

    Raises: Refused with 400 where `reference` is neither a string nor a nested Reference.
    """
    if resource.get("resourceType") in UNCHECKED_TYPES:
        return
    yield from _references_below(resource, str(resource.get("resourceType")))


def _references_below(value: Any, place: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _references_below(item, f"{place}[{index}]")
    elif isinstance(value, dict):
        for name, item in value.items():
            where = f"{place}.{name}"
            if name == "reference" and isinstance(item, str):
                yield where, item
            elif name == "reference" and not isinstance(item, dict | list):
                raise bad_request("a reference is a string", code="structure", expression=where)
            else:
                yield from _references_below(item, where)


def check_shapes(resource: JsonObject) -> None:
    """Refuse references that are none: wrong shape, unknown type, a fragment that is not contained.

    Raises: Refused with 400, naming the place. A `urn:uuid:` passes here: in a transaction it was
        replaced already, and what is left is refused when the unit of work is checked.
    """
    contained = {item.get("id") for item in resource.get("contained", ()) if isinstance(item, dict)}
    for place, reference in references_in(resource):
        if reference.startswith("#"):
            if reference != "#" and reference[1:] not in contained:
                raise bad_request("nothing contained has this id", expression=place)
        elif local_target(reference, "") is None and not _absolute.fullmatch(reference):
            raise bad_request(
                "not a reference: Type/id, Type/id/_history/version or an absolute URL",
                expression=place,
            )


def replace_links(value: Any, replacement: Callable[[str], str]) -> Any:
    """Return a copy of the value in which every link is what `replacement` makes of it."""
    if isinstance(value, list):
        return [replace_links(item, replacement) for item in value]
    if isinstance(value, dict):
        return {
            name: replacement(item)
            if name in _linking_keys and isinstance(item, str)
            else replace_links(item, replacement)
            for name, item in value.items()
        }
    return value
