"""The worklist as it stands: one row for each thing listed, in place of counts that only grew.

What was counted cannot be told apart any more, so it is dropped, and a sweep is made due: it lists again
whatever still stands.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Put the new worklist in the place of the old one."""
    op.drop_table("her2_unmapped")
    texts = ("reason", "system", "code", "pattern", "suggestion", "partner")
    op.create_table(
        "her2_worklist",
        sa.Column("kind", sa.Text(), primary_key=True, nullable=False),
        sa.Column("reference", sa.Text(), primary_key=True, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False, index=True),
        *(sa.Column(name, sa.Text(), nullable=False) for name in texts),
        sa.Column("first_seen", _instant, nullable=False),
        sa.Column("last_seen", _instant, nullable=False),
    )
    op.execute("DELETE FROM her2_setting WHERE name = 'last-sweep'")
