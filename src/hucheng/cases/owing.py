"""Whom do we still owe an answer: a task that outlives the shift of whoever promised it."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update

from hucheng.base.ledger import insert
from hucheng.cases.tables import case_file, case_owed
from hucheng.cases.views import Owed
from hucheng.cases.words import OWED, say
from hucheng.errors import CaseError, NotFound


def owe(
    conn: Connection,
    case: Any,
    kind: str,
    *,
    to: str,
    now: datetime,
    turn: str = "",
    owner: tuple[str, str] | None = None,
    within: timedelta = timedelta(),
    **values: object,
) -> str:
    """Note that somebody is owed an answer about a case; the same thing twice is one. Returns its id.

    ``case`` is a row of `case_file`; ``within``: how soon; ``values`` fill in the words of its kind.
    """
    name = "o-" + hashlib.sha256(f"{case.id}\0{kind}\0{to}\0{turn}".encode()).hexdigest()[:16]
    entered = insert(conn, case_owed).values(
        id=name,
        case_id=case.id,
        resident_id=case.resident_id,
        kind=kind,
        who=to,
        text=say(OWED[kind], **values),
        since=now,
        due_at=now + within,
        owner=owner[0] if owner else None,
        owner_name=owner[1] if owner else None,
        community=case.community,
    )
    conn.execute(entered.on_conflict_do_nothing(index_elements=["id"]))
    return name


def hand_on(conn: Connection, case_id: str, owner: tuple[str, str] | None) -> None:
    """What is owed about a case is from now on owed by this person (None: by the desk)."""
    mine = update(case_owed).where(case_owed.c.case_id == case_id, case_owed.c.done_at.is_(None))
    conn.execute(mine.values(owner=owner[0] if owner else None, owner_name=owner[1] if owner else None))


def give(conn: Connection, case_id: str, name: str, by: str, now: datetime) -> dict[str, str]:
    """The answer was given; returns what was owed.

    Raises NotFound where nothing of this id is owed in this case, CaseError where there is nothing to answer yet.
    """
    mine = (case_owed.c.id == name) & (case_owed.c.case_id == case_id) & case_owed.c.done_at.is_(None)
    there = case_owed.join(case_file, case_file.c.id == case_owed.c.case_id)
    found = select(case_owed.c.text, case_owed.c.kind, case_file.c.state).select_from(there).where(mine)
    row = conn.execute(found).first()
    if row is None:
        raise NotFound(f"nothing is owed under {name!r}", where=case_id, mend="look at what is owed in this case")
    if not ready(row.kind, row.state):
        raise CaseError("there is nothing to answer yet", where=case_id, mend=_FIRST[row.kind])
    conn.execute(update(case_owed).where(mine).values(done_at=now, done_by=by))
    return dict(row.text)


def ready(kind: str, state: str) -> bool:
    """Whether there is something to answer by now, by what is owed and the state of its case.

    What came of it is known once it is closed; that it is in hand, once somebody has it; an appeal is answered by
    its own deed. A notice that was not delivered is phoned at once.
    """
    if kind == "appeal":
        return False
    return state == "closed" if kind == "resident" else state != "calling" or kind == "not_delivered"


_FIRST: Mapping[str, str] = {
    "resident": "close the case first, then tell the resident",
    "called": "it is in hand once somebody has taken it",
    "promise": "take it first",
    "appeal": "answer the appeal itself",
}
"""What comes before an answer."""


def settle(conn: Connection, case_id: str, kinds: Sequence[str], by: str, now: datetime) -> None:
    """Everything of these kinds is answered by what was just done."""
    mine = (case_owed.c.case_id == case_id) & case_owed.c.kind.in_(list(kinds)) & case_owed.c.done_at.is_(None)
    conn.execute(update(case_owed).where(mine).values(done_at=now, done_by=by))


def of_case(conn: Connection, case_id: str) -> list[Owed]:
    """What is owed in a case, the oldest first."""
    return _read(conn, case_owed.c.case_id == case_id)


def at_desk(conn: Connection, communities: Collection[str], who: str, limit: int = 50, offset: int = 0) -> list[Owed]:
    """What a person owes, and what anybody owes in these communities.

    Whose shift is over owes still: the next one at the desk sees it, with the name of who promised.
    """
    return _read(conn, _theirs(communities, who), limit, offset)


def count_at_desk(conn: Connection, communities: Collection[str], who: str) -> int:
    """How many `at_desk` would give in all."""
    query = select(func.count()).select_from(case_owed).where(case_owed.c.done_at.is_(None), _theirs(communities, who))
    return int(conn.execute(query).scalar_one())


def count(conn: Connection, kind: str, within: Sequence[ColumnElement[bool]] = ()) -> int:
    """How many of a kind are owed still; ``within``: of which cases."""
    open_ones = select(func.count()).select_from(case_owed.join(case_file, case_file.c.id == case_owed.c.case_id))
    here = (case_owed.c.kind == kind, case_owed.c.done_at.is_(None), *within)
    return int(conn.execute(open_ones.where(*here)).scalar_one())


def unname(conn: Connection, names: Sequence[str], nobody: str, text: dict[str, str]) -> None:
    """Take these names out of what is owed about notices to them."""
    theirs = (case_owed.c.kind == "not_delivered") & case_owed.c.who.in_(list(names))
    conn.execute(update(case_owed).where(theirs).values(who=nobody, text=text))


def _theirs(communities: Collection[str], who: str) -> ColumnElement[bool]:
    return or_(case_owed.c.owner == who, case_owed.c.community.in_(list(communities)))


def _read(conn: Connection, which: ColumnElement[bool], limit: int = 500, offset: int = 0) -> list[Owed]:
    query = (
        select(case_owed, case_file.c.urgent, case_file.c.state, case_file.c.simulated, case_file.c.opened_at)
        .join(case_file, case_file.c.id == case_owed.c.case_id)
        .where(case_owed.c.done_at.is_(None), which)
        .order_by(case_owed.c.due_at, case_owed.c.since, case_owed.c.id)
        .limit(limit)
        .offset(offset)
    )
    return [
        Owed(
            id=row.id,
            case_id=row.case_id,
            kind=row.kind,
            to=row.who,
            text=row.text,
            since=row.since,
            due_at=row.due_at,
            owner=row.owner,
            owner_name=row.owner_name,
            community=row.community,
            urgent=row.urgent,
            resident_id=row.resident_id,
            ready=ready(row.kind, row.state),
            simulated=row.simulated,
            opened_at=row.opened_at,
        )
        for row in conn.execute(query)
    ]
