"""StateStore on SQLAlchemy Core: each method is one transaction, committed before it returns.

One writer at a time on both databases, so that no two statements wait for each other in a circle.
The methods may be called from several threads and several processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from adapter.ports import StateStore
from adapter.store import schema
from adapter.store.aside import AsideTables
from adapter.store.ledger import LedgerTables
from adapter.store.work import WorkTables


class SqlStateStore(WorkTables, AsideTables, LedgerTables):
    """Durable state in SQLite or PostgreSQL; `open_store` gives one. Implements StateStore."""

    def check_readable(self) -> None:
        """Read once what is small: SQLite's own check sees a file's structure, not its values.

        Raises:
            StoreError: something cannot be read back as it was stored.

        """
        self.outbox()
        self.parked()
        self.unmapped()
        self.passes()
        with self._reading() as connection:
            connection.execute(select(schema.watermark)).all()
            connection.execute(
                select(schema.lease).where(schema.lease.c.id == schema.LEASE_ROW)
            ).one()


if TYPE_CHECKING:
    _held_to: type[StateStore] = SqlStateStore  # the type check proves that the port is met whole
