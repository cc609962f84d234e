"""Erasures that were asked for: what is still owed is a row, so that it is done though a process dies half way.

The row names the person for as long as something of them is left, and nobody from then on (PIPL art. 47).
"""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlalchemy import Column, Connection, Table, Text, select, update

from hucheng.base.erasing import Erasure
from hucheng.base.ledger import Instant, Json, metadata
from hucheng.errors import NotFound

erasure = Table(
    "erasure",
    metadata,
    Column("id", Text, primary_key=True),
    Column("digest", Text, nullable=False, comment="keyed digest of the person: tells the erased, names nobody"),
    Column("by", Text, nullable=False),
    Column("asked_at", Instant, nullable=False),
    Column("owed", Json, nullable=True, comment="person and devices; NULL once nothing is left of them"),
    Column("sent", Json, nullable=False, comment="place of the order in the stream, by partition"),
    Column("counts", Json, nullable=False),
    Column("done_at", Instant, nullable=True),
)


class Owed(Struct, frozen=True):
    """One erasure. ``order``: who it is about, None once it is done; ``sent``: sequence by partition."""

    id: str
    by: str
    asked_at: datetime
    order: Erasure | None
    sent: dict[int, int]
    counts: dict[str, int]
    done_at: datetime | None


def ask(conn: Connection, order: Erasure, digest: str, by: str, now: datetime, counts: dict[str, int]) -> str:
    """Enter what is owed from now on; gives the number under which one may ask for it."""
    name = "x-" + secrets.token_hex(6)
    body = {"digest": digest, "owed": msgspec.to_builtins(order), "sent": {}, "counts": counts}
    conn.execute(erasure.insert().values(id=name, by=by, asked_at=now, **body))
    return name


def digests(conn: Connection) -> set[str]:
    """Of everybody who was erased."""
    return set(conn.execute(select(erasure.c.digest)).scalars())


def get(conn: Connection, name: str) -> Owed:
    """One erasure. Raises NotFound."""
    row = conn.execute(select(erasure).where(erasure.c.id == name)).first()
    if row is None:
        raise NotFound(f"no erasure {name!r}")
    return _shaped(row)


def left(conn: Connection) -> list[Owed]:
    """Those that are not done, the oldest first."""
    query = select(erasure).where(erasure.c.done_at.is_(None)).order_by(erasure.c.asked_at)
    return [_shaped(row) for row in conn.execute(query)]


def sent(conn: Connection, name: str, places: dict[int, int]) -> None:
    """Note where in the stream the order lies, by partition; none: it must be sent again."""
    conn.execute(update(erasure).where(erasure.c.id == name).values(sent={str(p): s for p, s in places.items()}))


def done(conn: Connection, name: str, now: datetime) -> None:
    """Note that nothing is left, and forget whose it was."""
    conn.execute(update(erasure).where(erasure.c.id == name).values(owed=None, sent={}, done_at=now))


def _shaped(row: Any) -> Owed:
    return Owed(
        row.id,
        row.by,
        row.asked_at,
        msgspec.convert(row.owed, Erasure) if row.owed is not None else None,
        {int(partition): int(place) for partition, place in row.sent.items()},
        row.counts,
        row.done_at,
    )
