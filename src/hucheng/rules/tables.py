"""Tables of every kind in, decisions in the same kind out."""

from __future__ import annotations

from datetime import date
from typing import Any

import duckdb
import pyarrow as pa

from hucheng.errors import RuleError
from hucheng.rules import bulk
from hucheng.rules.model import Version

SMALL = 20_000
"""Rows up to which one thread is quicker than several."""


def decide(version: Version, table: Any, on: date | None) -> Any:
    """Decisions for every row, in the kind of table that came in."""
    if isinstance(table, pa.Table):
        return decided(version, table, on)
    if isinstance(table, pa.RecordBatch):
        out = decided(version, pa.Table.from_batches([table]), on).combine_chunks()
        batches = out.to_batches()
        return batches[0] if batches else pa.RecordBatch.from_pylist([], schema=out.schema)
    if isinstance(table, duckdb.DuckDBPyRelation):
        return duckdb.from_arrow(decided(version, table.to_arrow_table(), on))
    module = type(table).__module__.split(".")[0]
    if module == "polars":
        import polars

        lazy = isinstance(table, polars.LazyFrame)
        frame = table.collect() if lazy else table
        out = polars.from_arrow(decided(version, frame.to_arrow(), on))
        return out.lazy() if lazy else out  # type: ignore[union-attr]
    if module == "pandas":
        arrow = pa.Table.from_pandas(table, preserve_index=False)
        return decided(version, arrow, on).to_pandas(types_mapper=_pandas_type)
    raise RuleError(
        f"a {type(table).__name__} is no table",
        mend="give an Arrow table, a Polars or pandas frame or a DuckDB relation",
    )


def _pandas_type(kind: pa.DataType) -> Any:
    """Columns that may hold NULL stay what they are in pandas, too."""
    import pandas as pd

    return {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}.get(kind)


def decided(version: Version, table: pa.Table, on: date | None, text: bool = False) -> pa.Table:
    """Strict SQL first; what it leaves open goes to the exact reading."""
    con = bulk.connection(large=table.num_rows > SMALL)
    columns = bulk.described(con, table.schema)
    program = bulk.program(version, on, columns, text)
    return bulk.run(con, program.decide, table)
