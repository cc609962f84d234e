"""Tables as NumPy arrays in internal units, and back to Arrow."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.rules.columns import fine
from hucheng.rules.kinds import Kind
from hucheng.rules.model import FactDeclared, Version

EPOCH = date(1970, 1, 1).toordinal()


@dataclass(slots=True)
class Column:
    """Values in internal units (enum: place in ``words``; date: ordinal) and where they are unknown (None: nowhere)."""

    values: NDArray[Any]
    unknown: NDArray[np.bool_] | None = None
    words: tuple[str, ...] = ()


@dataclass
class Facts:
    """The facts of a table, and the rows that cannot be decided: row → complaints."""

    columns: dict[str, Column]
    rows: int
    wrong: dict[str, NDArray[np.bool_]] = field(default_factory=dict)

    def taken(self, rows: NDArray[np.int64]) -> Facts:
        """Some of the rows; complaints stay behind."""
        return Facts({name: taken(column, rows) for name, column in self.columns.items()}, len(rows))

    def some_unknown(self) -> NDArray[np.bool_]:
        """Rows in which at least one fact is unknown."""
        found = np.zeros(self.rows, bool)
        for column in self.columns.values():
            if column.unknown is not None:
                found |= column.unknown
        return found


def taken(column: Column, rows: NDArray[np.int64]) -> Column:
    """Some rows of a column."""
    if np.ndim(column.values) == 0:
        return column
    return Column(column.values[rows], None if column.unknown is None else column.unknown[rows], column.words)


def read(version: Version, table: pa.Table) -> Facts | None:
    """The facts of a table as arrays; None where a column needs the SQL reading."""
    facts = Facts({}, table.num_rows)
    for name, fact in version.facts.items():
        column = table.column(name)
        array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
        if isinstance(array, pa.ChunkedArray):
            array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        found = _read(fact, array, missing)
        if found is None:
            return None
        values, wrong, words = found
        if wrong is not None and wrong.any():
            if missing is not None:
                wrong = wrong & ~missing
            facts.wrong[name] = wrong
            missing = wrong if missing is None else missing | wrong
        facts.columns[name] = Column(values, missing, words)
    return facts


Found = tuple[NDArray[Any], NDArray[np.bool_] | None, tuple[str, ...]]


def _read(fact: FactDeclared, array: pa.Array, missing: NDArray[np.bool_] | None) -> Found | None:
    kind, given = fact.kind, array.type
    if pa.types.is_null(given):
        empty = np.zeros(len(array), bool if kind.name == "boolean" else np.int64)
        return empty, None, kind.values
    if kind.name == "boolean":
        if not pa.types.is_boolean(given):
            return None
        return (array.fill_null(False) if missing is not None else array).to_numpy(zero_copy_only=False), None, ()
    if kind.name == "enum":
        words = array.dictionary if pa.types.is_dictionary(given) else array
        if not (pa.types.is_string(words.type) or pa.types.is_large_string(words.type)):
            return None
        places = pc.index_in(words, value_set=pa.array(kind.values, words.type))
        if pa.types.is_dictionary(given):
            places = places.take(array.indices)
        wrong = places.is_null().to_numpy(zero_copy_only=False) if places.null_count else None
        return places.fill_null(0).to_numpy().astype(np.int64), wrong, kind.values
    if kind.name == "date":
        if pa.types.is_timestamp(given) and given.tz is None:
            return _midnights(kind, array)
        if given != pa.date32():
            return None
        whole = array.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64) + EPOCH
        return _within(kind, whole)
    if pa.types.is_integer(given) and not pa.types.is_uint64(given):
        whole = (array.fill_null(0) if missing is not None else array).to_numpy().astype(np.int64)
        step = 10**kind.scale
        low, high = -(-kind.low // step), kind.high // step
        wrong = (whole < low) | (whole > high)
        return np.where(wrong, 0, whole) * step, wrong, ()
    if pa.types.is_decimal128(given):
        return _decimals(fact, array)
    if pa.types.is_float64(given) or (pa.types.is_float32(given) and fact.rounding is None):
        return _floats(fact, (array.fill_null(0) if missing is not None else array).to_numpy())
    return None


_A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def _midnights(kind: Kind, array: pa.Array) -> Found:
    """Timestamps without time zone as dates; those with a time of day are wrong."""
    days, rest = np.divmod(array.cast(pa.int64()).fill_null(0).to_numpy(), _A_DAY[array.type.unit])
    values, wrong, _ = _within(kind, days + EPOCH)
    return values, wrong | (rest != 0), ()


def _within(kind: Kind, values: NDArray[np.int64]) -> Found:
    return values, (values < kind.low) | (values > kind.high), ()


def _decimals(fact: FactDeclared, array: pa.Array) -> Found | None:
    """Exact decimals: brought to the fact's scale, rounded only where it says so; None beyond 64 bits."""
    kind, places = fact.kind, array.type.scale
    pairs = np.frombuffer(array.buffers()[1], np.int64)[2 * array.offset : 2 * (array.offset + len(array))]
    units, beyond = pairs[::2], pairs[::2] >> 63 != pairs[1::2]  # more than 64 bits: no fact is so large
    step = 10 ** abs(places - kind.scale)
    if step * (max(abs(kind.low), abs(kind.high)) + 1) >= 2**61:
        return None
    if places <= kind.scale:
        wrong = beyond | (units < -(-kind.low // step)) | (units > kind.high // step)
        return np.where(wrong, 0, units) * step, wrong, ()
    # rounding brings nothing in from further away than one step
    beyond = beyond | (units < (kind.low - 1) * step) | (units > (kind.high + 1) * step)
    units = np.where(beyond, 0, units)
    if fact.rounding is None:
        whole = units // step
        wrong = beyond | (whole * step != units)
    else:
        whole, wrong = rounded(fact.rounding, units, np.int64(step)), beyond
    wrong = wrong | (whole < kind.low) | (whole > kind.high)
    return np.where(wrong, 0, whole), wrong, ()


def _floats(fact: FactDeclared, given: NDArray[Any]) -> Found:
    """Binary floats: the same steps as in SQL (columns.py), so that both give the same."""
    kind, step = fact.kind, 10**fact.kind.scale
    low, high = kind.low // step - 1, -(-kind.high // step) + 1
    near = (given >= low) & (given <= high)
    x = np.where(near, given, 0).astype(np.float64)
    if fact.rounding is None:
        units = _half_away(x * step)
        same = (units / step).astype(given.dtype) == given
        wrong = ~(near & same) | (units < kind.low) | (units > kind.high)
        return np.where(wrong, 0, units).astype(np.int64), wrong, ()
    places = fine(kind)
    whole = _half_away(x * 10**places).astype(np.int64)
    units = rounded(fact.rounding, whole, np.int64(10 ** (places - kind.scale)))
    wrong = ~near | (units < kind.low) | (units > kind.high)
    return np.where(wrong, 0, units), wrong, ()


def _half_away(x: NDArray[np.float64]) -> NDArray[np.float64]:
    size = np.abs(x)
    whole = np.trunc(size)
    found: NDArray[np.float64] = np.copysign(whole + (size - whole >= 0.5), x)
    return found


def rounded(mode: str, top: Any, bottom: Any) -> Any:
    """Whole quotient by a positive divisor, rounded as declared."""
    if mode == "floor":
        return top // bottom
    if mode == "ceil":
        return -(-top // bottom)
    return np.where(top >= 0, 1, -1) * ((2 * np.abs(top) + bottom) // (2 * bottom))


def internal(version: Version, table: pa.Table) -> Facts:
    """Facts that the SQL has already brought to internal units."""
    facts = Facts({}, table.num_rows)
    for name, fact in version.facts.items():
        array = table.column(name)
        missing = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
        kind = fact.kind
        if kind.name == "boolean":
            values = array.fill_null(False).to_numpy(zero_copy_only=False).astype(bool)
        elif kind.name == "enum":
            values = pc.index_in(array, value_set=pa.array(kind.values)).fill_null(0).to_numpy().astype(np.int64)
        elif kind.name == "date":
            values = array.cast(pa.int32()).fill_null(0).to_numpy().astype(np.int64) + EPOCH
        else:
            values = array.fill_null(0).to_numpy().astype(np.int64)
        facts.columns[name] = Column(values, missing, kind.values)
    return facts


def arrow(kind: Kind, column: Column, rows: int, hidden: NDArray[np.bool_] | None) -> pa.Array:
    """The column as the outside knows it, as Arrow of the same type as the SQL gives; ``hidden`` rows stay empty."""
    values = np.ascontiguousarray(np.broadcast_to(column.values, rows))
    mask = column.unknown
    if hidden is not None:
        mask = hidden if mask is None else mask | hidden
    if mask is not None:
        mask = np.ascontiguousarray(np.broadcast_to(mask, rows))
    if kind.name == "enum":
        codes = pa.array(values.astype(np.int64), mask=mask)
        return pa.array(column.words, pa.string()).take(codes)
    if kind.name == "date":
        return pa.array((values - EPOCH).astype(np.int32), mask=mask).cast(pa.date32())
    if kind.name == "number" and kind.scale:
        pairs = np.empty((rows, 2), np.int64)
        pairs[:, 0], pairs[:, 1] = values, values >> 63
        valid = None if mask is None else pa.array(~mask).buffers()[1]
        digits = 18 if max(abs(kind.low), abs(kind.high)) < 10**18 else 38  # as the SQL declares it
        return pa.Array.from_buffers(pa.decimal128(digits, kind.scale), rows, [valid, pa.py_buffer(pairs)])
    return pa.array(values, mask=mask)


def patched(kind: Kind, column: Any, rows: NDArray[np.int64], found: Column) -> Any:
    """The column with some of its empty rows filled; ``rows`` ascend."""
    mask = np.zeros(len(column), bool)
    mask[rows] = True
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    new = arrow(kind, found, len(rows), None)
    return pc.replace_with_mask(array, pa.array(mask), new.cast(array.type))


def hidden(column: Any, rows: NDArray[np.bool_]) -> Any:
    """The column with some rows emptied."""
    return pc.if_else(pa.array(rows), pa.scalar(None, column.type), column)
