"""Messages set aside."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant

revision = "base_0002"
down_revision = "base_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "set_aside",
        sa.Column("id", sa.Text(), nullable=False, comment="digest of subject and message"),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("data", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_set_aside")),
    )
    with op.batch_alter_table("set_aside", schema=None) as batch_op:
        batch_op.create_index("ix_set_aside_reason", ["reason", "at"], unique=False)


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("set_aside", schema=None) as batch_op:
        batch_op.drop_index("ix_set_aside_reason")

    op.drop_table("set_aside")
