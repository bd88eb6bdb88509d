"""Habits of writing: whose ids, and what a condition is worth."""

from __future__ import annotations

from dataclasses import replace

from adapter.sandbox.calls import Call
from adapter.sandbox.habits.habit import Habit, Often, Scene, WithStatus, seconds, status
from adapter.sandbox.habits.statement import with_resource_flags
from adapter.sandbox.json_text import JsonObject
from adapter.sandbox.outcomes import Refused
from adapter.sandbox.seams import Key


class NoClientIds(WithStatus):
    """Only the server gives out ids."""

    name = "no-client-ids"
    does = "an update of an id that does not exist is refused with STATUS"
    seen = "Epic and Oracle Health; R4 lets a server choose (http.html#upsert: 405)"
    default = "405"

    def client_id(self, key: Key) -> None:
        """Refuse it."""
        raise Refused(
            self._status, "not-supported", f"{key[0]}: this server chooses the ids itself"
        )

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say so."""
        return with_resource_flags(statement, updateCreate=False)


class NoConditionalUpdate(WithStatus):
    """No update by criteria."""

    name = "no-conditional-update"
    does = "an update by criteria (PUT Type?…) is refused with STATUS"
    seen = "Epic; servers whose CapabilityStatement says conditionalUpdate false"
    default = "405"

    def call(self, call: Call) -> Call:
        """Refuse it."""
        if call.method == "PUT" and call.is_conditional:
            raise Refused(self._status, "not-supported", "conditional update is not supported")
        return call

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say so."""
        return with_resource_flags(statement, conditionalUpdate=False)


class NoConditionalCreate(Habit):
    """No create by criteria."""

    name = "no-conditional-create"
    does = "If-None-Exist is refused with STATUS, or ignored: then a create always creates"
    seen = "servers whose CapabilityStatement says conditionalCreate false; HTTP ignores unknown headers"
    takes = "STATUS|ignored"
    default = "ignored"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._status = None if value == "ignored" else status(value)

    def call(self, call: Call) -> Call:
        """Refuse the condition, or do without it."""
        if call.if_none_exist is not None and self._status is not None:
            raise Refused(self._status, "not-supported", "conditional create is not supported")
        return replace(call, if_none_exist=None)

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say so."""
        return with_resource_flags(statement, conditionalCreate=False)


class RacingConditionals(Habit):
    """Two clients at once both create."""

    name = "racing-conditionals"
    does = "a conditional write looks first and writes SECONDS later: two at once both create"
    seen = (
        "HAPI issues 3141 and 4597, Microsoft issue 1382, LinuxForHealth issues 2051 and 3895, Medplum issues "
        "4234, 4878 and 10177"
    )
    takes = "SECONDS"
    default = "0.2"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._gap = seconds(value)

    def gap_seconds(self) -> float:
        """Let others write meanwhile."""
        return self._gap


class DoubledConditionals(Habit):
    """The race for tests with one client."""

    name = "doubled-conditionals"
    does = "a conditional write that creates does so twice, one time in OFTEN, as if it had lost a race"
    seen = "the same issues as racing-conditionals, without a second client"
    takes = "OFTEN"
    default = "3"

    def __init__(self, value: str, scene: Scene) -> None:
        super().__init__(value, scene)
        self._often = Often(value, scene.random)

    def creates_twice(self) -> bool:
        """Do it when it is time for it."""
        return self._often.now()


class IfMatchIgnored(Habit):
    """Last writer wins."""

    name = "if-match-ignored"
    does = "If-Match and ifMatch have no effect: the last writer wins"
    seen = "Spark issue 714 (inside transactions); R4 leaves version-aware updates to the server"

    def call(self, call: Call) -> Call:
        """Forget the condition."""
        return replace(call, if_match=None)

    def statement(self, statement: JsonObject) -> JsonObject:
        """Say that versions are kept, not that updates look at them."""
        return with_resource_flags(statement, versioning="versioned")


HABITS: tuple[type[Habit], ...] = (
    NoClientIds,
    NoConditionalUpdate,
    NoConditionalCreate,
    RacingConditionals,
    DoubledConditionals,
    IfMatchIgnored,
)
