"""A FHIR server that passes everything on to another one: for those who change one thing of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from adapter.ports import (
    Capability,
    EntryOutcome,
    FhirServer,
    JsonObject,
    Read,
    SearchPage,
    SearchParams,
    SingleWrite,
)


class PassedOn:
    """Implements FhirServer by `server`; a subclass overrides what it changes."""

    def __init__(self, server: FhirServer) -> None:
        self.server = server

    @property
    def base_url(self) -> str:
        """That of the server."""
        return self.server.base_url

    def capability(self) -> Capability:
        """Ask the server."""
        return self.server.capability()

    def read(self, reference: str) -> JsonObject | None:
        """Ask the server."""
        return self.server.read(reference)

    def read_all(self, references: Iterable[str]) -> dict[str, Read]:
        """Ask the server."""
        return self.server.read_all(references)

    def search(self, resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
        """Ask the server."""
        return self.server.search(resource_type, params)

    def transact(self, bundle: bytes) -> tuple[EntryOutcome, ...]:
        """Send it to the server."""
        return self.server.transact(bundle)

    def write(self, one: SingleWrite) -> EntryOutcome:
        """Send it to the server."""
        return self.server.write(one)


if TYPE_CHECKING:
    _implements: type[FhirServer] = PassedOn  # the type check proves that the port is met whole
