"""What of the adapter's own output belongs to this installation: namespace and policy family.

Test, demo and production may share a server, and two policies may be compared on one. Each keeps to
its own derived Observations: neither corrects, withdraws nor counts the other's. None of them is
ever input.
"""

from __future__ import annotations

from typing import Final

from adapter.fhir.identity import case_identifier
from adapter.fhir.shapes import child, objects, string
from adapter.her2.model import Policy
from adapter.her2.policy import POLICIES
from adapter.ports import JsonObject
from adapter.terminology.systems import BASE

NAMESPACE_SYSTEM: Final = f"{BASE}/CodeSystem/namespace"
"""System of the tag that names a namespace other than the default one."""
DEFAULT_NAMESPACE: Final = "default"


def is_ours(resource: JsonObject, *, namespace: str, policy: Policy) -> bool:
    """Tell whether a derived Observation is of this namespace and family of policies.

    The policy is known by `method.text`; one of an unknown name counts as ours, so that a result
    whose method was edited by hand is corrected rather than left to stand for ever.
    """
    if case_identifier(resource) is None or namespace_of(resource) != namespace:
        return False
    written_by = POLICIES.get(string(child(resource, "method"), "text"))
    return written_by is None or written_by.family == policy.family


def namespace_of(resource: JsonObject) -> str:
    """Read the namespace that a resource of ours was written for."""
    for tag in objects(child(resource, "meta").get("tag")):
        if tag.get("system") == NAMESPACE_SYSTEM:
            return string(tag, "code")
    return DEFAULT_NAMESPACE


def marked(resource: JsonObject, namespace: str) -> JsonObject:
    """Copy a derived Observation with the tag of its namespace; the default one has none."""
    if namespace == DEFAULT_NAMESPACE:
        return resource
    meta = child(resource, "meta")
    tags = [*objects(meta.get("tag")), {"system": NAMESPACE_SYSTEM, "code": namespace}]
    return {**resource, "meta": {**meta, "tag": tags}}
