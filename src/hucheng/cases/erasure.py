"""Erasing a person from the cases: what was about them goes, that there was a case stays countable."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from hucheng.cases import outbox, owing
from hucheng.cases.tables import case_called, case_event, case_file, case_owed, case_state, case_timer, roster_line
from hucheng.cases.words import ERASED as NOBODY
from hucheng.cases.words import OWED, say

ERASED = "erased"


def erase(conn: Connection, resident_id: str, now: datetime, principals: Sequence[str] = ()) -> int:
    """Take a person out of every case; open ones end, for nobody may go there any more. Returns how many.

    ``principals``: as whom the person acted; the roster still has their lines. What they did for others stays in those
    others' history, sealed under their keys; an open case of somebody else that they have in hand names them until it
    is closed.
    """
    mine = list(conn.execute(select(case_file.c.id).where(case_file.c.resident_id == resident_id)).scalars())
    for start in range(0, len(mine), 400):
        part = mine[start : start + 400]
        for table in (case_timer, case_state, case_called):
            conn.execute(delete(table).where(table.c.case_id.in_(part)))
        conn.execute(delete(case_owed).where(case_owed.c.case_id.in_(part)))
        conn.execute(update(case_event).where(case_event.c.case_id.in_(part)).values(body=None))
        conn.execute(
            update(case_file)
            .where(case_file.c.id.in_(part), case_file.c.is_open)
            .values(is_open=False, state="closed", step=None, due_us=None, closed_at=now)
        )
        conn.execute(
            update(case_file)
            .where(case_file.c.id.in_(part))
            .values(resident_id=ERASED, body=None, open_key=None, rule=ERASED, version=case_file.c.version + 1)
        )
        for case_id in part:
            line = {"case_id": case_id, "at": now, "actor": "system", "what": ERASED}
            conn.execute(case_event.insert().values(**line))
    theirs = [resident_id, *principals]
    _unname(conn, mine, theirs)
    conn.execute(delete(case_called).where(case_called.c.who.in_(theirs)))
    conn.execute(update(case_event).where(case_event.c.actor.in_(theirs)).values(actor=ERASED))
    closed = ~case_file.c.is_open
    nobody = {"assigned_to": ERASED, "assigned_name": ERASED, "responder": ERASED}
    conn.execute(update(case_file).where(closed, case_file.c.assigned_to.in_(theirs)).values(**nobody))
    conn.execute(delete(case_owed).where(case_owed.c.who.in_(theirs)))
    conn.execute(update(case_owed).where(case_owed.c.owner.in_(theirs)).values(owner=None, owner_name=None))
    conn.execute(update(case_owed).where(case_owed.c.done_by.in_(theirs)).values(done_by=ERASED))
    return len(mine)


def _unname(conn: Connection, cases: Sequence[str], theirs: Sequence[str]) -> None:
    """Take the person's name out of notices, while the roster still says which lines are theirs."""
    lines = conn.execute(select(roster_line.c.id, roster_line.c.name).where(roster_line.c.who.in_(list(theirs)))).all()
    outbox.unname(conn, cases, [line.id for line in lines], ERASED)
    owing.unname(conn, [line.name for line in lines], ERASED, say(OWED["not_delivered"], name=NOBODY))
