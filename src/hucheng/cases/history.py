"""The history of a case: one line for everything that happened, in order, its words sealed under the resident's key."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, func, select

from hucheng.base.ledger import after_commit
from hucheng.cases.rosters import TIERS
from hucheng.cases.tables import case_event
from hucheng.cases.views import Event
from hucheng.cases.words import ERASED, EVENTS, say
from hucheng.decisions.bodies import Bodies


class Line(msgspec.Struct, frozen=True):
    """One line to write: what happened, by whom, and the values that fill in its words."""

    what: str
    actor: str = "system"
    note: str | None = None
    tier: int | None = None
    values: dict[str, Any] = {}


@dataclass(frozen=True)
class History:
    """Writes and reads lines. ``changed`` is called once a line is durable, to wake whoever waits for it."""

    bodies: Bodies
    changed: Callable[[], None] = field(default=lambda: None)

    def write(self, conn: Connection, case_id: str, resident_id: str, now: datetime, lines: Iterable[Line]) -> None:
        """Write lines of one case, in their order."""
        self.put(conn, [(case_id, resident_id, line) for line in lines], now)

    def put(self, conn: Connection, lines: Sequence[tuple[str, str, Line]], now: datetime) -> None:
        """Write lines of many cases (case, resident, line), in their order."""
        self.bodies.ready(conn, [resident for _, resident, _ in lines])
        rows = [
            {
                "case_id": case_id,
                "at": now,
                "actor": line.actor,
                "what": line.what,
                "tier": line.tier,
                "body": self.bodies.seal(conn, resident_id, f"event/{case_id}", _body(line)),
            }
            for case_id, resident_id, line in lines
        ]
        if rows:
            conn.execute(case_event.insert(), rows)
            after_commit(conn, self.changed)

    def read(self, conn: Connection, case_id: str, resident_id: str) -> list[Event]:
        """The lines of one case; of an erased person only that something happened."""
        found: list[Event] = []
        query = select(case_event).where(case_event.c.case_id == case_id).order_by(case_event.c.seq)
        for row in conn.execute(query):
            body = self.bodies.open(resident_id, f"event/{case_id}", row.body)
            if body is None:
                text = EVENTS["erased"] if row.what == "erased" else ERASED
                body = {"name": row.actor, "text": text, "note": None}
            found.append(Event(row.at, row.actor, body["name"], row.what, body["text"], body["note"]))
        return found

    def unanswered(self, conn: Connection, cases: Sequence[str]) -> dict[tuple[str, int], int]:
        """How often nobody answered, by case and tier, since the case was last handed back to the roster."""
        c, back = case_event.c, case_event.alias()
        begun = select(func.max(back.c.seq)).where(
            back.c.case_id == c.case_id, back.c.what.in_(("handed_back", "mandate_over"))
        )
        since = c.seq > func.coalesce(begun.scalar_subquery(), 0)
        query = select(c.case_id, c.tier, func.count()).where(c.case_id.in_(cases), c.what == "no_answer", since)
        return {(case, tier): count for case, tier, count in conn.execute(query.group_by(c.case_id, c.tier))}

    def last(self, conn: Connection, cases: Sequence[str]) -> dict[str, str]:
        """What the last line of each case is about."""
        c = case_event.c
        newest = select(func.max(c.seq)).where(c.case_id.in_(cases)).group_by(c.case_id)
        return {row.case_id: row.what for row in conn.execute(select(c.case_id, c.what).where(c.seq.in_(newest)))}


def _body(line: Line) -> dict[str, Any]:
    text = say(EVENTS[line.what], **{"tier": line.tier or 0, "role": TIERS.get(line.tier or 0, {}), **line.values})
    name = line.values.get("name", line.actor)
    return {"text": text, "name": name if isinstance(name, str) else line.actor, "note": line.note}
