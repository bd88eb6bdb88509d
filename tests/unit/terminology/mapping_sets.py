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
