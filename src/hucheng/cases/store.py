"""Cases as a dataset: what the gate asks for rows of `cases.cases`, and whether a case is open and whose it is."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, false, func, select

from hucheng.base.contracts import Contract
from hucheng.base.ledger import Ledger
from hucheng.cases.clock import instant
from hucheng.cases.rosters import Rosters, scopes_of
from hucheng.cases.tables import case_called, case_file
from hucheng.cases.words import ERASED
from hucheng.decisions.bodies import Bodies
from hucheng.errors import BadRequest
from hucheng.gate import CaseFacts, Read, Scope

DATASET = "cases.cases"
MOST_ROWS = 10_000
CHUNK = 500
SEALED = ("title", "text", "reasons")
ORDERS: Mapping[str, ColumnElement[Any]] = {
    "id": case_file.c.id,
    "opened_at": case_file.c.opened_at,
    "due_at": case_file.c.due_us,
    "urgent": case_file.c.urgent,
    "closed_at": case_file.c.closed_at,
    "kind": case_file.c.kind,
}
SEARCHED = frozenset(
    {"id", "kind", "rule", "resident_id", "state", "is_open", "tier", "assigned_to", "urgent", "simulated", "community"}
)


class CaseStore:
    """Cases as the gate asks for them (`hucheng.gate.stores.Store`, `hucheng.gate.facts.CaseLookup`)."""

    def __init__(self, ledger: Ledger, bodies: Bodies, rosters: Rosters, clock: Callable[[], datetime]) -> None:
        self._ledger, self._bodies, self._rosters, self._clock = ledger, bodies, rosters, clock

    def rows(self, contract: Contract, read: Read, scope: Scope) -> list[dict[str, Any]]:
        """Rows within the scope. Raises BadRequest where cases cannot be searched or ordered so."""
        limit = 1 if read.kind == "row" else min(read.limit or MOST_ROWS, MOST_ROWS)
        with self._ledger.read() as conn:
            return rows(
                conn,
                self._bodies,
                read.where,
                also=within(scope),
                order=read.order,
                descending=read.descending,
                limit=limit,
                offset=read.offset,
                since=read.since,
                until=read.until,
            )

    def is_open(self, case_id: str) -> CaseFacts | None:
        """What the gate must know of a case; None where there is none of this id."""
        with self._ledger.read() as conn:
            row = conn.execute(select(case_file).where(case_file.c.id == case_id)).first()
            if row is None:
                return None
            scopes = scopes_of(row.resident_id, [part for part in row.org.split("/") if part])

            def answers(who: str) -> bool:
                return self._rosters.answers(conn, who, scopes, self._clock())

            called = tuple(filter(answers, called_for(conn, case_id)))
            mine = row.assigned_to if row.assigned_to is not None and answers(row.assigned_to) else None
        return CaseFacts(row.id, row.kind, row.resident_id, row.is_open, mine, row.community, called)

    def people(self, residents: Collection[str] | None, communities: Collection[str] | None) -> frozenset[str]:
        """Which of these residents (None: of all) have or had a case in one of these communities (None: anywhere)."""
        query = select(case_file.c.resident_id).distinct()
        if communities is not None:
            query = query.where(case_file.c.community.in_(list(communities)))
        with self._ledger.read() as conn:
            if residents is None:
                return frozenset(conn.execute(query).scalars())
            asked = [one for one in residents if isinstance(one, str) and "\0" not in one]
            found: set[str] = set()
            for part in (asked[n : n + CHUNK] for n in range(0, len(asked), CHUNK)):
                found.update(conn.execute(query.where(case_file.c.resident_id.in_(part))).scalars())
        return frozenset(found)


def within(scope: Scope) -> list[ColumnElement[bool]]:
    """The conditions that keep rows within a scope."""
    found: list[ColumnElement[bool]] = []
    if scope.person is not None:
        found.append(case_file.c.resident_id == scope.person)
    if scope.people is not None:
        found.append(case_file.c.resident_id.in_(list(scope.people)))
    if scope.communities is not None:
        found.append(case_file.c.community.in_(list(scope.communities)))
    return found


def rows(
    conn: Connection,
    bodies: Bodies,
    where: Mapping[str, Any],
    *,
    also: Sequence[ColumnElement[bool]] = (),
    order: str | None = None,
    descending: bool = False,
    limit: int | None = None,
    offset: int = 0,
    since: Any = None,
    until: Any = None,
) -> list[dict[str, Any]]:
    """Rows of the dataset as its contract names them. Raises BadRequest for a field that cannot be searched."""
    query = select(case_file).where(*conditions(where), *also)
    if since is not None:
        query = query.where(case_file.c.opened_at >= since)
    if until is not None:
        query = query.where(case_file.c.opened_at < until)
    query = _ordered(query, order, descending)
    if limit is not None:
        query = query.limit(limit)
    return [shaped(row, bodies) for row in conn.execute(query.offset(offset))]


def conditions(where: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """SQL conditions, each value bound as a parameter; a list means one of."""
    found: list[ColumnElement[bool]] = []
    for name, value in where.items():
        if name not in SEARCHED:
            raise BadRequest(f"cases cannot be searched by {name!r}", where=DATASET, mend=", ".join(sorted(SEARCHED)))
        column = case_file.c[name]
        if isinstance(value, str) and "\0" in value:
            found.append(false())  # PostgreSQL knows no such text
            continue
        found.append(column.in_(list(value)) if isinstance(value, (list, tuple, set, frozenset)) else column == value)
    return found


def shaped(row: Any, bodies: Bodies) -> dict[str, Any]:
    """One row with its sealed fields opened."""
    body = bodies.open(row.resident_id, f"case/{row.id}", row.body) or {"title": ERASED, "text": ERASED, "reasons": []}
    found = {
        name: value for name, value in row._mapping.items() if name not in ("body", "open_key", "org", "due_us", "step")
    }
    due = instant(row.due_us) if row.due_us is not None and row.is_open else None
    return found | {"due_at": due, **{name: body[name] for name in SEALED}}


def count(conn: Connection, where: Mapping[str, Any], also: Sequence[ColumnElement[bool]] = ()) -> int:
    """How many rows there are."""
    return int(conn.execute(select(func.count()).select_from(case_file).where(*conditions(where), *also)).scalar_one())


def called_for(conn: Connection, case_id: str) -> list[str]:
    """Ids of everybody who was called for a case."""
    return list(conn.execute(select(case_called.c.who).where(case_called.c.case_id == case_id)).scalars())


def _ordered(query: Select[Any], order: str | None, descending: bool) -> Select[Any]:
    name = order or "due_at"
    if name not in ORDERS:
        raise BadRequest(f"cases have no order {order!r}", where=DATASET, mend="one of " + ", ".join(sorted(ORDERS)))
    if name == "urgent":
        return query.order_by(case_file.c.urgent.desc(), case_file.c.opened_at, case_file.c.id)
    column = ORDERS[name]
    return query.order_by((column.desc() if descending else column.asc()).nulls_last(), case_file.c.id)
