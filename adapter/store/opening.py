"""Opening the store: makes the file, checks it, migrates it, sets a damaged one aside.

A damaged SQLite file is never repaired: what it holds can be rebuilt from the server, and half of
it would be wrong.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import structlog
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from adapter.errors import StoreError
from adapter.store.audit_key import key_file, load_or_make_key
from adapter.store.engine import make_engine, read_transaction, read_url, sqlite_file
from adapter.store.failures import CorruptStoreError, store_errors
from adapter.store.migrate import migrate
from adapter.store.sql_store import SqlStateStore

_log = structlog.get_logger()


def _utc_now() -> datetime:
    return datetime.now(UTC)


def open_store(
    url: str, *, audit_key: bytes | None = None, now: Callable[[], datetime] = _utc_now
) -> SqlStateStore:
    """Open the state store, make it when it is not there, and bring its schema up to date.

    Args:
        url: `sqlite:///file`, `sqlite://` (in memory, forgotten at the end) or
            `postgresql+psycopg://user:password@host/database`.
        audit_key: the key of the audit trail's chain; None for one in a file beside a SQLite file, and for one in
            the database itself otherwise.
        now: the clock that names a damaged file that is set aside.

    Raises:
        StoreError: unusable URL, missing driver, missing folder, no access, disk full, a schema
            newer than this
            release, or a file of another program. A damaged SQLite file is none: it is renamed to
            `<file>.corrupt-<time>`, logged as an error, and a fresh one is made.

    """
    address = read_url(url)
    file = sqlite_file(address)
    if file is None:
        return _begun(_open(address, audit_key), "new-store", at=now())
    _make_private(file)
    beside = key_file(file)
    was_there = beside.exists()
    key = audit_key or load_or_make_key(beside)
    try:
        # A new file beside an old key: the state was deleted, and the trail with it.
        outcome = "state-was-lost" if was_there else "new-store"
        return _begun(_open(address, key), outcome, at=now())
    except CorruptStoreError as damage:
        aside = _set_aside(file, now())
        _log.error("state_store_corrupt", error=damage, file=file, set_aside=aside.name)
    _make_private(file)
    return _begun(_open(address, key), "state-was-damaged", at=now(), set_aside=aside.name)


def is_kept(url: str, *, connect: bool) -> bool:
    """Tell whether a store may hold something already; `connect` is the answer for one that is no file.

    Raises: StoreError for an unusable URL.
    """
    file = sqlite_file(read_url(url))
    return connect if file is None else file.exists()


def place_of(url: str) -> str:
    """Say where a store is kept: the whole path of a file, else the address without its password.

    Raises: StoreError for an unusable URL.
    """
    address = read_url(url)
    file = sqlite_file(address)
    return address.render_as_string(hide_password=True) if file is None else str(file.absolute())


def _begun(store: SqlStateStore, outcome: str, *, at: datetime, **facts: str) -> SqlStateStore:
    """Begin the audit trail where there is none: it is no cache, so a new one says why it begins."""
    try:
        store.begin_trail(outcome, at=at, facts=facts)
    except BaseException:
        store.close()
        raise
    return store


def _open(address: URL, audit_key: bytes | None) -> SqlStateStore:
    where = address.set(query={}).render_as_string(hide_password=True)
    engine = make_engine(address)
    try:
        with store_errors(where):
            if sqlite_file(address) is not None:
                _check_pages(engine, where)
            migrate(engine, where=where)
        store = SqlStateStore(engine, where=where, audit_key=audit_key)
        store.check_readable()
    except BaseException:
        engine.dispose()
        raise
    return store


def _check_pages(engine: Engine, where: str) -> None:
    # Not the quick check: that does not hold an index against its table, and a lookup by the one then gives the other.
    with read_transaction(engine) as connection:
        verdict = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
    if verdict != "ok":
        raise CorruptStoreError(f"The state store {where} is damaged.")


def _make_private(file: Path) -> None:
    """Make the file its owner's alone before SQLite writes to it; -wal and -shm get its mode."""
    try:
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)
    except OSError as error:
        raise StoreError(
            f"The state store {file} cannot be opened ({error.strerror}): its folder must exist, "
            "and the adapter's user must own the file and be allowed to write there."
        ) from error


def _set_aside(file: Path, instant: datetime) -> Path:
    """Rename the damaged file and what belongs to it; return its new path."""
    stem = f"{file.name}.corrupt-{instant:%Y%m%dT%H%M%SZ}"
    aside = file.with_name(stem)
    attempt = 1
    while aside.exists():
        attempt += 1
        aside = file.with_name(f"{stem}-{attempt}")
    try:
        for suffix in ("-wal", "-shm", ""):
            part = file.with_name(file.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
    except OSError as error:
        raise StoreError(
            f"The state store {file} is damaged and cannot be renamed ({error.strerror}): "
            "move it away by hand; it is rebuilt from the server."
        ) from error
    return aside
