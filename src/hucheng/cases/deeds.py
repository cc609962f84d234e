"""What a human does with a case: take, go, visit, hand over, note, answer, close. Each in the caller's transaction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from hucheng.cases import outbox, owing
from hucheng.cases.handling import ANSWER_WITHIN, Handling
from hucheng.cases.history import Line
from hucheng.cases.rosters import TIERS, scopes_of
from hucheng.cases.running import Running
from hucheng.cases.tables import case_called, case_file
from hucheng.cases.views import OUTCOMES, Action
from hucheng.cases.words import ROSTER
from hucheng.errors import BadRequest, CaseError

MAX_NOTE = 2_000
MAX_ETA_MINUTES = 24 * 60


@dataclass(frozen=True)
class Deed:
    """A deed and what came with it. ``actor``: id and name of who does it."""

    action: Action
    actor: tuple[str, str]
    note: str | None = None
    to: str | None = None
    outcome: str | None = None
    eta_minutes: int | None = None


@dataclass(frozen=True)
class _Moment:
    """Everything one deed works with."""

    conn: Connection
    handling: Handling
    row: Any
    running: Running
    deed: Deed
    now: datetime


def do(conn: Connection, handling: Handling, case_id: str, deed: Deed, now: datetime) -> None:
    """Do it. Raises NotFound, CaseError where it does not fit the state, BadRequest where something is missing."""
    if deed.note is not None and len(deed.note) > MAX_NOTE:
        raise BadRequest(f"a note of {len(deed.note)} characters", where=case_id, mend=f"at most {MAX_NOTE}")
    row, running = handling.load(conn, case_id)
    if deed.action not in _DEEDS:
        raise BadRequest(f"no deed {deed.action!r}", where=case_id, mend="known: " + ", ".join(sorted(_DEEDS)))
    if running.ended and deed.action not in ("answer", "note"):
        raise CaseError("the case is closed", where=case_id, mend="a new finding opens a new case")
    _DEEDS[deed.action](_Moment(conn, handling, row, running, deed, now))


CARRYING = frozenset({"go", "visit", "hand_over", "close"})
"""Deeds for whoever has the case, or an officer of the area (the gate's policy ``cases.carry``)."""


def possible(running: Running) -> list[str]:
    """Deeds that fit where the process stands."""
    step = running.step
    if step is None:
        return ["note", "answer"]
    if step.phase == "called":
        return ["take", "note", "answer"]
    also = ["go"] if step.phase in ("taken", "way") else []
    also += ["visit"] if step.phase in ("taken", "way") else []
    return [*also, "hand_over", "note", "answer", "close"]


def _take(m: _Moment) -> None:
    step = m.running.step
    if step is not None and step.phase != "called":
        raise CaseError(
            f"{m.row.assigned_name or 'somebody'} has it already", where=m.row.id, mend="hand it over, or add a note"
        )
    minutes = None if m.deed.eta_minutes is None else _minutes(m)
    moved = m.running.complete("take")
    outbox.drop(m.conn, m.row.id)
    _say(m, "taken")
    owing.hand_on(m.conn, m.row.id, m.deed.actor)
    _owe_called(m)
    m.handling.apply(
        m.conn,
        m.row,
        m.running.stand(),
        moved,
        m.now,
        assigned_to=m.deed.actor[0],
        assigned_name=m.deed.actor[1],
        responder=m.deed.actor[1],
    )
    if minutes is not None:
        row, running = m.handling.load(m.conn, m.row.id)
        _go(_Moment(m.conn, m.handling, row, running, m.deed, m.now))


def _go(m: _Moment) -> None:
    minutes = _minutes(m)
    step = m.running.step
    changes: dict[str, Any] = {
        "eta_minutes": minutes,
        "eta_at": m.now + timedelta(minutes=minutes),
        "responder": m.deed.actor[1],
    }
    under_way = step is not None and step.phase == "way"
    moved = m.running.stay() if under_way else m.running.complete("go")
    _say(m, "on_the_way", minutes=minutes)
    m.handling.apply(m.conn, m.row, m.running.stand(), moved, m.now, **changes)


def _visit(m: _Moment) -> None:
    moved = m.running.complete("visit")
    _say(m, "visited")
    owing.settle(m.conn, m.row.id, ["promise"], m.deed.actor[0], m.now)
    m.handling.apply(m.conn, m.row, m.running.stand(), moved, m.now, responder=m.deed.actor[1], eta_minutes=0)


def _hand_over(m: _Moment) -> None:
    step = m.running.step
    if step is None or step.phase == "called":
        raise CaseError("nobody has it yet", where=m.row.id, mend="take it first")
    if m.deed.to in (None, "", "roster"):
        _back(m, "handed_back", to=ROSTER)
        return
    to = str(m.deed.to)
    colleagues = m.handling.rosters.colleagues(m.conn, _scopes(m.row), m.now)
    contact = next((c for c in colleagues if c.who == to), None)
    if contact is None:
        raise CaseError(
            "that person is not on duty here now", where=m.row.id, mend="choose from the roster, or hand it back to it"
        )
    _say(m, "handed_over", to=contact.name)
    owing.hand_on(m.conn, m.row.id, (to, contact.name))
    m.handling.tell(m.conn, m.row, [contact], f"handed/{m.row.version}", m.now, handed=True)
    m.handling.apply(
        m.conn,
        m.row,
        m.running.stand(),
        m.running.stay(),
        m.now,
        assigned_to=to,
        assigned_name=contact.name,
        responder=contact.name,
    )


def _back(m: _Moment, what: str, **values: object) -> None:
    """Nobody has it any more: the roster is called again, from its first tier."""
    moved = m.running.complete("again")
    _say(m, what, **values)
    owing.hand_on(m.conn, m.row.id, None)
    m.handling.apply(
        m.conn,
        m.row,
        m.running.stand(),
        moved,
        m.now,
        assigned_to=None,
        assigned_name=None,
        responder=None,
        eta_minutes=None,
    )


def take_back(conn: Connection, handling: Handling, now: datetime) -> int:
    """Take open cases from whoever had them by a mandate that is over, and call the roster again; gives how many.

    Whose mandate is over may neither see nor close the case: without this it would wait for nobody.
    """
    c = case_file.c
    held = select(c.id, c.resident_id, c.org, c.assigned_to, c.assigned_name)
    found = 0
    for row in conn.execute(held.where(c.is_open.is_(True), c.assigned_to.is_not(None))).all():
        if not handling.rosters.answers(conn, row.assigned_to, _scopes(row), now):
            whole, running = handling.load(conn, row.id)
            deed = Deed("hand_over", ("system", str(row.assigned_name)), to="roster")
            _back(_Moment(conn, handling, whole, running, deed, now), "mandate_over")
            found += 1
    return found


def _scopes(row: Any) -> list[str]:
    return scopes_of(row.resident_id, [part for part in row.org.split("/") if part])


def _note(m: _Moment) -> None:
    if not (m.deed.note or "").strip():
        raise BadRequest("an empty note", where=m.row.id, mend="write what you know")
    _say(m, "note")
    m.handling.apply(m.conn, m.row, m.running.stand(), m.running.stay(), m.now)


def _answer(m: _Moment) -> None:
    if not m.deed.to:
        raise BadRequest("which answer?", where=m.row.id, mend="`to` is the id of what was owed")
    text = owing.give(m.conn, m.row.id, m.deed.to, m.deed.actor[0], m.now)
    _say(m, "answered", text=text)
    m.handling.apply(m.conn, m.row, m.running.stand(), m.running.stay(), m.now)


def _close(m: _Moment) -> None:
    if m.deed.outcome not in OUTCOMES:
        raise BadRequest(f"outcome {m.deed.outcome!r}", where=m.row.id, mend="one of " + ", ".join(sorted(OUTCOMES)))
    step = m.running.step
    if step is not None and step.phase == "called":
        raise CaseError("nobody has it yet", where=m.row.id, mend="take it first")
    there = step is not None and step.phase == "there"
    moved = m.running.complete("close")
    _say(m, "closed", outcome=OUTCOMES[m.deed.outcome or ""])
    owing.settle(m.conn, m.row.id, ["promise", *(["resident"] if there else [])], m.deed.actor[0], m.now)
    m.handling.apply(
        m.conn,
        m.row,
        m.running.stand(),
        moved,
        m.now,
        is_open=False,
        open_key=None,
        closed_at=m.now,
        outcome=m.deed.outcome,
        eta_minutes=None,
    )


def _owe_called(m: _Moment) -> None:
    """Whoever was called outside the desk and did not take it is to hear that it is in hand."""
    query = select(case_called).where(case_called.c.case_id == m.row.id, case_called.c.tier.in_((2, 3)))
    for called in m.conn.execute(query).all():
        if called.who != m.deed.actor[0] and m.handling.rosters.answers(m.conn, called.who, _scopes(m.row), m.now):
            name = m.handling.rosters.knows(m.conn, called.who) or TIERS[called.tier]
            owing.owe(
                m.conn,
                m.row,
                "called",
                to=called.who,
                now=m.now,
                owner=m.deed.actor,
                within=ANSWER_WITHIN,
                name=name,
            )


def _minutes(m: _Moment) -> int:
    minutes = m.deed.eta_minutes
    if minutes is None or not 0 <= minutes <= MAX_ETA_MINUTES:
        raise BadRequest("in how many minutes?", where=m.row.id, mend=f"eta_minutes from 0 to {MAX_ETA_MINUTES}")
    return minutes


def _say(m: _Moment, what: str, **values: object) -> None:
    actor, name = m.deed.actor
    line = Line(what, actor, m.deed.note, values={"name": name, **values})
    m.handling.history.write(m.conn, m.row.id, m.row.resident_id, m.now, [line])


_DEEDS: Mapping[str, Callable[[_Moment], None]] = {
    "take": _take,
    "go": _go,
    "visit": _visit,
    "hand_over": _hand_over,
    "note": _note,
    "answer": _answer,
    "close": _close,
}

ACTIONS = frozenset(_DEEDS)
"""Every deed there is."""
