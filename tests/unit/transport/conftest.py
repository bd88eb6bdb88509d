"""Parts that the transport's tests share: a clock that does not wait, servers, a raw loopback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import responses

from adapter.fhir.refused_alone import read_bundle
from adapter.transport.auth import Auth, NoAuth
from adapter.transport.fhir_server import RestFhirServer, ServerConfig
from tests.fakes.clock import FakeClock
from tests.unit.transport.loopback import Loopback

BASE = "https://fhir.example.org/r4"

MakeServer = Callable[..., RestFhirServer]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def mocked() -> Iterator[responses.RequestsMock]:
    with responses.RequestsMock() as mock:
        yield mock


@pytest.fixture
def loopback() -> Iterator[Loopback]:
    server = Loopback()
    yield server
    server.stop()


@pytest.fixture
def make_server(clock: FakeClock) -> Iterator[MakeServer]:
    """Build clients; every one is closed at the end, so that no socket outlives its test."""
    made: list[RestFhirServer] = []

    def make(base_url: str = BASE, *, auth: Auth | None = None, **config: Any) -> RestFhirServer:
        server = RestFhirServer(
            ServerConfig(base_url, **config),
            read_json=read_bundle,
            clock=clock,
            auth=auth or NoAuth(),
        )
        made.append(server)
        return server

    yield make
    for server in made:
        server.close()
