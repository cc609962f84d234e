"""The tables of the cases room, in the shared ledger.

What tells something about a resident's health (titles, reasons, notes) lies in ``body``, sealed under the resident's
key. Due times are absolute microseconds since 1970, so that one statement moves them when the clock has jumped.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Float, Index, Integer, LargeBinary, Table, Text, false

from hucheng.base.ledger import Instant, Json, metadata

case_file = Table(
    "case_file",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("resident_id", Text, nullable=False),
    Column("open_key", Text, unique=True, nullable=True, comment="digest of resident, kind, rule; NULL once closed"),
    Column("is_open", Boolean, nullable=False),
    Column("community", Text, nullable=False),
    Column("org", Text, nullable=False, comment="ids from the root to the community, each ended by /"),
    Column("body", LargeBinary, nullable=True, comment="title, text, reasons; NULL once erased"),
    Column("opened_at", Instant, nullable=False),
    Column("due_us", BigInteger, nullable=True),
    Column("state", Text, nullable=False),
    Column("step", Text, nullable=True),
    Column("tier", Integer, nullable=False),
    Column("assigned_to", Text, nullable=True),
    Column("assigned_name", Text, nullable=True),
    Column("joined", Integer, nullable=False),
    Column("simulated", Boolean, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("closed_at", Instant, nullable=True),
    Column("outcome", Text, nullable=True),
    Column("eta_minutes", Integer, nullable=True),
    Column("eta_at", Instant, nullable=True),
    Column("responder", Text, nullable=True),
    Column("version", Integer, nullable=False),
    Index("ix_case_file_due", "is_open", "due_us", "id"),
    Index("ix_case_file_opened", "is_open", "opened_at", "id"),
    Index("ix_case_file_counted", "is_open", "community", "kind", "state", "urgent", "opened_at"),
    Index("ix_case_file_person", "resident_id", "opened_at"),
    Index("ix_case_file_assigned", "assigned_to", "is_open"),
)

Index("ix_case_file_urgent", case_file.c.is_open, case_file.c.urgent.desc(), case_file.c.opened_at, case_file.c.id)

case_state = Table(
    "case_state",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("model", Text, nullable=False, comment="digest of the process the case began with"),
    Column("state", LargeBinary, nullable=False, comment="the process, zlib of JSON; no personal data"),
)

case_model = Table(
    "case_model",
    metadata,
    Column("digest", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("taken_at", Instant, nullable=False),
)

case_timer = Table(
    "case_timer",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("task", Text, primary_key=True),
    Column("step", Text, nullable=False),
    Column("due_us", BigInteger, nullable=False),
    Index("ix_case_timer_due", "due_us"),
)

case_event = Table(
    "case_event",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("case_id", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("what", Text, nullable=False),
    Column("tier", Integer, nullable=True),
    Column("body", LargeBinary, nullable=True, comment="names, text, note; NULL once erased"),
    Index("ix_case_event_case", "case_id", "seq"),
    sqlite_autoincrement=True,
)

case_decision = Table(
    "case_decision",
    metadata,
    Column("decision_id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_case_decision_case", "case_id"),
)

case_called = Table(
    "case_called",
    metadata,
    Column("case_id", Text, primary_key=True),
    Column("who", Text, primary_key=True),
    Column("tier", Integer, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_case_called_who", "who"),
)

case_owed = Table(
    "case_owed",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("resident_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False, comment="whom an answer is owed to: resident, a person's id, desk"),
    Column("text", Json, nullable=False),
    Column("since", Instant, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("owner", Text, nullable=True),
    Column("owner_name", Text, nullable=True),
    Column("community", Text, nullable=False),
    Column("done_at", Instant, nullable=True),
    Column("done_by", Text, nullable=True),
    Index("ix_case_owed_open", "done_at", "kind", "community", "owner"),
    Index("ix_case_owed_due", "done_at", "due_at", "since", "id"),
    Index("ix_case_owed_owner", "owner", "done_at"),
    Index("ix_case_owed_case", "case_id"),
)

notice = Table(
    "notice",
    metadata,
    Column("id", Text, primary_key=True),
    Column("case_id", Text, nullable=False),
    Column("tier", Integer, nullable=False),
    Column("line", Text, nullable=True, comment="line of the roster; NULL: the node's own addresses"),
    Column("channel", Integer, nullable=False, comment="which address of that line"),
    Column("who", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("state", Text, nullable=False, comment="waiting, sent, failed"),
    Column("tries", Integer, nullable=False),
    Column("next_us", BigInteger, nullable=False),
    Column("sent_at", Instant, nullable=True),
    Column("why", Text, nullable=True),
    Index("ix_notice_next", "state", "next_us"),
    Index("ix_notice_case", "case_id"),
)

roster_line = Table(
    "roster_line",
    metadata,
    Column("id", Text, primary_key=True),
    Column("scope", Text, nullable=False, comment="an organisation's id or a resident_id"),
    Column("tier", Integer, nullable=False),
    Column("shifts", Json, nullable=False),
    Column("weekdays", Json, nullable=False),
    Column("rank", Integer, nullable=False),
    Column("who", Text, nullable=True, comment="id of the principal; NULL: somebody without an account"),
    Column("name", Text, nullable=False),
    Column("phone", Text, nullable=True),
    Column("language", Text, nullable=False),
    Column("urls", LargeBinary, nullable=True, comment="Apprise addresses, sealed"),
    Column("valid_from", Instant, nullable=True),
    Column("valid_to", Instant, nullable=True),
    Column("own_right", Boolean, nullable=False, server_default=false(), comment="stands whatever mandates say"),
    Index("ix_roster_line_scope", "scope", "tier"),
    Index("ix_roster_line_who", "who"),
)

desk_clock = Table(
    "desk_clock",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seen_us", BigInteger, nullable=False, comment="the latest instant the desk has lived through"),
    Column("event_seq", BigInteger, nullable=False, comment="events up to here were told by an older clock"),
    Column("jumps", Integer, nullable=False),
    Column("last_jump_s", Float, nullable=True),
)
