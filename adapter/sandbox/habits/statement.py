"""Changes to a CapabilityStatement, so that a habit can be honest about itself."""

from __future__ import annotations

from collections.abc import Callable

from adapter.sandbox.json_text import JsonObject


def with_rest(statement: JsonObject, edit: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """Return the statement with its one `rest` element edited."""
    return {**statement, "rest": [edit(rest) for rest in statement["rest"]]}


def with_resources(statement: JsonObject, edit: Callable[[JsonObject], JsonObject]) -> JsonObject:
    """Return the statement with what it says of each resource type edited."""
    return with_rest(
        statement, lambda rest: {**rest, "resource": [edit(one) for one in rest["resource"]]}
    )


def with_resource_flags(statement: JsonObject, **flags: object) -> JsonObject:
    """Return the statement with these elements set for every resource type."""
    return with_resources(statement, lambda one: {**one, **flags})


def without_interaction(statement: JsonObject, *codes: str) -> JsonObject:
    """Return the statement without these interactions of the whole system."""
    return with_rest(
        statement,
        lambda rest: {
            **rest,
            "interaction": [one for one in rest["interaction"] if one["code"] not in codes],
        },
    )
