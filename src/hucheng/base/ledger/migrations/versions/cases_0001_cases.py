"""Cases."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from hucheng.base.ledger import Instant, Json

revision = "cases_0001"
down_revision = None
branch_labels = ("cases",)
depends_on = None


def upgrade() -> None:
    """Make the change."""
    op.create_table(
        "case_called",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "who", name=op.f("pk_case_called")),
    )
    with op.batch_alter_table("case_called", schema=None) as batch_op:
        batch_op.create_index("ix_case_called_who", ["who"], unique=False)

    op.create_table(
        "case_decision",
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("decision_id", name=op.f("pk_case_decision")),
    )
    with op.batch_alter_table("case_decision", schema=None) as batch_op:
        batch_op.create_index("ix_case_decision_case", ["case_id"], unique=False)

    op.create_table(
        "case_event",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=True, nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="names, text, note; NULL once erased"),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_case_event")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.create_index("ix_case_event_case", ["case_id", "seq"], unique=False)

    op.create_table(
        "case_file",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("resident_id", sa.Text(), nullable=False),
        sa.Column("open_key", sa.Text(), nullable=True, comment="digest of resident, kind, rule; NULL once closed"),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("org", sa.Text(), nullable=False, comment="ids from the root to the community, each ended by /"),
        sa.Column("body", sa.LargeBinary(), nullable=True, comment="title, text, reasons; NULL once erased"),
        sa.Column("opened_at", Instant(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=True),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("assigned_to", sa.Text(), nullable=True),
        sa.Column("assigned_name", sa.Text(), nullable=True),
        sa.Column("joined", sa.Integer(), nullable=False),
        sa.Column("simulated", sa.Boolean(), nullable=False),
        sa.Column("urgent", sa.Boolean(), nullable=False),
        sa.Column("closed_at", Instant(), nullable=True),
        sa.Column("outcome", sa.Text(), nullable=True),
        sa.Column("eta_minutes", sa.Integer(), nullable=True),
        sa.Column("eta_at", Instant(), nullable=True),
        sa.Column("responder", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_file")),
        sa.UniqueConstraint("open_key", name=op.f("uq_case_file_open_key")),
    )
    with op.batch_alter_table("case_file", schema=None) as batch_op:
        batch_op.create_index("ix_case_file_assigned", ["assigned_to", "is_open"], unique=False)
        batch_op.create_index("ix_case_file_community", ["is_open", "community"], unique=False)
        batch_op.create_index("ix_case_file_due", ["is_open", "due_us", "id"], unique=False)
        batch_op.create_index("ix_case_file_opened", ["is_open", "opened_at", "id"], unique=False)
        batch_op.create_index("ix_case_file_person", ["resident_id", "opened_at"], unique=False)
        batch_op.create_index("ix_case_file_urgent", ["is_open", "urgent", "opened_at", "id"], unique=False)

    op.create_table(
        "case_model",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("taken_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_case_model")),
    )
    op.create_table(
        "case_owed",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("resident_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False, comment="whom an answer is owed to: resident, a person's id, desk"),
        sa.Column("text", Json, nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("due_at", Instant(), nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("owner_name", sa.Text(), nullable=True),
        sa.Column("community", sa.Text(), nullable=False),
        sa.Column("done_at", Instant(), nullable=True),
        sa.Column("done_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_case_owed")),
    )
    with op.batch_alter_table("case_owed", schema=None) as batch_op:
        batch_op.create_index("ix_case_owed_case", ["case_id"], unique=False)
        batch_op.create_index("ix_case_owed_open", ["done_at", "community"], unique=False)
        batch_op.create_index("ix_case_owed_owner", ["owner", "done_at"], unique=False)

    op.create_table(
        "case_state",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False, comment="digest of the process the case began with"),
        sa.Column("state", sa.LargeBinary(), nullable=False, comment="the process, zlib of JSON; no personal data"),
        sa.PrimaryKeyConstraint("case_id", name=op.f("pk_case_state")),
    )
    op.create_table(
        "case_timer",
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("due_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("case_id", "task", name=op.f("pk_case_timer")),
    )
    with op.batch_alter_table("case_timer", schema=None) as batch_op:
        batch_op.create_index("ix_case_timer_due", ["due_us"], unique=False)

    op.create_table(
        "desk_clock",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seen_us", sa.BigInteger(), nullable=False, comment="the latest instant the desk has lived through"),
        sa.Column(
            "event_seq", sa.BigInteger(), nullable=False, comment="events up to here were told by an older clock"
        ),
        sa.Column("jumps", sa.Integer(), nullable=False),
        sa.Column("last_jump_s", sa.Float(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_desk_clock")),
    )
    op.create_table(
        "notice",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("case_id", sa.Text(), nullable=False),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("line", sa.Text(), nullable=True, comment="line of the roster; NULL: the node's own addresses"),
        sa.Column("channel", sa.Integer(), nullable=False, comment="which address of that line"),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("made_at", Instant(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False, comment="waiting, sent, failed"),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_us", sa.BigInteger(), nullable=False),
        sa.Column("sent_at", Instant(), nullable=True),
        sa.Column("why", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
    )
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.create_index("ix_notice_case", ["case_id"], unique=False)
        batch_op.create_index("ix_notice_next", ["state", "next_us"], unique=False)

    op.create_table(
        "roster_line",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("scope", sa.Text(), nullable=False, comment="an organisation's id or a resident_id"),
        sa.Column("tier", sa.Integer(), nullable=False),
        sa.Column("shifts", Json, nullable=False),
        sa.Column("weekdays", Json, nullable=False),
        sa.Column("rank", sa.Integer(), nullable=False),
        sa.Column("who", sa.Text(), nullable=True, comment="id of the principal; NULL: somebody without an account"),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("urls", sa.LargeBinary(), nullable=True, comment="Apprise addresses, sealed"),
        sa.Column("valid_from", Instant(), nullable=True),
        sa.Column("valid_to", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_roster_line")),
    )
    with op.batch_alter_table("roster_line", schema=None) as batch_op:
        batch_op.create_index("ix_roster_line_scope", ["scope", "tier"], unique=False)
        batch_op.create_index("ix_roster_line_who", ["who"], unique=False)


def downgrade() -> None:
    """Take it back."""
    with op.batch_alter_table("roster_line", schema=None) as batch_op:
        batch_op.drop_index("ix_roster_line_who")
        batch_op.drop_index("ix_roster_line_scope")

    op.drop_table("roster_line")
    with op.batch_alter_table("notice", schema=None) as batch_op:
        batch_op.drop_index("ix_notice_next")
        batch_op.drop_index("ix_notice_case")

    op.drop_table("notice")
    op.drop_table("desk_clock")
    with op.batch_alter_table("case_timer", schema=None) as batch_op:
        batch_op.drop_index("ix_case_timer_due")

    op.drop_table("case_timer")
    op.drop_table("case_state")
    with op.batch_alter_table("case_owed", schema=None) as batch_op:
        batch_op.drop_index("ix_case_owed_owner")
        batch_op.drop_index("ix_case_owed_open")
        batch_op.drop_index("ix_case_owed_case")

    op.drop_table("case_owed")
    op.drop_table("case_model")
    with op.batch_alter_table("case_file", schema=None) as batch_op:
        batch_op.drop_index("ix_case_file_urgent")
        batch_op.drop_index("ix_case_file_person")
        batch_op.drop_index("ix_case_file_opened")
        batch_op.drop_index("ix_case_file_due")
        batch_op.drop_index("ix_case_file_community")
        batch_op.drop_index("ix_case_file_assigned")

    op.drop_table("case_file")
    with op.batch_alter_table("case_event", schema=None) as batch_op:
        batch_op.drop_index("ix_case_event_case")

    op.drop_table("case_event")
    with op.batch_alter_table("case_decision", schema=None) as batch_op:
        batch_op.drop_index("ix_case_decision_case")

    op.drop_table("case_decision")
    with op.batch_alter_table("case_called", schema=None) as batch_op:
        batch_op.drop_index("ix_case_called_who")

    op.drop_table("case_called")
