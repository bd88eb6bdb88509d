"""Protects against a damaged state: set aside, said loudly, rebuilt; never half believed."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from adapter.errors import StateDamaged, StoreError
from adapter.ports import ParkedCase, PassRecord, WorklistEntry, WorklistKind
from adapter.store import SqlStateStore, open_store
from adapter.store.file_lock import FileLock

from .conftest import NOON, a_bundle
from .spoiling import spoil_a_page

AT = datetime(2026, 3, 29, 6, 15, 0, tzinfo=UTC)


def _fill(path: Path) -> None:
    with open_store(f"sqlite:///{path}") as store:
        store.set_watermark("Observation", NOON)
        store.enqueue([f"Patient/{n}" for n in range(300)], reason="poll")
        store.remember_patients([f"Patient/{n}" for n in range(300)])
        store.freeze(a_bundle(body=b"x" * 20_000))
        store.park(ParkedCase("case-1", "Patient/1", "refused-422", "print", NOON))
        store.record_pass(PassRecord(NOON, NOON, "poll", "written", {"fetched": 1}))
        store.acquire_lease("one", now=NOON, seconds=60)


def _aside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.glob(f"{path.name}.corrupt-*"))


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"this is no database, and longer than a header" * 100, id="text"),
        pytest.param(b"\0" * 8192, id="zeroes"),
        pytest.param(b"SQLite format 3\0" + b"\xff" * 8000, id="header then noise"),
    ],
)
def test_a_file_that_is_no_database_is_set_aside_and_made_anew(
    sqlite_path: Path, content: bytes
) -> None:
    sqlite_path.write_bytes(content)
    with (
        capture_logs() as logs,
        open_store(f"sqlite:///{sqlite_path}", now=lambda: AT, sets_aside=True) as store,
    ):
        assert store.watermark("Observation") is None
        assert store.enqueue(["Patient/1"], reason="sweep") == 1
    aside = "state.sqlite.corrupt-20260329T061500Z"
    assert _aside(sqlite_path) == [aside]
    assert sqlite_path.with_name(aside).read_bytes() == content
    (told,) = [entry for entry in logs if entry["event"] == "state_store_corrupt"]
    assert (told["log_level"], told["set_aside"]) == ("error", aside)


def test_a_second_damaged_file_does_not_replace_the_first(sqlite_path: Path) -> None:
    for content in (b"first" * 1000, b"second" * 1000):
        sqlite_path.write_bytes(content)
        open_store(f"sqlite:///{sqlite_path}", now=lambda: AT, sets_aside=True).close()
    contents = [sqlite_path.with_name(name).read_bytes()[:6] for name in _aside(sqlite_path)]
    assert contents == [b"firstf", b"second"]


def test_the_journal_of_a_damaged_file_is_never_played_into_the_fresh_one(
    sqlite_path: Path,
) -> None:
    journal = sqlite_path.with_name("state.sqlite-wal")
    open_store(f"sqlite:///{sqlite_path}").close()
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.enqueue(["Patient/old"], reason="poll")
        frames = journal.read_bytes()  # the changed pages only; all others are in the file
    assert frames
    sqlite_path.write_bytes(b"no database" * 1000)
    journal.write_bytes(frames)
    with open_store(f"sqlite:///{sqlite_path}", now=lambda: AT, sets_aside=True) as fresh:
        assert fresh.queue_length() == 0
    assert "state.sqlite.corrupt-20260329T061500Z" in _aside(sqlite_path)


def test_an_empty_file_is_a_new_store_and_nothing_is_set_aside(sqlite_path: Path) -> None:
    sqlite_path.touch()
    open_store(f"sqlite:///{sqlite_path}").close()
    assert _aside(sqlite_path) == []


def test_a_sound_file_is_never_set_aside(sqlite_path: Path) -> None:
    _fill(sqlite_path)
    open_store(f"sqlite:///{sqlite_path}").close()
    assert _aside(sqlite_path) == []


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param("UPDATE her2_outbox SET body = x'00' || substr(body, 2)", id="body"),
        pytest.param("UPDATE her2_outbox SET body = x'00'", id="shorter body"),
        pytest.param("UPDATE her2_outbox SET expected = '[]'", id="list for object"),
        pytest.param("UPDATE her2_watermark SET instant = 7", id="number for instant"),
        pytest.param('UPDATE her2_outbox SET expected = \'{"old-one":"W/8"}\'', id="expected"),
        pytest.param("UPDATE her2_outbox SET fingerprints = '{}'", id="fingerprints"),
        pytest.param("UPDATE her2_outbox SET patients = '[\"Patient/c\"]'", id="patients"),
        pytest.param("UPDATE her2_outbox SET patients = '[\"Patient/c'", id="no JSON"),
        pytest.param("UPDATE her2_outbox SET frozen_at = '2026-13-99'", id="no date"),
        pytest.param("UPDATE her2_watermark SET instant = 'yesterday'", id="watermark"),
        pytest.param("UPDATE her2_pass SET counts = '{'", id="audit"),
        pytest.param("UPDATE her2_parked SET patient = CAST(x'ff' AS TEXT)", id="no UTF-8"),
        pytest.param("ALTER TABLE her2_parked RENAME reason TO reasom", id="column renamed"),
        pytest.param("DELETE FROM her2_lease", id="lease"),
        pytest.param("DROP TABLE her2_queue", id="table gone"),
    ],
)
def test_a_value_that_cannot_be_what_was_stored_condemns_the_file(
    sqlite_path: Path, damage: str
) -> None:
    _fill(sqlite_path)
    connection = sqlite3.connect(sqlite_path)
    connection.execute(damage)
    connection.commit()
    connection.close()
    with open_store(f"sqlite:///{sqlite_path}", sets_aside=True) as store:
        assert store.outbox() == ()
        assert store.queue_length() == 0
    assert len(_aside(sqlite_path)) == 1


@pytest.mark.real
def test_a_damaged_bundle_in_postgresql_is_never_handed_out(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with open_store(postgres_database) as store:
        store.freeze(a_bundle())
        with engine.begin() as connection:
            connection.execute(text("UPDATE her2_outbox SET body = decode('00', 'hex')"))
        with pytest.raises(StoreError, match="is damaged"):
            store.outbox()
    engine.dispose()


def _use_all_of_it(store: SqlStateStore) -> None:
    store.enqueue(["Patient/new"], reason="poll")
    store.done(store.queued())
    store.freeze(a_bundle("b-2"))
    store.outbox()
    store.settle("b-2")
    store.set_watermark("Observation", NOON)
    store.acquire_lease("two", now=NOON, seconds=1)
    store.known_patients(["Patient/1"])


@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_never_change_a_bundle_or_escape_as_another_error(
    sqlite_path: Path, seed: int
) -> None:
    """The store opens, fresh or whole, or says StoreError; what it hands out is what was frozen."""
    _fill(sqlite_path)
    content = bytearray(sqlite_path.read_bytes())
    chance = random.Random(seed)
    for _ in range(chance.choice([1, 1, 3, 30])):
        content[chance.randrange(len(content))] ^= 1 << chance.randrange(8)
    if seed % 10 == 9:
        del content[chance.randrange(len(content)) :]
    sqlite_path.write_bytes(content)
    # A flip in the schema's version can look like a newer release, which is refused.
    with suppress(StoreError), open_store(f"sqlite:///{sqlite_path}", sets_aside=True) as store:
        assert store.outbox() in ((), (a_bundle(body=b"x" * 20_000),))
        _use_all_of_it(store)


def test_a_name_that_differs_between_a_table_and_its_index_condemns_the_file(
    sqlite_path: Path,
) -> None:
    """One flipped bit: the index finds a patient, and the table gives another name."""
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.remember_patients(["Patient/p6"])
    content = sqlite_path.read_bytes()
    assert content.count(b"Patient/p6") == 2
    sqlite_path.write_bytes(content.replace(b"Patient/p6", b"Pa4ient/p6", 1))
    with open_store(f"sqlite:///{sqlite_path}", sets_aside=True) as store:
        assert store.known_patients(["Patient/p6"]) == frozenset()
    assert len(_aside(sqlite_path)) == 1


def _damaged(path: Path) -> bytes:
    path.write_bytes(b"no database" * 1000)
    return path.read_bytes()


def _files(path: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in path.parent.iterdir() if one.suffix != ".lock"}


def test_who_only_asks_says_that_it_is_damaged_and_changes_nothing(sqlite_path: Path) -> None:
    open_store(f"sqlite:///{sqlite_path}").close()
    _damaged(sqlite_path)
    before = _files(sqlite_path)
    with pytest.raises(StateDamaged, match=r"is damaged.*her2-adapter run.*restart the service"):
        open_store(f"sqlite:///{sqlite_path}")
    assert _files(sqlite_path) == before


def test_a_damaged_file_is_not_set_aside_from_under_a_process_that_has_it_open(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.store.opening.BUSY_SECONDS", 0.3)
    running = open_store(f"sqlite:///{sqlite_path}")
    content = spoil_a_page(running, sqlite_path)
    with pytest.raises(StateDamaged, match=r"another process has it open.*stop that one"):
        open_store(f"sqlite:///{sqlite_path}", sets_aside=True)
    assert sqlite_path.read_bytes() == content
    assert _aside(sqlite_path) == []
    running.set_watermark("Observation", NOON)  # it goes on in the file that it has
    running.close()
    open_store(f"sqlite:///{sqlite_path}", sets_aside=True).close()
    assert len(_aside(sqlite_path)) == 1


def test_many_that_start_at_once_on_a_damaged_file_set_it_aside_once_and_share_what_follows(
    sqlite_path: Path,
) -> None:
    _damaged(sqlite_path)
    with ThreadPoolExecutor(4) as pool:
        stores = list(
            pool.map(lambda _: open_store(f"sqlite:///{sqlite_path}", sets_aside=True), range(4))
        )
    stores[0].enqueue(["Patient/1"], reason="poll")
    assert [one.queue_length() for one in stores] == [1] * 4
    for one in stores:
        one.close()
    assert len(_aside(sqlite_path)) == 1


def test_a_lock_ends_with_the_process_that_had_it(sqlite_path: Path) -> None:
    script = (
        "import os, sys; from adapter.store import open_store; "
        f"store = open_store('sqlite:///{sqlite_path}'); print('open', flush=True); sys.stdin.read()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"open\n"
    lock = FileLock(sqlite_path)
    assert not lock.have_alone(0)
    process.kill()
    process.communicate()
    assert lock.have_alone(5)
    lock.release()


@pytest.mark.parametrize("sets_aside", [False, True])
def test_what_a_newer_release_put_on_the_worklist_is_left_out_and_counted(
    store_url: str, sets_aside: bool
) -> None:
    known = WorklistEntry(WorklistKind.NOT_READ, "Patient/1", "Observation/1", "no-value")
    with open_store(store_url) as store:
        store.replace_worklist(subjects=[], references=[], entries=[known], at=NOON)
        with store._writing() as connection:
            connection.execute(
                text(
                    "INSERT INTO her2_worklist SELECT 'of-a-newer-release', 'Observation/2', subject, reason, "
                    "system, code, pattern, suggestion, partner, first_seen, last_seen FROM her2_worklist"
                )
            )
        rows = store.recorded()
    with capture_logs() as logs, open_store(store_url, sets_aside=sets_aside) as store:
        assert [one.entry for one in store.worklist()] == [known]
        assert store.recorded() == rows
    told = [one["count"] for one in logs if one["event"] == "worklist_kinds_not_known"]
    assert told == [1]


@pytest.mark.parametrize(
    "table", ["her2_queue", "her2_second_look", "her2_absence", "her2_worklist"]
)
def test_a_value_that_a_pass_would_meet_is_met_at_the_start(sqlite_path: Path, table: str) -> None:
    """A service that ends because of damage must find it when it begins again."""
    wrong = {
        "her2_queue": "INSERT INTO her2_queue (patient, reason, wakes) VALUES (CAST(x'ff' AS TEXT), 'poll', 1)",
        "her2_second_look": "INSERT INTO her2_second_look VALUES ('Patient/1', 'yesterday')",
        "her2_absence": "INSERT INTO her2_absence VALUES ('Observation/1', 'yesterday')",
        "her2_worklist": "INSERT INTO her2_worklist VALUES "
        "('not-read', 'Observation/1', '', '', '', '', '', '', '', 'yesterday', 'today')",
    }
    open_store(f"sqlite:///{sqlite_path}").close()
    connection = sqlite3.connect(sqlite_path)
    connection.execute(wrong[table])
    connection.commit()
    connection.close()
    with pytest.raises(StateDamaged):
        open_store(f"sqlite:///{sqlite_path}")
