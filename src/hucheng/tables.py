"""Tables of every kind in, the same kind out: Arrow, Polars, pandas, DuckDB.

Imports nothing of ours but `errors`, and neither Polars nor pandas where nobody gives one.
"""

from __future__ import annotations

from typing import Any

import duckdb
import pyarrow as pa

from hucheng.errors import BadRequest


def as_arrow(table: Any) -> pa.Table:
    """Any kind of table as Arrow; BadRequest for what is none."""
    if isinstance(table, pa.Table):
        return table
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    if isinstance(table, duckdb.DuckDBPyRelation):
        return table.to_arrow_table()
    library = module(table)
    if library == "polars":
        import polars

        found: pa.Table = (table.collect() if isinstance(table, polars.LazyFrame) else table).to_arrow()
        return found
    if library == "pandas":
        return pa.Table.from_pandas(table, preserve_index=False)
    raise BadRequest(
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
    if module(given) == "polars":
        import polars

        frame: Any = polars.from_arrow(result)
        return frame.lazy() if isinstance(given, polars.LazyFrame) else frame
    return result.to_pandas(types_mapper=_pandas_type)


def module(table: Any) -> str:
    """The library a table comes from: “polars”, “pandas”, …."""
    return type(table).__module__.split(".")[0]


def _pandas_type(kind: pa.DataType) -> Any:
    """Columns that may hold NULL stay what they are in pandas, too."""
    import pandas as pd

    return {pa.bool_(): pd.BooleanDtype(), pa.int64(): pd.Int64Dtype()}.get(kind)
