"""The servers that can be tortured against, each empty at the start of a run."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import requests

from adapter.sandbox.server import Sandbox
from tests.servers import hapi, medplum

Place = Callable[[], str]
"""Makes the server ready for a run; its base URL."""


@contextmanager
def place(server: str, folder: Path) -> Iterator[Place]:
    """Start a server by name, or take one by URL.

    Args:
        server: "sandbox", "hapi", "medplum", or the base URL of an empty test server.
        folder: where its logs go.

    Raises:
        MissingPartError: without what the server needs.
        NotEmptyError: when the server at the URL holds results of others.

    """
    if server == "sandbox":
        with _sandboxes() as fresh:
            yield fresh
    elif server == "hapi":
        with hapi.running(folder=folder) as running:
            yield _emptied(running)
    elif server == "medplum":
        with medplum.running(folder=folder) as other:
            yield _emptied(other)
    else:
        yield lambda: _refuse_unless_empty(server.rstrip("/"))


class NotEmptyError(Exception):
    """A server holds results; nobody's may be played with."""


@contextmanager
def _sandboxes() -> Iterator[Place]:
    """A new sandbox for each run, in the process that tortures; the adapters are others."""
    # That clients vanish is the whole point here, and no news.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    running: list[Sandbox] = []

    def fresh() -> str:
        while running:
            running.pop().stop()
        sandbox = Sandbox()
        sandbox.start()
        running.append(sandbox)
        return sandbox.base_url

    try:
        yield fresh
    finally:
        for one in running:
            one.stop()


def _emptied(server: hapi.HapiServer | medplum.MedplumServer) -> Place:
    def empty() -> str:
        server.empty()
        return server.base_url

    return empty


def _refuse_unless_empty(base_url: str) -> str:
    answer = requests.get(f"{base_url}/Observation", params={"_summary": "count"}, timeout=60)
    answer.raise_for_status()
    if answer.json().get("total") or answer.json().get("entry"):
        raise NotEmptyError(
            f"{base_url} holds Observations: torture only an empty server that nobody needs"
        )
    return base_url
