"""Keys identities registers."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant, Json

revision = "base_0001"
down_revision = None
branch_labels = ("base",)
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "identity",
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="keyed digest of the number"),
        sa.Column("resident_id", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=False, comment="the number under the person's key"),
        sa.Column("entered_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_identity")),
        sa.UniqueConstraint("resident_id", name=op.f("uq_identity_resident_id")),
    )
    op.create_table(
        "person_key",
        sa.Column(
            "person", sa.BigInteger(), autoincrement=False, nullable=False, comment="random number, never used twice"
        ),
        sa.Column("resident_id", sa.Text(), nullable=True, comment="NULL once erased"),
        sa.Column(
            "wrapped",
            sa.LargeBinary(),
            nullable=True,
            comment="the person's key under the master key; NULL once erased",
        ),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("gone_at", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("person", name=op.f("pk_person_key")),
        sa.UniqueConstraint("resident_id", name=op.f("uq_person_key_resident_id")),
    )
    op.create_table(
        "register",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("resident_id", sa.Text(), nullable=True),
        sa.Column("valid_from", Instant(), nullable=False),
        sa.Column("valid_to", Instant(), nullable=True),
        sa.Column("known_from", Instant(), nullable=False),
        sa.Column("known_to", Instant(), nullable=True),
        sa.Column("data", Json, nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_register")),
    )
    with op.batch_alter_table("register", schema=None) as batch_op:
        batch_op.create_index("ix_register_key", ["dataset", "key", "known_to"], unique=False)
        batch_op.create_index("ix_register_person", ["resident_id", "dataset"], unique=False)

    op.create_table(
        "register_version",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column(
            "known_at", Instant(), nullable=False, comment="the newest known_from: time here never runs backwards"
        ),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_register_version")),
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_table("register_version")
    with op.batch_alter_table("register", schema=None) as batch_op:
        batch_op.drop_index("ix_register_person")
        batch_op.drop_index("ix_register_key")

    op.drop_table("register")
    op.drop_table("person_key")
    op.drop_table("identity")
