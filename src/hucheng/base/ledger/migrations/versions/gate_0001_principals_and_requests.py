"""Principals and requests."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant, Json

revision = "gate_0001"
down_revision = None
branch_labels = ("gate",)
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "organisation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=True),
        sa.Column("level", sa.Text(), nullable=False),
        sa.Column("title", Json, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_organisation")),
    )
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.create_index("ix_organisation_parent", ["parent"], unique=False)

    op.create_table(
        "principal",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False),
        sa.Column("roles", Json, nullable=False),
        sa.Column("resident_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True, comment="issuer and subject at the identity provider"),
        sa.Column("ended_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_principal")),
        sa.UniqueConstraint("subject", name=op.f("uq_principal_subject")),
    )
    with op.batch_alter_table("principal", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_principal_resident_id"), ["resident_id"], unique=False)

    op.create_table(
        "request",
        sa.Column("kind", sa.Text(), nullable=False, comment="purpose or policies"),
        sa.Column(
            "id", sa.Text(), nullable=False, comment="of the purpose, or name of the app whose policies they are"
        ),
        sa.Column("app", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("by", sa.Text(), nullable=True),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("assessment", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("kind", "id", name=op.f("pk_request")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("request")
    with op.batch_alter_table("principal", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_principal_resident_id"))

    op.drop_table("principal")
    with op.batch_alter_table("organisation", schema=None) as batch_op:
        batch_op.drop_index("ix_organisation_parent")

    op.drop_table("organisation")
