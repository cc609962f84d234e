"""A line of the roster may stand by itself, whatever becomes of a mandate."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "cases_0003"
down_revision = "cases_0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    comment = "stands whatever mandates say"
    op.add_column(
        "roster_line",
        sa.Column("own_right", sa.Boolean(), nullable=False, server_default=sa.false(), comment=comment),
    )


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("roster_line") as batch:
        batch.drop_column("own_right")
