"""Rows of one person as columns: what a store of series gives, so that nothing is done once a row before the hand-out.

A day of a mattress is some three hundred rows; sixteen callers at once wait for each step that is taken for every one.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import repeat
from typing import Any

import numpy as np
import pyarrow as pa
from msgspec import Struct
from numpy.typing import NDArray

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Columns(Struct, frozen=True):
    """``size`` rows. ``same``: fields with one value for all; ``each``: one entry a row, times as ``M8[us]`` (UTC)."""

    size: int
    same: dict[str, Any]
    each: dict[str, NDArray[Any]]

    def __len__(self) -> int:
        return self.size

    def take(self, places: Sequence[int] | NDArray[np.intp] | slice) -> Columns:
        """The rows at these places, in their order."""
        each = {name: column[places] for name, column in self.each.items()}
        size = len(range(self.size)[places]) if isinstance(places, slice) else len(places)
        return Columns(size, self.same, each)

    def values(self, name: str) -> Iterable[Any]:
        """A field's value in each row, as a row holds it; None where these rows have no such field."""
        column = self.each.get(name)
        if column is None:
            return repeat(self.same.get(name), self.size)
        if column.dtype.kind == "M":
            return [_EPOCH + since for since in column.view("m8[us]").tolist()]
        found: list[Any] = column.tolist()
        return found

    def rows(self, fields: Sequence[str]) -> list[dict[str, Any]]:
        """These fields of each row, in this order."""
        like = {name: self.same.get(name) for name in fields}
        found = [like.copy() for _ in range(self.size)]  # a copy and a few places beat building each row: by two thirds
        for name in fields:
            if name in self.each:
                for row, value in zip(found, self.values(name), strict=True):
                    row[name] = value
        return found

    def arrow(self, name: str, kind: pa.DataType) -> pa.Array:
        """A field as Arrow. Raises `pa.ArrowInvalid`, `pa.ArrowTypeError` where a value is of another kind."""
        column = self.each.get(name)
        if column is None:
            return pa.repeat(pa.scalar(self.same.get(name), kind), self.size)
        if column.dtype == object:
            return pa.array(column.tolist(), kind)
        if column.dtype.kind == "M":
            found = pa.array(column.view(np.int64), pa.int64()).cast(pa.timestamp("us", "UTC"))
        else:
            found = pa.array(column)
        if found.type != kind and not (pa.types.is_integer(found.type) and pa.types.is_floating(kind)):
            raise pa.ArrowTypeError(f"{name} holds {found.type}, not {kind}")
        return found.cast(kind)


def of_arrow(table: pa.Table) -> Columns:
    """A table's rows; times in UTC. What has gaps, and whatever is no number, text or moment, stays objects."""
    each: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        column = table.column(name)
        if column.null_count or pa.types.is_nested(column.type) or pa.types.is_date(column.type):
            each[name] = _objects(column.to_pylist())
        elif pa.types.is_timestamp(column.type):
            each[name] = column.cast(pa.timestamp("us", "UTC")).cast(pa.int64()).to_numpy().view("M8[us]")
        else:
            each[name] = column.to_numpy()
    return Columns(table.num_rows, {}, each)


def stacked(parts: Sequence[Columns]) -> Columns:
    """All rows of columns with the same fields, one part after the other."""
    if len(parts) == 1:
        return parts[0]
    size = sum(map(len, parts))
    same, each = {}, {}
    for name in dict.fromkeys(name for part in parts for name in (*part.same, *part.each)):
        held = [part.same.get(name) for part in parts if name not in part.each]
        if len(held) == len(parts) and all(value == held[0] for value in held):
            same[name] = held[0]
        else:
            each[name] = np.concatenate([_spread(part, name) for part in parts])
    return Columns(size, same, each)


def _spread(part: Columns, name: str) -> NDArray[Any]:
    column = part.each.get(name)
    if column is not None:
        return column
    return _objects([part.same.get(name)] * len(part))


def _objects(values: list[Any]) -> NDArray[Any]:
    column = np.empty(len(values), object)
    column[:] = values
    return column
