"""The work to do: how far discovery has read, who is to be looked at, what is about to be sent."""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection, and_, bindparam, delete, func, select

from adapter.audit import AuditEvent
from adapter.ports import FrozenBundle, HandedOut
from adapter.store import rows, schema
from adapter.store.database import chunks, present
from adapter.store.trail import TrailTables

MARK_BITS: Final = 62
"""Of a wake-up's mark; a signed column of 64 bits holds it, and the next number."""


class WorkTables(TrailTables):
    """Watermarks, queue, second looks, known patients and outbox."""

    def watermark(self, name: str) -> datetime | None:
        """Return the instant up to which `name` was read, or None before the first pass."""
        instant: datetime | None = self._value_of(
            schema.watermark.c.instant, schema.watermark.c.name, name
        )
        return instant

    def set_watermark(self, name: str, instant: datetime) -> None:
        """Move a watermark."""
        insert = self._insert(schema.watermark).values(name=name, instant=instant)
        with self._writing() as connection:
            connection.execute(
                insert.on_conflict_do_update(index_elements=["name"], set_={"instant": instant})
            )

    def enqueue(self, patients: Iterable[str], *, reason: str) -> int:
        """Queue patients; returns how many were not queued yet.

        One that is queued already keeps its place, and gets another mark: `done` then leaves it in the
        queue, because what it needs now may be more than what `queued` handed out. Marks are drawn by chance
        and not counted: a row that was taken off and comes again must not look like the one before.
        """
        wanted = list(dict.fromkeys(patients))
        if not wanted:
            return 0
        with self._writing() as connection:
            return self._put_into_queue(connection, wanted, reason)

    def _put_into_queue(self, connection: Connection, wanted: list[str], reason: str) -> int:
        table = schema.queue
        insert = self._insert(table)
        insert = insert.on_conflict_do_update(
            index_elements=["patient"], set_={"wakes": insert.excluded.wakes}
        )
        new = 0
        for chunk in chunks(wanted):
            new += len(chunk) - len(present(connection, table.c.patient, chunk))
            connection.execute(
                insert,
                [
                    {"patient": patient, "reason": reason, "wakes": secrets.randbits(MARK_BITS)}
                    for patient in chunk
                ],
            )
        return new

    def queued(self, among: Iterable[str] | None = None, *, reason: str | None = None) -> HandedOut:
        """Hand out who is queued, those queued longest first; of some patients, or of one reason."""
        table = schema.queue
        wanted = select(table.c.patient, table.c.wakes).order_by(table.c.seq)
        if reason is not None:
            wanted = wanted.where(table.c.reason == reason)
        with self._reading() as connection:
            if among is None:
                found = connection.execute(wanted).all()
            else:
                found = [
                    row
                    for chunk in chunks(sorted(set(among)))
                    for row in connection.execute(wanted.where(table.c.patient.in_(chunk)))
                ]
        return {row.patient: row.wakes for row in found}

    def queue_length(self, reason: str | None = None) -> int:
        """Return how many patients are queued, or were first queued for a reason."""
        wanted = select(func.count()).select_from(schema.queue)
        if reason is not None:
            wanted = wanted.where(schema.queue.c.reason == reason)
        with self._reading() as connection:
            return connection.execute(wanted).scalar_one()

    def done(self, handed_out: HandedOut) -> None:
        """Take patients off the queue, but not those queued again since they were handed out."""
        table = schema.queue
        as_handed_out = delete(table).where(
            and_(
                table.c.patient == bindparam("done_patient"),
                table.c.wakes == bindparam("seen_mark"),
            )
        )
        finished = [
            {"done_patient": patient, "seen_mark": mark}
            for patient, mark in sorted(handed_out.items())
        ]
        if finished:
            with self._writing() as connection:
                connection.execute(as_handed_out, finished)

    def look_again(self, patients: Iterable[str], *, at: datetime) -> None:
        """Note that patients are to be queued once more at an instant; what was said last counts."""
        noted = [{"patient": patient, "due": at} for patient in sorted(set(patients))]
        insert = self._insert(schema.second_look)
        insert = insert.on_conflict_do_update(
            index_elements=["patient"], set_={"due": insert.excluded.due}
        )
        if noted:
            with self._writing() as connection:
                connection.execute(insert, noted)

    def wake_due(self, now: datetime, *, reason: str) -> int:
        """Queue those whom `look_again` noted for an instant that has come, and forget that, in one transaction."""
        table = schema.second_look
        due = (
            select(table.c.patient).where(table.c.due <= now).order_by(table.c.due, table.c.patient)
        )
        with self._reading() as connection:
            if connection.execute(due.limit(1)).first() is None:
                return 0
        with self._writing() as connection:
            found = list(connection.execute(due).scalars())
            self._put_into_queue(connection, found, reason)
            connection.execute(delete(table).where(table.c.due <= now))
        return len(found)

    def remember_patients(self, patients: Iterable[str]) -> None:
        """Note patients that have HER2 results."""
        wanted = [{"patient": patient} for patient in sorted(set(patients))]
        if not wanted:
            return
        with self._writing() as connection:
            connection.execute(self._insert(schema.known_patient).on_conflict_do_nothing(), wanted)

    def known_patients(self, patients: Iterable[str]) -> frozenset[str]:
        """Return which of these are remembered."""
        asked = sorted(set(patients))
        with self._reading() as connection:
            return frozenset(
                patient
                for chunk in chunks(asked)
                for patient in present(connection, schema.known_patient.c.patient, chunk)
            )

    def freeze(self, bundle: FrozenBundle) -> None:
        """Put a bundle into the outbox, before it is sent; for the same key the first bytes win."""
        with self._writing() as connection:
            connection.execute(
                self._insert(schema.outbox).on_conflict_do_nothing(), [rows.frozen_row(bundle)]
            )

    def outbox(self) -> tuple[FrozenBundle, ...]:
        """Return the bundles that were frozen and not settled, oldest first.

        Raises:
            StoreError: one of them is not what was frozen.

        """
        with self._reading() as connection:
            found = connection.execute(select(schema.outbox).order_by(schema.outbox.c.seq))
            return tuple(rows.frozen_bundle(row) for row in found.mappings())

    def settle(self, key: str, events: Iterable[AuditEvent] = ()) -> None:
        """Take a bundle out of the outbox, and record what it did, in one transaction."""
        told = list(events)
        with self._writing() as connection:
            taken = connection.execute(delete(schema.outbox).where(schema.outbox.c.key == key))
            if told and taken.rowcount:
                self._append(connection, told)
