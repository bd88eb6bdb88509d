"""From a URL to an engine: which databases are taken, and how they keep what they confirm."""

from __future__ import annotations

import importlib.util
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, QueuePool, create_engine, event, func, select
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from adapter.errors import StoreError

BUSY_SECONDS = 30
"""How long a statement waits for another writer before it gives up."""

CONNECT_SECONDS = 10
"""How long PostgreSQL may take to answer a new connection."""

# One number for all adapters that share a PostgreSQL database: whoever writes holds this advisory
# lock.
_WRITER_LOCK = 0x4845_5232

_FORMS = "use sqlite:///path/to/file.sqlite or postgresql+psycopg://user:password@host/database"


def read_url(text: str) -> URL:
    """Read a store's URL; `postgresql://` and `postgres://` are read as `postgresql+psycopg://`.

    Raises:
        StoreError: it is no URL, names another kind of database, or needs a driver that is not
            installed.

    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError) as error:
        raise StoreError(f"store.url is not a database URL: {_FORMS}.") from error
    if url.drivername in {"sqlite", "sqlite+pysqlite"}:
        if url.query or url.host:
            raise StoreError(f"store.url has parts that SQLite does not take: {_FORMS}.")
        return url.set(drivername="sqlite")
    if url.drivername in {"postgresql", "postgres", "postgresql+psycopg"}:
        if importlib.util.find_spec("psycopg") is None:
            raise StoreError(
                "store.url names PostgreSQL, and its driver is not installed: "
                "pip install her2-adapter[postgres]"
            )
        return url.set(drivername="postgresql+psycopg")
    raise StoreError(f"store.url names {url.drivername}, which is not supported: {_FORMS}.")


def sqlite_file(url: URL) -> Path | None:
    """Return the file of a SQLite URL, or None for PostgreSQL and for SQLite in memory."""
    if url.get_backend_name() != "sqlite" or url.database in {None, "", ":memory:"}:
        return None
    return Path(str(url.database))


def make_engine(url: URL) -> Engine:
    """Build the engine of a URL from `read_url`; no connection is made yet."""
    options: dict[str, Any] = {"hide_parameters": True}
    if url.get_backend_name() == "sqlite":
        if sqlite_file(url) is None:
            # A database in memory lives in one connection; threads take turns at it.
            options |= {"poolclass": QueuePool, "pool_size": 1, "max_overflow": 0}
        options["connect_args"] = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        engine = create_engine(url, **options)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    # A process that is stopped in the middle of a transaction must not hold up the others for ever.
    waits = (
        f"-c lock_timeout={BUSY_SECONDS}s "
        f"-c idle_in_transaction_session_timeout={2 * BUSY_SECONDS}s"
    )
    options["connect_args"] = {
        "connect_timeout": CONNECT_SECONDS,
        "application_name": "her2-adapter",
        "options": waits,
    }
    return create_engine(url, pool_pre_ping=True, **options)


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    # Without this, Python's driver begins transactions by itself, and late: after a first read, and
    # not at all for DDL.
    connection.isolation_level = None
    # synchronous=FULL: in WAL mode, NORMAL may lose a confirmed transaction when the power fails
    # (https://www.sqlite.org/pragma.html#pragma_synchronous).
    for pragma in (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
    ):
        connection.execute(pragma).close()


def _begin_sqlite(connection: Connection) -> None:
    # A writer takes its lock at the beginning: one that reads first and then writes can be refused
    # at once, however long it would have waited (SQLITE_BUSY_SNAPSHOT).
    options = connection.get_execution_options()
    if options.get("without_transaction"):  # VACUUM refuses to run in one
        return
    reading = options.get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


@contextmanager
def read_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that only reads, waits for nobody, and sees one state however many statements it has."""
    options: dict[str, Any] = {"reading": True}
    if engine.dialect.name == "postgresql":
        # Its own default shows each statement what was committed by then.
        options["isolation_level"] = "REPEATABLE READ"
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


@contextmanager
def write_transaction(engine: Engine) -> Iterator[Connection]:
    """Open a transaction that writes, one at a time on both databases, and commit it at the end."""
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(_WRITER_LOCK)))
        yield connection
