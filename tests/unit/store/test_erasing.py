"""A person who is erased is gone from the state, from its files, and from a trail that still verifies (S15, S27)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from adapter.audit import AuditAction, AuditEvent
from adapter.errors import StoreError
from adapter.ports import ParkedCase, WorklistEntry, WorklistKind
from adapter.store import SqlStateStore, open_store

from .conftest import NOON, a_bundle

ANNA, BERTA = "Patient/anna-4711", "Patient/berta-4712"
TRACES = (b"anna-4711", b"derived-of-anna", b"source-of-anna", b"landmark-of-anna")
ERASED = AuditEvent(AuditAction.ERASED, "done", "her2@host", NOON, facts={"software": "0.1.0"})


def fill(store: SqlStateStore, patient: str) -> None:
    """Keep everything that the state can hold of one patient, under names of their own."""
    name = patient.removeprefix("Patient/").partition("-")[0]
    derived, source = f"derived-of-{name}", f"source-of-{name}"
    store.enqueue([patient], reason="poll")
    store.look_again([patient], at=NOON)
    store.remember_patients([patient])
    store.park(ParkedCase(derived, patient, "refused", "print", NOON))
    entry = WorklistEntry(WorklistKind.NOT_READ, patient, f"Observation/{source}", "no-value")
    store.replace_worklist(subjects=[patient], references=[], entries=[entry], at=NOON)
    store.note_absent(f"Observation/{source}", NOON)
    store.set_setting("newest-seen", f"Observation/landmark-of-{name}")
    body = f'{{"subject":"{patient}","id":"{derived}"}}'.encode() * 300
    store.freeze(a_bundle(f"bundle-{name}", body=body))
    details = {"derived": f"Observation/{derived}", "sources": [f"Observation/{source}"]}
    written = AuditEvent(AuditAction.CREATED, "confirmed", "a", NOON, patient, details=details)
    store.settle(f"bundle-{name}", [written, written])


def found_in(folder: Path) -> dict[str, list[bytes]]:
    """Which traces stand in which file."""
    contents = {file.name: file.read_bytes() for file in sorted(folder.iterdir())}
    found = {
        name: [trace for trace in TRACES if trace in content] for name, content in contents.items()
    }
    return {name: traces for name, traces in found.items() if traces}


def erase(store: SqlStateStore, patient: str = ANNA) -> tuple[str, ...]:
    return store.erase(patient, [ERASED], settings=["newest-seen"])


def test_everything_about_the_person_is_counted_and_then_gone(store: SqlStateStore) -> None:
    fill(store, ANNA)
    fill(store, BERTA)
    held = dict(store.held_about(ANNA))
    assert held.pop("bundles under way") == held.pop("damaged files") == 0
    assert set(held.values()) == {1}
    erase(store)
    assert set(store.held_about(ANNA).values()) == {0}
    assert sum(store.held_about(BERTA).values()) == 6
    assert store.setting("newest-seen") is None
    assert store.note_absent("Observation/source-of-anna", NOON) == NOON


def test_the_trail_still_verifies_and_says_no_more_than_that_somebody_was_erased(
    store: SqlStateStore,
) -> None:
    fill(store, ANNA)
    fill(store, BERTA)
    (row, _) = store.recorded(ANNA)
    before = store.check_trail()
    erase(store)
    assert before.is_sound
    assert store.check_trail().rows == before.rows + 1
    assert store.check_trail().is_sound
    assert store.recorded(ANNA) == ()
    last = store.recorded()[-1]
    assert (last.action, last.subject, last.details) == ("erased", "", {})
    assert last.facts["person"] == row.subject
    assert [one.details for one in store.recorded() if one.subject == row.subject] == [None, None]
    assert len(store.recorded(BERTA)) == 2


def test_the_same_person_seen_again_is_somebody_else_in_the_trail(store: SqlStateStore) -> None:
    fill(store, ANNA)
    (old, _) = store.recorded(ANNA)
    erase(store)
    fill(store, ANNA)
    rows = store.recorded(ANNA)
    assert len(rows) == 2
    assert old.subject not in {row.subject for row in rows}


@pytest.fixture
def careless_sqlite() -> Iterator[None]:
    """A SQLite that leaves deleted rows where they stood; some distributions build it otherwise."""

    def leave(connection: sqlite3.Connection, _record: object) -> None:
        connection.execute("PRAGMA secure_delete=OFF").close()

    event.listen(Engine, "connect", leave)
    yield
    event.remove(Engine, "connect", leave)


@pytest.mark.usefixtures("careless_sqlite")
def test_no_file_of_the_state_holds_a_trace_afterwards(
    sqlite_path: Path, record_property: pytest.RecordProperty
) -> None:
    """Also what was deleted long before: a settled bundle leaves its pages behind."""
    with open_store(f"sqlite:///{sqlite_path}") as store:
        for number in range(200):
            store.enqueue([f"Patient/other-{number}"], reason="poll")
        fill(store, ANNA)
        sqlite_path.with_name("state.sqlite.corrupt-20260101T000000Z").write_bytes(b"x anna-4711")
        aside = sqlite_path.with_name("state.sqlite.corrupt-20260101T000000Z-wal")
        aside.write_bytes(b"source-of-anna")
        assert len(found_in(sqlite_path.parent)) >= 3
        erase(store)
        assert found_in(sqlite_path.parent) == {}
        assert store.queue_length() == 200
    assert found_in(sqlite_path.parent) == {}
    record_property("promise", "erasure leaves no trace")
    record_property(
        "figure", "0 traces of an erased patient in database, journal and set-aside files"
    )


def test_a_key_of_an_erased_person_leaves_no_trace_either(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store, ANNA)
        with store._reading() as connection:
            key = connection.execute(text("SELECT key FROM her2_audit_person")).scalar_one()
        erase(store)
        assert all(key not in file.read_bytes() for file in sqlite_path.parent.iterdir())


def test_a_person_whose_bundle_is_under_way_is_not_erased(store: SqlStateStore) -> None:
    store.enqueue([ANNA], reason="poll")
    store.freeze(replace(a_bundle(), patients=frozenset({ANNA, BERTA})))
    with pytest.raises(StoreError, match="is under way"):
        erase(store)
    assert store.held_about(ANNA)["queue"] == 1
    store.settle("b-1")
    erase(store)
    assert store.held_about(ANNA)["queue"] == 0


def test_what_something_else_holds_open_is_told_and_a_second_time_heals(
    sqlite_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapter.store.engine.BUSY_SECONDS", 0.1)
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store, ANNA)
        reader = sqlite3.connect(sqlite_path, isolation_level=None)
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM her2_queue").fetchall()
        with pytest.raises(StoreError, match="stop that, then erase again"):
            erase(store)
        reader.execute("ROLLBACK")
        reader.close()
        assert store.held_about(ANNA)["queue"] == 0
        erase(store)
        assert found_in(sqlite_path.parent) == {}


def test_erasing_somebody_unknown_changes_nothing_but_the_trail(store: SqlStateStore) -> None:
    fill(store, BERTA)
    erase(store)
    assert sum(store.held_about(BERTA).values()) == 6
    assert store.recorded()[-1].facts["person"] == ""


@pytest.mark.real
def test_on_postgresql_it_is_said_what_its_own_log_keeps(postgres_database: str) -> None:
    with open_store(postgres_database) as store:
        fill(store, ANNA)
        (said,) = erase(store)
        assert "write-ahead log" in said


@pytest.mark.real
def test_on_postgresql_rows_are_gone_from_the_tables_files(postgres_database: str) -> None:
    engine = create_engine(postgres_database)
    with open_store(postgres_database) as store:
        fill(store, ANNA)
        erase(store)
        with engine.connect() as connection:
            sizes = {
                name: connection.execute(
                    text("SELECT pg_relation_size(CAST(:name AS regclass))"), {"name": name}
                ).scalar_one()
                for name in (
                    "her2_queue",
                    "her2_second_look",
                    "her2_known_patient",
                    "her2_parked",
                    "her2_worklist",
                )
            }
    engine.dispose()
    assert set(sizes.values()) == {0}
