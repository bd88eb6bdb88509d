"""The sandbox and HAPI seen alike: an address, and what was asked of the server, counted there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from adapter.sandbox.server import Sandbox
from tests.servers.hapi import HapiServer


@dataclass(frozen=True)
class Asked:
    """What arrived at a server in some time; `writes` counts the entries of bundles singly."""

    requests: int
    writes: int


class LiveServer(Protocol):
    """A FHIR server of a test, with nothing on it that another test left."""

    name: str
    base_url: str

    def mark(self) -> object:
        """Give a point in time for `since`."""
        ...

    def since(self, mark: object) -> Asked:
        """Count what arrived after the mark."""
        ...


class OnSandbox:
    """The sandbox, counting for itself."""

    name = "sandbox"

    def __init__(self, sandbox: Sandbox) -> None:
        self.base_url = sandbox.base_url
        self._counts = sandbox.counts

    def mark(self) -> object:
        return self._now()

    def since(self, mark: object) -> Asked:
        assert isinstance(mark, Asked)
        now = self._now()
        return Asked(now.requests - mark.requests, now.writes - mark.writes)

    def _now(self) -> Asked:
        return Asked(self._counts.requests, self._counts.writes)


class OnHapi:
    """HAPI, counted from its own access log."""

    name = "hapi"

    def __init__(self, hapi: HapiServer) -> None:
        self.base_url = hapi.base_url
        self._hapi = hapi

    def mark(self) -> object:
        return self._hapi.mark()

    def since(self, mark: object) -> Asked:
        assert isinstance(mark, int)
        asked = self._hapi.requests_since(mark)
        writes = (
            sum(n for method, n in one.entries.items() if method != "GET") or 1
            for one in asked
            if one.is_write
        )
        return Asked(len(asked), sum(writes))
