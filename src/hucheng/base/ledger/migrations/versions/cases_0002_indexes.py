"""What is owed is always due at some time; indexes for counting and for the orders of the queue."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant

revision = "cases_0002"
down_revision = "cases_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the change."""
    owed = sa.table("case_owed", sa.column("due_at"), sa.column("since"))
    op.execute(owed.update().where(owed.c.due_at.is_(None)).values(due_at=owed.c.since))
    with op.batch_alter_table("case_owed") as batch:
        batch.alter_column("due_at", existing_type=Instant(), nullable=False)
        batch.drop_index("ix_case_owed_open")
        batch.create_index("ix_case_owed_open", ["done_at", "kind", "community", "owner"])
        batch.create_index("ix_case_owed_due", ["done_at", "due_at", "since", "id"])
    op.drop_index("ix_case_file_community", "case_file")
    op.drop_index("ix_case_file_urgent", "case_file")
    op.create_index("ix_case_file_urgent", "case_file", ["is_open", sa.text("urgent DESC"), "opened_at", "id"])
    op.create_index(
        "ix_case_file_counted", "case_file", ["is_open", "community", "kind", "state", "urgent", "opened_at"]
    )


def downgrade() -> None:
    """Take it back."""
    op.drop_index("ix_case_file_counted", "case_file")
    op.drop_index("ix_case_file_urgent", "case_file")
    op.create_index("ix_case_file_urgent", "case_file", ["is_open", "urgent", "opened_at", "id"])
    op.create_index("ix_case_file_community", "case_file", ["is_open", "community"])
    with op.batch_alter_table("case_owed") as batch:
        batch.drop_index("ix_case_owed_due")
        batch.drop_index("ix_case_owed_open")
        batch.create_index("ix_case_owed_open", ["done_at", "community"])
        batch.alter_column("due_at", existing_type=Instant(), nullable=True)
