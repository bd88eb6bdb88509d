"""StateStore on SQLAlchemy Core: each method is one transaction, committed before it returns.

One writer at a time on both databases, so that no two statements wait for each other in a circle.
The methods may be called from several threads and several processes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import inspect, select

from adapter.errors import StateDamaged
from adapter.ports import StateStore
from adapter.store import schema
from adapter.store.aside import AsideTables
from adapter.store.chain import PERSON_KEY_BYTES
from adapter.store.erasing import ErasingTables
from adapter.store.failures import DAMAGED
from adapter.store.ledger import LedgerTables


class SqlStateStore(ErasingTables, AsideTables, LedgerTables):
    """Durable state in SQLite or PostgreSQL; `open_store` gives one. Implements StateStore."""

    def check_readable(self) -> None:
        """Read once what is small: SQLite's own check sees a file's structure, not its values.

        Raises:
            StoreError: something cannot be read back as it was stored.

        """
        with self._reading() as connection:
            missing = schema.metadata.tables.keys() - set(inspect(connection).get_table_names())
        if missing:
            lacks = ", ".join(sorted(missing))
            raise StateDamaged(f"The state store {self.where} lacks {lacks}, and {DAMAGED}.")
        try:
            self._read_values()
        except TypeError as error:  # SQLite keeps a value of any kind in any column
            raise StateDamaged(f"The state store {self.where} {DAMAGED}.") from error

    def _read_values(self) -> None:
        self.outbox()
        self.parked()
        self.passes()
        lease = schema.lease
        with self._reading() as connection:
            for small in (
                schema.watermark,
                schema.absence,
                schema.queue,
                schema.second_look,
                schema.worklist,
            ):
                connection.execute(select(small)).all()
            connection.execute(select(lease).where(lease.c.id == schema.LEASE_ROW)).one()
            self._last(connection)
            keys = connection.execute(select(schema.audit_person.c.key)).scalars()
            if not all(isinstance(key, bytes) and len(key) == PERSON_KEY_BYTES for key in keys):
                raise TypeError("a person's key is not what was stored")


if TYPE_CHECKING:
    _held_to: type[StateStore] = SqlStateStore  # the type check proves that the port is met whole
