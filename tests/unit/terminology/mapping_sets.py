"""Small sets of mappings written to a folder, so that a test can break one thing of a whole set."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).resolve().parents[3] / "mappings"
SITE = "https://pathology.hospital.test/fhir"
JsonObject = dict[str, Any]


def copy_of_shipped(folder: Path) -> Path:
    """Copy the shipped set, for a test that breaks it."""
    return Path(
        shutil.copytree(SHIPPED, folder / "mappings", ignore=shutil.ignore_patterns("sites"))
    )


def change(folder: Path, name: str, how: Callable[[JsonObject], None]) -> None:
    """Change one file of a set in place."""
    path = folder / name
    resource = json.loads(path.read_text(encoding="utf-8"))
    how(resource)
    path.write_text(json.dumps(resource), encoding="utf-8")


def site_map(
    target: str, *rows: tuple[str, str, str], code_system: str = "her2-answer", **changes: Any
) -> JsonObject:
    """A site's own ConceptMap: rows of (system, code, meaning)."""
    base = "https://w3id.org/her2-adapter"
    groups = [
        {
            "source": system,
            "target": f"{base}/CodeSystem/{code_system}",
            "element": [
                {
                    "code": code,
                    "target": [
                        {"code": meaning, "equivalence": "equivalent", "comment": "Source: us"}
                    ],
                }
            ],
        }
        for system, code, meaning in rows
    ]
    resource = {
        "resourceType": "ConceptMap",
        "url": f"{SITE}/ConceptMap/local",
        "version": "0.1.0",
        "name": "Local",
        "title": "Local codes",
        "status": "active",
        "date": "2026-02-01",
        "publisher": "Hospital",
        "description": "Local codes of a hospital.",
        "targetUri": f"{base}/ValueSet/{target}",
        "group": groups,
    }
    return {**resource, **changes}


def overlay(folder: Path, *resources: JsonObject) -> Path:
    """Write an overlay folder of these resources."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, resource in enumerate(resources):
        (folder / f"{number}.json").write_text(json.dumps(resource), encoding="utf-8")
    return folder


def site_words(kind: str, meaning: str, *phrases: str, **changes: Any) -> JsonObject:
    """A site's own phrases of one kind and meaning."""
    source = "https://w3id.org/her2-adapter/StructureDefinition/row-source"
    concept = {
        "code": f"{kind}.{meaning}",
        "property": [
            {"code": "kind", "valueCode": kind},
            {"code": "meaning", "valueString": meaning},
        ],
        "designation": [
            {"value": phrase, "extension": [{"url": source, "valueString": "us"}]}
            for phrase in phrases
        ],
    }
    resource = {
        **_metadata("CodeSystem", "words"),
        "content": "supplement",
        "supplements": "https://w3id.org/her2-adapter/CodeSystem/her2-word",
        "concept": [concept],
    }
    return {**resource, **changes}


def naming_system(url: str, *names: str, prefix: str = "") -> JsonObject:
    """Names that a site's servers have for one code system, and a beginning of further ones."""
    base = "https://w3id.org/her2-adapter/StructureDefinition"
    unique = [{"type": "uri", "value": url, "preferred": True}]
    unique += [{"type": "other", "value": name} for name in names]
    if prefix:
        mark = [{"url": f"{base}/identifies-by-prefix", "valueBoolean": True}]
        unique.append({"type": "other", "value": prefix, "extension": mark})
    resource = _metadata("NamingSystem", "names")
    artifact = "http://hl7.org/fhir/StructureDefinition/artifact-"
    moved = ("url", "version", "title")
    extensions = [{"url": artifact + key, "valueString": resource.pop(key)} for key in moved]
    return {**resource, "extension": extensions, "uniqueId": unique}


def site_toml(folder: Path, text: str = "", *, version: str = "1.0.0") -> Path:
    """Write a site.toml into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    head = f'name = "St. Example\'s"\nversion = "{version}"\n'
    (folder / "site.toml").write_text(head + text, encoding="utf-8")
    return folder


def _metadata(kind: str, name: str) -> JsonObject:
    return {
        "resourceType": kind,
        "url": f"{SITE}/{kind}/{name}",
        "version": "0.1.0",
        "name": name.title(),
        "title": name.title(),
        "status": "active",
        "date": "2026-02-01",
        "publisher": "Hospital",
        "description": "Of a hospital.",
    }
