"""Erasing a person: their rows, the key that ties them to the audit trail, and what a file keeps of deleted rows.

A deleted row stays in free pages, in the write-ahead log and in damaged files that were set aside, until these are
written anew or removed (S27). What backups and a PostgreSQL server's own log keep is beyond the adapter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from sqlalchemy import Column, Connection, Table, delete, func, select

from adapter.audit import AuditEvent
from adapter.errors import StoreError
from adapter.store import chain, schema
from adapter.store.engine import sqlite_file
from adapter.store.failures import store_errors
from adapter.store.work import WorkTables

_BY_PATIENT: Final[tuple[tuple[str, Table, Column[str]], ...]] = (
    ("queue", schema.queue, schema.queue.c.patient),
    ("second looks", schema.second_look, schema.second_look.c.patient),
    ("known patients", schema.known_patient, schema.known_patient.c.patient),
    ("parked", schema.parked, schema.parked.c.patient),
    ("worklist", schema.worklist, schema.worklist.c.subject),
    ("key in the audit trail", schema.audit_person, schema.audit_person.c.patient),
)
NOT_REWRITTEN: Final = (
    "PostgreSQL refused to write the tables anew, so that deleted rows stay in them until it does: "
    "let the owner of the tables run VACUUM FULL"
)
POSTGRESQL_KEEPS: Final = (
    "PostgreSQL's write-ahead log and its replicas keep what was deleted until they are recycled"
)


class ErasingTables(WorkTables):
    """Takes a person out of the state."""

    def held_about(self, patient: str) -> Mapping[str, int]:
        """Count what the state holds about a patient ("Patient/<id>"), by where; zeros too."""
        with self._reading() as connection:
            counts = {
                name: connection.execute(
                    select(func.count()).select_from(table).where(column == patient)
                ).scalar_one()
                for name, table, column in _BY_PATIENT
            }
        counts["bundles under way"] = sum(patient in one.patients for one in self.outbox())
        counts["damaged files"] = len(self._set_aside())
        return counts

    def erase(
        self, patient: str, events: Iterable[AuditEvent], *, settings: Sequence[str] = ()
    ) -> tuple[str, ...]:
        """Erase a patient, and record that somebody was; returns sentences on what could not be done.

        Noted absences are forgotten too, all of them: they name sources, and not whose these are.
        """
        if any(patient in one.patients for one in self.outbox()):
            raise StoreError(
                f"A bundle of {patient} is under way, and nobody knows yet whether it landed: let a "
                "pass end well (`her2-adapter sync`), then erase."
            )
        with self._writing() as connection:
            if connection.dialect.name == "sqlite":
                connection.exec_driver_sql("PRAGMA secure_delete=ON")
            erased = self._pseudonym(connection, patient)
            for _, table, column in _BY_PATIENT:
                connection.execute(delete(table).where(column == patient))
            connection.execute(delete(schema.absence))
            table = schema.setting
            connection.execute(delete(table).where(table.c.name.in_(settings)))
            facts: dict[str, str | int] = {
                "person": erased,
                "damaged_files": len(self._set_aside()),
            }
            self._append(connection, [_with(event, facts) for event in events])
        for file in self._set_aside():
            file.unlink()
        return self._write_anew()

    def _pseudonym(self, connection: Connection, patient: str) -> str:
        key = self._person_keys(connection, [patient]).get(patient)
        return chain.pseudonym(key, patient) if key else ""

    def _set_aside(self) -> list[Path]:
        """Damaged state files beside this one, with what belongs to them."""
        file = sqlite_file(self._engine.url)
        return sorted(file.parent.glob(f"{file.name}.corrupt-*")) if file else []

    def _write_anew(self) -> tuple[str, ...]:
        if self._engine.dialect.name == "postgresql":
            return (*self._write_postgresql_anew(), POSTGRESQL_KEEPS)
        with self._outside_transactions() as connection:
            # In memory: a temporary file would be one more place with what is to go.
            connection.exec_driver_sql("PRAGMA temp_store=MEMORY")
            connection.exec_driver_sql("VACUUM")
            is_busy = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()[0]
        if is_busy:
            raise StoreError(
                f"The rows are erased, and the journal of {self._where} could not be emptied, because something else "
                "has it open: stop that, then erase again."
            )
        return ()

    def _write_postgresql_anew(self) -> tuple[str, ...]:
        try:
            with self._outside_transactions() as connection:
                connection.exec_driver_sql(
                    "VACUUM (FULL) her2_queue, her2_second_look, her2_known_patient, her2_parked, her2_worklist, "
                    "her2_absence, her2_outbox, her2_setting, her2_audit_person"
                )
        except StoreError:
            return (NOT_REWRITTEN,)
        return ()

    @contextmanager
    def _outside_transactions(self) -> Iterator[Connection]:
        with (
            store_errors(self._where),
            self._engine.connect().execution_options(
                isolation_level="AUTOCOMMIT", without_transaction=True
            ) as connection,
        ):
            yield connection


def _with(event: AuditEvent, facts: Mapping[str, str | int]) -> AuditEvent:
    return replace(event, patient="", details={}, facts={**event.facts, **facts})
