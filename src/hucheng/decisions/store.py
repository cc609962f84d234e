"""Decisions as a dataset: what the gate asks for rows of `decisions.decisions`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection

from hucheng.base.contracts import Contract
from hucheng.base.ledger import Ledger
from hucheng.decisions import record
from hucheng.decisions.bodies import Bodies
from hucheng.errors import BadRequest
from hucheng.gate import Read, Scope

DATASET = "decisions.decisions"


class DecisionStore:
    """Decisions as the gate asks for them (`hucheng.gate.stores.Store`)."""

    def __init__(self, ledger: Ledger, bodies: Bodies, clock: Callable[[], datetime]) -> None:
        self._ledger, self._bodies, self._clock = ledger, bodies, clock

    def rows(self, contract: Contract, read: Read, scope: Scope) -> list[dict[str, Any]]:
        """Rows within the scope: one person's, or one decision. Raises BadRequest for any other search."""
        where = dict(read.where)
        if scope.person is not None:
            where.setdefault("resident_id", scope.person)
        with self._ledger.read() as conn:
            found = rows(
                conn,
                self._bodies,
                where,
                self._clock(),
                limit=1 if read.kind == "row" else read.limit,
                offset=read.offset,
                since=read.since,
                until=read.until,
            )
        return [
            row
            for row in found
            if (scope.person is None or row["resident_id"] == scope.person)
            and (scope.people is None or row["resident_id"] in scope.people)
            and scope.communities is None
        ]


def rows(
    conn: Connection,
    bodies: Bodies,
    where: Mapping[str, Any],
    now: datetime,
    *,
    limit: int | None = None,
    offset: int = 0,
    since: datetime | None = None,
    until: datetime | None = None,
) -> list[dict[str, Any]]:
    """Rows of the dataset as its contract names them, the latest first, by person or by id.

    Raises BadRequest for another search: decisions are never listed across people.
    """
    if "id" in where:
        found = record.some(conn, bodies, _all(where["id"]), now)
    elif "resident_id" in where:
        found = [one for person in _all(where["resident_id"]) for one in record.of_person(conn, bodies, person, now)]
    else:
        raise BadRequest("decisions are looked up by id or resident_id", where=DATASET, mend="name the person")
    rest = {name: _all(value) for name, value in where.items()}
    unknown = rest.keys() - set(record.Decision.__struct_fields__)
    if unknown:
        raise BadRequest(f"decisions have no field {sorted(unknown)[0]!r}", where=DATASET, mend="see the contract")
    kept = [
        one
        for one in found
        if all(getattr(one, name) in values for name, values in rest.items())
        and (since is None or one.decided_at >= since)
        and (until is None or one.decided_at < until)
    ]
    page = kept[offset:] if limit is None else kept[offset : offset + limit]
    return [msgspec.to_builtins(one, builtin_types=(datetime,)) for one in page]


def _all(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]
