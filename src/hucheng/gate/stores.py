"""Where rows come from: the registers, the readings, and what other rooms keep and register here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, Protocol

import numpy as np
from msgspec import Struct

from hucheng.base.contracts import Contract
from hucheng.base.currentreader import CurrentReader, Series
from hucheng.base.devices import HOT_MARGIN
from hucheng.base.lake import Lake
from hucheng.base.partition import partition_of
from hucheng.base.registers import Registers
from hucheng.errors import BadRequest
from hucheng.gate.columns import Columns, of_arrow, stacked

RESIDENTS, DEVICES, MANDATES = "city.residents", "city.devices", "city.mandates"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
MOST_ROWS = 10_000


class Read(Struct, frozen=True):
    """What to read from one dataset.

    ``kind``: row (the first), rows, recent (readings in [since, until], newest first), last (newest of each metric).
    ``where``: field equals value, a list means one of them; always a value, never an expression.
    """

    dataset: str
    kind: Literal["row", "rows", "recent", "last"] = "rows"
    where: dict[str, Any] = {}
    since: datetime | None = None
    until: datetime | None = None
    device: str | None = None
    order: str | None = None
    descending: bool = False
    limit: int | None = None
    offset: int = 0


class Scope(Struct, frozen=True):
    """Whom a read may touch; a store hands out nothing beyond it. None: not bounded in this way.

    ``person``: that resident only. ``people``: these residents only. ``communities``: residents of these only.
    """

    person: str | None = None
    people: frozenset[str] | None = None
    communities: frozenset[str] | None = None


Rows = list[dict[str, Any]] | Columns
"""What a store gives: rows, or the columns of them."""


class Store(Protocol):
    """A place where rows of a dataset are kept."""

    def rows(self, contract: Contract, read: Read, scope: Scope) -> Rows:
        """Rows with the contract's fields, within the scope. Raises BadRequest where it cannot search so."""
        ...


class RegisterStore:
    """Registers: rows that hold now."""

    def __init__(self, registers: Registers) -> None:
        self._registers = registers

    def rows(self, contract: Contract, read: Read, scope: Scope) -> list[dict[str, Any]]:
        """See `Store.rows`."""
        if read.kind not in ("row", "rows"):
            raise BadRequest(f"a register has no {read.kind!r}", where=contract.id, mend="read row or rows")
        where = dict(read.where)
        named = _one(where.get(contract.person)) if contract.person else None
        person = scope.person or named
        if contract.person and person is not None and contract.key == (contract.person,):
            held = self._registers.live(contract.id, person)
            found = [held] if held is not None else []
        elif contract.person and person is not None:
            found = self._registers.of_person(contract.id, person)
        elif all(_one(where.get(name)) is not None for name in contract.key):
            held = self._registers.live(contract.id, [str(where[name]) for name in contract.key])
            found = [held] if held is not None else []
        else:
            if contract.person and scope.people is not None and contract.person not in where:
                where[contract.person] = sorted(scope.people)
            if scope.communities is not None and "community" in contract.field_names and "community" not in where:
                where["community"] = sorted(scope.communities)
            found = self._registers.find(contract.id, where)
        found = [row for row in found if matches(row, read.where) and self._within(contract, row, scope)]
        return cut(found, read, contract.key)

    def quick(self, contract: Contract, read: Read) -> bool:
        """Whether a read about one resident is answered out of memory, as a rule: always."""
        return True

    def _within(self, contract: Contract, row: dict[str, Any], scope: Scope) -> bool:
        person = row.get(contract.person) if contract.person else None
        if person is None:
            return scope.person is None and scope.people is None and _in(row.get("community"), scope.communities)
        if scope.person is not None and person != scope.person:
            return False
        if scope.people is not None and person not in scope.people:
            return False
        if scope.communities is None:
            return True
        return _in(row.get("community") or community_of(self._registers, person), scope.communities)


class ReadingStore:
    """Readings of one resident: the hot ones from `current`, older ones from the lake."""

    def __init__(
        self,
        registers: Registers,
        lake: Lake | None,
        current: CurrentReader | None,
        *,
        partitions: int = 1,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._registers = registers
        self._lake = lake
        self._current = current
        self._partitions = partitions
        self._clock = clock

    def rows(self, contract: Contract, read: Read, scope: Scope) -> Columns:
        """See `Store.rows`; one resident at a time."""
        person = scope.person or _one(read.where.get("resident_id"))
        if person is None or (scope.people is not None and person not in scope.people):
            raise BadRequest("readings are read one resident at a time", where=contract.id, mend="name the resident")
        unknown = set(read.where) - {"resident_id", "device_id", "metric"}
        if unknown or read.order not in (None, "observed_at"):
            raise BadRequest(
                f"readings cannot be searched by {', '.join(sorted(unknown)) or read.order}",
                where=contract.id,
                mend="by device_id, metric, since, until",
            )
        metrics = [m for m in contract.metrics if _matches(m, read.where.get("metric"))]
        wanted = read.device or read.where.get("device_id")
        since = read.since or _EPOCH
        until = read.until or self._clock() + timedelta(days=1)
        limit = min(read.limit or MOST_ROWS, MOST_ROWS) + read.offset
        newest = read.kind == "last"
        if self._current is not None and (self._is_hot(contract, read) or self._lake is None):
            found = self._hot(contract, person, wanted, metrics, since, until, None if newest else limit)
        elif self._lake is not None:
            found = self._cold(contract, person, wanted, metrics, since, until, limit, newest)
        else:
            found = []
        if not found:
            return Columns(0, {}, {})
        backwards = read.kind in ("recent", "last") or read.descending
        return _in_order(stacked(found), backwards).take(slice(read.offset, limit))

    def quick(self, contract: Contract, read: Read) -> bool:
        """Whether a read about one resident touches current values only."""
        return self._current is not None and self._is_hot(contract, read)

    def _is_hot(self, contract: Contract, read: Read) -> bool:
        if read.kind == "last":
            return True
        since = read.since or _EPOCH
        return contract.hot is not None and since >= self._clock() - contract.hot - HOT_MARGIN / 2

    def _hot(
        self,
        contract: Contract,
        person: str,
        wanted: Any,
        metrics: Sequence[str],
        since: datetime,
        until: datetime,
        limit: int | None,
    ) -> list[Columns]:
        assert self._current is not None
        span = (since - _EPOCH) // _MICROSECOND, (until - _EPOCH) // _MICROSECOND
        found: list[Columns] = []
        for device in self._registers.of_person(DEVICES, person):
            name = device["device_id"]
            if device["dataset"] != contract.id or not _matches(name, wanted):
                continue
            part = partition_of(device["gateway_id"], self._partitions)
            if limit is None:
                kept = self._current.last(part, name, metrics)
            else:
                kept = self._current.recent(part, name, metrics, *span, limit)
            found += [columns for one in kept if (columns := _columns(contract, one, person))]
        return found

    def _cold(
        self,
        contract: Contract,
        person: str,
        wanted: Any,
        metrics: Sequence[str],
        since: datetime,
        until: datetime,
        limit: int,
        newest: bool,
    ) -> list[Columns]:
        assert self._lake is not None
        where = "WHERE resident_id = ? AND observed_at BETWEEN ? AND ? AND list_contains(?, metric)"
        values: list[Any] = [person, since, until, list(metrics)]
        if wanted is not None:
            where += " AND list_contains(?, device_id)"
            values.append([wanted] if isinstance(wanted, str) else list(wanted))
        if newest:
            where += " QUALIFY row_number() OVER (PARTITION BY device_id, metric ORDER BY observed_at DESC) = 1"
        else:
            where += " ORDER BY observed_at DESC LIMIT ?"
            values.append(limit)
        table = self._lake.read(contract.id, "*", where, values)
        return [of_arrow(table)] if table.num_rows else []


def _columns(contract: Contract, kept: Series, person: str) -> Columns:
    """Readings of one series; those of an earlier wearer of the device are left out."""
    same = {
        "resident_id": person,
        "device_id": kept.device_id,
        "metric": kept.metric,
        "unit": contract.metrics[kept.metric].unit,
    }
    each = {
        "observed_at": kept.observed_us.view("M8[us]"),
        "value": kept.value,
        "received_at": kept.received_us.view("M8[us]"),
        "seq": kept.seq,
        "simulated": kept.simulated,
    }
    found = Columns(len(kept.value), same, each)
    if isinstance(kept.resident_id, str):
        return found if kept.resident_id == person else found.take([])
    return found.take([place for place, resident in enumerate(kept.wearers()) if resident == person])


def _in_order(found: Columns, backwards: bool) -> Columns:
    """By the time observed; of the same moment, as they came."""
    times = found.each["observed_at"].view(np.int64)
    steps = np.diff(times)
    if (steps <= 0).all() if backwards else (steps >= 0).all():
        return found
    return found.take(np.argsort(-times if backwards else times, kind="stable"))


def community_of(registers: Registers, person: str) -> str | None:
    """The community a resident lives in; None when nobody has that id."""
    row = registers.live(RESIDENTS, person, sealed=False)
    return str(row["community"]) if row and row.get("community") else None


def named(reads: Sequence[Read]) -> str | None:
    """The one resident all reads name."""
    found = {read.where.get("resident_id") for read in reads if isinstance(read.where.get("resident_id"), str)}
    return str(next(iter(found))) if len(found) == 1 else None


def whose(rows: Rows, person: str) -> set[Any]:
    """Whom the rows are about, by the field that names them; None among them where a row names nobody."""
    if isinstance(rows, Columns):
        return set(rows.values(person))
    return {row.get(person) for row in rows}


def matches(row: dict[str, Any], where: dict[str, Any]) -> bool:
    """Whether a row's fields equal what is asked for."""
    return all(_matches(row.get(name), value) for name, value in where.items())


def cut(rows: Iterable[dict[str, Any]], read: Read, key: Collection[str]) -> list[dict[str, Any]]:
    """Rows in the order asked for (by key otherwise), from offset to limit."""
    names = [read.order] if read.order else list(key)
    ordered = sorted(rows, key=lambda row: [_rank(row.get(name)) for name in names], reverse=read.descending)
    limit = 1 if read.kind == "row" else min(read.limit if read.limit is not None else MOST_ROWS, MOST_ROWS)
    return ordered[read.offset : read.offset + limit]


def _rank(value: Any) -> tuple[bool, Any]:
    return value is None, value if isinstance(value, (int, float, str, datetime)) else str(value)


def _one(value: Any) -> Any:
    """The value, when it is a single one."""
    return None if isinstance(value, (list, tuple, set, frozenset)) else value


def _matches(value: Any, asked: Any) -> bool:
    if asked is None:
        return True
    if isinstance(asked, (list, tuple, set, frozenset)):
        return value in asked
    return bool(value == asked)


def _in(value: Any, allowed: frozenset[str] | None) -> bool:
    return allowed is None or value in allowed
