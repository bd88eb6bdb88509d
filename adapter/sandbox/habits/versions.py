"""Habits with versions, references and what was deleted."""

from __future__ import annotations

import re
import uuid
from dataclasses import replace
from typing import Any

from adapter.sandbox.exchange import Answer, FhirRequest, FhirResponse
from adapter.sandbox.habits.asking import edited, interaction_of
from adapter.sandbox.habits.habit import Habit, WithStatus
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import not_found
from adapter.sandbox.references import local_target, replace_links
from adapter.sandbox.replies import plain_response
from adapter.sandbox.seams import Key

KEEP_VERSIONS = "http://hapifhir.io/fhir/StructureDefinition/auto-version-references-at-path"
"""The extension of `meta` by which a resource asks HAPI to keep versions in its references."""


class UuidVersionIds(Habit):
    """Version ids that cannot be counted."""

    name = "uuid-version-ids"
    does = "version ids are UUIDs, so that no client can tell which of two is newer"
    seen = "Medplum; R4 promises no order of version ids"

    def version_id(self, key: Key, number: int) -> str:  # noqa: ARG002 - of one resource or another
        """Make one up."""
        return str(uuid.UUID(int=self.scene.random.getrandbits(128), version=4))


class StrippedReferenceVersions(Habit):
    """Provenance of a version becomes Provenance of whatever stands now."""

    name = "stripped-reference-versions"
    does = (
        "references are stored without /_history/…, unless meta has HAPI's auto-version extension"
    )
    seen = "HAPI FHIR (Provenance.target and entity.what too)"

    def content(self, resource: JsonObject) -> JsonObject:
        """Strip them."""
        extensions: Any = resource.get("meta", {}).get("extension", ())
        if any(one.get("url") == KEEP_VERSIONS for one in extensions if isinstance(one, dict)):
            return resource
        stripped: JsonObject = replace_links(resource, _without_version)
        return stripped


def _without_version(link: str) -> str:
    target = local_target(link, "")
    return re.sub(r"/_history/[^/#]+", "", link) if target is not None else link


class DeletedAsUnknown(Habit):
    """Deleted looks as if it had never been."""

    name = "deleted-as-unknown"
    does = "what was deleted is answered 404, as if it had never been, instead of 410"
    seen = "Medplum; R4 asks for 410 only where a server keeps track of deletions"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Pretend, also inside of a bundle."""
        found = answer(request)
        if found.status == 410 and interaction_of(request) in ("read", "vread"):
            return plain_response(404, not_found(request.path).outcome())
        return edited(found, self._pretended) if interaction_of(request) == "bundle" else found

    def _pretended(self, bundle: JsonObject) -> JsonObject:
        entries = [self._pretended_entry(entry) for entry in bundle.get("entry", ())]
        return {**bundle, "entry": entries} if entries else bundle

    def _pretended_entry(self, entry: JsonObject) -> JsonObject:
        if not entry.get("response", {}).get("status", "").startswith("410"):
            return entry
        said = not_found("this resource").outcome()
        return {"response": {"status": "404 Not Found", "outcome": said}}


class EqualUpdatesMakeVersions(Habit):
    """A version for nothing."""

    name = "equal-updates-make-versions"
    does = "an update with equal content makes a new version with a new lastUpdated"
    seen = "LinuxForHealth FHIR unless asked to update only if modified; R4 leaves it open"

    def versions_equal_content(self) -> bool:
        """Make one."""
        return True


class ReferentialIntegrity(Habit):
    """Nothing may be taken away from under another."""

    name = "referential-integrity"
    does = "the delete of what others refer to is 409, and a reference to what was deleted 400"
    seen = "HAPI FHIR"

    def refuses_deleting_referenced(self) -> bool:
        """Refuse it."""
        return True


class IfMatchConflicts(WithStatus):
    """Another status for the same thing."""

    name = "if-match-conflicts"
    does = "a wrong If-Match is answered with STATUS instead of 412"
    seen = "HAPI FHIR (409)"
    default = "409"

    def around(self, request: FhirRequest, answer: Answer) -> FhirResponse:
        """Answer with the other status."""
        found = answer(request)
        if found.status == 412 and '"code":"conflict"' in found.body:
            return replace(found, status=self._status)
        return found


HABITS: tuple[type[Habit], ...] = (
    IfMatchConflicts,
    DeletedAsUnknown,
    UuidVersionIds,
    StrippedReferenceVersions,
    EqualUpdatesMakeVersions,
    ReferentialIntegrity,
)
