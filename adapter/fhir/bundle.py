"""Unpacking Bundles: their resources, each with an id, and the fullUrls that references go by.

A resource in a Bundle may have no id: then its fullUrl names it (urn:uuid:…, or …/Type/id), else
its place. Nothing is interpreted; what is no resource is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from adapter.fhir.references import Graph, reference_to
from adapter.fhir.shapes import string
from adapter.fhir.strict_json import JsonObject

_MAX_NESTING: Final = 8
_URN: Final = re.compile(r"urn:(?:uuid|oid):([A-Za-z0-9.\-]{1,64})\Z", re.IGNORECASE)
_LAST_PART: Final = re.compile(r"/([A-Za-z0-9.\-]{1,64})\Z")


@dataclass(frozen=True)
class Unpacked:
    """Resources out of Bundles, in their order, and fullUrl → "Type/id".

    `places`: for each resource where it stood, as FHIRPath from its document: Bundle.entry[2].resource.
    """

    resources: tuple[JsonObject, ...]
    full_urls: Mapping[str, str]
    places: tuple[str, ...] = ()

    @property
    def observations(self) -> tuple[JsonObject, ...]:
        """The Observations among the resources."""
        return tuple(r for r in self.resources if r.get("resourceType") == "Observation")

    def graph(self, base_url: str = "") -> Graph:
        """Index the resources, so that their references can be followed."""
        return Graph.of(self.resources, base_url=base_url, full_urls=self.full_urls)


def unpack(documents: Iterable[JsonObject]) -> Unpacked:
    """Take the resources out of documents that are resources or Bundles, also Bundles in Bundles.

    Args:
        documents: FHIR JSON objects as parsed; not changed. A resource without an id is copied and
            given one: from its fullUrl, else "entry-<its place among all>".

    Returns:
        The resources, and the fullUrls; one that names two different resources names none.

    """
    resources: list[JsonObject] = []
    places: list[str] = []
    named: dict[str, set[str]] = {}
    for one in _documents(documents):
        full_url, resource = one.full_url, one.resource
        if not string(resource, "id"):
            name = _id_of(full_url) or f"entry-{len(resources) + 1}"
            resource = {**resource, "id": name}
        resources.append(resource)
        places.append(one.place)
        if full_url:
            named.setdefault(full_url, set()).add(reference_to(resource))
    full_urls = {url: next(iter(names)) for url, names in named.items() if len(names) == 1}
    return Unpacked(tuple(resources), full_urls, tuple(places))


@dataclass(frozen=True, slots=True)
class _Entry:
    """A resource in a document: the fullUrl it stood under, and its place."""

    full_url: str
    resource: JsonObject
    place: str


def _documents(documents: Iterable[JsonObject]) -> Iterator[_Entry]:
    for document in documents:
        yield from _entries(_Entry("", document, string(document, "resourceType")), 0)


def _entries(one: _Entry, depth: int) -> Iterator[_Entry]:
    if one.resource.get("resourceType") != "Bundle":
        if string(one.resource, "resourceType"):
            yield one
        return
    entries = one.resource.get("entry")
    if depth >= _MAX_NESTING or not isinstance(entries, list):
        return
    for number, entry in enumerate(entries):
        resource = entry.get("resource") if isinstance(entry, dict) else None
        if isinstance(resource, dict):
            place = f"{one.place}.entry[{number}].resource"
            yield from _entries(_Entry(string(entry, "fullUrl"), resource, place), depth + 1)


def _id_of(full_url: str) -> str:
    found = _URN.match(full_url) or _LAST_PART.search(full_url)
    return found[1] if found else ""
