"""New rows for a site's overlay: the files as they will be. Pure; nothing is read, checked or written here.

Every change raises the version and the date of all files, since an overlay has one version, which goes into
each Provenance. What stands in the files stays as it is, in its order.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, assert_never

from adapter.terminology import systems
from adapter.terminology.code_systems import preferred_uri
from adapter.terminology.mapping_files import ARTIFACT, MappingFile
from adapter.terminology.words import ANY_LANGUAGE, is_word_file

Resource = dict[str, Any]

FIRST_VERSION: Final = "0.1.0"
_VERSION: Final = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_OID: Final = re.compile(r"[0-2](\.(0|[1-9]\d*))+")
_KINDS: Final = ("ConceptMap", "CodeSystem", "NamingSystem")


_Wanted = Callable[[MappingFile], bool]


@dataclass(frozen=True)
class NewCode:
    """A row of a ConceptMap: what a code of the site means. `target`: url of one of our value sets."""

    target: str
    target_system: str
    system: str
    code: str
    meaning: str
    display: str = ""


@dataclass(frozen=True)
class NewPhrase:
    """A phrase of reports; `concept`, `kind`, `meaning`: of the code in her2-word that it is a phrase of."""

    phrase: str
    concept: str
    kind: str
    meaning: str
    language: str = ANY_LANGUAGE


@dataclass(frozen=True)
class NewName:
    """Another name of a known code system; `system`: its canonical url."""

    name: str
    system: str


Addition = NewCode | NewPhrase | NewName


@dataclass(frozen=True)
class Stamp:
    """Who says so, since when and why; and whose files these are. `site_url`: base of the site's own urls."""

    by: str
    because: str
    on: date
    site_url: str
    publisher: str

    @property
    def said(self) -> str:
        """What a phrase says of where it comes from."""
        said = f"{self.by}, {self.on.isoformat()}"
        return f"{said}: {self.because}" if self.because else said

    @property
    def source(self) -> str:
        """What a row of a map says of where it comes from, as the shipped rows do."""
        return f"Source: {self.said}"


def site_url_of(layer: Iterable[MappingFile]) -> str:
    """Give the base of the urls of an overlay's files, "" when none says it."""
    ends = tuple(f"/{kind}/" for kind in _KINDS)
    urls = (file.url for file in layer)
    return next((url.rsplit("/", 2)[0] for url in urls if any(end in url for end in ends)), "")


def extended(
    layer: Sequence[MappingFile], additions: Iterable[Addition], stamp: Stamp
) -> tuple[MappingFile, ...]:
    """Give all files of an overlay with new rows in them, in the order of their names.

    A row goes into the first file that has rows of its kind; where there is none, a file is made.
    """
    overlay = _Overlay({file.name: copy.deepcopy(dict(file.resource)) for file in layer}, stamp)
    for addition in additions:
        match addition:
            case NewCode():
                overlay.add_code(addition)
            case NewPhrase():
                overlay.add_phrase(addition)
            case NewName():
                overlay.add_name(addition)
            case _:
                assert_never(addition)
    version = next_version(layer)
    for resource in overlay.resources.values():
        _set_metadata(resource, "version", version)
        resource["date"] = stamp.on.isoformat()
    return tuple(MappingFile(name, overlay.resources[name]) for name in sorted(overlay.resources))


def next_version(layer: Iterable[MappingFile]) -> str:
    """Give the version after the highest of these files: rows were added, so the middle number is raised."""
    found = [_VERSION.fullmatch(file.metadata("version")) for file in layer]
    numbers = [tuple(map(int, version.groups())) for version in found if version]
    if not numbers:
        return FIRST_VERSION
    major, minor, _ = max(numbers)
    return f"{major}.{minor + 1}.0"


@dataclass(frozen=True)
class _Overlay:
    """The resources by file name, being changed in place."""

    resources: dict[str, Resource]
    stamp: Stamp

    def add_code(self, new: NewCode) -> None:
        resource = self._first(lambda one: one.resource.get("targetUri") == new.target)
        if resource is None:
            slug = new.target.rsplit("/", 1)[1]
            resource = self._make("ConceptMap", slug, f"The site's own codes: {slug}")
            resource |= {"targetUri": new.target, "group": []}
        target = {
            "code": new.meaning,
            "equivalence": "equivalent",
            "comment": self.stamp.source,
        }
        element = {"code": new.code, "display": new.display, "target": [target]}
        wanted = {"source": new.system, "target": new.target_system}
        group = _member(resource, "group", wanted)
        group.setdefault("element", []).append({k: v for k, v in element.items() if v})

    def add_phrase(self, new: NewPhrase) -> None:
        resource = self._first(is_word_file)
        if resource is None:
            resource = self._make("CodeSystem", "words", "Words of the site's own reports")
            resource |= {"content": "supplement", "supplements": systems.WORD_SYSTEM, "concept": []}
        concept = _member(resource, "concept", {"code": new.concept})
        kind, meaning = ("kind", "valueCode", new.kind), ("meaning", "valueString", new.meaning)
        concept.setdefault(
            "property", [{"code": code, name: value} for code, name, value in (kind, meaning)]
        )
        source = {"url": systems.ROW_SOURCE_EXTENSION, "valueString": self.stamp.said}
        designation = {"language": new.language, "value": new.phrase, "extension": [source]}
        if new.language == ANY_LANGUAGE:
            del designation["language"]
        concept.setdefault("designation", []).append(designation)

    def add_name(self, new: NewName) -> None:
        resource = self._first(
            lambda one: one.kind == "NamingSystem" and preferred_uri(one) == new.system
        )
        if resource is None:
            slug = re.sub(r"[^a-z0-9]+", "-", new.system.lower().partition("://")[2]).strip("-")
            resource = self._make("NamingSystem", slug, f"The site's names of {new.system}")
            preferred = {"type": "uri", "value": new.system, "preferred": True}
            resource |= {"kind": "codesystem", "uniqueId": [preferred]}
        comment = {"comment": self.stamp.source}
        resource["uniqueId"].append({"type": _type_of(new.name), "value": new.name, **comment})

    def _first(self, wanted: _Wanted) -> Resource | None:
        files = (MappingFile(name, self.resources[name]) for name in sorted(self.resources))
        return next((self.resources[file.name] for file in files if wanted(file)), None)

    def _make(self, kind: str, slug: str, title: str) -> Resource:
        """Make an empty resource with all the metadata that one of the site's own needs."""
        own = f"site-{slug}"[:64].rstrip("-")
        resource: Resource = {"resourceType": kind, "id": own}
        _set_metadata(resource, "url", f"{self.stamp.site_url}/{kind}/{own}")
        _set_metadata(resource, "version", FIRST_VERSION)
        _set_metadata(resource, "title", title)
        resource["name"] = "".join(part.capitalize() for part in re.split(r"[^A-Za-z0-9]+", own))
        resource["status"] = "active"
        resource["date"] = self.stamp.on.isoformat()
        resource["publisher"] = self.stamp.publisher
        resource["description"] = f"{title}. Each row says who added it, when and why."
        self.resources[f"{kind.lower()}-{own}.json"] = resource
        return resource


def _member(resource: Resource, name: str, wanted: dict[str, str]) -> Resource:
    """Find the member of a list that has these values, or put one there."""
    members: list[Resource] = resource.setdefault(name, [])
    for member in members:
        if wanted.items() <= member.items():
            return member
    members.append(dict(wanted))
    return members[-1]


def _set_metadata(resource: Resource, element: str, value: str) -> None:
    """Set an element such as version; R4's NamingSystem has none of these, and takes an extension."""
    if resource["resourceType"] != "NamingSystem":
        resource[element] = value
        return
    extensions: list[Resource] = resource.setdefault("extension", [])
    named = next((one for one in extensions if one.get("url") == ARTIFACT + element), None)
    if named is None:
        named = {"url": ARTIFACT + element}
        extensions.append(named)
    named["valueUri" if element == "url" else "valueString"] = value


def _type_of(name: str) -> str:
    if _OID.fullmatch(name):
        return "oid"
    return "uri" if ":" in name else "other"
