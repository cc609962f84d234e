"""The history of a case: one line for everything that happened, in order, its words sealed under the resident's key."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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
        rows = [
            {
                "case_id": case_id,
                "at": now,
                "actor": line.actor,
                "what": line.what,
                "tier": line.tier,
                "body": self.bodies.seal(conn, resident_id, f"event/{case_id}", _body(line)),
            }
            for line in lines
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

    def count(self, conn: Connection, case_id: str, what: str, tier: int) -> int:
        """How often something happened in a tier."""
        c = case_event.c
        query = select(func.count()).select_from(case_event)
        return int(conn.execute(query.where(c.case_id == case_id, c.what == what, c.tier == tier)).scalar_one())

    def last(self, conn: Connection, case_id: str) -> str | None:
        """What the last line is about."""
        query = select(case_event.c.what).where(case_event.c.case_id == case_id)
        return conn.execute(query.order_by(case_event.c.seq.desc()).limit(1)).scalar()


def _body(line: Line) -> dict[str, Any]:
    text = say(EVENTS[line.what], **{"tier": line.tier or 0, "role": TIERS.get(line.tier or 0, {}), **line.values})
    name = line.values.get("name", line.actor)
    return {"text": text, "name": name if isinstance(name, str) else line.actor, "note": line.note}
