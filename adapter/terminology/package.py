"""A set of mappings as an npm-style FHIR package: bytes out, nothing written, nothing fetched.

The same set gives the same bytes on every machine: no clock, no user and no order of a folder goes
into it. Whether the set is sound is for rules.py and check.py to say, before it is packed.
Source: FHIR packages, https://hl7.org/fhir/packages.html, with what its readers expect:
`package/package.json`, `package/.index.json` and one file for each resource.
"""

from __future__ import annotations

import gzip
import io
import json
import re
import tarfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from adapter.errors import MappingError
from adapter.terminology.mapping_files import MappingFile
from adapter.terminology.systems import BASE

SHIPPED_NAME: Final = "her2-adapter.mappings"
CORE: Final = ("hl7.fhir.r4.core", "4.0.1")
EXTENSIONS: Final = ("hl7.fhir.uv.extensions.r4", "5.2.0")
"""Where HL7's artifact-url, -version and -title are defined, which a NamingSystem of R4 needs."""

_INDEXED: Final = (
    "resourceType",
    "id",
    "url",
    "version",
    "kind",
    "type",
    "supplements",
    "content",
    "derivation",
)
"""What version 2 of the index repeats of a resource, as it stands there."""
_ID: Final = re.compile(r"[A-Za-z0-9\-.]{1,64}")  # FHIR R4, datatypes: id
_NAME: Final = re.compile(r"[a-z][a-z0-9\-]*(\.[a-z0-9\-]+)+")
"""What a package may be called: at least one namespace before its own name."""
_PACKED_AT: Final = 499_162_500
"""The time npm gives to every file of every package, 1985-10-26T08:15:00Z."""


@dataclass(frozen=True)
class PackageHead:
    """What a package says of itself, beyond what stands in its resources.

    `license` is an SPDX code, or not-open-source. `dependencies`: name → version.
    """

    name: str
    canonical: str
    title: str
    description: str
    license: str
    dependencies: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Package:
    """A finished package; `content` is the gzipped tar file, `files` the names of its resources."""

    name: str
    version: str
    files: tuple[str, ...]
    content: bytes

    @property
    def file_name(self) -> str:
        """The name that readers of packages expect of the file."""
        return f"{self.name}-{self.version}.tgz"


def shipped_head() -> PackageHead:
    """Give the head of the package of the mappings that come with the adapter."""
    return PackageHead(
        name=SHIPPED_NAME,
        canonical=BASE,
        title="HER2 adapter: mappings",
        description=(
            "Which codes and words of HER2 results mean what, and the codes and profiles of derived "
            "HER2 categories. Codes of LOINC, SNOMED CT and others keep their own licences; each "
            "resource says so in its copyright."
        ),
        license="Apache-2.0",
        dependencies=dict((CORE, EXTENSIONS)),
    )


def overlay_head(files: Sequence[MappingFile], shipped_version: str) -> PackageHead:
    """Give the head of the package of a site's overlay, named by the host of its urls.

    Args:
        files: the overlay's maps.
        shipped_version: the version of the shipped set that it builds upon.

    Raises:
        MappingError: when its urls have no host or several, so that nothing names the package.

    """
    bases = sorted({file.url.removesuffix(f"/{file.kind}/{_tail(file)}") for file in files})
    hosts = sorted({urlsplit(base).hostname or "" for base in bases})
    # As Java and FHIR name things: pathology.hospital.org → org.hospital.pathology
    name = ".".join((*reversed("".join(hosts[:1]).split(".")), "her2-mappings"))
    if len(hosts) != 1 or not _NAME.fullmatch(name):
        raise MappingError(
            [
                "the overlay: $.url: a package is named by the host of its urls, and here it is "
                + (" and ".join(host or "none" for host in hosts) or "none")
            ]
        )
    return PackageHead(
        name=name,
        canonical=bases[0],
        title=f"HER2 mappings of {hosts[0]}",
        description="A site's own codes and words of HER2 results, for the HER2 adapter.",
        license="not-open-source",
        dependencies={**dict((CORE, EXTENSIONS)), SHIPPED_NAME: shipped_version},
    )


def pack(files: Sequence[MappingFile], head: PackageHead, *, content: str) -> Package:
    """Pack a sound set of mappings.

    Args:
        files: one layer of mappings without defects, so of one version.
        head: what the package says of itself.
        content: the set as every Provenance names it, "1.0.0+1a2b3c4d"; the package says it too.

    Raises:
        MappingError: when two resources would have one name in the package.

    """
    resources = _by_name(files)
    members = {
        "package/package.json": _manifest(files, head, content),
        "package/.index.json": _index(resources),
        **{f"package/{name}": resource for name, resource in resources.items()},
    }
    return Package(
        name=head.name,
        version=_version(files),
        files=tuple(resources),
        content=_archive((name, _json(value)) for name, value in members.items()),
    )


def _by_name(files: Iterable[MappingFile]) -> dict[str, dict[str, Any]]:
    """Give each resource its name in the package, and an id where it came without one."""
    named: dict[str, dict[str, Any]] = {}
    defects = []
    for file in files:
        resource = dict(file.resource)
        kind, logical_id = resource.pop("resourceType"), resource.pop("id", _tail(file))
        name = f"{kind}-{logical_id}.json"
        if not _ID.fullmatch(str(logical_id)):
            defects.append(f"{file.name}: $.id: {logical_id} is no id of a resource")
        if name in named:
            defects.append(f"{file.name}: $.id: {kind}/{logical_id} is in the package already")
        named[name] = {"resourceType": kind, "id": logical_id, **resource}
    if defects:
        raise MappingError(defects)
    return dict(sorted(named.items()))


def _tail(file: MappingFile) -> str:
    return file.url.rstrip("/").rpartition("/")[2]


def _version(files: Sequence[MappingFile]) -> str:
    return files[0].metadata("version")


def _manifest(files: Sequence[MappingFile], head: PackageHead, content: str) -> dict[str, Any]:
    """Write package.json."""
    publishers = sorted({file.metadata("publisher") for file in files})
    newest = max(file.metadata("date") for file in files)
    return {
        "name": head.name,
        "version": _version(files),
        "canonical": head.canonical,
        "url": head.canonical,
        "title": head.title,
        "description": f"{head.description} Content: {content}.",
        "type": "Conformance",
        "fhirVersions": [CORE[1]],
        "dependencies": dict(head.dependencies),
        "keywords": ["FHIR", "HER2", "pathology", "terminology"],
        "author": "; ".join(publishers),
        "license": head.license,
        "date": f"{newest[:10].replace('-', '')}000000",
    }


def _index(resources: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Write .index.json, by which readers find a resource without opening every file."""
    rows = [
        {"filename": name} | {key: resource[key] for key in _INDEXED if key in resource}
        for name, resource in resources.items()
    ]
    return {"index-version": 2, "files": rows}


def _json(value: object) -> bytes:
    return f"{json.dumps(value, ensure_ascii=False, indent=2)}\n".encode()


def _archive(members: Iterable[tuple[str, bytes]]) -> bytes:
    """Make the gzipped tar file, with nothing in it that a clock or a user decides."""
    packed = io.BytesIO()
    # An empty name and a time of 0: gzip would put both into its head.
    with (
        gzip.GzipFile(filename="", fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.USTAR_FORMAT) as archive,
    ):
        for name, content in members:
            entry = tarfile.TarInfo(name)
            entry.size, entry.mtime, entry.mode = len(content), _PACKED_AT, 0o644
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()
