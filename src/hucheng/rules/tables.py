"""Tables of every kind in, decisions in the same kind out."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.errors import RuleError
from hucheng.rules import arrays, bulk, quick
from hucheng.rules.arrays import Column
from hucheng.rules.columns import given, said
from hucheng.rules.exact import exact
from hucheng.rules.logic import Undecided
from hucheng.rules.model import Version

SMALL = 100_000
"""Rows up to which arrays are quicker than a query plan."""


def decide(version: Version, table: Any, on: date | None) -> Any:
    """Decisions for every row, in the kind of table that came in (a pandas frame keeps its index)."""
    found = like(table, decided(version, as_arrow(table), on))
    return found.set_index(table.index) if _module(table) == "pandas" else found


def as_arrow(table: Any) -> pa.Table:
    """Any kind of table as Arrow; RuleError for what is none."""
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    if isinstance(table, duckdb.DuckDBPyRelation):
        return table.to_arrow_table()
    module = _module(table)
    if module == "polars":
        import polars

        found: pa.Table = (table.collect() if isinstance(table, polars.LazyFrame) else table).to_arrow()
        return found
    if module == "pandas":
        return pa.Table.from_pandas(table, preserve_index=False)
    raise RuleError(
        f"a {type(table).__name__} is no table",
        mend="give an Arrow table, a Polars or pandas frame, or a DuckDB relation",
    )


def like(given: Any, result: pa.Table) -> Any:
    """A result in the kind of table that was given."""
    if isinstance(given, pa.Table):
        return result
    if isinstance(given, pa.RecordBatch):
        batches = result.combine_chunks().to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=result.schema)
    if isinstance(given, duckdb.DuckDBPyRelation):
        return duckdb.from_arrow(result)
    if _module(given) == "polars":
        import polars

        frame: Any = polars.from_arrow(result)
        return frame.lazy() if isinstance(given, polars.LazyFrame) else frame
    return result.to_pandas(types_mapper=_pandas_type)


def _module(table: Any) -> str:
    return type(table).__module__.split(".")[0]


def _pandas_type(kind: pa.DataType) -> Any:
    """Columns that may hold NULL stay what they are in pandas, too."""
    import pandas as pd

    return {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}.get(kind)


@lru_cache(maxsize=64)
def _fits(digest: str, version: bulk.ByDigest) -> bool:
    return quick.fits(version.version)


def decided(version: Version, table: pa.Table, on: date | None, text: bool = False) -> pa.Table:
    """The strict reading first; what it leaves open goes to the exact one. Id columns stay as they are."""
    ids = given(table.column_names, version.facts, version.outcomes)
    on = on if version.dated else None
    if not text and table.num_rows <= SMALL and _fits(version.digest, bulk.ByDigest(version)):
        facts = arrays.read(version, table)
        if facts is not None:
            return _quickly(version, table, facts, on, ids)
    con = bulk.connection(large=table.num_rows > SMALL)
    only = table.select(list(version.facts)) if version.facts else table
    program = bulk.program(version, on, bulk.described(con, only.schema), text)
    found = bulk.run(con, program.decide, only)
    open_ = _open(version, found)
    answers = {name: found.column(name) for name in version.outcomes}
    problem = found.column(bulk.PROBLEM)
    if len(open_):
        narrow = bulk.run(con, program.facts, only.take(pa.array(open_))).rename_columns(list(version.facts))
        facts = arrays.internal(version, narrow)
        rows = np.arange(len(open_))
        keep = facts.some_unknown()
        problem = _settled(version, on, facts, rows[keep], open_[keep], answers, problem)
    return _table(version, table, ids, answers, problem)


def _quickly(version: Version, table: pa.Table, facts: arrays.Facts, on: date | None, ids: list[str]) -> pa.Table:
    columns, broken = quick.answers(version, facts, on)
    complaints: dict[int, list[str]] = {}
    for name, wrong in facts.wrong.items():
        source = table.column(name)
        for row in np.flatnonzero(wrong).tolist():
            complaints.setdefault(row, []).append(said(version.facts[name], source[row].as_py()))
    for what, rows in broken.items():
        for row in np.flatnonzero(rows).tolist():
            complaints.setdefault(row, []).append(what)
    hidden = None
    problems: list[str | None] = [None] * table.num_rows
    if complaints:
        hidden = np.zeros(table.num_rows, bool)
        for row, said_ in complaints.items():
            hidden[row], problems[row] = True, "; ".join(said_)
    answers: dict[str, Any] = {}
    open_ = np.zeros(table.num_rows, bool)
    for name, outcome in version.outcomes.items():
        answers[name] = arrays.arrow(outcome.kind, columns[name], table.num_rows, hidden)
        if columns[name].unknown is not None:
            open_ |= columns[name].unknown
    if hidden is not None:
        open_ &= ~hidden
    problem: Any = pa.array(problems, pa.string())
    if open_.any():
        rows = np.flatnonzero(open_ & facts.some_unknown())
        problem = _settled(version, on, facts, rows, rows, answers, problem)
    return _table(version, table, ids, answers, problem)


def _open(version: Version, found: pa.Table) -> NDArray[np.int64]:
    """Rows without problem in which an outcome is still open."""
    if not any(found.column(name).null_count for name in version.outcomes):
        return np.empty(0, np.int64)
    import pyarrow.compute as pc

    some: Any = None
    for name in version.outcomes:
        empty = found.column(name).is_null()
        some = empty if some is None else pc.or_(some, empty)
    some = pc.and_(some, found.column(bulk.PROBLEM).is_null())
    return np.flatnonzero(some.to_numpy())


def _settled(
    version: Version,
    on: date | None,
    facts: arrays.Facts,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    answers: dict[str, Any],
    problem: Any,
) -> Any:
    """Fill what is determined; ``rows`` are places in ``facts``, ``targets`` the same people in the result."""
    if not len(rows):
        return problem
    readings = exact(version, on)
    codes = readings.codes(facts.columns, rows)
    troubles: dict[int, str] = {}
    for name, outcome in version.outcomes.items():
        column = answers[name]
        empty = column.is_null().to_numpy(zero_copy_only=False)[targets]
        if not empty.any():
            continue
        places = np.flatnonzero(empty)
        try:
            found, impossible = readings.fill(name, facts.columns, rows[places], codes[:, places])
        except Undecided as why:
            troubles |= dict.fromkeys(targets[places].tolist(), f"{name}: not settled in time ({why})")
            continue
        troubles |= dict.fromkeys(targets[places[impossible]].tolist(), "the facts contradict the constraints")
        assert found.unknown is not None
        settled = ~found.unknown
        if settled.any():
            part = Column(found.values[settled], None, found.words)
            answers[name] = arrays.patched(outcome.kind, column, targets[places[settled]], part)
    if troubles:
        said_ = problem.to_pylist()
        for row, what in troubles.items():
            said_[row] = what
        problem = pa.array(said_, pa.string())
        hidden = np.zeros(len(said_), bool)
        hidden[list(troubles)] = True
        for name in version.outcomes:
            answers[name] = arrays.hidden(answers[name], hidden)
    return problem


def _table(version: Version, table: pa.Table, ids: list[str], answers: dict[str, Any], problem: Any) -> pa.Table:
    arrays = [table.column(name) for name in ids] + [answers[name] for name in version.outcomes] + [problem]
    return pa.table(arrays, names=[*ids, *version.outcomes, bulk.PROBLEM])
