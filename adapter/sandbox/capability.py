"""The CapabilityStatement: what this server can do, and nothing that it cannot.

Source: FHIR R4, capabilitystatement.html. It is built from the same tables that routing and search
use, so that it cannot promise what they refuse.
"""

from __future__ import annotations

from datetime import datetime

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.replies import instant
from adapter.sandbox.resource_types import RESOURCE_TYPES
from adapter.sandbox.search_parameters import Kind, parameters_of

FHIR_VERSION = "4.0.1"

_type_interactions = (
    "read",
    "vread",
    "update",
    "delete",
    "history-instance",
    "history-type",
    "create",
    "search-type",
)
_system_interactions = ("transaction", "batch", "history-system")


def capability_statement(base_url: str, started: datetime) -> JsonObject:
    """Build the statement of a server that started at this aware UTC moment."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": instant(started),
        "kind": "instance",
        "software": {"name": "HER2 adapter sandbox"},
        "implementation": {
            "description": "A strict server on loopback, for trials with synthetic patients",
            "url": base_url,
        },
        "fhirVersion": FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "documentation": "Unknown search parameters and modifiers are refused with 400. "
                "References to resources that do not exist are refused with 400.",
                "resource": [_resource(name) for name in sorted(RESOURCE_TYPES)],
                "interaction": [{"code": code} for code in _system_interactions],
            }
        ],
    }


def _resource(resource_type: str) -> JsonObject:
    parameters = parameters_of(resource_type).values()
    references = sorted(one.name for one in parameters if one.kind is Kind.REFERENCE)
    content: JsonObject = {
        "type": resource_type,
        "interaction": [{"code": code} for code in _type_interactions],
        "versioning": "versioned",
        "readHistory": True,
        "updateCreate": True,
        "conditionalCreate": True,
        "conditionalRead": "full-support",
        "conditionalUpdate": True,
        "conditionalDelete": "not-supported",
        "referencePolicy": ["literal", "logical", "enforced", "local"],
        "searchInclude": [f"{resource_type}:{name}" for name in references],
        "searchRevInclude": _reverse_includes(resource_type),
        "searchParam": [{"name": one.name, "type": one.fhir_type} for one in parameters],
    }
    return {name: value for name, value in content.items() if value != []}


def _reverse_includes(target_type: str) -> list[str]:
    return [
        f"{source_type}:{parameter.name}"
        for source_type in sorted(RESOURCE_TYPES)
        for parameter in parameters_of(source_type).values()
        if parameter.kind is Kind.REFERENCE
        and (not parameter.targets or target_type in parameter.targets)
    ]
