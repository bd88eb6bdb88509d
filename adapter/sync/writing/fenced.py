"""The target behind the lease: every write asks first whether this adapter still is the one that writes.

Asked before each attempt, because a write is tried again for minutes, and a process can be stopped for longer than a
lease lasts. A request that is on its way when the process is stopped cannot be called back; it is held to the version
that the plan saw (C5).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from adapter.ports import (
    Capability,
    EntryOutcome,
    FhirServer,
    JsonObject,
    SearchPage,
    SearchParams,
    SingleWrite,
)


@dataclass(frozen=True)
class FencedServer:
    """A FHIR server whose writes are let through by `guard`, which raises LeaseLost. Implements FhirServer."""

    server: FhirServer
    guard: Callable[[], None]

    @property
    def base_url(self) -> str:
        """Base URL of the server."""
        return self.server.base_url

    def capability(self) -> Capability:
        """Ask for the CapabilityStatement."""
        return self.server.capability()

    def read(self, reference: str) -> JsonObject | None:
        """Read one resource."""
        return self.server.read(reference)

    def read_all(self, references: Iterable[str]) -> dict[str, JsonObject | None]:
        """Read many resources."""
        return self.server.read_all(references)

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Search."""
        return self.server.search(resource_type, params)

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Send a transaction while the lease is held; raises LeaseLost and sends nothing otherwise."""
        self.guard()
        return self.server.transact(bundle)

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Write one resource while the lease is held; raises LeaseLost and sends nothing otherwise."""
        self.guard()
        return self.server.write(one)


if TYPE_CHECKING:
    _held_to: type[FhirServer] = FencedServer  # the type check proves that the port is met whole
