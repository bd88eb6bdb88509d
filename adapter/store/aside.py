"""What is set aside: parked cases, sources that seem gone, what a person is to look at."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Column, Connection, delete, select

from adapter.ports import ListedEntry, ParkedCase, WorklistEntry
from adapter.store import rows, schema
from adapter.store.database import Database, chunks, forget, present

_log = structlog.get_logger()


class AsideTables(Database):
    """Parked cases, absences and the worklist."""

    def park(self, case: ParkedCase) -> None:
        """Park a case; one parked already keeps its first instant and counts one attempt more."""
        row = rows.parked_row(case)
        table = schema.parked
        insert = self._insert(table).values(**row)
        latest = {name: row[name] for name in ("patient", "reason", "fingerprint")}
        with self._writing() as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["key"], set_=latest | {"attempts": table.c.attempts + 1}
                )
            )

    def parked(self) -> tuple[ParkedCase, ...]:
        """Return all parked cases, oldest first."""
        table = schema.parked
        with self._reading() as connection:
            found = connection.execute(select(table).order_by(table.c.parked_at, table.c.key))
            return tuple(rows.parked_case(row) for row in found.mappings())

    def unpark(self, keys: Iterable[str]) -> None:
        """Forget that these cases were parked."""
        with self._writing() as connection:
            forget(connection, schema.parked.c.key, sorted(set(keys)))

    def note_absent(self, reference: str, at: datetime) -> datetime:
        """Note that a source answered 404 or 410; returns the first instant since it was seen.

        One that lies after `at` was noted by a clock that ran ahead: the absence begins anew.
        """
        table = schema.absence
        insert = self._insert(table).values(reference=reference, first_absent_at=at)
        with self._writing() as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=[table.c.reference],
                    set_={"first_absent_at": at},
                    where=table.c.first_absent_at > at,
                )
            )
            first: datetime = connection.execute(
                select(table.c.first_absent_at).where(table.c.reference == reference)
            ).scalar_one()
        return first

    def note_present(self, references: Iterable[str]) -> None:
        """Forget earlier absences of these sources."""
        seen = sorted(set(references))
        with self._reading() as connection:
            absent = [
                reference
                for chunk in chunks(seen)
                for reference in present(connection, schema.absence.c.reference, chunk)
            ]
        if absent:  # nearly always nothing: a quiet pass then writes nothing
            with self._writing() as connection:
                forget(connection, schema.absence.c.reference, absent)

    def replace_worklist(
        self,
        *,
        subjects: Iterable[str],
        references: Iterable[str],
        entries: Iterable[WorklistEntry],
        at: datetime,
    ) -> None:
        """Make these entries all there is about some patients and resources; the others stay."""
        table = schema.worklist
        wanted = {(str(one.kind), rows.storable(one.reference)): one for one in entries}
        looked_at = {
            table.c.subject: _names(subjects),
            table.c.reference: _names([*references, *(reference for _, reference in wanted)]),
        }
        with self._reading() as connection:
            is_listed = any(_found(connection, column, looked_at[column]) for column in looked_at)
        if not wanted and not is_listed:  # nearly always: a quiet pass then writes nothing
            return
        with self._writing() as connection:
            since: dict[tuple[str, str], datetime] = {}
            for column, names in looked_at.items():
                since |= _found(connection, column, names)
                forget(connection, column, names)
            added = [
                rows.worklist_row(one, first_seen=since.get(key, at), at=at)
                for key, one in wanted.items()
            ]
            if added:
                connection.execute(self._insert(table), added)

    def prune_worklist(self, before: datetime, *, keep: Iterable[str] = ()) -> None:
        """Forget entries that were last seen before this instant, but those about the patients of `keep`."""
        subject = schema.worklist.c.subject
        old = schema.worklist.c.last_seen < before
        with self._reading() as connection:
            found = connection.execute(select(subject).where(old).distinct()).scalars()
            gone = sorted(set(found) - {rows.storable(one) for one in keep})
        if gone:
            with self._writing() as connection:
                for chunk in chunks(gone):
                    connection.execute(delete(schema.worklist).where(old, subject.in_(chunk)))

    def worklist(self) -> tuple[ListedEntry, ...]:
        """Return the worklist: by kind, then longest listed first, then by reference.

        What a newer release has written, before one went back, is left out: it is as sound as all else.
        """
        table = schema.worklist
        with self._reading() as connection:
            found = connection.execute(select(table))
            entries = [rows.listed_entry(row) for row in found.mappings()]
        listed = [one for one in entries if one is not None]
        if len(listed) < len(entries):
            _log.warning("worklist_kinds_not_known", count=len(entries) - len(listed))
        # Ordered here, because two databases order texts differently.
        return tuple(
            sorted(listed, key=lambda one: (one.entry.kind, one.first_seen, one.entry.reference))
        )


def _names(texts: Iterable[str]) -> list[str]:
    """Return each name once, as the database keeps it; an empty one names nothing."""
    return sorted({rows.storable(text) for text in texts} - {""})


def _found(
    connection: Connection, column: Column[Any], names: list[str]
) -> dict[tuple[str, str], datetime]:
    """Return when each entry was first seen that has one of these names in a column."""
    table = schema.worklist
    return {
        (row.kind, row.reference): row.first_seen
        for chunk in chunks(names)
        for row in connection.execute(
            select(table.c.kind, table.c.reference, table.c.first_seen).where(column.in_(chunk))
        )
    }
