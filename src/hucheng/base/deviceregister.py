"""The ledger's register ``city.devices`` as detection needs it: whole once, then only what changed.

It is read past `Registers`, because opening the sealed key of every device would take seconds, and each enrolment would
hold up all readings.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, func, or_, select

from hucheng.base.bitemporal import register, register_version
from hucheng.base.devices import DeviceRow
from hucheng.base.ledger import Ledger

log = logging.getLogger(__name__)
DATASET = "city.devices"


class LedgerDevices:
    """Devices in service by the ledger; ``clock`` says what is in service now."""

    def __init__(self, ledger: Ledger, clock: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._clock = clock
        self._rows: dict[str, DeviceRow] = {}
        self._live: dict[str, int] = {}
        self._known: datetime | None = None

    def version(self) -> int:
        """Grows with every change of the register; 0 before the first."""
        with self._ledger.read() as conn:
            query = select(register_version.c.version).where(register_version.c.dataset == DATASET)
            return int(conn.execute(query).scalar() or 0)

    def rows(self) -> Iterable[DeviceRow]:
        """All devices in service now; reads what became known since the last call."""
        now = self._clock()
        with self._ledger.read() as conn:
            if self._known is None or not self._update(conn, now):
                self._rows, self._live, self._known = (
                    {},
                    {},
                    None,
                )  # the first time, or rows were erased without a trace
                self._update(conn, now)
        return list(self._rows.values())

    def _update(self, conn: Connection, now: datetime) -> bool:
        """Take over what is new; False when afterwards we hold another number of rows than the register."""
        c = register.c
        here = c.dataset == DATASET
        query = select(c.id, c.key, c.resident_id, c.valid_from, c.valid_to, c.known_from, c.known_to, c.data)
        if self._known is None:
            query = query.where(here, c.known_to.is_(None))
        else:  # a row of the same instant may have come after the last look: look at it again
            changed = select(c.key).where(here, or_(c.known_from >= self._known, c.known_to >= self._known))
            query = query.where(here, c.key.in_(changed))
        found = conn.execute(query.order_by(c.id)).all()
        for key in {row.key for row in found}:
            self._rows.pop(key, None)
            self._live.pop(key, None)
        live: dict[str, list[Any]] = {}
        for row in found:
            self._known = max(row.known_from, row.known_to or row.known_from, self._known or row.known_from)
            if row.known_to is None:
                live.setdefault(row.key, []).append(row)
        for key, rows in live.items():
            self._live[key] = len(rows)
            for row in rows:
                if row.valid_from <= now and (row.valid_to is None or row.valid_to > now):
                    self._take(row, _worn_since(row, rows))
        count = select(func.count()).where(here, c.known_to.is_(None))
        return int(conn.execute(count).scalar() or 0) == sum(self._live.values())

    def _take(self, row: Any, since_us: int) -> None:
        data = row.data
        try:
            ended = data.get("ended_at")
            if ended and datetime.fromisoformat(ended) <= self._clock():
                return
            self._rows[row.key] = DeviceRow(
                row.key,
                row.resident_id or data.get("resident_id") or "",
                data["gateway_id"],
                data["dataset"],
                bool(data.get("simulated")),
                since_us,
            )
        except (KeyError, TypeError, ValueError) as error:  # the others are in service all the same
            told = {"where": f"{DATASET}, row {row.id} of the table register", "error": repr(error)[:200]}
            log.error("a device is left out: its row cannot be read", extra={"fields": told})


def _worn_since(row: Any, rows: Iterable[Any]) -> int:
    """Since when the wearer in a row has the device (µs UTC), by all its rows; 0 where nobody else had it before.

    Other rows of the same wearer count from the last wearer before on: a device's gateway may change on the way.
    """
    others = [one for one in rows if one.resident_id != row.resident_id and one.valid_from < row.valid_from]
    if not others:
        return 0
    last = max(one.valid_from for one in others)
    own = [one.valid_from for one in rows if one.resident_id == row.resident_id and one.valid_from > last]
    return int(min(own).timestamp() * 1e6)


def worn_by(conn: Connection, resident_id: str) -> dict[str, int | None]:
    """Every device a person was ever entered for, corrected entries too; the time (µs UTC) since when somebody else
    wears it, None where nobody does."""
    c = register.c
    here = c.dataset == DATASET
    mine = select(c.key).where(here, c.resident_id == resident_id).distinct()
    found: dict[str, int | None] = dict.fromkeys(conn.execute(mine).scalars())
    others = select(c.key, func.min(c.valid_from).label("since")).where(
        here, c.key.in_(list(found)), c.resident_id != resident_id, c.known_to.is_(None), c.valid_to.is_(None)
    )
    for row in conn.execute(others.group_by(c.key)):
        found[row.key] = int(row.since.timestamp() * 1e6)
    return found
