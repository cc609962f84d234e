"""Rows with the same ids, in a table that comes in pieces and may be larger than memory: eight bytes a row are kept."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.rules import bulk
from hucheng.rules.columns import quoted

LOOKED_AT = 100
"""Pairs of rows with the same mark that are compared by value: more never differ."""

Marks = NDArray[np.uint64]


def marks(table: pa.Table, ids: Sequence[str]) -> Marks:
    """A number for each row; rows with the same ids have the same."""
    con = bulk.connection()
    sql = f"SELECT hash({', '.join(quoted(name) for name in ids)}) AS mark FROM {bulk.SOURCE}"
    found: Marks = bulk.run(con, sql, table.select(list(ids))).column("mark").to_numpy()
    return found


def suspects(found: Sequence[Marks]) -> list[tuple[int, int]]:
    """Pairs of rows (counted from 0) with the same mark, in the order of the table; at most LOOKED_AT."""
    every = np.concatenate(found) if found else np.empty(0, np.uint64)
    order = np.sort(every)
    again = order[1:][order[1:] == order[:-1]]
    if not len(again):
        return []
    del order
    places = np.flatnonzero(np.isin(every, again[:LOOKED_AT]))
    pairs, seen = [], dict[int, int]()
    for place in places.tolist():
        mark = int(every[place])
        if mark in seen:
            pairs.append((seen[mark], place))
            if len(pairs) == LOOKED_AT:
                break
        else:
            seen[mark] = place
    return pairs


def same(
    pieces: Iterable[pa.Table], ids: Sequence[str], pairs: Sequence[tuple[int, int]]
) -> tuple[int, int, Any] | None:
    """The first of the pairs whose ids are really the same, and these ids. ``pieces``: the table once more."""
    wanted = sorted({row for pair in pairs for row in pair})
    values: dict[int, tuple[Any, ...]] = {}
    begin = 0
    for table in pieces:
        here = [row for row in wanted if begin <= row < begin + table.num_rows]
        if here:
            taken = table.select(list(ids)).take(pa.array([row - begin for row in here]))
            values |= zip(here, zip(*(column.to_pylist() for column in taken.columns), strict=True), strict=True)
        begin += table.num_rows
        if not wanted or begin > wanted[-1]:
            break
    return next(((a, b, values[a]) for a, b in pairs if values[a] == values[b]), None)
