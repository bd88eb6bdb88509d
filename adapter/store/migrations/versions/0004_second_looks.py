"""Whom to look at once more, and when."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add them; what was asked for before has none."""
    op.create_table(
        "her2_second_look",
        sa.Column("patient", sa.Text(), primary_key=True, nullable=False),
        sa.Column("due", sa.DateTime(timezone=True), nullable=False),
    )
