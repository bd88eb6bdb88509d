"""Opening the store: makes the file, checks it, migrates it, and where that was asked for sets a damaged one aside.

A damaged SQLite file is never repaired: what it holds can be rebuilt from the server, and half of
it would be wrong. It is set aside only by who has it open alone: never from under a process that writes into it.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import Engine
from sqlalchemy.engine import URL

from adapter.errors import StateDamaged, StoreError
from adapter.store.audit_key import key_file, load_or_make_key
from adapter.store.engine import (
    BUSY_SECONDS,
    make_engine,
    read_transaction,
    read_url,
    sqlite_file,
)
from adapter.store.failures import DAMAGED, store_errors
from adapter.store.file_lock import FileLock
from adapter.store.migrate import migrate
from adapter.store.sql_store import SqlStateStore

_log = structlog.get_logger()

TRY_SECONDS: Final = 0.5
"""How long it is tried at a time to have a damaged file alone."""


def _utc_now() -> datetime:
    return datetime.now(UTC)


def open_store(
    url: str,
    *,
    audit_key: bytes | None = None,
    now: Callable[[], datetime] = _utc_now,
    sets_aside: bool = False,
) -> SqlStateStore:
    """Open the state store, make it when it is not there, and bring its schema up to date.

    Args:
        url: `sqlite:///file`, `sqlite://` (in memory, forgotten at the end) or
            `postgresql+psycopg://user:password@host/database`.
        audit_key: the key of the audit trail's chain; None for one in a file beside a SQLite file, and for one in
            the database itself otherwise.
        now: the clock that names a damaged file that is set aside.
        sets_aside: a damaged SQLite file is renamed to `<file>.corrupt-<time>`, logged as an error, and a fresh one
            made; for a service, and for who writes in its stead. Others change nothing.

    Raises:
        StoreError: unusable URL, missing driver, missing folder, no access, disk full, a schema
            newer than this release, or a file of another program.
        StateDamaged: it is damaged, and is not to be set aside, or another process has it open.

    """
    address = read_url(url)
    file = sqlite_file(address)
    if file is None:
        return _begun(_open(address, audit_key), "new-store", at=now())
    lock = _lock_of(file)
    try:
        store = _opened(address, audit_key, now(), lock if sets_aside else None)
    except BaseException:
        lock.release()
        raise
    store.on_close = lock.release
    return store


def _opened(
    address: URL, audit_key: bytes | None, at: datetime, lock: FileLock | None
) -> SqlStateStore:
    """Open a file; with a `lock` that is shared set it aside where it is damaged."""
    file = Path(str(address.database))
    _make_private(file)
    beside = key_file(file)
    was_there = beside.exists()
    key = audit_key or load_or_make_key(beside)

    def opened() -> SqlStateStore:
        # A new file beside an old key: the state was deleted, and the trail with it.
        return _begun(_open(address, key), "state-was-lost" if was_there else "new-store", at=at)

    try:
        return opened()
    except StateDamaged:
        if lock is None:
            raise
    ends = time.monotonic() + BUSY_SECONDS
    while not lock.have_alone(TRY_SECONDS):
        lock.share(BUSY_SECONDS)
        try:
            return opened()  # whoever had it alone has made it anew
        except StateDamaged as damage:
            if time.monotonic() >= ends:
                raise StateDamaged(
                    f"The state store {file.absolute()} is damaged, and another process has it open, so that it is not "
                    "set aside: stop that one (a service, a command), then start this again."
                ) from damage
    try:
        store = opened()
    except StateDamaged as damage:
        aside = _set_aside(file, at)
        _log.error("state_store_corrupt", error=damage, file=file, set_aside=aside.name)
        _make_private(file)
        store = _begun(_open(address, key), "state-was-damaged", at=at, set_aside=aside.name)
    lock.share(BUSY_SECONDS)
    return store


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
        raise StateDamaged(f"The state store {where} {DAMAGED}.")


def _lock_of(file: Path) -> FileLock:
    """Share the file with whoever has it open; wait while somebody sets it aside."""
    with _access_to(file):
        lock = FileLock(file)
    if not lock.share(BUSY_SECONDS):
        lock.release()
        raise StoreError(
            f"The state store {file} is being set aside by another process for too long: run this again."
        )
    return lock


def _make_private(file: Path) -> None:
    """Make the file its owner's alone before SQLite writes to it; -wal and -shm get its mode."""
    with _access_to(file):
        os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        if file.stat().st_mode & 0o077:
            file.chmod(0o600)


@contextmanager
def _access_to(file: Path) -> Iterator[None]:
    try:
        yield
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
