"""Protects the audit trail (S15): nothing in it can be changed, cut, added or moved without being found."""

from __future__ import annotations

import json
import random
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Connection, create_engine, text

from adapter.audit import AuditAction, AuditEvent
from adapter.errors import StoreError
from adapter.store import SqlStateStore, open_store

from .conftest import NOON, a_bundle

COLUMNS = ("seq", "at", "actor", "action", "outcome", "subject", "facts", "sealed", "mac")
WRITTEN = AuditEvent(
    AuditAction.CREATED,
    "confirmed",
    "her2@host",
    NOON,
    patient="Patient/anna",
    facts={"policy": "asco-cap-2023|1.0.0", "mappings": "1.2.0"},
    details={"derived": "Observation/d1/_history/1", "sources": ["Observation/s1/_history/3"]},
)
STARTED = AuditEvent(AuditAction.SERVICE_STARTED, "done", "her2@host", NOON)


def fill(store: SqlStateStore, rows: int = 40) -> None:
    for number in range(rows // 2):
        someone = replace(WRITTEN, patient=f"Patient/p{number % 7}", facts={"number": number})
        store.record([someone, STARTED])


def test_a_row_comes_back_whole_for_the_person_asked_for(store: SqlStateStore) -> None:
    store.record([WRITTEN, replace(WRITTEN, patient="Patient/berta"), STARTED])
    (row,) = store.recorded("Patient/anna")
    assert (row.seq, row.at, row.actor) == (2, "2026-03-29T06:15:00+00:00", "her2@host")
    assert (row.action, row.outcome) == ("created", "confirmed")
    assert (row.facts, row.details) == (WRITTEN.facts, WRITTEN.details)
    assert store.recorded("Patient/nobody") == ()


def test_the_whole_trail_names_nobody_and_shows_no_sealed_detail(store: SqlStateStore) -> None:
    store.record([WRITTEN, STARTED])
    begun, written, started = store.recorded()
    assert (begun.action, begun.outcome) == ("trail-begun", "new-store")
    assert (written.details, started.details) == (None, {})
    assert len(written.subject) == 64
    assert "anna" not in repr((begun, written, started))
    assert store.recorded(limit=1) == (started,)


def test_one_person_has_one_pseudonym_and_two_have_two(store: SqlStateStore) -> None:
    store.record([WRITTEN, WRITTEN, replace(WRITTEN, patient="Patient/berta")])
    store.record([WRITTEN])
    subjects = [row.subject for row in store.recorded()][1:]
    assert subjects[0] == subjects[1] == subjects[3] != subjects[2]


def test_a_bundle_is_settled_and_recorded_at_once_and_only_once(store: SqlStateStore) -> None:
    store.freeze(a_bundle())
    store.settle("b-1", [WRITTEN])
    store.settle("b-1", [WRITTEN])
    assert store.outbox() == ()
    assert [row.action for row in store.recorded()] == ["trail-begun", "created"]


def test_an_untouched_trail_is_sound_and_its_head_can_be_kept_elsewhere(
    store: SqlStateStore,
) -> None:
    fill(store)
    kept = store.trail_head()
    assert store.check_trail(head=kept).is_sound
    fill(store)
    check = store.check_trail(head=kept)
    assert (check.rows, check.is_sound) == (81, True)
    assert kept.startswith("41:")


def test_a_trail_longer_than_one_read_is_checked_to_its_end(store: SqlStateStore) -> None:
    for _ in range(5):
        store.record([STARTED] * 500)
    assert store.check_trail().rows == 2501


def test_the_database_refuses_to_change_or_delete_a_row(store: SqlStateStore) -> None:
    store.record([STARTED])
    for statement in ("UPDATE her2_audit SET actor = 'x'", "DELETE FROM her2_audit"):
        with (
            pytest.raises(StoreError, match="refused a statement"),
            store._writing() as connection,
        ):
            connection.execute(text(statement))
    assert store.check_trail().rows == 2


def tampering(path: Path) -> sqlite3.Connection:
    """Somebody with all rights on the file, but without the chain's key."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous=OFF")
    for trigger in ("her2_audit_no_update", "her2_audit_no_delete"):
        connection.execute(f"DROP TRIGGER IF EXISTS {trigger}")
    return connection


def changed(value: object, chance: random.Random) -> object:
    """The value with one byte of it changed; an empty text gets a first byte."""
    if isinstance(value, int):
        return value ^ (1 << chance.randrange(8))
    content = bytearray(str(value).encode()) or bytearray(b"\0")
    content[chance.randrange(len(content))] ^= chance.randrange(1, 256)
    return bytes(content)


def test_one_changed_byte_in_any_column_of_any_row_is_found(
    sqlite_path: Path, record_property: pytest.RecordProperty
) -> None:
    chance, tries, found = random.Random(15), 1000, 0
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store)
        hand = tampering(sqlite_path)
        stands = hand.execute(f"SELECT {', '.join(COLUMNS)} FROM her2_audit").fetchall()
        for _ in range(tries):
            row, column = chance.choice(stands), chance.choice(COLUMNS)
            spoilt = changed(row[COLUMNS.index(column)], chance)
            number = row[0]
            if isinstance(spoilt, bytes):  # as a text, whether or not it is one
                update = (
                    f"UPDATE OR REPLACE her2_audit SET {column} = CAST(? AS TEXT) WHERE seq = ?"
                )
            else:
                update = f"UPDATE OR REPLACE her2_audit SET {column} = ? WHERE seq = ?"
            hand.execute(update, (spoilt, number))
            check = store.check_trail()
            first = min(number, spoilt) if isinstance(spoilt, int) else number
            assert check.wrong_row == first, (column, number, check)
            found += not check.is_sound
            hand.execute("BEGIN")
            hand.execute("DELETE FROM her2_audit")
            marks = ", ".join("?" * len(COLUMNS))
            hand.executemany(
                f"INSERT INTO her2_audit ({', '.join(COLUMNS)}) VALUES ({marks})", stands
            )
            hand.execute("COMMIT")
        hand.close()
        assert store.check_trail().is_sound
    assert found == tries
    record_property("promise", "audit trail tampering found")
    record_property("figure", f"{found} of {tries} changed bytes found, each with the row named")


@pytest.mark.parametrize(
    ("damage", "first_wrong"),
    [
        ("DELETE FROM her2_audit WHERE seq = 1", 1),
        ("DELETE FROM her2_audit WHERE seq = 17", 17),
        ("DELETE FROM her2_audit WHERE seq = 41", 41),
        ("DELETE FROM her2_audit WHERE seq > 30", 31),
        ("DELETE FROM her2_audit", 1),
        (
            "INSERT INTO her2_audit SELECT 42, at, actor, action, outcome, subject, facts, sealed, mac "
            "FROM her2_audit WHERE seq = 41",
            42,
        ),
        ("UPDATE her2_audit SET seq = CASE seq WHEN 8 THEN -8 WHEN 9 THEN -9 ELSE seq END", -9),
        ("UPDATE her2_audit SET mac = (SELECT mac FROM her2_audit WHERE seq = 5) WHERE seq = 6", 6),
        ("DELETE FROM her2_setting WHERE name = 'audit-head'", 42),
        ("UPDATE her2_setting SET value = '1:0:0' WHERE name = 'audit-head'", 42),
    ],
    ids=[
        "first deleted",
        "one deleted",
        "last deleted",
        "tail cut off",
        "all deleted",
        "one inserted",
        "two moved",
        "mac copied",
        "head deleted",
        "head changed",
    ],
)
def test_what_is_deleted_inserted_moved_or_cut_off_is_found(
    sqlite_path: Path, damage: str, first_wrong: int
) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store)
        hand = tampering(sqlite_path)
        hand.execute(damage)
        hand.close()
        assert store.check_trail().wrong_row == first_wrong


def test_two_rows_that_changed_places_are_found(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store)
        hand = tampering(sqlite_path)
        for before, after in ((20, 0), (21, 20), (0, 21)):
            hand.execute("UPDATE her2_audit SET seq = ? WHERE seq = ?", (after, before))
        hand.close()
        assert store.check_trail().wrong_row == 20


def test_a_cut_off_tail_stays_visible_after_the_adapter_has_gone_on(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store)
        hand = tampering(sqlite_path)
        hand.execute("DELETE FROM her2_audit WHERE seq > 30")
        hand.close()
        store.record([STARTED])
        *_, resumed, started = store.recorded()
        assert (resumed.seq, resumed.action) == (42, "trail-resumed")
        assert resumed.outcome == "rows-do-not-fit-the-head"
        assert (resumed.facts["last_row"], resumed.facts["head_said"]) == (30, 41)
        assert started.seq == 43
        assert store.check_trail().wrong_row == 31


def test_a_whole_database_put_back_is_found_by_a_head_kept_elsewhere(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store, 4)
    old = sqlite_path.read_bytes()
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store, 4)
        kept = store.trail_head()
    sqlite_path.write_bytes(old)
    with open_store(f"sqlite:///{sqlite_path}") as store:
        assert store.check_trail().is_sound
        check = store.check_trail(head=kept)
        assert (check.wrong_row, "kept elsewhere" in check.problem) == (6, True)


def test_another_key_is_told_in_the_trail_and_the_old_one_still_checks(store_url: str) -> None:
    first, second = b"first" * 10, b"second" * 10
    with open_store(store_url, audit_key=first) as store:
        fill(store, 4)
    with open_store(store_url, audit_key=second) as store:
        assert store.check_trail().wrong_row == 1
        store.record([STARTED])
        assert [row.outcome for row in store.recorded(limit=2)] == ["another-key", "done"]
        assert store.check_trail(old_keys=[first]).rows == 7
        assert store.check_trail().wrong_row == 1


def test_the_key_stands_beside_the_file_and_not_in_it(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        store.record([STARTED])
    key = sqlite_path.with_name("state.sqlite.audit-key").read_bytes().strip()
    assert len(key) == 64
    assert key not in sqlite_path.read_bytes()


def test_a_key_that_was_cut_off_is_refused(sqlite_path: Path) -> None:
    open_store(f"sqlite:///{sqlite_path}").close()
    sqlite_path.with_name("state.sqlite.audit-key").write_bytes(b"short")
    with pytest.raises(StoreError, match="is cut off"):
        open_store(f"sqlite:///{sqlite_path}")


def test_a_key_of_the_sites_own_leaves_no_key_file(sqlite_path: Path) -> None:
    open_store(f"sqlite:///{sqlite_path}", audit_key=b"k" * 32).close()
    files = sorted(file.name for file in sqlite_path.parent.iterdir())
    assert files == ["state.sqlite", "state.sqlite.lock"]


def test_a_lost_state_begins_a_new_trail_that_says_so(sqlite_path: Path) -> None:
    with open_store(f"sqlite:///{sqlite_path}") as store:
        fill(store)
    sqlite_path.unlink()
    with open_store(f"sqlite:///{sqlite_path}") as store:
        (begun,) = store.recorded()
        assert begun.outcome == "state-was-lost"
        assert store.check_trail().is_sound


def test_a_damaged_state_is_kept_and_the_new_trail_names_the_file(sqlite_path: Path) -> None:
    sqlite_path.write_bytes(b"no database" * 1000)
    at = datetime(2026, 3, 29, 6, 15, tzinfo=UTC)
    with open_store(f"sqlite:///{sqlite_path}", now=lambda: at, sets_aside=True) as store:
        (begun,) = store.recorded()
    assert begun.outcome == "state-was-damaged"
    assert begun.facts == {"set_aside": "state.sqlite.corrupt-20260329T061500Z"}


def test_two_stores_append_to_one_chain(store_url: str) -> None:
    with open_store(store_url) as one, open_store(store_url) as other:
        for _ in range(10):
            one.record([WRITTEN])
            other.record([STARTED])
        assert one.check_trail() == other.check_trail()
        assert one.check_trail().rows == 21


def test_a_row_that_is_added_while_the_trail_is_checked_is_no_defect(
    store: SqlStateStore, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(store)
    read = store._anchor
    with open_store(store_url) as service:

        def meanwhile(connection: Connection) -> str | None:
            service.record([STARTED])
            return read(connection)

        monkeypatch.setattr(store, "_anchor", meanwhile)
        check = store.check_trail()
    assert (check.rows, check.problem) == (41, "")


def test_hostile_text_in_a_row_is_kept_harmless(store: SqlStateStore) -> None:
    hostile = "x'); DROP TABLE her2_audit; --\0\ud800\u202e\n"
    row = replace(WRITTEN, actor=hostile, outcome=hostile, facts={"a": hostile})
    store.record([row])
    (found,) = store.recorded("Patient/anna")
    assert json.loads(json.dumps(found.facts)) == {"a": hostile}
    assert found.actor == hostile.replace("\0", "\ufffd").replace("\ud800", "?")
    assert store.check_trail().is_sound


def test_a_trail_cut_off_in_postgresql_is_found_too(store: SqlStateStore, store_url: str) -> None:
    fill(store)
    engine = create_engine(store_url)
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("ALTER TABLE her2_audit DISABLE TRIGGER USER"))
        else:
            connection.execute(text("DROP TRIGGER her2_audit_no_delete"))
        connection.execute(text("DELETE FROM her2_audit WHERE seq > 39"))
    engine.dispose()
    assert store.check_trail().wrong_row == 40


def test_times_are_whole_seconds_because_finer_ones_would_name_a_write(
    store: SqlStateStore,
) -> None:
    store.record([replace(STARTED, at=NOON + timedelta(microseconds=5))])
    assert store.recorded()[-1].at == "2026-03-29T06:15:00+00:00"
