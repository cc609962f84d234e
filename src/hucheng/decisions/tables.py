"""The tables of the decisions room, in the shared ledger."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, LargeBinary, Table, Text

from hucheng.base.ledger import Instant, metadata

decision = Table(
    "decision",
    metadata,
    Column("id", Text, primary_key=True),
    Column("finding_id", Text, nullable=False, unique=True),
    Column("resident_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("pack", Text, nullable=False),
    Column("version", Text, nullable=False),
    Column("dataset", Text, nullable=False),
    Column("device_id", Text, nullable=True),
    Column("basis", Text, nullable=False),
    Column("body", LargeBinary, nullable=True, comment="outcome, facts, reasons, text, sealed; NULL once erased"),
    Column("observed_at", Instant, nullable=False),
    Column("decided_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=True),
    Column("simulated", Boolean, nullable=False),
    Column("urgent", Boolean, nullable=False),
    Column("ended_at", Instant, nullable=True, comment="superseded or expired then"),
    Column("superseded_by", Text, nullable=True),
    Index("ix_decision_person", "resident_id", "decided_at"),
    Index("ix_decision_expiry", "ended_at", "expires_at"),
)

appeal = Table(
    "appeal",
    metadata,
    Column("id", Text, primary_key=True),
    Column("decision_id", Text, nullable=False, unique=True),
    Column("resident_id", Text, nullable=False),
    Column("by", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("body", LargeBinary, nullable=True, comment="what is said, sealed; NULL once erased"),
    Column("answered_at", Instant, nullable=True),
    Column("answered_by", Text, nullable=True),
    Column("answer", LargeBinary, nullable=True, comment="the answer, sealed; NULL once erased"),
    Index("ix_appeal_person", "resident_id"),
)
