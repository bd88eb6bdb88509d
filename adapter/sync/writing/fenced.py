"""The target behind the lease: every write asks first whether this adapter still is the one that writes.

Asked before each attempt, because a write is tried again for minutes, and a process can be stopped for longer than a
lease lasts. A request that is on its way when the process is stopped cannot be called back; it is held to the version
that the plan saw (C5).
"""

from __future__ import annotations

from collections.abc import Callable

from adapter.ports import EntryOutcome, FhirServer, SingleWrite
from adapter.sync.passed_on import PassedOn


class FencedServer(PassedOn):
    """A FHIR server whose writes are let through by `guard`, which raises LeaseLost."""

    def __init__(self, server: FhirServer, guard: Callable[[], None]) -> None:
        super().__init__(server)
        self.guard = guard

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Send a transaction while the lease is held; raises LeaseLost and sends nothing otherwise."""
        self.guard()
        return self.server.transact(bundle)

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Write one resource while the lease is held; raises LeaseLost and sends nothing otherwise."""
        self.guard()
        return self.server.write(one)
