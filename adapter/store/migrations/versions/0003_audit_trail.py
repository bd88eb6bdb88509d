"""The audit trail, append-only by triggers of the database, and the keys of the persons in it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_sequence = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# Against mistakes: whoever may drop a trigger may still change a row, and the chain of HMACs then shows it.
_SQLITE = (
    "CREATE TRIGGER her2_audit_no_update BEFORE UPDATE ON her2_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
    "CREATE TRIGGER her2_audit_no_delete BEFORE DELETE ON her2_audit "
    "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END",
)
_POSTGRESQL = (
    "CREATE FUNCTION her2_audit_append_only() RETURNS trigger LANGUAGE plpgsql AS "
    "'BEGIN RAISE EXCEPTION ''the audit trail is append-only''; END'",
    "CREATE TRIGGER her2_audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON her2_audit "
    "FOR EACH STATEMENT EXECUTE FUNCTION her2_audit_append_only()",
)


def upgrade() -> None:
    """Add the trail; what earlier releases did is not in it."""
    texts = ("at", "actor", "action", "outcome", "facts", "sealed", "mac")
    op.create_table(
        "her2_audit",
        sa.Column("seq", _sequence, primary_key=True, autoincrement=False),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("subject", sa.Text(), nullable=False, index=True),
    )
    op.create_table(
        "her2_audit_person",
        sa.Column("patient", sa.Text(), primary_key=True),
        sa.Column("key", sa.LargeBinary(), nullable=False),
    )
    is_postgresql = op.get_bind().dialect.name == "postgresql"
    for statement in _POSTGRESQL if is_postgresql else _SQLITE:
        op.execute(statement)
