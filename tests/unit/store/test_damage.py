"""Protects against a damaged state: set aside, said loudly, rebuilt; never half believed."""

from __future__ import annotations

import random
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from structlog.testing import capture_logs

from adapter.errors import StoreError
from adapter.ports import ParkedCase, PassRecord
from adapter.store import SqlStateStore, open_store

from .conftest import NOON, a_bundle

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
    with capture_logs() as logs, open_store(f"sqlite:///{sqlite_path}", now=lambda: AT) as store:
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
        open_store(f"sqlite:///{sqlite_path}", now=lambda: AT).close()
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
    with open_store(f"sqlite:///{sqlite_path}", now=lambda: AT) as fresh:
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
    with open_store(f"sqlite:///{sqlite_path}") as store:
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
    with suppress(StoreError), open_store(f"sqlite:///{sqlite_path}") as store:
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
    with open_store(f"sqlite:///{sqlite_path}") as store:
        assert store.known_patients(["Patient/p6"]) == frozenset()
    assert len(_aside(sqlite_path)) == 1
