"""The audit trail's tables: append, read back, check (S15). The arithmetic is in chain.py.

The number and HMAC of the last row stand in the settings too, under an HMAC of their own: a row that was cut off is
missed. When they do not fit the last row, the next row says so and leaves a gap in the numbers, so that it can be
seen for ever.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from sqlalchemy import Connection, RowMapping, select
from sqlalchemy.exc import SQLAlchemyError

from adapter.audit import AuditAction, AuditEvent, AuditRow, TrailCheck
from adapter.store import chain, rows, schema
from adapter.store.database import Database, chunks

HEAD: Final = "audit-head"
KEY: Final = "audit-key"
"""Settings: the anchor of the trail's last row, and the chain's key where nobody keeps it elsewhere."""
THE_STORE: Final = "state store"
"""Who records what the store itself notices."""
_AT_ONCE: Final = 1000
_BEFORE_ALL: Final = -(2**63)
"""Below every number: a row that somebody put in front is read too."""
_log = structlog.get_logger()


class TrailTables(Database):
    """The audit trail, and the keys of the persons in it."""

    def record(self, events: Iterable[AuditEvent]) -> None:
        """Append rows, in one transaction."""
        told = list(events)
        if told:
            with self._writing() as connection:
                self._append(connection, told)

    def begin_trail(self, outcome: str, *, at: datetime, facts: Mapping[str, str]) -> None:
        """Write the first row of a new trail; nothing where one stands already.

        Args:
            outcome: why it begins: "new-store", "state-was-lost", "state-was-damaged".
            at: now.
            facts: the name of a damaged file that was set aside.

        """
        with self._writing() as connection:
            if self._last(connection) == (0, "") and self._anchor(connection) is None:
                begun = AuditEvent(AuditAction.TRAIL_BEGUN, outcome, THE_STORE, at, facts=facts)
                self._append(connection, [begun])

    def recorded(self, patient: str | None = None, *, limit: int = 100) -> tuple[AuditRow, ...]:
        """Return the latest rows, oldest first: all, or those of one person with their details."""
        table = schema.audit
        wanted = select(table).order_by(table.c.seq.desc()).limit(limit)
        with self._reading() as connection:
            key = self._person_keys(connection, [patient]).get(patient) if patient else None
            if patient and key is None:
                return ()
            if patient and key is not None:
                wanted = wanted.where(table.c.subject == chain.pseudonym(key, patient))
            found = connection.execute(wanted).mappings().all()
        return tuple(_audit_row(row, key) for row in reversed(found))

    def trail_head(self) -> str:
        """Return number and HMAC of the last row, "0:" when there is none."""
        with self._reading() as connection:
            return chain.head_of(*self._last(connection))

    def check_trail(self, *, head: str = "", old_keys: Sequence[bytes] = ()) -> TrailCheck:
        """Check every row, the head, and that a head kept elsewhere is still in the trail."""
        with self._reading() as connection:
            kept = self._kept_key(connection)
            keys = [*([kept] if kept else []), *old_keys]
            last, stands = (0, ""), head in ("", "0:")
            for number, row in self._read_rows(connection):
                if row is None:
                    return TrailCheck(last[0], number, _UNREADABLE)
                if row["seq"] != number:
                    return TrailCheck(last[0], min(number, row["seq"]), _MISSING)
                if not chain.fits(keys, last[1], row):
                    return TrailCheck(last[0], number, _WRONG)
                last = (number, row["mac"])
                stands = stands or chain.head_of(*last) == head
            anchor = self._anchor(connection)
        fitting = {chain.anchor_of(key, *last) for key in keys}
        if anchor not in fitting and (last[0] or anchor):
            return TrailCheck(last[0], last[0] + 1, _CUT)
        if not stands:
            return TrailCheck(last[0], last[0] + 1, _OTHER_HEAD)
        return TrailCheck(last[0])

    def _append(self, connection: Connection, events: Sequence[AuditEvent]) -> None:
        key = self._kept_key(connection) or self._make_key(connection)
        last = self._last(connection)
        seq, previous = last
        told = list(events)
        anchor = self._anchor(connection)
        if anchor != chain.anchor_of(key, *last) and (seq or anchor):
            named = chain.read_anchor(anchor or "") or (0, "")
            told.insert(0, _resumed(last, named, told[0].at))
            seq = max(seq, named[0])
        keys = self._keys_for(connection, told)
        added = []
        for event in told:
            seq += 1
            row = {"seq": seq, **_row(event, keys.get(event.patient))}
            previous = chain.mac_of(key, previous, row)
            added.append(row | {"mac": previous})
        connection.execute(self._insert(schema.audit), added)
        self._set_fact(connection, HEAD, chain.anchor_of(key, seq, previous))

    def _keys_for(self, connection: Connection, events: Iterable[AuditEvent]) -> dict[str, bytes]:
        """Return the key of each person, made for those who have none."""
        patients = sorted({event.patient for event in events} - {""})
        known = self._person_keys(connection, patients)
        fresh = {
            patient: secrets.token_bytes(chain.PERSON_KEY_BYTES)
            for patient in patients
            if patient not in known
        }
        if fresh:
            added = [{"patient": patient, "key": key} for patient, key in fresh.items()]
            connection.execute(self._insert(schema.audit_person), added)
        return known | fresh

    def _person_keys(self, connection: Connection, patients: Sequence[str]) -> dict[str, bytes]:
        table = schema.audit_person
        return {
            row.patient: row.key
            for chunk in chunks(list(patients))
            for row in connection.execute(select(table).where(table.c.patient.in_(chunk)))
        }

    def _last(self, connection: Connection) -> tuple[int, str]:
        table = schema.audit
        found = connection.execute(
            select(table.c.seq, table.c.mac).order_by(table.c.seq.desc()).limit(1)
        ).first()
        return (found.seq, str(found.mac)) if found else (0, "")

    def _anchor(self, connection: Connection) -> str | None:
        return self._fact(connection, HEAD)

    def _kept_key(self, connection: Connection) -> bytes | None:
        """Return the chain's key: from outside, else the one in this database, if there is one."""
        if self._audit_key is not None:
            return self._audit_key
        kept = self._fact(connection, KEY)
        return kept.encode() if kept else None

    def _make_key(self, connection: Connection) -> bytes:
        made = secrets.token_hex(chain.PERSON_KEY_BYTES)
        self._set_fact(connection, KEY, made)
        return made.encode()

    def _read_rows(self, connection: Connection) -> Iterator[tuple[int, dict[str, Any] | None]]:
        """Yield each number that is due with the row found in its place; None for one that cannot be read."""
        table, number, read = schema.audit, 0, _BEFORE_ALL
        while True:
            more = select(table).where(table.c.seq > read).order_by(table.c.seq).limit(_AT_ONCE)
            count = 0
            try:
                result = connection.execute(more).mappings()
                while (row := result.fetchone()) is not None:
                    number, count, read = number + 1, count + 1, row["seq"]
                    yield number, dict(row)
            except SQLAlchemyError:  # SQLite: a text that is no UTF-8
                yield number + 1, None
            if count < _AT_ONCE:
                return


_MISSING: Final = "a row is missing or too many here: one was deleted, added, or its number changed"
_UNREADABLE: Final = "this row cannot be read any more"
_WRONG: Final = (
    "this row, or the order of rows, is not what was written; or it was written under another key"
)
_CUT: Final = "the rows end here, and the head says otherwise: rows were cut off or added, or the key is another one"
_OTHER_HEAD: Final = (
    "the rows are whole in themselves, but the head that was kept elsewhere is not among them: "
    "the trail was cut off or written anew"
)


def _resumed(last: tuple[int, str], named: tuple[int, str], at: datetime) -> AuditEvent:
    outcome = "another-key" if last == named else "rows-do-not-fit-the-head"
    _log.error("audit_trail_resumed", outcome=outcome)
    return AuditEvent(
        AuditAction.TRAIL_RESUMED,
        outcome,
        THE_STORE,
        at,
        facts={"last_row": last[0], "head_said": named[0], "head_mac": named[1]},
    )


def _row(event: AuditEvent, key: bytes | None) -> dict[str, Any]:
    """Return what is stored of an event, but for its number and HMAC."""
    return {
        "at": event.at.astimezone(UTC).isoformat(timespec="seconds"),
        "actor": rows.storable(event.actor),
        "action": event.action.value,
        "outcome": rows.storable(event.outcome),
        "subject": chain.pseudonym(key, event.patient) if key else "",
        "facts": json.dumps(dict(event.facts), sort_keys=True),
        "sealed": chain.seal(key, event.details) if key and event.details else "",
    }


def _audit_row(row: RowMapping, key: bytes | None) -> AuditRow:
    sealed = row["sealed"]
    details = {} if not sealed else chain.unseal(key, sealed) if key else None
    plain = {name: row[name] for name in ("seq", "at", "actor", "action", "outcome", "subject")}
    return AuditRow(**plain, facts=json.loads(row["facts"]), details=details, mac=row["mac"])
