"""A whole service over the sandbox, spoken to as its clients speak to it: plain HTTP on a real socket."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any, Final

import requests

from adapter.bootstrap import open_adapter
from adapter.sandbox.server import Sandbox
from adapter.service import Service
from adapter.settings import load_settings
from adapter.sync.report import PassReport
from tests.workloads.content import patient, result, specimen

TOKENS: Final = {role: f"{role}-{'x' * 32}" for role in ("watch", "derive", "sync")}
"""Role → the token of these tests."""


@dataclass
class Running:
    """A sandbox and a service that polls it. `reports`: of every pass."""

    sandbox: Sandbox
    service: Service
    url: str
    stop: Event
    thread: Thread
    reports: list[PassReport] = field(default_factory=list)

    def get(self, path: str, token: str | None = None, **options: Any) -> requests.Response:
        """Ask with GET."""
        return self.ask("GET", path, token, **options)

    def post(self, path: str, token: str | None = None, **options: Any) -> requests.Response:
        """Ask with POST."""
        return self.ask("POST", path, token, **options)

    def ask(
        self, method: str, path: str, token: str | None = None, **options: Any
    ) -> requests.Response:
        """Ask, as the role of this name where one is given."""
        headers = dict(options.pop("headers", {}))
        if token is not None:
            headers["Authorization"] = f"Bearer {TOKENS.get(token, token)}"
        options.setdefault("timeout", 30)
        return requests.request(method, self.url + path, headers=headers, **options)

    def put_result(self, name: str, score: str) -> None:
        """Have the laboratory report an IHC score for a patient of this name."""
        for one in (patient(name), specimen(f"s-{name}", name)):
            put(self.sandbox, one)
        put(self.sandbox, result("ihc", score, of=name, sample=f"s-{name}"))

    def categories(self) -> dict[str, str]:
        """Patient's name → category of what stands on the server."""
        return categories(self.sandbox)


def put(sandbox: Sandbox, resource: dict[str, Any]) -> None:
    url = f"{sandbox.base_url}/{resource['resourceType']}/{resource['id']}"
    requests.put(url, json=resource, timeout=10).raise_for_status()


def categories(sandbox: Sandbox) -> dict[str, str]:
    """Patient's name → category of each derived Observation that stands."""
    found = requests.get(f"{sandbox.base_url}/Observation?_count=1000", timeout=10).json()
    resources = [entry["resource"] for entry in found.get("entry", ())]
    return {
        one["subject"]["reference"].removeprefix("Patient/"): one["valueCodeableConcept"]["coding"][
            0
        ]["code"]
        for one in resources
        if "derivedFrom" in one and one["status"] != "entered-in-error"
    }


@contextmanager
def running(
    folder: Path,
    *,
    sandbox: Sandbox | None = None,
    tokens: bool = True,
    waits: bool = True,
    **settings: Any,
) -> Iterator[Running]:
    """Run a service until the block ends; keywords are settings, dots written as two underscores.

    `waits`: until the first pass has ended, so that the block begins in the rest after it.
    """
    with ExitStack() as opened:
        server = sandbox or opened.enter_context(Sandbox())
        given = {
            "source.url": server.base_url,
            "store.url": f"sqlite:///{folder / 'state.sqlite'}",
            "http.address": "127.0.0.1:0",
            "http.settle_seconds": 0.05,
            "poll.interval_seconds": 3600,
            **({f"http.{role}_token": token for role, token in TOKENS.items()} if tokens else {}),
            **{name.replace("__", "."): value for name, value in settings.items()},
        }
        stop, reports = Event(), list[PassReport]()
        parts = opened.enter_context(open_adapter(load_settings(None, given), stop))
        service = Service(parts, stop, reports.append)
        http = opened.enter_context(service.answering())
        host, port = http.address
        thread = Thread(target=service.loop.run)
        one = Running(server, service, f"http://{host}:{port}", stop, thread, reports)
        thread.start()
        try:
            if waits:
                until(lambda: bool(reports))
            yield one
        finally:
            stop.set()
            thread.join(30)
            assert not thread.is_alive()


def until(is_so: Callable[[], bool], seconds: float = 30.0) -> None:
    """Wait until something is so; fails when it is not in time."""
    deadline = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
