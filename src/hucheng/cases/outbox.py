"""Notices that wait to be sent: written in the same transaction as the call they belong to.

A notice holds no personal data: the case's number, its kind, the community, and where to open it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select, update

from hucheng.base.ledger import insert
from hucheng.cases.clock import micros
from hucheng.cases.rosters import Contact
from hucheng.cases.tables import notice
from hucheng.cases.words import NOTICE, say

BACKOFF_S = (5.0, 15.0, 45.0)
"""Seconds before the second, third and fourth try; after the fourth a notice counts as not delivered."""


class Waiting(msgspec.Struct, frozen=True):
    """A notice that is due."""

    id: str
    case_id: str
    tier: int
    line: str | None
    channel: int
    who: str
    title: str
    text: str
    tries: int


def notices(
    *,
    case_id: str,
    turn: str,
    contact: Contact | None,
    own: Sequence[str],
    words: dict[str, Any],
    handed: bool,
    now: datetime,
) -> list[dict[str, Any]]:
    """One notice for each address of the contact (None: each of the node's own).

    ``turn`` names the occasion, so that the same call is never put in twice.
    """
    count = contact.channels if contact else len(own)
    if not count:
        return []
    language = contact.language if contact else "zh"
    line = contact.line if contact else None
    told = {
        "case_id": case_id,
        "tier": contact.tier if contact else 0,
        "line": line,
        "who": contact.name if contact else "desk",
        "title": say(NOTICE["title"], **words)[language],
        "text": say(NOTICE["handed" if handed else "text"], **words)[language].strip(),
        "made_at": now,
        "state": "waiting",
        "tries": 0,
        "next_us": micros(now),
    }
    keys = [f"{case_id}\0{turn}\0{line or ''}\0{channel}" for channel in range(count)]
    names = ["n-" + hashlib.sha256(key.encode()).hexdigest()[:20] for key in keys]
    return [told | {"id": name, "channel": channel} for channel, name in enumerate(names)]


def put(conn: Connection, waiting: Sequence[Mapping[str, Any]]) -> None:
    """Put notices in the outbox; one that is in it already stays as it is."""
    if waiting:
        conn.execute(insert(conn, notice).on_conflict_do_nothing(index_elements=["id"]), list(waiting))


def due(conn: Connection, now: datetime, limit: int = 20) -> list[Waiting]:
    """Notices to send now, the oldest first."""
    query = select(*(notice.c[name] for name in Waiting.__struct_fields__))
    query = query.where(notice.c.state == "waiting", notice.c.next_us <= micros(now))
    return [Waiting(*row) for row in conn.execute(query.order_by(notice.c.next_us, notice.c.id).limit(limit))]


def next_us(conn: Connection) -> int | None:
    """When the next notice is due, in microseconds since 1970."""
    return conn.execute(select(func.min(notice.c.next_us)).where(notice.c.state == "waiting")).scalar()


def sent(conn: Connection, name: str, now: datetime) -> None:
    """It was taken by whoever carries it."""
    change = update(notice).where(notice.c.id == name, notice.c.state == "waiting")
    conn.execute(change.values(state="sent", sent_at=now, tries=notice.c.tries + 1, why=None))


def failed(conn: Connection, one: Waiting, why: str, now: datetime) -> bool:
    """It was not taken: try again later, or give up. True when this was the last try."""
    last = one.tries >= len(BACKOFF_S)
    change = update(notice).where(notice.c.id == one.id, notice.c.state == "waiting")
    values: dict[str, Any] = {"tries": one.tries + 1, "why": why[:300], "state": "failed" if last else "waiting"}
    if not last:
        values["next_us"] = micros(now) + int(BACKOFF_S[one.tries] * 1_000_000)
    return bool(conn.execute(change.values(**values)).rowcount) and last


def unname(conn: Connection, cases: Sequence[str], lines: Sequence[str], by: str) -> None:
    """Take the names out of notices about these cases, and of those to these lines of the roster."""
    for column, values in ((notice.c.case_id, cases), (notice.c.line, lines)):
        for start in range(0, len(values), 400):
            part = list(values[start : start + 400])
            conn.execute(update(notice).where(column.in_(part)).values(who=by))


def withdraw(conn: Connection, ids: Sequence[str]) -> None:
    """Notices that are to be sent to nobody any more."""
    conn.execute(update(notice).where(notice.c.id.in_(list(ids))).values(state="dropped"))


def drop(conn: Connection, case_id: str) -> None:
    """Somebody has the case: calls that were not sent yet are not needed any more."""
    mine = update(notice).where(notice.c.case_id == case_id, notice.c.state == "waiting", notice.c.tier > 0)
    conn.execute(mine.values(state="dropped"))
