"""What stands on the target for cases that were sent: by id, or by identifier where the server gives the ids.

A server may leave a search parameter out without a word, and then shows what belongs to others. Only what carries the
very key that was searched for is taken for ours.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from adapter.errors import ResourceRefused
from adapter.fhir.identity import case_identifier, relative_reference
from adapter.fhir.references import reference_to
from adapter.fhir.shapes import child, objects, references, string
from adapter.ports import FhirServer, JsonObject, Read, RefusedResource, SearchParams
from adapter.sync.reading.search_params import token, within_budget
from adapter.sync.writing.sent import SentCase
from adapter.terminology.systems import (
    CASE_IDENTIFIER_SYSTEM,
    DEVICE_IDENTIFIER_SYSTEM,
    PROVENANCE_KEY_SYSTEM,
)


@dataclass(frozen=True)
class Lookup:
    """Reads the target; every method raises ServerError as the port says."""

    target: FhirServer

    def by_id(self, keys: Sequence[str]) -> dict[str, JsonObject | None]:
        """Read derived Observations under these ids."""
        read = self.target.read_all([f"Observation/{key}" for key in keys]) if keys else {}
        return {key: _readable(read.get(f"Observation/{key}")) for key in keys}

    def by_identifier(self, identities: Iterable[str]) -> dict[str, list[JsonObject]]:
        """Find every copy of these cases, the lowest id first; of none where nothing stands."""
        wanted = list(identities)
        found: dict[str, dict[str, JsonObject]] = {identity: {} for identity in wanted}
        for tokens in within_budget(token(CASE_IDENTIFIER_SYSTEM, one) for one in wanted):
            for resource in self._all("Observation", [("identifier", tokens)]):
                copies = found.get(case_identifier(resource) or "")
                if copies is not None:
                    copies[string(resource, "id")] = resource
        return {key: [copies[one] for one in sorted(copies)] for key, copies in found.items()}

    def of_cases(self, cases: Sequence[SentCase]) -> dict[str, list[JsonObject]]:
        """Find what stands for each case that was sent, by its key; of several copies the lowest id first."""
        conditional = [case.key for case in cases if case.is_conditional]
        read = self.by_id([case.key for case in cases if not case.is_conditional])
        found = {key: [] if one is None else [one] for key, one in read.items()}
        return {**found, **(self.by_identifier(conditional) if conditional else {})}

    def provenance(self, entry: JsonObject, target: str | None = None) -> str | None:
        """Find the Provenance that an entry would write; its reference, None where there is none.

        `target`: the Observation it is about, "Observation/<id>", where the server has given the id.
        """
        resource = child(entry, "resource")
        logical_id = string(resource, "id")
        if logical_id:
            reference = f"Provenance/{logical_id}"
            return reference if self.target.read(reference) is not None else None
        key = key_of(resource)
        if not key:
            return None
        about = [("target", target)] if target is not None else []
        search = [*about, ("_tag", token(PROVENANCE_KEY_SYSTEM, key))]
        return self._first(
            "Provenance",
            search,
            lambda one: key_of(one) == key and (target is None or self.is_about(one, target)),
        )

    def is_about(self, provenance: JsonObject, reference: str) -> bool:
        """Tell whether a Provenance has a resource of the target for its own."""
        urls = (self.target.base_url,)
        return reference in (
            relative_reference(one, urls) for one in references(provenance.get("target"))
        )

    def provenances_of(self, ids: Iterable[str]) -> list[JsonObject]:
        """Find the Provenances of derived Observations, of every version."""
        return [
            found
            for targets in within_budget(f"Observation/{one}" for one in ids)
            for found in self._all("Provenance", [("target", targets)])
        ]

    def device(self, name: str) -> str | None:
        """Find the Device of a software version where the server gave its id: its reference."""
        found, _ = self.devices(name)
        return found

    def devices(self, name: str) -> tuple[str | None, bool]:
        """Find the Device of a software version, and tell whether the search showed Devices of others.

        If so the server leaves the identifier out: a conditional update by it could write over what belongs to others.
        """
        search = [("identifier", token(DEVICE_IDENTIFIER_SYSTEM, name))]
        shown = self._all("Device", search)
        ours = sorted(reference_to(one) for one in shown if _is_device(one, name))
        return next(iter(ours), None), len(ours) < len(shown)

    def _first(
        self, kind: str, params: SearchParams, is_ours: Callable[[JsonObject], bool]
    ) -> str | None:
        ids = sorted(string(one, "id") for one in self._all(kind, params) if is_ours(one))
        return f"{kind}/{ids[0]}" if ids else None

    def _all(self, kind: str, params: SearchParams) -> list[JsonObject]:
        found: list[JsonObject] = []
        for page in self.target.search(kind, params):
            for refused in page.refused:
                raise _refusal_of(refused)
            found += page.matches
        return found


def key_of(provenance: JsonObject) -> str:
    """Give the key that a Provenance on a server that gives the ids is found by; "" where it has none of ours."""
    tags = objects(child(provenance, "meta").get("tag"))
    ours = (string(tag, "code") for tag in tags if tag.get("system") == PROVENANCE_KEY_SYSTEM)
    return next(ours, "")


def _is_device(resource: JsonObject, name: str) -> bool:
    return any(
        (string(one, "system"), string(one, "value")) == (DEVICE_IDENTIFIER_SYSTEM, name)
        for one in objects(resource.get("identifier"))
    )


def _readable(found: Read) -> JsonObject | None:
    """Give what was read; what is no strict JSON stands there, and must not be taken for nothing."""
    if isinstance(found, RefusedResource):
        raise _refusal_of(found)
    return found


def _refusal_of(refused: RefusedResource) -> ResourceRefused:
    name = reference_to(refused.known)
    return ResourceRefused(f"{name} is no strict JSON ({refused.code})", code=refused.code)
