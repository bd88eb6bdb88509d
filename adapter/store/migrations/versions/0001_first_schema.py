"""The first schema: watermarks, queue, outbox, parked cases, worklist, audit, lease, settings.

A migration says what a table was like then, and so it does not import the tables of today.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_instant = sa.DateTime(timezone=True)
_sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables of an empty database."""
    _make_work_tables()
    _make_exception_tables()
    _make_bookkeeping_tables()


def _text(name: str, *, primary_key: bool = False, unique: bool = False) -> sa.Column[str]:
    return sa.Column(
        name, sa.Text(), nullable=False, primary_key=primary_key, unique=unique or None
    )


def _make_work_tables() -> None:
    op.create_table(
        "her2_watermark",
        _text("name", primary_key=True),
        sa.Column("instant", _instant, nullable=False),
    )
    op.create_table(
        "her2_queue",
        sa.Column("seq", _sequence, primary_key=True, autoincrement=True),
        _text("patient", unique=True),
        _text("reason"),
        sa.Column("wakes", sa.BigInteger(), nullable=False),
    )
    op.create_table("her2_known_patient", _text("patient", primary_key=True))
    op.create_table(
        "her2_outbox",
        sa.Column("seq", _sequence, primary_key=True, autoincrement=True),
        _text("key", unique=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("expected", sa.JSON(), nullable=False),
        sa.Column("fingerprints", sa.JSON(), nullable=False),
        sa.Column("patients", sa.JSON(), nullable=False),
        sa.Column("frozen_at", _instant, nullable=False),
        _text("digest"),
    )


def _make_exception_tables() -> None:
    op.create_table(
        "her2_parked",
        _text("key", primary_key=True),
        _text("patient"),
        _text("reason"),
        _text("fingerprint"),
        sa.Column("parked_at", _instant, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
    )
    op.create_table(
        "her2_absence",
        _text("reference", primary_key=True),
        sa.Column("first_absent_at", _instant, nullable=False),
    )
    op.create_table(
        "her2_unmapped",
        _text("digest", primary_key=True),
        _text("reason"),
        _text("system"),
        _text("code"),
        _text("pattern"),
        _text("example"),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.Column("first_seen", _instant, nullable=False),
        sa.Column("last_seen", _instant, nullable=False),
    )


def _make_bookkeeping_tables() -> None:
    op.create_table(
        "her2_pass",
        sa.Column("seq", _sequence, primary_key=True, autoincrement=True),
        sa.Column("started_at", _instant, nullable=False),
        sa.Column("ended_at", _instant, nullable=False),
        _text("kind"),
        _text("outcome"),
        sa.Column("counts", sa.JSON(), nullable=False),
    )
    lease = op.create_table(
        "her2_lease",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("holder", sa.Text()),
        sa.Column("fencing", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", _instant),
    )
    op.bulk_insert(lease, [{"id": 1, "holder": None, "fencing": 0, "expires_at": None}])
    op.create_table("her2_setting", _text("name", primary_key=True), _text("value"))
