"""What a frozen bundle holds, case by case: for servers that take one resource at a time. Pure.

The bytes of a resource stay what was frozen, because the strict reader and writer keep every digit.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from hashlib import sha256

from adapter.fhir.record.provenance import frozen_bundle_body
from adapter.fhir.references import with_references
from adapter.fhir.shapes import child, objects, string
from adapter.fhir.strict_json import read_json, write_json
from adapter.ports import FrozenBundle, JsonObject, SingleWrite

URN = "urn:uuid:"


@dataclass(frozen=True)
class SentCase:
    """The entries of one case; the Observation is None where only its Provenance was missing."""

    observation: JsonObject | None
    provenance: JsonObject | None

    @property
    def is_conditional(self) -> bool:
        """Whether the server gives the Observation its id."""
        return self.observation is not None and "fullUrl" in self.observation

    @property
    def key(self) -> str:
        """The logical id of the Observation, or the identity of a case that has yet to get one."""
        if self.observation is not None:
            if self.is_conditional:
                return string(self.observation, "fullUrl").removeprefix(URN)
            return string(child(self.observation, "request"), "url").rpartition("/")[2]
        targets = objects(child(self.provenance, "resource").get("target"))
        return next((string(one, "reference").rpartition("/")[2] for one in targets), "")


def cases_in(body: bytes) -> tuple[SentCase, ...]:
    """Take a frozen bundle apart into its cases, in order; the Device alone is none."""
    return tuple(_cases(objects(read_json(body).get("entry"))))


def _cases(entries: list[JsonObject]) -> Iterator[SentCase]:
    waiting: JsonObject | None = None
    for entry in entries:
        kind = string(child(entry, "resource"), "resourceType")
        if kind == "Provenance":
            yield SentCase(waiting, entry)
            waiting = None
        elif kind == "Observation":
            if waiting is not None:
                yield SentCase(waiting, None)
            waiting = entry
    if waiting is not None:
        yield SentCase(waiting, None)


def parts_of(bundle: FrozenBundle) -> tuple[FrozenBundle, ...]:
    """Make of a bundle one for each of its cases: the same entries, frozen when it was."""
    return tuple(_part_of(bundle, case) for case in cases_in(bundle.body))


def is_part(one: FrozenBundle, whole: FrozenBundle) -> bool:
    """Tell whether one bundle holds a case of a larger one, with the same content and upon the same version."""
    return len(one.expected) < len(whole.expected) and all(
        key in whole.expected
        and (whole.expected[key], whole.fingerprints[key]) == (version, one.fingerprints[key])
        for key, version in one.expected.items()
    )


def _part_of(bundle: FrozenBundle, case: SentCase) -> FrozenBundle:
    entries = [entry for entry in (case.observation, case.provenance) if entry is not None]
    body = frozen_bundle_body(entries)
    subject = string(child(child(case.observation, "resource"), "subject"), "reference")
    named = {one for one in bundle.patients if subject == one or subject.endswith(f"/{one}")}
    return replace(
        bundle,
        key=sha256(body).hexdigest(),
        body=body,
        expected={case.key: bundle.expected[case.key]},
        fingerprints={case.key: bundle.fingerprints[case.key]},
        patients=frozenset(named) or bundle.patients,
    )


def single_write(entry: JsonObject, target: str | None = None) -> SingleWrite:
    """Make of an entry a write of its own.

    `target`: "Observation/<id>" for what the bundle calls by its fullUrl.
    """
    request, resource = child(entry, "request"), child(entry, "resource")
    if target is not None:
        resource = with_references(
            resource, lambda reference: target if reference.startswith(URN) else reference
        )
    return SingleWrite(
        method=string(request, "method"),
        url=string(request, "url"),
        body=write_json(resource),
        if_match=string(request, "ifMatch") or None,
        if_none_exist=string(request, "ifNoneExist") or None,
    )
