"""The sandbox and HAPI seen alike: an address, and what was asked of the server, counted there."""

from __future__ import annotations

import re
import sys
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import requests

from adapter.sandbox.rules import ServerRules
from adapter.sandbox.server import Sandbox
from tests.servers.child import Child
from tests.servers.hapi import HapiServer
from tests.servers.medplum import MedplumServer

_SECONDS = 30.0
_URL = re.compile(r"http://127\.0\.0\.1:\d+/fhir")


@dataclass(frozen=True)
class Asked:
    """What arrived at a server in some time; `writes` counts the entries of bundles singly."""

    requests: int
    writes: int


def strict_sandbox() -> Sandbox:
    """Make a sandbox that is as strict about references to what is deleted as stock HAPI."""
    return Sandbox(
        rules=ServerRules(refuse_delete_of_referenced=True, refuse_reference_to_deleted=True)
    )


class LiveServer(Protocol):
    """A FHIR server of a test, with nothing on it that another test left."""

    name: str
    base_url: str
    matches_names: bool
    """Whether tests can be searched by their name."""
    checks_references: bool
    """Whether it refuses a reference to what is deleted."""

    def mark(self) -> object:
        """Give a point in time for `since`."""
        ...

    def since(self, mark: object) -> Asked:
        """Count what arrived after the mark."""
        ...


class CountingForItself(ABC):
    """A server that tells how much it was asked so far."""

    def mark(self) -> object:
        """Give a point in time for `since`."""
        return self._now()

    def since(self, mark: object) -> Asked:
        """Count what arrived after the mark."""
        assert isinstance(mark, Asked)
        now = self._now()
        return Asked(now.requests - mark.requests, now.writes - mark.writes)

    @abstractmethod
    def _now(self) -> Asked: ...


class OnSandbox(CountingForItself):
    """The sandbox, counting for itself."""

    name = "sandbox"
    matches_names = True
    checks_references = True

    def __init__(self, sandbox: Sandbox) -> None:
        self.base_url = sandbox.base_url
        self._counts = sandbox.counts

    def _now(self) -> Asked:
        return Asked(self._counts.requests, self._counts.writes)


class SandboxProcess(CountingForItself):
    """A sandbox in a process of its own, as `her2-adapter sandbox` starts it."""

    name = "sandbox"
    matches_names = True
    checks_references = True

    def __init__(self, child: Child, base_url: str) -> None:
        self.base_url = base_url
        self._child = child

    def _now(self) -> Asked:
        where = f"{self.base_url.removesuffix('/fhir')}/_sandbox/counts"
        counts = requests.get(where, timeout=_SECONDS).json()
        return Asked(counts["requests"], counts["writes"])


@contextmanager
def sandbox_process(folder: Path) -> Iterator[SandboxProcess]:
    """Start a sandbox as a process, its log in the folder, and stop it at the end."""
    log = folder / "sandbox.log"
    command = [sys.executable, "-m", "adapter", "sandbox", "--port", "0", "--output", "ndjson"]
    child = Child(command, log=log)
    try:
        deadline = time.monotonic() + _SECONDS
        while (found := _URL.search(log.read_text(encoding="utf-8"))) is None:
            assert child.is_running, child.last_words()
            assert time.monotonic() < deadline, "the sandbox does not start"
            time.sleep(0.02)
        yield SandboxProcess(child, found[0])
    finally:
        child.stop()


class OnHapi:
    """HAPI, counted from its own access log."""

    name = "hapi"
    matches_names = True
    checks_references = True

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


class OnMedplum(CountingForItself):
    """Medplum's FHIR router, which counts for itself."""

    name = "medplum"
    matches_names = False
    checks_references = False

    def __init__(self, medplum: MedplumServer) -> None:
        self.base_url = medplum.base_url
        self._medplum = medplum

    def _now(self) -> Asked:
        counts = self._medplum.counts()
        return Asked(counts["requests"], counts["writes"])
