"""What a derived Observation and its Provenance say of how it came about, and how another one compares. Pure.

Source: docs/output.md, Provenance.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import unescape
from typing import Final
from urllib.parse import unquote

from adapter.fhir.identity import fingerprint, provenance_id, relative_reference
from adapter.fhir.shapes import child, objects, references, string
from adapter.fhir.strict_json import JsonObject, canonical
from adapter.her2.model import Policy
from adapter.her2.policy import CHOICES, POLICIES
from adapter.terminology.systems import (
    MAPPINGS_POLICY,
    POLICY_BASE,
    PROVENANCE_KEY_SYSTEM,
    SOURCE_CONTENT_HASH_EXTENSION,
)

NOT_COMPARED: Final = frozenset({"id", "meta", "issued", "device"})
"""Elements that say when and by which software version, or that the server writes."""
_TAG: Final = re.compile(r"<[^>]*>")
_AFTER_THE_FIRST: Final = frozenset({"amended", "corrected"})


@dataclass(frozen=True)
class RecordedSource:
    """A source as Provenance names it: "Observation/<id>", its version where the server kept it, its hash."""

    reference: str
    version: str | None
    content_hash: str | None

    @property
    def versioned(self) -> str:
        """The reference with its version, as it is read."""
        return f"{self.reference}/_history/{self.version}" if self.version else self.reference


@dataclass(frozen=True)
class RecordedBasis:
    """What an answer was given with: policy with a site's choices, and the versions of all of it.

    `policy`: None where this build knows none of that name. `named`: the URIs as they were written.
    """

    policy: Policy | None
    named: tuple[str, ...]


def newest(provenances: Iterable[JsonObject], reference: str) -> list[JsonObject]:
    """Give the Provenances of a derived Observation, the newest first."""
    own = [
        one
        for one in provenances
        if reference in {relative_reference(target) for target in references(one.get("target"))}
    ]
    return sorted(own, key=lambda one: (string(one, "recorded"), string(one, "id")), reverse=True)


def sources_in(provenance: JsonObject, base_urls: Sequence[str]) -> tuple[RecordedSource, ...]:
    """Give the sources that a Provenance names, in a fixed order."""
    found = []
    for entity in objects(provenance.get("entity")):
        written = string(child(entity, "what"), "reference")
        reference = relative_reference(written, base_urls)
        if reference is None:
            continue
        hashes = (
            string(extension, "valueString")
            for extension in objects(entity.get("extension"))
            if extension.get("url") == SOURCE_CONTENT_HASH_EXTENSION
        )
        version = written.partition("/_history/")[2] or None
        found.append(RecordedSource(reference, version, next(hashes, None)))
    return tuple(sorted(found, key=lambda one: one.reference))


def basis_in(provenance: JsonObject) -> RecordedBasis:
    """Read the policy, the site's choices in it and the versions that a Provenance names."""
    written = provenance.get("policy")
    named = (
        tuple(one for one in written if isinstance(one, str)) if isinstance(written, list) else ()
    )
    policy: Policy | None = None
    chosen: dict[str, str] = {}
    for uri, _, version in (one.rpartition("|") for one in named):
        if uri.startswith(f"{MAPPINGS_POLICY}/") or uri == MAPPINGS_POLICY:
            continue
        name, _, choice = uri.removeprefix(f"{POLICY_BASE}/").partition("/")
        if choice:
            chosen[choice.replace("-", "_")] = unquote(version)
        else:
            policy = POLICIES.get(unquote(name))
    known = {name: value for name, value in chosen.items() if value in CHOICES.get(name, ())}
    if policy is not None and len(known) == len(chosen):
        return RecordedBasis(replace(policy, **known), named)
    return RecordedBasis(None, named)


def version_before(
    derived: JsonObject,
    provenance: JsonObject,
    candidates: Sequence[str | None],
    base_urls: Sequence[str],
) -> tuple[str | None, bool]:
    """Find which version this one replaced (None: it was the first), and whether that is certain.

    The key of a Provenance is made from it, so the candidate whose key is that of the Provenance is
    the one; where none is, the version was edited since, or the server chose its own history.
    """
    keys = {string(provenance, "id")}
    keys |= {
        string(tag, "code")
        for tag in objects(child(provenance, "meta").get("tag"))
        if tag.get("system") == PROVENANCE_KEY_SYSTEM
    }
    said = fingerprint(derived, base_urls=base_urls)
    for candidate in candidates:
        if provenance_id(str(derived["id"]), candidate, said) in keys:
            return candidate, True
    return None, False


def differing(stored: JsonObject, made: JsonObject) -> tuple[str, ...]:
    """Name the elements in which two records differ, byte for byte in canonical form.

    Of the narrative the words count: servers write its markup their own way.
    """
    names = sorted((stored.keys() | made.keys()) - NOT_COMPARED)
    return tuple(name for name in names if _bytes(stored, name) != _bytes(made, name))


def with_status_of(made: JsonObject, stored: JsonObject) -> JsonObject:
    """Take over amended or corrected, where it is not known what stood before."""
    status = string(stored, "status")
    return {**made, "status": status} if status in _AFTER_THE_FIRST else made


def _bytes(record: JsonObject, name: str) -> bytes:
    if name != "text":
        return canonical(record.get(name))
    said = unescape(_TAG.sub(" ", string(child(record, "text"), "div")))
    return canonical(said.split())
