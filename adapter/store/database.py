"""What all parts of the store share: the engine, two kinds of transaction, long lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Self

from sqlalchemy import Column, Connection, Engine, Table, delete, select
from sqlalchemy.dialects import postgresql, sqlite

from adapter.store import schema
from adapter.store.engine import read_transaction, write_transaction
from adapter.store.failures import store_errors

CHUNK = 500
"""Names in one IN list; SQLite takes 32,766 parameters at most."""


class Database:
    """An opened database; each part of the store is a subclass with the methods of its tables."""

    def __init__(self, engine: Engine, *, where: str, audit_key: bytes | None = None) -> None:
        self._engine = engine
        self._where = where
        self._audit_key = audit_key
        self.on_close: Callable[[], None] = lambda: None

    @property
    def where(self) -> str:
        """The store's address, without its password."""
        return self._where

    def close(self) -> None:
        """Close all connections. Afterwards the store opens new ones when it is used again."""
        self._engine.dispose()
        self.on_close()

    def __enter__(self) -> Self:
        """Return the store itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the store."""
        self.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with store_errors(self._where), read_transaction(self._engine) as connection:
            yield connection

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with store_errors(self._where), write_transaction(self._engine) as connection:
            yield connection

    def _insert(self, table: Table) -> Any:
        # Both dialects know ON CONFLICT, and SQLAlchemy has no common name for it.
        if self._engine.dialect.name == "postgresql":
            return postgresql.insert(table)
        return sqlite.insert(table)

    def _fact(self, connection: Connection, name: str) -> str | None:
        table = schema.setting
        return connection.execute(
            select(table.c.value).where(table.c.name == name)
        ).scalar_one_or_none()

    def _set_fact(self, connection: Connection, name: str, value: str) -> None:
        insert = self._insert(schema.setting).values(name=name, value=value)
        connection.execute(
            insert.on_conflict_do_update(index_elements=["name"], set_={"value": value})
        )

    def _value_of(self, column: Column[Any], key: Column[Any], name: str) -> Any:
        with self._reading() as connection:
            return connection.execute(select(column).where(key == name)).scalar_one_or_none()


def chunks(items: list[str]) -> Iterator[list[str]]:
    """Cut a list into pieces of at most CHUNK."""
    for start in range(0, len(items), CHUNK):
        yield items[start : start + CHUNK]


def present(connection: Connection, column: Column[Any], values: list[str]) -> list[str]:
    """Return which of at most CHUNK values stand in a column."""
    return list(connection.execute(select(column).where(column.in_(values))).scalars())


def forget(connection: Connection, column: Column[Any], values: list[str]) -> None:
    """Delete the rows that have one of these values in a column."""
    for chunk in chunks(values):
        connection.execute(delete(column.table).where(column.in_(chunk)))
