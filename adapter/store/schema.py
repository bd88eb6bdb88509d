"""The tables of the state store, equal on SQLite and PostgreSQL.

Names carry the prefix her2_, so that a PostgreSQL database may be shared. A change here needs a
migration in migrations/versions and a new SCHEMA_VERSION; a test holds these tables against what
the migrations build.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
)

SCHEMA_VERSION = "0004"
"""The newest migration that this release knows."""

VERSION_TABLE = "her2_schema_version"
"""Where Alembic notes the schema's version; Alembic's own name may be taken already."""

LEASE_ROW = 1
"""The lease table's one row, made by the migration, so that taking the lease is an update."""


class UtcInstant(TypeDecorator[datetime]):
    """An instant: aware in Python, UTC in the database (SQLite keeps no time zone)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class names it
        """Turn an aware instant into UTC; a naive one is refused: nobody knows what it means."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002 - the base class names it
        """Give the instant back as aware UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite gives out row numbers by itself only for a column of the very type INTEGER.
_Sequence = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

watermark = Table(
    "her2_watermark",
    metadata,
    Column("name", Text, primary_key=True),
    Column("instant", UtcInstant, nullable=False),
)

# `wakes` is another number after each time a patient was queued, so that a wake-up that comes while the
# patient is being worked on is not taken off the queue together with the one before it.
queue = Table(
    "her2_queue",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("patient", Text, nullable=False, unique=True),
    Column("reason", Text, nullable=False),
    Column("wakes", BigInteger, nullable=False),
)

second_look = Table(
    "her2_second_look",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("due", UtcInstant, nullable=False),
)

known_patient = Table(
    "her2_known_patient",
    metadata,
    Column("patient", Text, primary_key=True),
)

# `digest` proves at reading that the bytes about to be sent are the bytes that were frozen.
outbox = Table(
    "her2_outbox",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("key", Text, nullable=False, unique=True),
    Column("body", LargeBinary, nullable=False),
    Column("expected", JSON, nullable=False),
    Column("fingerprints", JSON, nullable=False),
    Column("patients", JSON, nullable=False),
    Column("frozen_at", UtcInstant, nullable=False),
    Column("digest", Text, nullable=False),
)

parked = Table(
    "her2_parked",
    metadata,
    Column("key", Text, primary_key=True),
    Column("patient", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("fingerprint", Text, nullable=False),
    Column("parked_at", UtcInstant, nullable=False),
    Column("attempts", BigInteger, nullable=False),
)

absence = Table(
    "her2_absence",
    metadata,
    Column("reference", Text, primary_key=True),
    Column("first_absent_at", UtcInstant, nullable=False),
)

worklist = Table(
    "her2_worklist",
    metadata,
    Column("kind", Text, primary_key=True),
    Column("reference", Text, primary_key=True),
    Column("subject", Text, nullable=False, index=True),
    Column("reason", Text, nullable=False),
    Column("system", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("pattern", Text, nullable=False),
    Column("suggestion", Text, nullable=False),
    Column("partner", Text, nullable=False),
    Column("first_seen", UtcInstant, nullable=False),
    Column("last_seen", UtcInstant, nullable=False),
)

pass_record = Table(
    "her2_pass",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=True),
    Column("started_at", UtcInstant, nullable=False),
    Column("ended_at", UtcInstant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("counts", JSON, nullable=False),
)

lease = Table(
    "her2_lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("holder", Text),
    Column("fencing", BigInteger, nullable=False),
    Column("expires_at", UtcInstant),
)

setting = Table(
    "her2_setting",
    metadata,
    Column("name", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

# Append-only: triggers of migration 0003 refuse to change or delete a row.
audit = Table(
    "her2_audit",
    metadata,
    Column("seq", _Sequence, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("subject", Text, nullable=False, index=True),
    Column("facts", Text, nullable=False),
    Column("sealed", Text, nullable=False),
    Column("mac", Text, nullable=False),
)

# The key that ties a person to the trail; an erasure deletes it.
audit_person = Table(
    "her2_audit_person",
    metadata,
    Column("patient", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
)
