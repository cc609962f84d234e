"""Cases that are kept no longer: closed long enough ago, nobody owed an answer, no decision in them that is kept.

A case and its decisions are one file: neither goes before the other's time, and they go in one transaction, so that no
page leads to nothing and no appeal comes to a decision for which no desk answers any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, delete, exists, select

from hucheng.base.ledger import picked
from hucheng.cases.tables import (
    case_called,
    case_decision,
    case_event,
    case_file,
    case_owed,
    case_state,
    case_timer,
    notice,
)
from hucheng.decisions import expiry
from hucheng.decisions.expiry import lasting
from hucheng.decisions.tables import decision

PARTS = (case_timer, case_state, case_called, case_event, case_decision, case_owed, notice)


def past(conn: Connection, before: datetime, decided: datetime, limit: int) -> list[str]:
    """Some cases that may go, the oldest first: closed by ``before``, their decisions ended by ``decided``."""
    return list(conn.execute(_past(before, decided).order_by(case_file.c.opened_at).limit(limit)).scalars())


def drop(conn: Connection, names: Sequence[str], before: datetime, decided: datetime) -> tuple[int, int]:
    """Delete those of these cases that are `past`, with everything in them; how many cases and how many decisions."""
    gone = list(conn.execute(_past(before, decided, picked(case_file.c.id, names))).scalars())
    linked = select(case_decision.c.decision_id).where(case_decision.c.case_id.in_(gone))
    stood = list(conn.execute(linked).scalars())
    for table in PARTS:
        conn.execute(delete(table).where(table.c.case_id.in_(gone)))
    conn.execute(delete(case_file).where(case_file.c.id.in_(gone)))
    return len(gone), expiry.drop(conn, stood, decided, caseless)


def caseless(of: Any = decision) -> ColumnElement[bool]:
    """Whether no case stands on a decision, open or closed; in SQL."""
    return ~exists().where(case_decision.c.decision_id == of.c.id)


def _past(before: datetime, decided: datetime, of: Any = case_file) -> Select[Any]:
    owed = exists().where(case_owed.c.case_id == of.c.id, case_owed.c.done_at.is_(None))
    kept = exists().where(
        case_decision.c.case_id == of.c.id, decision.c.id == case_decision.c.decision_id, lasting(decided)
    )
    return select(of.c.id).where(
        ~of.c.is_open,
        of.c.opened_at <= before,  # by an index; it was opened before it was closed
        of.c.closed_at <= before,
        ~owed,
        ~kept,
    )
