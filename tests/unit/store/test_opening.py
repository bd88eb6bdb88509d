"""Protects opening: schema from empty, private file, and what is refused with a sentence."""

from __future__ import annotations

import multiprocessing
import sqlite3
import stat
import sys
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect, text

from adapter.errors import StoreError
from adapter.store import open_store
from adapter.store.migrate import migration_config
from adapter.store.schema import SCHEMA_VERSION, VERSION_TABLE, metadata
from adapter.sync.scope import LAST_SWEEP


def test_migrations_from_empty_build_exactly_the_tables_of_the_schema(store_url: str) -> None:
    open_store(store_url).close()
    engine = create_engine(store_url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_type": True}
        )
        assert compare_metadata(context, metadata) == []
        assert context.get_current_heads() == (SCHEMA_VERSION,)
    engine.dispose()


def test_the_schema_version_is_the_newest_migration() -> None:
    engine = create_engine("sqlite://")
    with engine.connect() as connection:
        scripts = ScriptDirectory.from_config(migration_config(connection))
        assert scripts.get_heads() == [SCHEMA_VERSION]
    engine.dispose()


def test_every_table_says_whose_it_is(store_url: str) -> None:
    open_store(store_url).close()
    engine = create_engine(store_url)
    assert [
        name for name in inspect(engine).get_table_names() if not name.startswith("her2_")
    ] == []
    engine.dispose()


def test_opening_again_keeps_what_is_there(store_url: str) -> None:
    with open_store(store_url) as first:
        first.set_setting("brake", "engaged")
    with open_store(store_url) as second:
        assert second.setting("brake") == "engaged"


def test_the_old_worklist_is_dropped_and_a_sweep_made_due(store_url: str) -> None:
    """Its counts cannot be told apart any more; everything else of the old store stays."""
    engine = create_engine(store_url)
    with engine.begin() as connection:
        command.upgrade(migration_config(connection), "0001")
        connection.execute(
            text(
                "INSERT INTO her2_unmapped VALUES ('d', 'no-value', '', '', '…', 'Observation/1', "
                "3, '2026-01-01 00:00:00', '2026-01-02 00:00:00')"
            )
        )
        connection.execute(
            text(
                "INSERT INTO her2_setting VALUES ('last-sweep', '2026-01-01'), ('brake', 'engaged')"
            )
        )
        connection.execute(
            text("INSERT INTO her2_queue (patient, reason, wakes) VALUES ('Patient/1', 'poll', 1)")
        )
    engine.dispose()
    with open_store(store_url) as store:
        assert store.worklist() == ()
        assert store.setting(LAST_SWEEP) is None
        assert store.setting("brake") == "engaged"
        assert tuple(store.queued()) == ("Patient/1",)


def test_a_store_of_a_newer_release_is_refused_and_left_alone(store_url: str) -> None:
    open_store(store_url).close()
    engine = create_engine(store_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE her2_schema_version SET version_num = '9999'"))
    with pytest.raises(StoreError, match=r"schema 9999.*none beyond .*install the newer"):
        open_store(store_url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM her2_schema_version")).scalar_one() == "9999"
    engine.dispose()


def test_a_database_of_another_program_is_refused_and_left_alone(sqlite_path: Path) -> None:
    connection = sqlite3.connect(sqlite_path)
    connection.execute("CREATE TABLE bookmarks (url TEXT)")
    connection.commit()
    with pytest.raises(StoreError, match="another program"):
        open_store(f"sqlite:///{sqlite_path}")
    tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("bookmarks",)]
    assert list(sqlite_path.parent.glob("*.corrupt-*")) == []


@pytest.mark.real
def test_a_postgresql_database_may_be_shared_with_other_tables(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE queue (id INT)"))
        connection.execute(text("CREATE TABLE alembic_version (version_num TEXT)"))
    with open_store(postgres_database) as store:
        assert store.queue_length() == 0
    engine.dispose()


def test_the_file_and_its_companions_are_private(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.set_setting("brake", "engaged")
        files = sorted(sqlite_path.parent.iterdir())
        modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in files}
    suffixes = ("", "-shm", "-wal", ".audit-key", ".lock")
    assert modes == {f"state.sqlite{suffix}": 0o600 for suffix in suffixes}


def test_a_file_that_others_could_read_is_made_private(sqlite_path: Path) -> None:
    sqlite_path.touch(mode=0o644)
    open_store(f"sqlite:///{sqlite_path}").close()
    assert stat.S_IMODE(sqlite_path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("pragma", "value"),
    [("journal_mode", "wal"), ("synchronous", 2), ("foreign_keys", 1), ("busy_timeout", 30_000)],
)
def test_every_sqlite_connection_keeps_what_it_confirms(
    sqlite_path: Path, pragma: str, value: object
) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store, store._reading() as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one() == value


def test_a_store_in_memory_works_and_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with open_store("sqlite://") as store:
        store.enqueue(["Patient/1"], reason="demo")
        assert store.queue_length() == 1
    assert list(tmp_path.iterdir()) == []


def test_a_relative_file_is_made_in_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    open_store("sqlite:///her2-adapter.sqlite").close()
    assert (tmp_path / "her2-adapter.sqlite").is_file()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("not a url", "not a database URL"),
        ("mysql://user:hunter2@host/db", "mysql, which is not supported"),
        ("postgresql+psycopg2://user:hunter2@host/db", "not supported"),
        ("sqlite:///file.sqlite?mode=ro", "parts that SQLite does not take"),
        ("sqlite:////nowhere/at/all/state.sqlite", "its folder must exist"),
        ("postgresql+psycopg://user:hunter2@127.0.0.1:1/db", "is not reachable"),
    ],
)
def test_an_unusable_url_is_refused_without_its_password(url: str, says: str) -> None:
    with pytest.raises(StoreError, match=says) as refused:
        open_store(url)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("query", ["?password=hunter2", "?sslpassword=hunter2"])
def test_a_password_in_the_query_is_not_told_either(query: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(f"postgresql://user@127.0.0.1:1/db{query}")
    assert "hunter2" not in str(refused.value)


def test_a_missing_postgresql_driver_is_named_with_its_cure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install her2-adapter\[postgres\]"):
        open_store("postgresql://user@host/db")


@pytest.mark.real
def test_a_plain_postgresql_url_uses_the_driver_we_ship(postgres_database: str) -> None:
    plain = postgres_database.replace("postgresql+psycopg://", "postgres://")
    with open_store(plain) as store:
        assert store.where.startswith("postgresql+psycopg://")


@pytest.mark.real
def test_a_missing_postgresql_database_is_named_as_missing(postgres_database: str) -> None:
    missing = postgres_database.rpartition("/")[0] + "/nowhere"
    with pytest.raises(StoreError, match=r"refuses the login: .* that it exists"):
        open_store(missing)


def _open_and_queue(url: str, number: int) -> None:
    with open_store(url) as store:
        store.enqueue([f"Patient/{number}"], reason="poll")


def test_processes_that_open_a_new_store_at_once_share_one_schema(store_url: str) -> None:
    spawn = multiprocessing.get_context("spawn")
    crowd = [spawn.Process(target=_open_and_queue, args=(store_url, n)) for n in range(4)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(timeout=60)
    assert [process.exitcode for process in crowd] == [0, 0, 0, 0]
    with open_store(store_url) as store:
        assert store.queue_length() == 4
