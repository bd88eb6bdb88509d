"""Habits of the CapabilityStatement: silent about what works, or boasting of what does not."""

from __future__ import annotations

from adapter.sandbox.habits.habit import Habit
from adapter.sandbox.habits.statement import with_resources, with_rest
from adapter.sandbox.json_text import JsonObject


class UnstatedClientIds(Habit):
    """It works, and nobody says so."""

    name = "unstated-client-ids"
    does = "the CapabilityStatement does not say updateCreate, although an update of a new id creates it"
    seen = "HAPI FHIR"

    def statement(self, statement: JsonObject) -> JsonObject:
        """Leave it out."""

        def silent(resource: JsonObject) -> JsonObject:
            return {name: value for name, value in resource.items() if name != "updateCreate"}

        return with_resources(statement, silent)


class BoastingStatement(Habit):
    """It is said, and does not work."""

    name = "boasting-statement"
    does = (
        "the CapabilityStatement promises client ids, conditional writes, batches and transactions, whatever other "
        "habits refuse"
    )
    seen = "servers behind gateways that allow less; Medplum states transaction (pull request 9506)"

    def statement(self, statement: JsonObject) -> JsonObject:
        """Promise everything."""
        codes = ("transaction", "batch", "history-system")
        promised = with_rest(
            statement, lambda rest: {**rest, "interaction": [{"code": code} for code in codes]}
        )
        return with_resources(
            promised,
            lambda resource: {
                **resource,
                "updateCreate": True,
                "conditionalCreate": True,
                "conditionalUpdate": True,
            },
        )


HABITS: tuple[type[Habit], ...] = (UnstatedClientIds, BoastingStatement)
