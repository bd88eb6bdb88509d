"""Stores to test: every test of the contract runs on SQLite and on a real PostgreSQL."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from adapter.ports import FrozenBundle
from adapter.store import SqlStateStore, open_store
from tests.servers.postgres import Postgres, running
from tests.servers.required import skip_or_fail

# Not UTC on purpose: what comes back must be the same instant, wherever the adapter runs.
NEPAL = timezone(timedelta(hours=5, minutes=45))
NOON = datetime(2026, 3, 29, 12, 0, 0, 123456, tzinfo=NEPAL)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    with skip_or_fail(), running() as server:
        yield server


@pytest.fixture(scope="session")
def shared_database(postgres_server: Postgres) -> str:
    return postgres_server.new_database().sqlalchemy_url


@pytest.fixture
def postgres_database(shared_database: str) -> str:
    """An empty database: emptying one is much quicker than making one for each test."""
    engine = create_engine(shared_database)
    with engine.begin() as connection:
        connection.execute(text("DROP SCHEMA public CASCADE"))
        connection.execute(text("CREATE SCHEMA public"))
    engine.dispose()
    return shared_database


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    return tmp_path / "state.sqlite"


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.real)])
def store_url(request: pytest.FixtureRequest, sqlite_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{sqlite_path}"
    url: str = request.getfixturevalue("postgres_database")
    return url


@pytest.fixture
def store(store_url: str) -> Iterator[SqlStateStore]:
    with open_store(store_url) as opened:
        yield opened


@pytest.fixture
def quick_disk() -> Iterator[None]:
    """Nothing here is about power loss but what the test does itself."""

    def hasty(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA synchronous=OFF").close()

    event.listen(Engine, "connect", hasty)
    yield
    event.remove(Engine, "connect", hasty)


def a_bundle(key: str = "b-1", body: bytes = b'{"n":2.00}') -> FrozenBundle:
    return FrozenBundle(
        key=key,
        body=body,
        expected={"new-one": None, "old-one": "W/7"},
        fingerprints={"new-one": "f1", "old-one": "f2"},
        patients=frozenset({"Patient/b", "Patient/a"}),
        frozen_at=NOON.astimezone(UTC),
    )
