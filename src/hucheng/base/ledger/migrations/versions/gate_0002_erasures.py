"""Erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant, Json

revision = "gate_0002"
down_revision = "gate_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "erasure",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column(
            "digest", sa.Text(), nullable=False, comment="keyed digest of the person: tells the erased, names nobody"
        ),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("asked_at", Instant(), nullable=False),
        sa.Column("owed", Json, nullable=True, comment="person and devices; NULL once nothing is left of them"),
        sa.Column("sent", Json, nullable=False, comment="place of the order in the stream, by partition"),
        sa.Column("counts", Json, nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("erasure")
