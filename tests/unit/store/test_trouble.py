"""Power lost, disk full, read-only, no file handles: nothing is taken as done, and it heals by itself (C2, C4)."""

from __future__ import annotations

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, event
from sqlalchemy.exc import OperationalError

from adapter.errors import StoreError
from adapter.store import open_store

from .mid_life import Revived, mid_life, put

WAL_HEADER, FRAME_HEADER, PAGE = 32, 24, 4096
"""Bytes: https://www.sqlite.org/fileformat2.html#the_write_ahead_log."""


@pytest.mark.parametrize("within", [0, 100, FRAME_HEADER + PAGE - 1], ids=["at", "in", "end of"])
def test_a_journal_cut_off_at_any_frame_ends_where_the_oracle_says(
    within: int, tmp_path: Path
) -> None:
    """The power failed: what was written last is not there, in whole frames or in the middle of one (C2)."""
    life = mid_life()
    frames = (len(life.journal) - WAL_HEADER) // (FRAME_HEADER + PAGE)
    assert frames >= 8
    for frame in range(frames + 1):
        folder = tmp_path / str(frame)
        folder.mkdir()
        cut = WAL_HEADER + frame * (FRAME_HEADER + PAGE) + within
        put(folder / "state.sqlite", life.state, life.journal[:cut])
        assert Revived.of(life, folder / "state.sqlite").converges() == "at once", frame


@dataclass
class NthWrite:
    """Trouble in the nth transaction that writes.

    `read-only`: SQLite itself refuses its first statement. `disk full`: its commit fails with SQLite's code for it.
    """

    trouble: str
    at: int
    seen: int = 0

    def begin(self, connection: Connection) -> None:
        if not connection.get_execution_options().get("reading", False):
            self.seen += 1
            if self.seen == self.at and self.trouble == "read-only":
                self._say(connection, "PRAGMA query_only=ON")

    def commit(self, connection: Connection) -> None:
        reads = connection.get_execution_options().get("reading", False)
        if self.trouble == "disk full" and self.seen == self.at and not reads:
            self.at = 0
            full = sqlite3.OperationalError("database or disk is full")
            full.sqlite_errorcode = sqlite3.SQLITE_FULL
            raise OperationalError("COMMIT", None, full)

    def rollback(self, connection: Connection) -> None:
        self._say(connection, "PRAGMA query_only=OFF")

    def _say(self, connection: Connection, pragma: str) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.execute(pragma).close()


@contextmanager
def trouble_in(trouble: NthWrite) -> Iterator[None]:
    hooks = {"begin": trouble.begin, "commit": trouble.commit, "rollback": trouble.rollback}
    for name, hook in hooks.items():
        event.listen(Engine, name, hook)
    try:
        yield
    finally:
        for name, hook in hooks.items():
            event.remove(Engine, name, hook)


@pytest.mark.parametrize("trouble", ["read-only", "disk full"])
@pytest.mark.usefixtures("quick_disk")
def test_a_pass_whose_nth_write_fails_takes_nothing_as_done_and_the_next_one_heals(
    trouble: str, tmp_path: Path
) -> None:
    """For every n: one sentence, and then the same process goes on as if nothing had happened (C4)."""
    life, n = mid_life(), 0
    while True:
        n += 1
        folder = tmp_path / str(n)
        folder.mkdir()
        put(folder / "state.sqlite", life.state, life.journal)
        revived = Revived.of(life, folder / "state.sqlite")
        revived._open()
        with trouble_in(nth := NthWrite(trouble, at=n)):
            failed = _fails(revived)
        assert revived.converges() == "at once", n
        if nth.seen < n:  # the pass writes less often than that
            break
        assert failed, n
    assert n > 10


def _fails(revived: Revived) -> bool:
    """Run a pass; tells whether the state stopped it, in one sentence with what to do."""
    try:
        revived.site.run()
    except StoreError as error:
        return "cannot" in str(error)
    return False


def test_without_a_file_handle_left_opening_is_told_and_works_again(sqlite_path: Path) -> None:
    life = mid_life()
    put(sqlite_path, life.state, life.journal)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(entry.name) for entry in Path("/proc/self/fd").iterdir())
    opened = [os.open("/dev/null", os.O_RDONLY) for _ in range(highest)]
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(opened) + 1, hard))
        with pytest.raises(StoreError, match="cannot be opened"):
            open_store(f"sqlite:///{sqlite_path}")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for handle in opened:
            os.close(handle)
    assert list(sqlite_path.parent.glob("*.corrupt-*")) == []
    assert Revived.of(life, sqlite_path).converges() == "at once"
