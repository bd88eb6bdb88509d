"""What is set aside: parked cases, sources that seem gone, results that nobody could map."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlalchemy import case as sql_case
from sqlalchemy import select

from adapter.ports import ParkedCase, UnmappedItem
from adapter.store import rows, schema
from adapter.store.database import Database, chunks, forget, present


class AsideTables(Database):
    """Parked cases, absences and the unmapped worklist."""

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
        """Note that a source answered 404 or 410; returns the first instant since it was seen."""
        table = schema.absence
        insert = self._insert(table).values(reference=reference, first_absent_at=at)
        with self._writing() as connection:
            connection.execute(insert.on_conflict_do_nothing())
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

    def record_unmapped(self, items: Iterable[UnmappedItem]) -> None:
        """Add to the worklist: counts add up per group, the first example stays."""
        table = schema.unmapped
        insert = self._insert(table)
        new = insert.excluded
        earlier = sql_case(
            (new.first_seen < table.c.first_seen, new.first_seen), else_=table.c.first_seen
        )
        later = sql_case(
            (new.last_seen > table.c.last_seen, new.last_seen), else_=table.c.last_seen
        )
        added = [rows.unmapped_row(item) for item in items]
        if not added:
            return
        with self._writing() as connection:
            connection.execute(
                insert.on_conflict_do_update(
                    index_elements=["digest"],
                    set_={
                        "count": table.c.count + new["count"],
                        "first_seen": earlier,
                        "last_seen": later,
                    },
                ),
                added,
            )

    def unmapped(self) -> tuple[UnmappedItem, ...]:
        """Return the worklist, most frequent first."""
        table = schema.unmapped
        with self._reading() as connection:
            found = connection.execute(
                select(table).order_by(table.c["count"].desc(), table.c.first_seen, table.c.digest)
            )
            return tuple(rows.unmapped_item(row) for row in found.mappings())
