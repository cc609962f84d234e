"""Messages to the steward that nobody can read: set aside with the reason, whole, until the cause is mended.

What lies here was taken out of the stream, so that it holds nobody up; it can be published again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct
from sqlalchemy import Column, Connection, Index, Integer, LargeBinary, Table, Text, delete, func, select

from hucheng.base.ledger import Instant, insert, metadata

set_aside = Table(
    "set_aside",
    metadata,
    Column("id", Text, primary_key=True, comment="digest of subject and message"),
    Column("reason", Text, nullable=False),
    Column("at", Instant, nullable=False),
    Column("subject", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("why", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Index("ix_set_aside_reason", "reason", "at"),
)


class Aside(Struct, frozen=True):
    """One message set aside. ``why``: what the reader said."""

    id: str
    reason: str
    at: datetime
    subject: str
    tries: int
    why: str
    data: bytes


def put(conn: Connection, reason: str, at: datetime, subject: str, tries: int, why: str, data: bytes) -> None:
    """Set a message aside; the same again changes nothing."""
    name = hashlib.sha256(subject.encode() + b"\0" + data).hexdigest()[:24]
    row = {"id": name, "reason": reason, "at": at, "subject": subject, "tries": tries, "why": why, "data": data}
    conn.execute(insert(conn, set_aside).values(**row).on_conflict_do_nothing(index_elements=["id"]))


def counts(conn: Connection) -> dict[str, int]:
    """How many there are for each reason."""
    query = select(set_aside.c.reason, func.count()).group_by(set_aside.c.reason).order_by(set_aside.c.reason)
    return {reason: int(n) for reason, n in conn.execute(query)}


def some(conn: Connection, reason: str, limit: int | None = None) -> list[Aside]:
    """Those of a reason, the newest first."""
    query = select(set_aside).where(set_aside.c.reason == reason).order_by(set_aside.c.at.desc(), set_aside.c.id)
    return [Aside(**row._mapping) for row in conn.execute(query.limit(limit) if limit else query)]


def take(conn: Connection, names: Sequence[str]) -> None:
    """Take messages out: they are in the stream again."""
    conn.execute(delete(set_aside).where(set_aside.c.id.in_(list(names))))


def erase(conn: Connection, person: str) -> int:
    """Delete what names a person, as far as anybody can read it; returns how many."""
    rows: Any = conn.execute(select(set_aside.c.id, set_aside.c.data))
    names = [row.id for row in rows if person.encode() in row.data]
    take(conn, names)
    return len(names)
