"""Where a server's habits reach into the good server; as they stand here, they change nothing.

What can be done around an exchange is a layer (exchange.py). These are for the rest: what becomes
of a write, what a search finds, how a transaction is taken apart. FHIR R4 leaves most of them to the
server, and real servers choose differently (docs/sandbox.md).
"""

from __future__ import annotations

from datetime import datetime

from adapter.sandbox.calls import Call
from adapter.sandbox.json_text import JsonObject

Key = tuple[str, str]
"""Type and id."""


class Seams:
    """The choices of a good server; a habit overrides the one or two that it spoils."""

    def moment(self, now: datetime) -> datetime:
        """Return what becomes lastUpdated of the writes that land at `now`, aware, in UTC."""
        return now

    def call(self, call: Call) -> Call:
        """Return what is made of a call before it is settled what it is about.

        Raises: Refused when this server does not do such a thing.
        """
        return call

    def client_id(self, key: Key) -> None:
        """Judge an update that would create a resource under an id of the client's choice.

        Raises: Refused when only the server gives out ids.
        """

    def content(self, resource: JsonObject) -> JsonObject:
        """Return what is stored of a resource that a client sent."""
        return resource

    def version_id(self, key: Key, number: int) -> str:  # noqa: ARG002 - a habit uses the key
        """Return the id of the `number`-th version of a resource, counted from 1."""
        return str(number)

    def wrote(self, key: Key) -> None:
        """Take notice that a resource was written or deleted just now."""

    def finds(self, key: Key) -> bool:  # noqa: ARG002 - a habit uses the key
        """Say whether searches find a resource that is there."""
        return True

    def gap_seconds(self) -> float:
        """Return for how long others may write between a conditional's search and its write."""
        return 0.0

    def creates_twice(self) -> bool:
        """Say whether this conditional write that creates does so twice, as if it lost a race."""
        return False

    def keeps_result_sets(self) -> bool:
        """Say whether a result set stays as it was while a client pages through it."""
        return True

    def versions_equal_content(self) -> bool:
        """Say whether an update with equal content makes a new version."""
        return False

    def refuses_deleting_referenced(self) -> bool:
        """Say whether what others refer to cannot be deleted, nor what was deleted referred to."""
        return False

    def transaction_answer(self) -> str:
        """Return the type of the bundle that answers a transaction carried out piece by piece.

        Empty where a transaction is what R4 says: all or nothing.
        """
        return ""

    def batch_entry(self) -> None:
        """Judge the next entry of a batch, or of a transaction that is carried out as one.

        Raises: Refused when this entry alone is refused.
        """

    def statement(self, statement: JsonObject) -> JsonObject:
        """Return the CapabilityStatement as this server shows it."""
        return statement
