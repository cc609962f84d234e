"""Registers as tables of the lake, for bulk reads: what holds now, without sensitive fields."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from hucheng.base.contracts import Contract
from hucheng.base.lake import Lake
from hucheng.base.registers import Registers

APP_ID = "registers"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
    "array": pa.list_(pa.string()),
}


class Projection:
    """Keeps the lake's copies of registers; the register's version is the Delta commit's transaction."""

    def __init__(
        self, registers: Registers, lake: Lake, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._registers = registers
        self._lake = lake
        self._clock = clock
        self._done: dict[str, tuple[int, datetime | None]] = {}
        self._lock = threading.Lock()

    def ensure(self, contract: Contract) -> None:
        """Bring the copy of one register to its present version and to what holds now; nothing when it is there."""
        version = self._registers.version(contract.id)
        done, until = self._done.get(contract.id, (-1, None))
        if done == version and (until is None or self._clock() < until):
            return
        with self._lock:
            self._replace(contract, version)

    def reshape(self, contracts: Iterable[Contract]) -> None:
        """Make the copies anew whose columns are not those of the contract, and drop the files of older ones.

        A field that has become sensitive, or that the contract no longer has, is gone from the lake after it.
        """
        there = set(self._lake.datasets())
        for contract in contracts:
            if contract.kind != "register" or contract.id not in there:
                continue
            if set(self._lake.columns(contract.id)) == set(table(contract, [], unsealed(contract)).column_names):
                continue
            with self._lock:
                version = self._registers.version(contract.id)
                self._replace(contract, version)
                self._lake.sweep(contract.id, keep_h=0)

    def _replace(self, contract: Contract, version: int) -> None:
        """``version`` was read before: a change in between is made up for the next time."""
        until = None
        if version:
            moment = self._clock()
            until = self._registers.boundary(contract.id, moment)
            rows = self._registers.all(contract.id, at=moment, sealed=False)
            until_us = (until - _EPOCH) // timedelta(microseconds=1) if until is not None else 0
            self._lake.replace(contract.id, table(contract, rows, unsealed(contract)), APP_ID, version, until_us)
        self._done[contract.id] = version, until

    def renew(self, contracts: Iterable[Contract]) -> None:
        """Bring the copies that there are to their present version, and drop the files of older ones."""
        there = set(self._lake.datasets())
        for contract in contracts:
            if contract.kind == "register" and contract.id in there:
                self.ensure(contract)
                with self._lock:
                    self._lake.sweep(contract.id, keep_h=0)


def unsealed(contract: Contract) -> list[str]:
    """The fields that lie open in the lake."""
    return [f.name for f in contract.fields if f.classification != "sensitive"]


def table(contract: Contract, rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> pa.Table:
    """Rows as Arrow with the fields named; nested objects are left out."""
    kinds = {name: _ARROW.get(contract.field(name).type) for name in names}
    return pa.table(
        {name: pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items() if kind is not None}
    )
