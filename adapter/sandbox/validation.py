"""The minimum that a resource must be before it is stored: what any R4 server would insist on."""

from __future__ import annotations

from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused, bad_request
from adapter.sandbox.references import check_shapes
from adapter.sandbox.resource_types import is_logical_id

OBSERVATION_STATUS = frozenset(
    {
        "registered",
        "preliminary",
        "final",
        "amended",
        "corrected",
        "cancelled",
        "entered-in-error",
        "unknown",
    }
)
"""The required value set observation-status of R4."""


def check_resource(resource: JsonObject, resource_type: str) -> None:
    """Refuse a resource that is not of this type or lacks what R4 requires of it.

    Raises: Refused with 400 for the wrong type or shape, 422 where an Observation lacks status or code.
    """
    if resource.get("resourceType") != resource_type:
        raise bad_request(f"resourceType is not {resource_type}", expression="resourceType")
    if not isinstance(resource.get("meta", {}), dict):
        raise bad_request("meta is an object", code="structure", expression=f"{resource_type}.meta")
    check_shapes(resource)
    if resource_type == "Observation":
        _check_observation(resource)


def check_id(resource: JsonObject, logical_id: str) -> None:
    """Refuse an update whose body has no id or another one than the URL (http.html#update).

    Raises: Refused with 400.
    """
    body_id = resource.get("id")
    if body_id is None:
        raise bad_request("the body of an update needs the id of the URL", expression="id")
    if body_id != logical_id:
        raise bad_request("the id of the body is not the id of the URL", expression="id")


def checked_body_id(resource: JsonObject) -> str | None:
    """Return the id in a body, or None where there is none.

    Raises: Refused with 400 when it breaks R4's rule for ids.
    """
    body_id = resource.get("id")
    if body_id is None:
        return None
    if not isinstance(body_id, str) or not is_logical_id(body_id):
        raise bad_request(
            "an id is 1 to 64 letters, digits, hyphens and full stops", expression="id"
        )
    return body_id


def _check_observation(resource: JsonObject) -> None:
    if resource.get("status") not in OBSERVATION_STATUS:
        raise _unprocessable("status is missing or not a code of R4", "Observation.status")
    code = resource.get("code")
    if not isinstance(code, dict) or not code:
        raise _unprocessable("code is missing", "Observation.code")


def _unprocessable(diagnostics: str, expression: str) -> Refused:
    return Refused(422, "required", diagnostics, expression=expression)
