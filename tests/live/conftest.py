"""A server, a laboratory and an adapter for each test, on the sandbox and on HAPI alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.live.adapter_under_test import AdapterUnderTest
from tests.live.laboratory import Laboratory
from tests.live.records import Records
from tests.live.servers import LiveServer, OnHapi, OnMedplum, OnSandbox, strict_sandbox

Adapters = Callable[..., AdapterUnderTest]


@pytest.fixture(
    params=[
        "sandbox",
        pytest.param("hapi", marks=pytest.mark.real),
        pytest.param("medplum", marks=pytest.mark.real),
    ]
)
def server(request: pytest.FixtureRequest) -> Iterator[LiveServer]:
    """An empty server: a sandbox of its own, or the session's HAPI with everything removed."""
    if request.param == "hapi":
        yield OnHapi(request.getfixturevalue("empty_hapi"))
    elif request.param == "medplum":
        yield OnMedplum(request.getfixturevalue("empty_medplum"))
    else:
        with strict_sandbox() as sandbox:
            yield OnSandbox(sandbox)


@pytest.fixture
def laboratory(server: LiveServer) -> Iterator[Laboratory]:
    """A laboratory that reports to the server."""
    made = Laboratory(server.base_url)
    yield made
    made.close()


@pytest.fixture
def records(server: LiveServer) -> Iterator[Records]:
    """What the adapter wrote onto the server."""
    made = Records(server.base_url)
    yield made
    made.close()


@pytest.fixture
def install(server: LiveServer, tmp_path: Path) -> Iterator[Adapters]:
    """Make adapters on the server, each with a state of its own; `state` names the file."""
    with ExitStack() as running:

        def installed(state: str = "state", **settings: Any) -> AdapterUnderTest:
            url = settings.pop("url", server.base_url)
            made = AdapterUnderTest(url, tmp_path / f"{state}.sqlite", **settings)
            running.callback(made.stop)
            return made

        yield installed


@pytest.fixture
def adapter(install: Adapters) -> AdapterUnderTest:
    """One adapter on the server, with the settings it is shipped with."""
    return install()
