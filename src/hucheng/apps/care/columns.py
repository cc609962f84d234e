"""Columns of readings as NumPy arrays, and devices as small integers, so that a batch costs no loop over rows."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

MINUTE_US = 60_000_000
NEVER = np.iinfo(np.int64).min // 4
"""A time before all times that can be subtracted from without overflow."""
TIME = pa.timestamp("us", tz="UTC")


def micros(at: datetime) -> int:
    """An aware time as microseconds since 1970 (UTC), exactly."""
    delta = at - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def times(column: Any) -> Ints:
    """A timestamp column as microseconds since 1970; null is NEVER."""
    found: Ints = pc.fill_null(column.cast(TIME).cast(pa.int64()), NEVER).to_numpy(zero_copy_only=False)
    return found


def time_column(values: Ints) -> pa.Array:
    """Microseconds since 1970 as a timestamp column; NEVER is null."""
    return pa.array(values, mask=values == NEVER).cast(TIME)


@dataclass
class Devices:
    """The devices met so far, numbered in the order in which they came; whom each one measures."""

    number: dict[str, int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    residents: list[str] = field(default_factory=list)
    _texts: tuple[pa.Array, pa.Array] = field(
        default_factory=lambda: (pa.array([], pa.string()), pa.array([], pa.string()))
    )

    def __len__(self) -> int:
        return len(self.names)

    def of(self, batch: pa.Table) -> Ints:
        """The number of each row's device; unknown ones get the next number."""
        encoded = _flat(batch["device_id"]).dictionary_encode()
        ids = encoded.dictionary.to_pylist()
        numbers = np.fromiter(map(self.number.get, ids, repeat(-1)), np.int64, len(ids))
        place = encoded.indices.to_numpy(zero_copy_only=False)
        fresh = np.flatnonzero(numbers < 0)
        if len(fresh):
            residents = batch["resident_id"]
            first = np.full(len(ids), -1)
            first[place[::-1]] = np.arange(len(place))[::-1]
            for one in fresh.tolist():
                numbers[one] = self.number[ids[one]] = len(self.names)
                self.names.append(ids[one])
                self.residents.append(residents[int(first[one])].as_py())
            self._texts = pa.array(self.names, pa.string()), pa.array(self.residents, pa.string())
        rows: Ints = numbers[place]
        return rows

    def rows(self, numbers: Ints, observed: Ints, **facts: Any) -> pa.Table:
        """A table of facts: whom, by which device, when, and the facts given as columns."""
        names, residents = self._texts
        picked = pa.array(numbers, pa.int64())
        return pa.table(
            {
                "resident_id": residents.take(picked),
                "device_id": names.take(picked),
                "observed_at": time_column(observed),
                **facts,
            }
        )


@dataclass
class Known:
    """What a register says about the residents of the devices, looked up anew when either has changed."""

    table: Any = None
    count: int = 0
    columns: dict[str, pa.Array] = field(default_factory=dict)

    def look(self, devices: Devices, table: pa.Table, *names: str) -> bool:
        """Fill ``columns`` with one value a device, null where unknown; True if anything was looked up anew."""
        if self.table is table and self.count == len(devices):
            return False
        residents = pa.array(devices.residents, pa.string())
        listed = _flat(table["resident_id"])
        place = pc.index_in(residents, value_set=listed)
        self.columns = {name: pc.take(_flat(table[name]), place) for name in names}
        self.table, self.count = table, len(devices)
        return True


def in_order(device: Ints, at: Ints, minor: Ints) -> Ints:
    """The places of rows sorted by device, then time, then ``minor`` (0 to 7).

    One sort over packed numbers where they fit into 63 bits, which is some times quicker than three.
    """
    if not len(device):
        return np.empty(0, np.int64)
    begin = at.min()
    span = int(at.max() - begin) + 1
    if int(device.max()) + 1 < 2**60 // span:
        found: Ints = np.argsort((device * span + (at - begin)) * 8 + minor, kind="stable")
    else:
        found = np.lexsort((minor, at, device))
    return found


def grown(values: npt.NDArray[Any], size: int, empty: Any) -> npt.NDArray[Any]:
    """The array with room for ``size`` devices along its first axis, new places filled with ``empty``."""
    if len(values) >= size:
        return values
    fresh = np.full((max(size, 2 * len(values), 64), *values.shape[1:]), empty, values.dtype)
    fresh[: len(values)] = values
    return fresh


def of_metrics(batch: pa.Table, metrics: Collection[str]) -> tuple[pa.Table, Ints]:
    """The rows of these metrics, and for each the place of its metric in ``metrics``."""
    place = pc.index_in(_flat(batch["metric"]), value_set=pa.array(list(metrics), pa.string()))
    kept = batch.filter(pc.is_valid(place))
    return kept, place.drop_null().cast(pa.int64()).to_numpy(zero_copy_only=False)


def numbers(values: Floats) -> pa.Array:
    """Measured values as they came; NaN is null. Rounding is the pack's affair."""
    return pa.array(values, mask=np.isnan(values))


def booleans(values: Floats) -> pa.Array:
    """0 and 1 as a boolean column; NaN is null."""
    known = ~np.isnan(values)
    return pa.array(np.where(known, values, 0) >= 0.5, mask=~known)


def _flat(column: Any) -> pa.Array:
    """One array of a column that may come in chunks or dictionary-encoded."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # combine_chunks of no chunks
        column = pa.array([], column.type)
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
