"""Whose a resource is, and what references mean on the source and on the target.

When results are read on one server and written to another, a derived resource names its sources,
patient and specimen by absolute URL, or nobody could follow them. Everywhere else in this package
references are relative to the source.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256

from adapter.fhir.identity import relative_reference
from adapter.fhir.references import reference_to, with_references
from adapter.fhir.shapes import child, string
from adapter.fhir.strict_json import canonical
from adapter.ports import JsonObject


def version_of(resource: JsonObject) -> str | None:
    """Read meta.versionId, an opaque string; None when the server gives none."""
    return string(child(resource, "meta"), "versionId") or None


def mark_of(resource: JsonObject) -> str:
    """Give what tells one state of a resource from another: its version, and a hash of all but its meta.

    There are servers that give no version, and such that change a result under the version it had.
    """
    said = {key: value for key, value in resource.items() if key != "meta"}
    return f"{version_of(resource) or ''} {sha256(canonical(said)).hexdigest()}"


def patient_reference(patient: str) -> str:
    """Give "Patient/<id>" of a patient that was named with or without the type."""
    return patient if patient.startswith("Patient/") else f"Patient/{patient}"


def patient_of(resource: JsonObject, base_url: str) -> str | None:
    """Give "Patient/<id>" that a result, specimen or report is about; else None.

    None too for a Group or Device, for a patient that is only named by an identifier or contained,
    and for one on another server: such a result is set aside by name, never lost.
    """
    if resource.get("resourceType") == "Patient":
        return reference_to(resource)
    found = relative_reference(string(child(resource, "subject"), "reference"), (base_url,))
    return found if found and found.startswith("Patient/") else None


def made_absolute(
    resource: JsonObject, base_url: str, *, keep: Callable[[str], bool]
) -> JsonObject:
    """Copy a resource with its relative references made absolute under a base URL.

    The resource is not changed. `keep` tells which references stay as they are, because what they
    name stands on the target itself.
    """

    def absolute(reference: str) -> str:
        stays = not relative_reference(reference) or keep(reference)
        return reference if stays else f"{base_url}/{reference}"

    return with_references(resource, absolute)


def made_relative(resource: JsonObject, base_url: str) -> JsonObject:
    """Copy a resource, references below a base URL made relative: undoes `made_absolute`."""
    return with_references(resource, lambda reference: reference.removeprefix(f"{base_url}/"))
