"""One service for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.unit.web.running import Running, running


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Running]:
    with running(tmp_path) as one:
        yield one


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One service for all tests of a file that change nothing."""
    secret = {"http__webhook__secret": f"notify-{'x' * 32}"}
    with running(tmp_path_factory.mktemp("standing"), **secret) as one:
        yield one
