"""A server that cannot give one resource: every page of a search that holds it is answered with 500."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from adapter.errors import TemporaryServerError
from adapter.fhir.references import reference_to
from adapter.ports import SearchPage, SearchParams

from .server import FakeFhirServer


@dataclass
class Poison:
    """What is poisoned on a server from now on; `asked` are the searches that failed because of it."""

    server: FakeFhirServer
    references: set[str] = field(default_factory=set)
    asked: list[SearchParams] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Stand in for the server's own search."""
        search = self.server.search

        def spoilt(resource_type: str, params: SearchParams) -> Iterator[SearchPage]:
            for page in search(resource_type, params):
                shown = map(reference_to, (*page.matches, *page.included))
                if not self.references.isdisjoint(shown):
                    self.asked.append(params)
                    raise TemporaryServerError("cannot be parsed", status=500)
                yield page

        self.server.search = spoilt  # type: ignore[method-assign]
