"""The patients of a FHIR Group, read anew for each pass.

A Group only says whom to look at. Inactive members are left out; a Group among the members is followed. What is
not whole (cut by the server, or fewer members than it counts) is said, and a Group that names nobody is no list.
Source: FHIR R4, group.html: member.entity, member.inactive, quantity.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from adapter.errors import ListUnusable
from adapter.fhir.identity import relative_reference
from adapter.fhir.shapes import child, objects, string
from adapter.ports import FhirServer, JsonObject, ListedPatients

MOST_GROUPS: Final = 100
"""So many Groups one list may be made of; Groups that name each other would never end."""


@dataclass(frozen=True)
class PatientsOfGroup:
    """Implements PatientList; `reference`: "Group/<id>" on the server."""

    server: FhirServer
    reference: str

    def read(self) -> ListedPatients:
        """Read it as it is now; raises as the port says."""
        found: set[str] = set()
        warnings: list[str] = []
        seen: set[str] = set()
        edge = [self.reference]
        while edge:
            reference = edge.pop(0)
            if reference in seen:
                continue
            seen.add(reference)
            if len(seen) > MOST_GROUPS:
                raise ListUnusable(f"{self.reference} is made of more than {MOST_GROUPS} Groups")
            group = self._group(reference)
            warnings += _what_is_missing(group, reference)
            for member in _members(group):
                named = relative_reference(
                    string(child(member, "entity"), "reference"), (self.server.base_url,)
                )
                kind = (named or "").partition("/")[0]
                if named and kind == "Patient":
                    found.add(named)
                elif named and kind == "Group":
                    edge.append(named)
                elif not named:
                    warnings.append(
                        f"{reference} has a member that is no resource of this server: left out"
                    )
        if not found:
            raise ListUnusable(
                f"{self.reference} names no active patient of the source: nobody is looked at, nothing is withdrawn"
            )
        return ListedPatients(tuple(sorted(found)), tuple(dict.fromkeys(warnings)))

    def _group(self, reference: str) -> JsonObject:
        group = self.server.read(reference)
        if group is None or group.get("resourceType") != "Group":
            raise ListUnusable(
                f"{reference} is not on the source: nobody is looked at, and nothing is withdrawn"
            )
        tags = objects(child(group, "meta").get("tag"))
        if any(string(tag, "code") == "SUBSETTED" for tag in tags):
            raise ListUnusable(f"{reference} came shortened by the server")
        return group


def _members(group: JsonObject) -> Iterator[JsonObject]:
    return (one for one in objects(group.get("member")) if one.get("inactive") is not True)


def _what_is_missing(group: JsonObject, reference: str) -> Iterator[str]:
    """Compare the members with what the Group counts itself."""
    counted, listed = group.get("quantity"), len(objects(group.get("member")))
    if isinstance(counted, int) and counted > listed:
        yield f"{reference} counts {counted} members and lists {listed}: the others are not looked at"
