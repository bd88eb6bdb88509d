"""Turns a database's error into one sentence for the operator.

The database's own text is never quoted: PostgreSQL puts the values of a row into it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import (
    DBAPIError,
    InterfaceError,
    NoResultFound,
    OperationalError,
    SQLAlchemyError,
)

from adapter.errors import StateDamaged, StoreError

DAMAGED = (
    "is damaged. `her2-adapter run` sets a SQLite file aside and rebuilds it from the server: restart the service, or "
    "run `her2-adapter sync` where there is none; a database of PostgreSQL is put back, or another one named"
)
"""What to do about it, for commands that only say so too: they change nothing of a damaged state."""

# Primary result codes of SQLite (https://www.sqlite.org/rescode.html), the extended ones cut to
# their low byte.
_SQLITE_SENTENCES = {
    sqlite3.SQLITE_PERM: "may not be opened: give the adapter's user access to the file",
    sqlite3.SQLITE_BUSY: "is locked by another program for too long: find what else has it open",
    sqlite3.SQLITE_LOCKED: "is locked by another program for too long: find what else has it open",
    sqlite3.SQLITE_READONLY: "cannot be written (read-only): give the adapter's user write access "
    "to the file and its folder",
    sqlite3.SQLITE_IOERR: "cannot be read or written (disk error, or no room left): "
    "look at the disk it lies on",
    sqlite3.SQLITE_FULL: "cannot grow because the disk is full: make room, then run again",
    sqlite3.SQLITE_CANTOPEN: "cannot be opened: its folder must exist, and the adapter's user "
    "must be allowed to write there",
}
# SQLITE_ERROR is what a damaged table definition gives ("no such column"), and no code at all what
# Python's driver gives for a text that is not UTF-8.
_SQLITE_DAMAGE = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, 0})

_LOGIN = "refuses the login: check user, password and database in store.url, and that it exists"
_UNREACHABLE = "is not reachable: check host and port in store.url, and that it runs"

# SQLSTATE, or its class of two characters
# (https://www.postgresql.org/docs/current/errcodes-appendix.html).
_POSTGRES_SENTENCES = {
    "25006": "is read-only: point store.url at the primary server",
    "28": _LOGIN,
    "3D": _LOGIN,
    "42501": "may not be used by this user: grant it CREATE on the schema and access to its tables",
    "53100": "cannot grow because the disk is full: make room, then run again",
    "53": "has no connections or memory left: look at the PostgreSQL server",
    "55P03": "is locked by another program for too long: find what else writes to it",
    "57": "was shut down or has ended the connection: it is tried again in the next pass",
}


def _sentence(error: SQLAlchemyError | ValueError) -> tuple[str, bool]:
    """Say what went wrong, and whether what is stored is damaged."""
    if isinstance(error, UnicodeEncodeError):
        return "was given a text that is not Unicode", False
    if isinstance(error, ValueError | NoResultFound):
        return DAMAGED, True
    cause = error.orig if isinstance(error, DBAPIError) else None
    if isinstance(cause, sqlite3.Error):
        primary = getattr(cause, "sqlite_errorcode", 0) & 0xFF
        if primary in _SQLITE_DAMAGE:
            return DAMAGED, True
        if primary in _SQLITE_SENTENCES:
            return _SQLITE_SENTENCES[primary], False
    state: str | None = getattr(cause, "sqlstate", None)
    for prefix in (state, state[:2]) if state else ():
        if prefix in _POSTGRES_SENTENCES:
            return _POSTGRES_SENTENCES[prefix], False
    if isinstance(error, OperationalError | InterfaceError) and state is None:
        # libpq tells a refused login in words only; a server that says FATAL is there and answers.
        return (_LOGIN if "FATAL" in str(cause) else _UNREACHABLE), False
    name = type(cause or error).__name__
    return f"refused a statement ({name}{', ' + state if state else ''})", False


@contextmanager
def store_errors(where: str) -> Iterator[None]:
    """Raise StoreError in place of a database's error.

    Args:
        where: the store's address without its password.

    Raises:
        StateDamaged: the file is damaged, or holds a value that cannot be read back.
        StoreError: disk full, read-only, locked, not reachable, refused.

    """
    try:
        yield
    except (SQLAlchemyError, ValueError) as error:
        sentence, damaged = _sentence(error)
        kind = StateDamaged if damaged else StoreError
        raise kind(f"The state store {where} {sentence}.") from error
