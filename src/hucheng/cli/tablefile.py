"""A table written to a file piece by piece, whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as parquet

from hucheng.errors import BadRequest
from hucheng.files import suffix


def _parquet(path: Path, schema: pa.Schema) -> parquet.ParquetWriter:
    """A Parquet file in which numbers take the difference to the one before: half the time, a third of the size."""
    whole = [f.name for f in schema if pa.types.is_integer(f.type)]
    whole += [f.name for f in schema if pa.types.is_decimal(f.type) and f.type.precision <= 18]
    return parquet.ParquetWriter(
        path, schema, use_dictionary=[f.name for f in schema if f.name not in whole],
        column_encoding=dict.fromkeys(whole, "DELTA_BINARY_PACKED"), store_decimal_as_integer=True,
    )  # fmt: skip


class Writer:
    """Writes tables of one schema to a file, whole or not at all."""

    def __init__(self, path: Path) -> None:
        self.kind = suffix(path)
        self.path = path
        self.partial = path.with_name(f".{path.name}.partial")
        self.writer: Any = None

    def __enter__(self) -> Writer:
        return self

    def write(self, table: pa.Table) -> None:
        if self.writer is None:
            try:
                if self.kind == "csv":
                    self.writer = csv.CSVWriter(str(self.partial), table.schema)
                else:
                    self.writer = _parquet(self.partial, table.schema)
            except OSError as error:
                raise BadRequest(
                    f"cannot write the file: {error.strerror or error}", where=str(self.path), mend="check the folder"
                ) from None
        self.writer.write_table(table)

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if self.writer is not None:
            self.writer.close()
            if kind is None:
                self.partial.replace(self.path)
            else:
                self.partial.unlink(missing_ok=True)
