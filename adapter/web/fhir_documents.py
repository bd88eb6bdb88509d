"""What the service says of itself in FHIR: its CapabilityStatement, and the definition of its operation.

Built where they are served and not kept among the mappings: they are of this service, and no category
depends on them.

Source: FHIR R4, capabilitystatement.html, operationdefinition.html, operations.html.
"""

from __future__ import annotations

from typing import Any, Final

JsonObject = dict[str, Any]

OPERATION: Final = "her2-derive"
"""The operation's code; it is called as $her2-derive."""

_CHANGED: Final = "2026-11-26"
"""The day on which the contents of these documents last changed."""
_PUBLISHER: Final = "The HER2 adapter's authors"
_FHIR_VERSION: Final = "4.0.1"
_DISCLAIMER: Final = (
    "Not verified by a pathologist; the laboratory's report is the result of record."
)


def operation_definition(canonical_base: str, version: str) -> JsonObject:
    """Define `$her2-derive`.

    `canonical_base`: what our canonical urls begin with. `version`: of the software.
    """
    return {
        "resourceType": "OperationDefinition",
        "id": OPERATION,
        "url": _canonical(canonical_base),
        "version": version,
        "name": "Her2Derive",
        "title": "Derive HER2 categories",
        "status": "active",
        "kind": "operation",
        "experimental": False,
        "date": _CHANGED,
        "publisher": _PUBLISHER,
        "description": "Derives the HER2 category of each breast-tumour sample in a Bundle, after ASCO/CAP 2018/2023 "
        "with HER2-low and -ultralow, from its IHC and ISH results. Nothing is stored and no server is asked: what is "
        f"not in the Bundle is not known. {_DISCLAIMER}",
        "affectsState": False,
        "code": OPERATION,
        "comment": "Without `complete` the answer is a collection: derived Observations, each with its Provenance, and "
        "the Device; no instruction to a server. Results that could not be read are named in an OperationOutcome at "
        "its end. The header Her2-Counts says what became of the results, by number.",
        "system": True,
        "type": False,
        "instance": False,
        "parameter": [
            {
                "name": "bundle",
                "use": "in",
                "min": 1,
                "max": "1",
                "documentation": "Observations, and the Specimens, DiagnosticReports and others that they refer to, of "
                "any number of patients. May be the body itself.",
                "type": "Bundle",
            },
            {
                "name": "complete",
                "use": "in",
                "min": 0,
                "max": "1",
                "documentation": "The Bundle holds everything that one server has of HER2 for these patients, the "
                "derived Observations that stand there included, with their meta.versionId. Then the answer is a "
                "transaction for that server, with PUT and ifMatch. Refused where the Bundle shows that it is not so.",
                "type": "boolean",
            },
            {
                "name": "return",
                "use": "out",
                "min": 1,
                "max": "1",
                "documentation": "A collection, or with complete=true a transaction, which is empty where nothing is "
                "to be written.",
                "type": "Bundle",
            },
        ],
    }


def capability_statement(canonical_base: str, version: str) -> JsonObject:
    """State what this service can do; arguments as `operation_definition`."""
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": _CHANGED,
        "publisher": _PUBLISHER,
        "kind": "instance",
        "software": {"name": "HER2 adapter", "version": version},
        "implementation": {
            "description": f"Derives HER2 categories; stores and serves no clinical data. {_DISCLAIMER}"
        },
        "fhirVersion": _FHIR_VERSION,
        "format": ["application/fhir+json", "json"],
        "rest": [
            {
                "mode": "server",
                "resource": [{"type": "OperationDefinition", "interaction": [{"code": "read"}]}],
                "operation": [{"name": OPERATION, "definition": _canonical(canonical_base)}],
            }
        ],
    }


def _canonical(base: str) -> str:
    return f"{base}/OperationDefinition/{OPERATION}"
