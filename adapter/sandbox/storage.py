"""Keeps every version of every resource in SQLite, and an index of what searches look for.

One connection and one lock: requests come from many threads, and one after the other is what makes
conditional writes unique and transactions atomic here. Bodies are stored as the text that is sent.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from adapter.errors import ConfigError
from adapter.sandbox.matching import Match
from adapter.sandbox.search_parameters import IndexRow

SCHEMA_VERSION = 2

_schema = """
CREATE TABLE version (
    seq INTEGER PRIMARY KEY,
    resource_type TEXT NOT NULL,
    logical_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    version_id TEXT NOT NULL,
    method TEXT NOT NULL,
    last_updated INTEGER NOT NULL,
    body TEXT,
    is_current INTEGER NOT NULL,
    UNIQUE (resource_type, logical_id, version_id)
);
CREATE UNIQUE INDEX version_current ON version (resource_type, logical_id) WHERE is_current = 1;
CREATE INDEX version_updated ON version (resource_type, last_updated) WHERE is_current = 1;
CREATE TABLE indexed (
    resource_type TEXT NOT NULL,
    logical_id TEXT NOT NULL,
    parameter TEXT NOT NULL,
    system TEXT NOT NULL,
    value TEXT NOT NULL
);
CREATE INDEX indexed_value ON indexed (resource_type, parameter, value, system, logical_id);
CREATE INDEX indexed_owner ON indexed (resource_type, logical_id, parameter);
CREATE INDEX indexed_target ON indexed (system, value);
"""

_columns = "resource_type, logical_id, version, version_id, method, last_updated, body"
_epoch = datetime(1970, 1, 1, tzinfo=UTC)

Key = tuple[str, str]
"""Type and id."""


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One version of one resource.

    `version` counts from 1, `version_id` is what clients see; `method` is POST, PUT or DELETE;
    `last_updated` microseconds since 1970, in whole milliseconds; `body` the resource as JSON text,
    or None when this version is a deletion.
    """

    resource_type: str
    logical_id: str
    version: int
    version_id: str
    method: str
    last_updated: int
    body: str | None

    @property
    def name(self) -> str:
        """`Observation/abc`."""
        return f"{self.resource_type}/{self.logical_id}"

    @property
    def url(self) -> str:
        """`Observation/abc/_history/2`."""
        return f"{self.name}/_history/{self.version_id}"

    @property
    def etag(self) -> str:
        """The version id as a weak entity tag (http.html#versioning)."""
        return f'W/"{self.version_id}"'

    @property
    def updated_at(self) -> datetime:
        """The moment this version was stored, aware, in UTC."""
        return _epoch + timedelta(microseconds=self.last_updated)


def microseconds(moment: datetime) -> int:
    """Return an aware moment as microseconds since 1970."""
    return (moment - _epoch) // timedelta(microseconds=1)


class Storage:
    """The database; every method but `close` is called inside `transaction()`."""

    def __init__(self, database: str) -> None:
        """Open a file, created where missing, or `:memory:`.

        Raises: ConfigError when the file cannot be opened, or is not a sandbox's database.
        """
        self._lock = threading.Lock()
        try:
            self._connection = sqlite3.connect(
                database, check_same_thread=False, isolation_level=None
            )
            self._prepare(database)
        except sqlite3.Error as error:
            raise ConfigError(
                [f"the sandbox cannot use the database {database}: {error}"]
            ) from error

    def _prepare(self, database: str) -> None:
        (found,) = self._connection.execute("PRAGMA user_version").fetchone()
        (tables,) = self._connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if found == SCHEMA_VERSION:
            return
        if found or tables:
            self._connection.close()
            raise ConfigError(
                [f"{database} is not a database of this sandbox: delete it or name another file"]
            )
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.executescript(
            f"BEGIN;{_schema}PRAGMA user_version = {SCHEMA_VERSION};COMMIT;"
        )

    def close(self) -> None:
        """Close the database; what was committed stays."""
        with self._lock:
            self._connection.close()

    def copy(self) -> sqlite3.Connection:
        """Return everything as it is now, in a database of its own; call it outside a transaction."""
        copied = sqlite3.connect(":memory:", check_same_thread=False)
        with self._lock:
            self._connection.backup(copied)
        return copied

    def replace(self, copied: sqlite3.Connection) -> None:
        """Go back to a copy: versions made since then never were, and their ids are used again."""
        with self._lock:
            copied.backup(self._connection)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hold the database alone; commit at the end, undo everything on any exception."""
        with self._lock:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def current(self, key: Key) -> StoredVersion | None:
        """Return the newest version, a deletion included; None when the id was never used."""
        rows = self._versions("resource_type = ? AND logical_id = ? AND is_current = 1", key)
        return rows[0] if rows else None

    def version(self, key: Key, version_id: str) -> StoredVersion | None:
        """Return one version, or None when there is none with that id."""
        rows = self._versions(
            "resource_type = ? AND logical_id = ? AND version_id = ?", (*key, version_id)
        )
        return rows[0] if rows else None

    def history(
        self, resource_type: str | None, logical_id: str | None, since: int | None
    ) -> list[int]:
        """Return the sequence numbers of versions, newest first; None leaves a filter out."""
        conditions, arguments = ["1 = 1"], list[str | int]()
        for column, value in (
            ("resource_type =", resource_type),
            ("logical_id =", logical_id),
            ("last_updated >=", since),
        ):
            if value is not None:
                conditions.append(f"{column} ?")
                arguments.append(value)
        return [
            seq for (seq,) in self._select("seq", " AND ".join(conditions), arguments, "seq DESC")
        ]

    def by_sequence(self, sequence_numbers: Sequence[int]) -> list[StoredVersion]:
        """Return versions by sequence number, newest first."""
        marks = ",".join("?" * len(sequence_numbers))
        return self._versions(f"seq IN ({marks}) ORDER BY seq DESC", sequence_numbers)

    def find(self, resource_type: str, matches: Iterable[Match], order: str) -> list[str]:
        """Return the ids of all living resources of a type that every match holds for.

        `order` is an ORDER BY clause made by the search module, never a client's text.
        """
        conditions = ["resource_type = ? AND is_current = 1 AND body IS NOT NULL"]
        arguments: list[str | int] = [resource_type]
        for match in matches:
            condition, values = match.sql(resource_type)
            conditions.append(condition)
            arguments.extend(values)
        found = self._select("logical_id", " AND ".join(conditions), arguments, order)
        return [logical_id for (logical_id,) in found]

    def living(self, resource_type: str, ids: Sequence[str]) -> dict[str, StoredVersion]:
        """Return the current versions of these ids; deleted and unknown ones are left out."""
        marks = ",".join("?" * len(ids))
        rows = self._versions(
            "resource_type = ? AND is_current = 1 AND body IS NOT NULL"
            f" AND logical_id IN ({marks})",
            (resource_type, *ids),
        )
        return {row.logical_id: row for row in rows}

    def targets_of(self, resource_type: str, parameter: str, ids: Sequence[str]) -> set[Key]:
        """Return what these resources refer to through one search parameter."""
        marks = ",".join("?" * len(ids))
        query = (
            "SELECT system, value FROM indexed WHERE resource_type = ? AND parameter = ?"  # noqa: S608
            f" AND logical_id IN ({marks}) AND system <> ''"
        )
        return set(self._connection.execute(query, (resource_type, parameter, *ids)))

    def referrers_of(self, key: Key, *, resource_type: str = "", parameter: str = "") -> set[Key]:
        """Return living resources that refer to this one, by any or by one search parameter."""
        found: set[Key] = set(
            self._connection.execute(
                "SELECT resource_type, logical_id FROM indexed WHERE system = ? AND value = ?"
                " AND (? = '' OR resource_type = ?) AND (? = '' OR parameter = ?)",
                (*key, resource_type, resource_type, parameter, parameter),
            )
        )
        return found

    def append(self, new: StoredVersion, rows: Iterable[IndexRow]) -> None:
        """Store a version as the current one, with what searches shall find it by from now on."""
        key = (new.resource_type, new.logical_id)
        self._connection.execute(
            "UPDATE version SET is_current = 0"
            " WHERE resource_type = ? AND logical_id = ? AND is_current = 1",
            key,
        )
        self._connection.execute(
            f"INSERT INTO version ({_columns}, is_current) VALUES (?, ?, ?, ?, ?, ?, ?, 1)",  # noqa: S608
            (*key, new.version, new.version_id, new.method, new.last_updated, new.body),
        )
        self._connection.execute(
            "DELETE FROM indexed WHERE resource_type = ? AND logical_id = ?", key
        )
        self._connection.executemany(
            "INSERT INTO indexed VALUES (?, ?, ?, ?, ?)",
            [(*key, row.parameter, row.system, row.value) for row in rows],
        )

    def _versions(self, condition: str, arguments: Sequence[str | int]) -> list[StoredVersion]:
        # Conditions are written in this module; every value of a client goes through a parameter.
        query = f"SELECT {_columns} FROM version WHERE {condition}"  # noqa: S608
        return [StoredVersion(*row) for row in self._connection.execute(query, tuple(arguments))]

    def _select(
        self, column: str, condition: str, arguments: Sequence[str | int], order: str
    ) -> sqlite3.Cursor:
        query = f"SELECT {column} FROM version WHERE {condition} ORDER BY {order}"  # noqa: S608
        return self._connection.execute(query, tuple(arguments))
