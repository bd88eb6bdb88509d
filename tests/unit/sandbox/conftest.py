"""One running sandbox for each test file, and a client for it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from adapter.sandbox.server import Sandbox
from tests.unit.sandbox.client import Client, Json, patient


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as running:
        yield running


@pytest.fixture
def fhir(sandbox: Sandbox) -> Iterator[Client]:
    client = Client(sandbox.base_url)
    yield client
    client.session.close()


@pytest.fixture
def new_id() -> str:
    """An id that no other test uses."""
    return str(uuid.uuid4())


@pytest.fixture
def woman(fhir: Client) -> Json:
    """A patient of this test alone, so that searches for her find only what this test stored."""
    return fhir.stored(patient())
