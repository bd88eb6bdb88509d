"""The other resources at hand, and following a reference to one of them.

Every reference is brought to one form: "Type/id" for a resource of the reading server or of the
same Bundle (by its fullUrl, urn:uuid too), "Type/id#part" for a contained one. A reference to
elsewhere stays as written: it can be compared, not followed. Nothing is fetched here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from adapter.fhir.identity import relative_reference
from adapter.fhir.shapes import child, objects, references, string
from adapter.fhir.strict_json import JsonObject

_ABSOLUTE: Final = re.compile(r"(?:https?|urn):\S{1,1000}", re.IGNORECASE)
_CONTAINED: Final = re.compile(r"#[^\s#]{1,64}")
_VERSION: Final = re.compile(r"/_history/[^/]*\Z")
_WITHDRAWN: Final = "entered-in-error"
_REPORT_TAKEN_BACK: Final = (_WITHDRAWN, "cancelled")
_MOST_ANCESTORS: Final = 20


def reference_to(resource: JsonObject) -> str:
    """Name a resource as "Type/id"; a missing part is "?"."""
    kind, logical_id = string(resource, "resourceType"), string(resource, "id")
    return f"{kind or '?'}/{logical_id or '?'}"


def latest_version(versions: Sequence[JsonObject]) -> JsonObject | None:
    """Choose among copies of one resource: the one last updated; None where nothing tells which.

    The order of the copies never matters.
    """
    distinct = [copy for index, copy in enumerate(versions) if copy not in versions[:index]]
    if len(distinct) == 1:
        return distinct[0]
    dated = [(_last_updated(copy), copy) for copy in distinct]
    latest = max((instant for instant, _ in dated if instant), default=None)
    newest = [copy for instant, copy in dated if instant == latest]
    return newest[0] if latest is not None and len(newest) == 1 else None


def _last_updated(resource: JsonObject) -> datetime | None:
    try:
        instant = datetime.fromisoformat(string(child(resource, "meta"), "lastUpdated"))
        return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True)
class Graph:
    """Resources indexed by reference; build it with `Graph.of`.

    Of several copies of a resource the latest is kept; where nothing tells which one that is, none:
    a reference to it leads nowhere, rather than to a guess.
    """

    base_url: str = ""
    _resources: Mapping[str, JsonObject] = field(default_factory=dict, repr=False)
    _full_urls: Mapping[str, str] = field(default_factory=dict, repr=False)
    _reports: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _panels: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    _withdrawn_reports: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(
        cls,
        resources: Iterable[JsonObject],
        *,
        base_url: str = "",
        full_urls: Mapping[str, str] | None = None,
    ) -> Graph:
        """Index resources.

        Args:
            resources: FHIR R4 resources as parsed JSON, of any type; not changed.
            base_url: of the reading server; references below it are made relative.
            full_urls: a Bundle's fullUrls, each with the "Type/id" of its resource.

        """
        copies: dict[str, list[JsonObject]] = {}
        for resource in resources:
            copies.setdefault(reference_to(resource), []).append(resource)
        latest = ((name, latest_version(versions)) for name, versions in copies.items())
        known = {name: resource for name, resource in latest if resource is not None}
        graph = cls(base_url, known, dict(full_urls or {}))
        reports = graph._listed_by("DiagnosticReport", "result")
        panels = graph._listed_by("Observation", "hasMember")
        withdrawn = graph._listed_by("DiagnosticReport", "result", withdrawn=True)
        return cls(base_url, known, graph._full_urls, reports, panels, withdrawn)

    def normal(self, reference: str, *, within: JsonObject | None = None) -> str | None:
        """Bring a reference to its one form; None when it is no literal reference.

        `within` is the resource that holds it; a contained resource is named by it.
        """
        reference = reference.strip()
        if reference.startswith("#"):
            is_local = within is not None and _CONTAINED.fullmatch(reference)
            return f"{reference_to(within)}{reference}" if within and is_local else None
        bare = _VERSION.sub("", reference)
        known = self._full_urls.get(bare)
        if known:
            return known
        relative = relative_reference(bare, (self.base_url,) if self.base_url else ())
        if relative:
            return relative
        return bare if _ABSOLUTE.fullmatch(bare) else None

    def normals(self, value: object, *, within: JsonObject) -> list[str]:
        """Bring the references of an element, one or a list of them, to their one form."""
        found = (self.normal(reference, within=within) for reference in references(value))
        return [reference for reference in found if reference]

    def resolve(self, reference: str, *, within: JsonObject | None = None) -> JsonObject | None:
        """Follow a reference; None where it leads to nothing at hand."""
        if reference.startswith("#"):
            parts = objects((within or {}).get("contained"))
            found = [part for part in parts if string(part, "id") == reference[1:]]
            return found[0] if len(found) == 1 else None
        normal = self.normal(reference, within=within)
        return self._resources.get(normal) if normal else None

    def resolve_all(self, value: object, *, within: JsonObject) -> list[JsonObject]:
        """Follow the references of an element; those that lead nowhere are left out."""
        found = (self.resolve(reference, within=within) for reference in references(value))
        return [resource for resource in found if resource is not None]

    def get(self, reference: str) -> JsonObject | None:
        """Give the resource of this normal reference."""
        return self._resources.get(reference)

    def reports_of(self, observation: str) -> tuple[str, ...]:
        """Name the DiagnosticReports that list an Observation, or the panel it is a member of."""
        return self._listing(observation, self._reports)

    def is_report_withdrawn(self, observation: str) -> bool:
        """Whether reports list an Observation, or the panel it is a member of, and all were withdrawn or cancelled."""
        standing = [self.get(name) or {} for name in self.reports_of(observation)]
        if standing:
            return all(string(report, "status") in _REPORT_TAKEN_BACK for report in standing)
        return bool(self._listing(observation, self._withdrawn_reports))

    def _listing(self, observation: str, reports: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
        listed = (observation, *self.panels_of(observation))
        return tuple(sorted({report for one in listed for report in reports.get(one, ())}))

    def panels_of(self, observation: str) -> tuple[str, ...]:
        """Name the Observations that have this one as a member."""
        return self._panels.get(observation, ())

    def _listed_by(
        self, resource_type: str, element: str, *, withdrawn: bool = False
    ) -> dict[str, tuple[str, ...]]:
        listed: dict[str, set[str]] = {}
        for name, resource in self._resources.items():
            is_type = resource.get("resourceType") == resource_type
            if not is_type or (resource.get("status") == _WITHDRAWN) is not withdrawn:
                continue
            for member in self.normals(resource.get(element), within=resource):
                listed.setdefault(member, set()).add(name)
        return {member: tuple(sorted(names)) for member, names in listed.items()}


def with_parents(specimen: JsonObject | None, graph: Graph) -> list[JsonObject]:
    """Give a specimen and those it was taken from, nearest first, as far as they are at hand.

    A block says nothing of its own; the mastectomy that it was cut from does.
    """
    found: list[JsonObject] = []
    edge = [specimen] if specimen else []
    while edge and len(found) < _MOST_ANCESTORS:
        found += [one for one in edge if one not in found]
        parents = (graph.resolve_all(one.get("parent"), within=one) for one in edge)
        edge = [one for several in parents for one in several if one not in found]
    return found[:_MOST_ANCESTORS]


def panels_around(observation: JsonObject, graph: Graph) -> list[JsonObject]:
    """Give the Observations at hand that have this one as a member."""
    found = map(graph.get, graph.panels_of(reference_to(observation)))
    return [panel for panel in found if panel is not None]


def with_references(resource: JsonObject, rename: Callable[[str], str]) -> JsonObject:
    """Copy a resource with every Reference.reference in it renamed, at any depth.

    Args:
        resource: a FHIR R4 resource as parsed JSON; not changed.
        rename: gives the reference to write for one that stands there.

    """

    def walk(value: Any) -> Any:
        if isinstance(value, list):
            return [walk(item) for item in value]
        if not isinstance(value, dict):
            return value
        copied = {key: walk(item) for key, item in value.items()}
        if isinstance(copied.get("reference"), str):
            copied["reference"] = rename(copied["reference"])
        return copied

    return {key: walk(item) for key, item in resource.items()}
