"""Protects the sentences: a full disk, a read-only place and a lock are told, and nothing leaks."""

from __future__ import annotations

import ast
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event

from adapter.errors import StoreError
from adapter.store import SqlStateStore, open_store
from tests.servers.required import MissingPartError, skip_or_fail

from .conftest import a_bundle

ROOT = Path(__file__).parents[3]
UNPRIVILEGED = 65534  # "nobody"; root may write everywhere, and would prove nothing


@pytest.fixture
def full_disk() -> Iterator[None]:
    """Let SQLite grow no file beyond 200 kB; it then answers as on a full disk (SQLITE_FULL)."""

    def limit(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA max_page_count=50").close()

    event.listen(Engine, "connect", limit)
    yield
    event.remove(Engine, "connect", limit)


@pytest.mark.usefixtures("full_disk")
def test_a_full_disk_is_told_and_earlier_work_stands(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.freeze(a_bundle("small"))
        with pytest.raises(StoreError, match="disk is full: make room"):
            store.freeze(a_bundle("large", body=b"x" * 1_000_000))
        assert [bundle.key for bundle in store.outbox()] == ["small"]


OPEN_AS_NOBODY = """
import os, sys
from adapter.errors import StoreError
from adapter.store import SqlStateStore, open_store
open_store("sqlite://").close()  # imports everything before the rights are gone
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    open_store(sys.argv[1])
except StoreError as error:
    print(error)
"""


def _open_as_nobody(path: Path) -> str:
    """Open the store at a path without root's rights; return the sentence that was told."""
    done = subprocess.run(
        [sys.executable, "-c", OPEN_AS_NOBODY, f"sqlite:///{path}", str(UNPRIVILEGED)],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture
def reachable(tmp_path: Path) -> Path:
    """A folder that other users can reach: pytest's own is closed to them."""
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(folder.stat().st_mode | 0o055)
    place = tmp_path / "place"
    place.mkdir()
    return place


def test_a_folder_that_cannot_be_written_is_told(reachable: Path) -> None:
    reachable.chmod(0o555)
    said = _open_as_nobody(reachable / "state.sqlite")
    assert "cannot be opened (Permission denied)" in said
    assert "be allowed to write there" in said


@pytest.mark.real
def test_a_file_of_another_user_is_told_and_not_set_aside(reachable: Path) -> None:
    file = reachable / "state.sqlite"
    open_store(f"sqlite:///{file}").close()
    file.chmod(0o444)
    with skip_or_fail():
        if os.geteuid() != 0:
            raise MissingPartError("the right to make a file of another user", "run as root")
    said = _open_as_nobody(file)
    assert "the adapter's user must own the file" in said
    assert list(reachable.glob("*.corrupt-*")) == []


def test_a_read_only_database_is_told(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        with store._reading() as connection:
            connection.exec_driver_sql("PRAGMA query_only=ON")
        with pytest.raises(StoreError, match=r"cannot be written \(read-only\)"):
            store.set_setting("brake", "engaged")


@pytest.mark.real
def test_a_read_only_postgresql_is_told(postgres_database: str) -> None:
    open_store(postgres_database).close()
    read_only = f"{postgres_database}?options=-c%20default_transaction_read_only%3Don"
    engine = create_engine(read_only)
    with (
        pytest.raises(StoreError, match=r"is read-only: point store\.url at the primary server"),
        SqlStateStore(engine, where="postgresql") as store,
    ):
        store.set_setting("brake", "engaged")


@pytest.mark.real
def test_a_value_that_postgresql_refuses_is_told_by_its_code_alone(postgres_database: str) -> None:
    with open_store(postgres_database) as store:
        with pytest.raises(StoreError, match="refused a statement") as refused:
            store.set_setting("CANARY", "NUL\0CANARY")
        assert "CANARY" not in str(refused.value)
        store.set_setting("brake", "engaged")


def test_a_lock_that_is_never_released_is_told(sqlite_path: Path) -> None:
    def impatient(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA busy_timeout=10").close()

    event.listen(Engine, "connect", impatient)
    try:
        with open_store(f"sqlite:///{sqlite_path}") as store:
            other = sqlite3.connect(sqlite_path, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(StoreError, match="locked by another program"):
                store.set_setting("brake", "engaged")
            other.execute("ROLLBACK")
            store.set_setting("brake", "engaged")
            other.close()
    finally:
        event.remove(Engine, "connect", impatient)


def test_a_text_that_is_no_unicode_is_refused_and_the_store_goes_on(store_url: str) -> None:
    with open_store(store_url) as store:
        with pytest.raises(StoreError, match="not Unicode"):
            store.enqueue(["Patient/\ud800"], reason="poll")
        assert store.enqueue(["Patient/1"], reason="poll") == 1


def test_hostile_names_are_only_values(store_url: str) -> None:
    hostile = "x'); DROP TABLE her2_queue; --"
    with open_store(store_url) as store:
        store.enqueue([hostile], reason=hostile)
        store.set_setting(hostile, hostile)
        assert tuple(store.queued()) == (hostile,)
        assert store.setting(hostile) == hostile
        assert store.known_patients([hostile]) == frozenset()


def test_an_error_holds_no_value_of_a_statement(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        with store._writing() as connection:
            connection.exec_driver_sql("DROP TABLE her2_setting")
        with pytest.raises(StoreError) as failed:
            store.set_setting("CANARY-NAME", "CANARY-VALUE")
        error: BaseException | None = failed.value
        while error is not None:
            assert "CANARY" not in str(error)
            error = error.__cause__


def test_no_statement_is_put_together_from_text() -> None:
    """Parameters only: no f-string, no concatenation and no format in what is executed."""
    takers = {"execute", "exec_driver_sql", "text"}
    built = []
    for file in sorted((ROOT / "adapter" / "store").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = getattr(node.func, "attr", getattr(node.func, "id", ""))
            statement = node.args[0]
            is_built = isinstance(statement, ast.JoinedStr | ast.BinOp) or (
                isinstance(statement, ast.Call)
                and getattr(statement.func, "attr", "") in {"format", "join"}
            )
            if name in takers and is_built:
                built.append(f"{file.name}:{node.lineno}")
    assert built == []
