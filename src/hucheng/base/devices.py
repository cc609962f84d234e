"""The register of devices and the contracts' metrics as arrays, so that readings are judged column by column."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Protocol

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

from hucheng.base.contracts import Contract
from hucheng.base.words import Numbers

Ints = NDArray[np.int64]
HOT_MARGIN = timedelta(hours=1)
"""Kept beyond the contract's ``hot``, so that a question for just that long is answered from there."""


class DeviceRow(Struct, frozen=True):
    """What detection and storage must know of a device that is in service.

    ``since_us``: since when this resident wears it (µs since 1970, UTC) where somebody else did before; else 0.
    """

    device_id: str
    resident_id: str
    gateway_id: str
    dataset: str
    simulated: bool = False
    since_us: int = 0


class DeviceRegister(Protocol):
    """Where devices are looked up: the ledger's register, or a list in a test."""

    def version(self) -> int:
        """A number that grows with every change."""
        ...

    def rows(self) -> Iterable[DeviceRow]:
        """All devices in service now."""
        ...


class ListedDevices:
    """A register held in memory: for tests and benches."""

    def __init__(self, rows: Iterable[DeviceRow] = ()) -> None:
        self._rows = list(rows)
        self._version = 1

    def version(self) -> int:
        """Grows by ``add``."""
        return self._version

    def rows(self) -> Iterable[DeviceRow]:
        """What was added."""
        return list(self._rows)

    def add(self, rows: Iterable[DeviceRow]) -> None:
        """Put devices into service."""
        self._rows.extend(rows)
        self._version += 1


class Metrics:
    """Every metric of every observation contract, numbered; a metric of one name in two datasets has two numbers."""

    def __init__(self, contracts: Iterable[Contract]) -> None:
        self.contracts = sorted((c for c in contracts if c.kind == "observation"), key=lambda c: c.id)
        self.datasets = [c.id for c in self.contracts]
        self.names = sorted({name for c in self.contracts for name in c.metrics})
        self.name_index = Numbers(zip(self.names, range(len(self.names)), strict=True))
        flat = [(d, m) for d, c in enumerate(self.contracts) for m in c.metrics.values()]
        self.count = len(flat)
        self.of = np.full((len(self.contracts) + 1, len(self.names) + 1), -1, np.int64)
        for number, (d, m) in enumerate(flat):
            self.of[d, self.name_index[m.name]] = number
        self.dataset = np.array([d for d, _ in flat], np.int64)
        self.name = [m.name for _, m in flat]
        self.unit = [m.unit for _, m in flat]
        self.units = sorted(set(self.unit))
        self.unit_index = Numbers(zip(self.units, range(len(self.units)), strict=True))
        self.unit_number = np.array([self.unit_index[m.unit] for _, m in flat], np.int64)
        self.low = np.array([m.low for _, m in flat], np.float64)
        self.high = np.array([m.high for _, m in flat], np.float64)
        self.integer = np.array([m.integer for _, m in flat], bool)
        self.retention_us = np.array([_us(c.retention.total_seconds()) for c in self.contracts], np.int64)
        self.freshness_us = np.array(
            [_us(c.freshness.total_seconds() if c.freshness else 0) for c in self.contracts], np.int64
        )
        hot = [(c.hot + HOT_MARGIN).total_seconds() if c.hot else 0 for c in self.contracts]
        self.hot_us = np.array([_us(seconds) for seconds in hot], np.int64)
        self.rate = np.array([(c.device_rate or (0.0, 0))[0] for c in self.contracts], np.float64)
        self.burst = np.array([(c.device_rate or (0.0, 0))[1] for c in self.contracts], np.float64)


class Devices:
    """The devices in service; a device keeps its number for as long as the process lives."""

    def __init__(self, metrics: Metrics) -> None:
        self.metrics = metrics
        self.index = Numbers()
        self.ids: list[str] = []
        self.rows: list[DeviceRow] = []
        self.gateway_index: dict[str, int] = {}
        self.active = np.empty(0, bool)
        self.gateway: Ints = np.empty(0, np.int64)
        self.dataset: Ints = np.empty(0, np.int64)
        self.resident: Ints = np.empty(0, np.int64)
        self.residents: list[str] = []
        self.simulated = np.empty(0, bool)
        self.since: Ints = np.empty(0, np.int64)
        self.id_column = pa.array([], pa.string())
        self.resident_column = pa.array([], pa.string())
        self._resident_index: dict[str, int] = {}
        self.version = -1

    def __len__(self) -> int:
        return len(self.ids)

    def load(self, rows: Iterable[DeviceRow], version: int) -> list[int]:
        """Take over the register; gives the numbers of devices that are new or came to another resident."""
        datasets = {name: i for i, name in enumerate(self.metrics.datasets)}
        changed: list[int] = []
        there: list[int] = []
        for row in rows:
            number = self.index.get(row.device_id)
            if number is None:
                number = self.index[row.device_id] = len(self.ids)
                self.ids.append(row.device_id)
                self.rows.append(row)
                changed.append(number)
            elif self.rows[number] != row:
                changed.append(number)
                self.rows[number] = row
            there.append(number)
        self.active = np.zeros(len(self.ids), bool)
        self.active[there] = True
        for row in self.rows:
            self.gateway_index.setdefault(row.gateway_id, len(self.gateway_index))
        self.gateway = np.array([self.gateway_index[row.gateway_id] for row in self.rows], np.int64)
        self.dataset = np.array([datasets.get(row.dataset, len(datasets)) for row in self.rows], np.int64)
        people = self._resident_index
        for row in self.rows:
            if row.resident_id not in people:
                people[row.resident_id] = len(self.residents)
                self.residents.append(row.resident_id)
        self.resident = np.array([people[row.resident_id] for row in self.rows], np.int64)
        self.simulated = np.array([row.simulated for row in self.rows], bool)
        self.since = np.array([row.since_us for row in self.rows], np.int64)
        self.id_column = pa.array(self.ids, pa.string())
        self.resident_column = pa.array(self.residents, pa.string())
        self.version = version
        return changed

    def numbers(self, ids: Sequence[str]) -> Ints:
        """Numbers of device ids; -1 where a device is not in service."""
        found = self.index.of(ids)
        if len(found) and len(self.ids):
            found[~self.active[found]] = -1
        return found


def _us(seconds: float) -> int:
    return int(seconds * 1e6)
