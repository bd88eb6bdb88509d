"""Reading a folder of mappings: which files, strictly as JSON, nothing interpreted.

A doubtful file is a defect with its name, never skipped: a vocabulary with a hole would call a
known code unknown.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapter.terminology.conceptmap import JsonObject

_PACKAGE = Path(__file__).resolve().parents[1]

ARTIFACT = "http://hl7.org/fhir/StructureDefinition/artifact-"
"""R4's NamingSystem has no url, version and title; HL7's extensions artifact-url and so on carry them."""


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


def read_folder(folder: Path) -> tuple[list[MappingFile], list[str]]:
    """Read the JSON files of a folder, not of its subfolders, in the order of their names.

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
                path.read_text(encoding="utf-8"), object_pairs_hook=_without_repeats
            )
        except (OSError, ValueError) as error:
            defects.append(f"{path.name}: $: cannot be read as JSON: {error}")
            continue
        if isinstance(parsed, dict):
            files.append(MappingFile(name=path.name, resource=parsed))
        else:
            defects.append(f"{path.name}: $: not a JSON object")
    if not files and not defects:
        defects.append(f"{folder}: $: holds no mappings (*.json)")
    return files, defects


def content_hash(files: Iterable[MappingFile]) -> str:
    """Give eight digits of the SHA-256 of what the files say, whatever their layout and order."""
    digest = hashlib.sha256()
    for text in sorted(json.dumps(file.resource, sort_keys=True) for file in files):
        digest.update(text.encode())
    return digest.hexdigest()[:8]


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
