"""Reads a CapabilityStatement: is this a server we can talk to, and what does it say it can do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from adapter.errors import NotFhirR4
from adapter.ports import Capability, JsonObject

_ACCEPTED_VERSION = re.compile(r"4\.0\.\d+|4\.3\.0")


def capability_of(statement: JsonObject, *, base_url: str) -> Capability:
    """Reduce a CapabilityStatement to what we ask of it.

    Raises: NotFhirR4 when it is none, or its FHIR version is neither R4 (4.0.x) nor R4B (4.3.0).
    """
    if statement.get("resourceType") != "CapabilityStatement":
        raise NotFhirR4(f"{base_url}/metadata is no CapabilityStatement; is it the FHIR base URL?")
    version = statement.get("fhirVersion")
    if not isinstance(version, str) or not _ACCEPTED_VERSION.fullmatch(version):
        stated = version if isinstance(version, str) and len(version) <= 20 else "no FHIR version"
        raise NotFhirR4(f"{base_url} speaks {stated}; this adapter needs FHIR R4 (4.0.x) or 4.3.0")
    rest = next(
        (part for part in _objects(statement.get("rest")) if part.get("mode") == "server"), {}
    )
    resources = [part for part in _objects(rest.get("resource")) if _is_text(part.get("type"))]
    return Capability(
        fhir_version=version,
        software=_software(statement),
        interactions={r["type"]: _texts(r.get("interaction"), "code") for r in resources},
        search_params={r["type"]: _texts(r.get("searchParam"), "name") for r in resources},
        system_interactions=_texts(rest.get("interaction"), "code"),
    )


def _software(statement: JsonObject) -> str:
    software = statement.get("software")
    if not isinstance(software, dict):
        return ""
    texts = (software.get("name"), software.get("version"))
    return " ".join(text for text in texts if isinstance(text, str) and text)[:100]


def _objects(found: Any) -> Iterator[JsonObject]:
    return (item for item in (found if isinstance(found, list) else ()) if isinstance(item, dict))


def _texts(found: Any, key: str) -> frozenset[str]:
    return frozenset(item[key] for item in _objects(found) if _is_text(item.get(key)))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""
