"""People who do not exist, for any pack: every side of every threshold is met, and every constraint holds."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.rules import Pack
from hucheng.rules.exact import exact
from hucheng.rules.kinds import Kind


def people(pack: Pack, on: date, rows: int, unknown: float, seed: int = 0) -> pa.Table:
    """``id`` and one column a fact; each fact is left out with the given probability."""
    rng = np.random.default_rng(seed)
    version = pack.version(on)
    starts = exact(version, on).cells.starts
    pieces: list[pa.Table] = []
    have = 0
    while have < rows:
        count = min(500_000, int((rows - have) * 1.3) + 1_000)
        table = pa.table({name: _column(fact.kind, starts[name], count, rng) for name, fact in version.facts.items()})
        if version.constraints:
            table = table.filter(pc.is_null(pack.decide(table, on).column("_problem")))
        pieces.append(table)
        have += table.num_rows
    whole = pa.concat_tables(pieces).slice(0, rows).combine_chunks()
    columns: dict[str, Any] = {"id": pa.array(np.arange(rows))}
    for name in version.facts:
        column = whole.column(name).combine_chunks()
        columns[name] = pc.if_else(pa.array(rng.random(rows) < unknown), None, column) if unknown else column
    return pa.table(columns)


def _column(kind: Kind, starts: list[Any], count: int, rng: np.random.Generator) -> pa.Array:
    """A cell at random, a value of it at random."""
    if kind.name == "boolean":
        return pa.array(rng.random(count) < 0.5)
    if kind.name == "enum":
        return pa.array(kind.values).take(pa.array(rng.integers(0, len(kind.values), count)))
    begin = np.asarray(starts, np.int64)
    end = np.append(begin[1:], kind.high + 1)
    cell = rng.integers(0, len(begin), count)
    return as_arrow(kind, rng.integers(begin[cell], end[cell]))


def as_arrow(kind: Kind, values: NDArray[np.int64]) -> pa.Array:
    """Numbers and dates in internal units as Arrow has them."""
    if kind.name == "date":
        return pa.array((values - date(1970, 1, 1).toordinal()).astype(np.int32)).cast(pa.date32())
    if not kind.scale:
        return pa.array(values)
    units = np.empty((len(values), 2), np.int64)
    units[:, 0], units[:, 1] = values, np.where(values < 0, -1, 0)
    return pa.Array.from_buffers(pa.decimal128(18, kind.scale), len(values), [None, pa.py_buffer(units)])
