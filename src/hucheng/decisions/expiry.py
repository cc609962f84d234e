"""Decisions that are kept no longer: ended long enough ago, with no appeal that waits for its answer.

A review on an appeal (`record.uphold`) sets nothing of its own and has no end: it stays as long as the decision whose
place it took, and goes with it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, or_, select

from hucheng.base.ledger import picked
from hucheng.decisions.record import REVIEW
from hucheng.decisions.tables import appeal, decision

Condition = Callable[[Any], ColumnElement[bool]]
"""Something that is so of a row of the table given, in SQL."""


def lasting(before: datetime, of: Any = decision) -> ColumnElement[bool]:
    """Whether a decision is kept: it holds, it ended after a moment, or an appeal against it waits; in SQL.

    Never NULL, so that it may be negated. ``of``: the table, or another name for it.
    """
    ended = of.c.ended_at
    review = of.c.finding_id.startswith(REVIEW)
    holds = and_(ended.is_(None), or_(~review, of.c.decided_at > before))
    recent = and_(ended.is_not(None), ended > before)
    waits = exists().where(appeal.c.decision_id == of.c.id, appeal.c.answered_at.is_(None))
    return or_(holds, recent, waits)


def past(conn: Connection, before: datetime, free: Condition, limit: int) -> list[str]:
    """Some decisions that may go, the longest ended first. ``free``: what else must be so of a decision."""
    query = select(decision.c.id).where(*over(before), free(decision)).order_by(decision.c.ended_at)
    return list(conn.execute(query.limit(limit)).scalars())


def drop(conn: Connection, names: Sequence[str], before: datetime, free: Condition) -> int:
    """Delete those of these decisions that are `past`, with their appeals and the reviews in their place; how many."""
    some = picked(decision.c.id, names)
    rows = conn.execute(select(some.c.id, some.c.superseded_by).where(*over(before, some), free(some))).all()
    after = picked(decision.c.id, [row.superseded_by for row in rows if row.superseded_by is not None])
    review = after.c.finding_id.startswith(REVIEW)
    reviews = conn.execute(select(after.c.id).where(review, ~lasting(before, after), free(after))).scalars()
    gone = list(dict.fromkeys([*(row.id for row in rows), *reviews]))
    conn.execute(delete(appeal).where(appeal.c.decision_id.in_(gone)))
    conn.execute(delete(decision).where(decision.c.id.in_(gone)))
    return len(gone)


def over(before: datetime, of: Any = decision) -> tuple[ColumnElement[bool], ...]:
    """What is so of a decision that ended long ago; the first of it goes by an index."""
    later = decision.alias()
    kept_review = exists().where(
        later.c.id == of.c.superseded_by, later.c.finding_id.startswith(REVIEW), lasting(before, later)
    )
    return of.c.ended_at <= before, ~lasting(before, of), ~kept_review
