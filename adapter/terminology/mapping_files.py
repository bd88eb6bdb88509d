"""Reading a folder of mappings: which files, strictly as JSON, nothing interpreted.

A doubtful file is a defect with its name, never skipped: a vocabulary with a hole would call a
known code unknown.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from adapter.terminology.conceptmap import JsonObject

_PACKAGE = Path(__file__).resolve().parents[1]

ARTIFACT = "http://hl7.org/fhir/StructureDefinition/artifact-"
"""R4's NamingSystem has no url, version and title; HL7's extensions artifact-url and so on carry them."""


SITE_TABLE: Final = "site.toml"
"""Who the site is, its policies, and its names of code systems: site.py."""
LINKS_TABLE: Final = "links.toml"
"""Results that a person of the site joined."""
TABLES: Final = (LINKS_TABLE, SITE_TABLE)
"""The TOML files that a site's folder may hold beside its maps."""


@dataclass(frozen=True)
class MappingFile:
    """One resource of the mappings and the file it stands in."""

    name: str
    resource: JsonObject

    @property
    def kind(self) -> str:
        """The resource type, "" when it is missing."""
        return str(self.resource.get("resourceType", ""))

    @property
    def url(self) -> str:
        """The canonical url, "" when it is missing."""
        return self.metadata("url")

    def metadata(self, element: str) -> str:
        """Give a string element such as version, "" when missing; of a NamingSystem, extensions too."""
        value = self.resource.get(element)
        if value is None and self.kind == "NamingSystem":
            url = ARTIFACT + element
            value = next(
                (
                    v
                    for e in objects(self.resource.get("extension"))
                    if e.get("url") == url
                    for k, v in e.items()
                    if k.startswith("value")
                ),
                None,
            )
        return value if isinstance(value, str) else ""


def shipped_folder() -> Path:
    """Find the mappings that came with the adapter: inside the wheel, else in the checkout."""
    packed = _PACKAGE / "_data" / "mappings"
    return packed if packed.is_dir() else _PACKAGE.parent / "mappings"


def read_folder(folder: Path, *, may_be_empty: bool = False) -> tuple[list[MappingFile], list[str]]:
    """Read the JSON files of a folder, not of its subfolders, in the order of their names.

    Args:
        folder: where they stand.
        may_be_empty: something else of use is in it, so that no map need be.

    Returns:
        The files that are JSON objects, and the defects as "file: JSON path: what is wrong".

    """
    files: list[MappingFile] = []
    defects: list[str] = []
    if not folder.is_dir():
        return files, [f"{folder}: $: no such folder"]
    for path in sorted(folder.glob("*.json")):
        try:
            parsed = json.loads(
                path.read_text(encoding="utf-8-sig"), object_pairs_hook=_without_repeats
            )
        except (OSError, ValueError) as error:
            defects.append(f"{path.name}: $: cannot be read as JSON: {error}")
            continue
        if isinstance(parsed, dict):
            files.append(MappingFile(name=path.name, resource=parsed))
        else:
            defects.append(f"{path.name}: $: not a JSON object")
    if not files and not defects and not may_be_empty:
        defects.append(f"{folder}: $: holds no mappings (*.json)")
    return files, defects


def read_tables(folder: Path) -> tuple[dict[str, JsonObject], list[str]]:
    """Read the TOML files of a site's folder, not of its subfolders.

    Returns:
        What each file holds by its name, and the defects as "file: path: what is wrong"; a name
        that nobody reads is one, since what stands there would be without effect.

    """
    tables: dict[str, JsonObject] = {}
    defects: list[str] = []
    for path in sorted(folder.glob("*.toml")):
        if path.name not in TABLES:
            defects.append(f"{path.name}: $: is none of {', '.join(TABLES)}")
            continue
        table, wrong = read_table(path)
        if not wrong:
            tables[path.name] = table
        defects += wrong
    return tables, defects


def read_table(path: Path) -> tuple[JsonObject, list[str]]:
    """Read one TOML file; an empty table, with the defect, where it cannot be read."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig")), []
    except (OSError, ValueError) as error:
        return {}, [f"{path.name}: $: cannot be read as TOML: {error}"]


def content_digest(
    files: Iterable[MappingFile], tables: Mapping[str, JsonObject] | None = None
) -> str:
    """Give the SHA-256 of what the files say, in hex, whatever their layout and order."""
    said = [json.dumps(file.resource, sort_keys=True) for file in files]
    for name, table in (tables or {}).items():
        said.append(json.dumps({name: table}, sort_keys=True, default=str))  # TOML knows dates
    digest = hashlib.sha256()
    for text in sorted(said):
        digest.update(text.encode())
    return digest.hexdigest()


def objects(value: object) -> Iterator[dict[str, Any]]:
    """Give the JSON objects of a list; nothing when it is no list."""
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def extension(element: JsonObject, url: str) -> object:
    """Give the value of an element's extension, None when it has none."""
    for candidate in objects(element.get("extension")):
        if candidate.get("url") == url:
            return next((v for k, v in candidate.items() if k.startswith("value")), None)
    return None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build an object, refusing a repeated key: the second would silently replace the first."""
    result = dict(pairs)
    if len(result) != len(pairs):
        keys = [key for key, _ in pairs]
        repeated = sorted({key for key in keys if keys.count(key) > 1})
        raise ValueError(f"repeated key {', '.join(repeated)}")
    return result
