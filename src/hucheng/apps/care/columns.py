"""Columns of readings as NumPy arrays, and devices as small integers, so that a batch costs no loop over rows."""

from __future__ import annotations

from collections.abc import Callable, Collection
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


class Places:
    """The numbers of devices by their place in a dictionary, for as long as batches come with the same one."""

    def __init__(self, devices: pa.DictionaryArray, residents: pa.DictionaryArray) -> None:
        self._dictionaries = devices.dictionary, residents.dictionary
        self._number = np.full(len(devices.dictionary), -1, np.int64)
        self._resident = np.full(len(devices.dictionary), -1, np.int64)

    def same(self, devices: pa.DictionaryArray, residents: pa.DictionaryArray) -> bool:
        """Whether these are the dictionaries (the same memory, not only the same texts)."""
        now = devices.dictionary, residents.dictionary
        return all(
            len(one) == len(other) and [_at(b) for b in one.buffers()] == [_at(b) for b in other.buffers()]
            for one, other in zip(self._dictionaries, now, strict=True)
        )

    def of(
        self,
        devices: pa.DictionaryArray,
        residents: pa.DictionaryArray,
        batch: pa.Table,
        otherwise: Callable[[pa.Table], Ints],
    ) -> Ints:
        """The number of each row; by ``otherwise`` where a device is new here or has another resident."""
        device, resident = (one.indices.to_numpy(zero_copy_only=False) for one in (devices, residents))
        numbers: Ints = self._number[device]
        if len(numbers) and (numbers.min() < 0 or (self._resident[device] != resident).any()):
            numbers = otherwise(batch)
            self._number[device], self._resident[device] = numbers, resident
        return numbers


@dataclass
class Devices:
    """Devices with the resident each one measures, numbered in the order in which they came.

    A device that was given to another resident gets a new number, and so begins with an empty state: nothing that it
    told of one person is ever held against the next. ``given_on`` marks those.
    """

    number: dict[tuple[str, str], int] = field(default_factory=dict)
    names: list[str] = field(default_factory=list)
    residents: list[str] = field(default_factory=list)
    given_on: list[bool] = field(default_factory=list)
    _texts: tuple[pa.Array, pa.Array] = field(
        default_factory=lambda: (pa.array([], pa.string()), pa.array([], pa.string()))
    )
    _last: dict[str, int] = field(default_factory=dict)
    """The newest number of each device."""
    _places: Places | None = None

    def __len__(self) -> int:
        return len(self.names)

    def of(self, batch: pa.Table) -> Ints:
        """The number of each row's device with its resident; unknown ones get the next number."""
        if (encoded := _encoded(batch)) is not None:
            if self._places is None or not self._places.same(*encoded):
                self._places = Places(*encoded)
            return self._places.of(*encoded, batch, self._of_texts)
        return self._of_texts(batch)

    def _of_texts(self, batch: pa.Table) -> Ints:
        names = _flat(batch["device_id"]).to_pylist()
        numbers = np.fromiter(map(self._last.get, names, repeat(-1)), np.int64, len(names))
        if len(numbers) and numbers.min() >= 0:
            same = pc.equal(self._texts[1].take(pa.array(numbers)), _flat(batch["resident_id"]))
            if pc.all(pc.fill_null(same, False)).as_py():  # as a rule nobody new, and nothing given on
                return numbers
        return self._of_pairs(batch)

    def _of_pairs(self, batch: pa.Table) -> Ints:
        pairs, place = _pairs(batch)
        numbers = np.fromiter(map(self.number.get, pairs, repeat(-1)), np.int64, len(pairs))
        fresh = np.flatnonzero(numbers < 0)
        for one in fresh.tolist():
            name, resident = pairs[one]
            numbers[one] = self.number[pairs[one]] = len(self.names)
            self.given_on.append(name in self._last)
            self._last[name] = len(self.names)
            self.names.append(name)
            self.residents.append(resident)
        if len(fresh):
            self._texts = pa.array(self.names, pa.string()), pa.array(self.residents, pa.string())
        rows: Ints = numbers[place]
        return rows

    def listed(self, register: pa.Table) -> Ints:
        """The numbers of those that a register names with the same resident; others have gone to somebody else."""
        pairs, _ = _pairs(register)
        found = np.fromiter(map(self.number.get, pairs, repeat(-1)), np.int64, len(pairs))
        return np.sort(found[found >= 0])

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


def _pairs(table: pa.Table) -> tuple[list[tuple[str, str]], Ints]:
    """The pairs of device and resident that occur in a table, and for each row the place of its pair."""
    device, resident = (_flat(table[name]).dictionary_encode() for name in ("device_id", "resident_id"))
    place, person = (one.indices.to_numpy(zero_copy_only=False).astype(np.int64) for one in (device, resident))
    names, people = device.dictionary.to_pylist(), resident.dictionary.to_pylist()
    whose = np.empty(len(names), np.int64)
    whose[place[::-1]] = person[::-1]
    which = np.arange(len(names))
    if (whose[place] != person).any():  # as a rule a batch knows one resident a device
        packed, place = np.unique(place * len(people) + person, return_inverse=True)
        which, whose = np.divmod(packed, len(people))
    return [(names[d], people[r]) for d, r in zip(which.tolist(), whose.tolist(), strict=True)], place


def _encoded(batch: pa.Table) -> tuple[pa.DictionaryArray, pa.DictionaryArray] | None:
    """Devices and residents of a batch that brings both as one dictionary-encoded array without nulls; else None."""
    columns = batch["device_id"], batch["resident_id"]
    if not all(
        isinstance(one, pa.ChunkedArray)
        and one.num_chunks == 1
        and not one.null_count
        and pa.types.is_dictionary(one.type)
        for one in columns
    ):
        return None
    device, resident = (one.chunk(0) for one in columns)
    return device, resident


def _at(buffer: pa.Buffer | None) -> int:
    return 0 if buffer is None else int(buffer.address)


def _flat(column: Any) -> pa.Array:
    """One array of a column that may come in chunks or dictionary-encoded."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    if isinstance(column, pa.ChunkedArray):  # combine_chunks of no chunks
        column = pa.array([], column.type)
    return column.cast(pa.string()) if pa.types.is_dictionary(column.type) else column
