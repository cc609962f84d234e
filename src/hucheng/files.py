"""Files of rows, as every command takes them: the suffix decides, CSV or Parquet.

Imports nothing of ours but `errors`.
"""

from __future__ import annotations

import csv as text_csv
import io
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import csv, parquet

from hucheng.errors import BadRequest, RuleError

ROWS_AT_ONCE = 1 << 17


def suffix(path: Path) -> str:
    """“csv” (also packed, “.csv.gz”) or “parquet”; BadRequest otherwise."""
    name = path.name.lower().removesuffix(".gz")
    found = name.rpartition(".")[2]
    if found not in ("csv", "parquet") or (found == "parquet" and name != path.name.lower()):
        raise BadRequest(f"the suffix of {path.name} is neither .csv nor .parquet", where=str(path), mend="rename it")
    return found


def tables(path: Path, words: Collection[str] = ()) -> Iterator[tuple[pa.Table, bool, int]]:
    """Pieces of a file: the table, whether its values are plain text, and how many bytes or rows it stands for.

    ``words``: columns with few different words, which a Parquet file may keep as places in a list of them. Raises
    BadRequest for a file that cannot be read.
    """
    kind = suffix(path)
    try:
        if kind == "parquet":
            file = parquet.ParquetFile(path, read_dictionary=list(words))
            for batch in file.iter_batches(ROWS_AT_ONCE):
                yield pa.Table.from_batches([batch]), False, batch.num_rows
            if file.metadata.num_rows == 0:
                yield file.schema_arrow.empty_table(), False, 0
            return
        with pa.input_stream(str(path)) as head, io.BufferedReader(head) as lines:
            names = csv.read_csv(
                pa.BufferReader(lines.readline().decode("utf-8-sig").encode()),
                csv.ReadOptions(autogenerate_column_names=True),
            ).to_pylist()
        columns = [str(name) for name in (names[0].values() if names else [])]
        if len(set(columns)) < len(columns):
            twice = next(name for name in columns if columns.count(name) > 1)
            raise RuleError(f"the column “{twice}” is there twice", where=f"{path}:1", mend="rename one of them")
        options = csv.ConvertOptions(
            column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=True, null_values=[""]
        )
        lines_within = csv.ParseOptions(newlines_in_values=True)
        reader = csv.open_csv(str(path), csv.ReadOptions(block_size=16 << 20), lines_within, options)
        some, last = False, None
        for batch in reader:
            some = True
            yield pa.Table.from_batches([batch]), True, batch.nbytes
            last = batch.column(batch.num_columns - 1)[-1].as_py() if batch.num_rows else None
        if last is not None and "\n" in last and (line := _unclosed(path, last)):
            raise BadRequest(
                "a quote is opened and never closed: the rest of the file is one cell",
                where=f"{path}:{line}",
                mend="close it, or write a quote that belongs to the text twice",
            )
        if not some:
            yield reader.schema.empty_table(), True, 0
    except OSError as error:
        raise BadRequest(f"cannot read the file: {error.strerror or error}", where=str(path), mend="check it") from None
    except (pa.ArrowInvalid, UnicodeDecodeError) as error:
        if kind == "csv" and not path.stat().st_size:
            raise BadRequest("the file is empty", where=str(path), mend="give a row of headings, then rows") from None
        if kind == "csv" and (isinstance(error, UnicodeDecodeError) or "UTF8" in str(error)):
            mend = "save it as UTF-8 (in Excel: “CSV UTF-8”)"
            raise BadRequest("the file is not UTF-8", where=str(path), mend=mend) from None
        if kind == "csv" and (ragged := _ragged(path)):
            line, values, wanted = ragged
            raise BadRequest(
                f"cannot read the table: the row has {values} value{'s' * (values != 1)}, the header {wanted}",
                where=f"{path}:{line}",
                mend="fill it up; a value that holds a comma stands in quotes",
            ) from None
        raise BadRequest(
            f"cannot read the table: {error}", where=str(path), mend="is it complete, and UTF-8?"
        ) from None


def _unclosed(path: Path, last: str) -> int | None:
    """Line on which the last cell begins, where the file ends inside it."""
    lines, end = 0, b""
    with pa.input_stream(str(path)) as raw:
        while piece := raw.read(1 << 20):
            lines += piece.count(b"\n")
            end = (end + piece).rstrip(b"\r\n")[-1:] or end
    return None if end == b'"' else lines + 1 - last.count("\n")


def _ragged(path: Path) -> tuple[int, int, int] | None:
    """Line, values and columns of the first row that is longer or shorter than the header, if there is one."""
    try:
        with (
            pa.input_stream(str(path)) as raw,
            io.TextIOWrapper(io.BufferedReader(raw), "utf-8-sig", newline="") as text,
        ):
            rows = text_csv.reader(text)
            width = len(next(rows, []))
            line = rows.line_num
            for row in rows:
                if row and len(row) != width:
                    return line + 1, len(row), width
                line = rows.line_num
    except (OSError, UnicodeDecodeError, text_csv.Error):
        pass
    return None


def apart(results: Iterable[Path | None], sources: Iterable[Path | None] = ()) -> None:
    """Before any work: BadRequest for a result that would replace what is read, or another result, or that lies in a
    folder that is not there."""
    read_ = {one.resolve() for one in sources if one is not None}
    written: set[Path] = set()
    for one in results:
        if one is None:
            continue
        place = one.resolve()
        if place in read_:
            raise BadRequest("the result would replace what is read", where=str(one), mend="give it another name")
        if place in written:
            raise BadRequest("two results have one name", where=str(one), mend="give each its own")
        if not place.parent.is_dir():
            raise BadRequest("there is no such folder", where=str(one.parent), mend="make it, or name another")
        written.add(place)


def read(path: Path) -> pa.Table:
    """The whole file as one table; all values of a CSV file are text. Raises BadRequest as `tables` does."""
    return pa.concat_tables(table for table, _, _ in tables(path))


def write(table: pa.Table, path: Path) -> None:
    """A table as a file, whole or not at all: written beside it and then moved. BadRequest where it cannot be."""
    with Writer(path) as out:
        out.write(table)


def differences(schema: pa.Schema) -> dict[str, Any]:
    """Options of a Parquet file in which numbers take the difference to the one before: half the time, a third of the
    size, where few of them differ much."""
    whole = [f.name for f in schema if pa.types.is_integer(f.type)]
    whole += [f.name for f in schema if pa.types.is_decimal(f.type) and f.type.precision <= 18]
    return {
        "use_dictionary": [f.name for f in schema if f.name not in whole],
        "column_encoding": dict.fromkeys(whole, "DELTA_BINARY_PACKED"),
        "store_decimal_as_integer": True,
    }


class Writer:
    """A file that takes tables of one schema, one after another; it stands whole or not at all.

    ``options`` gives those of a Parquet file by its schema. Raises BadRequest where the suffix is unknown or the folder
    cannot be written.
    """

    def __init__(self, path: Path, options: Callable[[pa.Schema], dict[str, Any]] | None = None) -> None:
        self._kind = suffix(path)
        self._path = path
        self._options = options
        self._aside = path.with_name(f".{path.name}.new")
        self._out: Any = None
        self._writer: Any = None

    def write(self, table: pa.Table) -> None:
        """Add rows."""
        try:
            if self._writer is None:
                self._open(table.schema)
            self._writer.write_table(table)
        except OSError as error:
            self.close(done=False)
            raise self._refused(error) from None

    def close(self, done: bool = True) -> None:
        """Put the file in its place, or take away what was written so far."""
        writer, out, self._writer, self._out = self._writer, self._out, None, None
        try:
            try:
                if writer is not None:
                    writer.close()
            finally:
                if out is not None:
                    out.close()
            if out is not None and done:
                self._aside.replace(self._path)
        except OSError as error:
            raise self._refused(error) from None
        finally:
            self._aside.unlink(missing_ok=True)

    def _open(self, schema: pa.Schema) -> None:
        packed = "gzip" if self._path.suffix == ".gz" else None
        self._out = pa.output_stream(str(self._aside), compression=packed)
        if self._kind == "csv":
            self._writer = csv.CSVWriter(self._out, schema)
        else:
            self._writer = parquet.ParquetWriter(self._out, schema, **(self._options(schema) if self._options else {}))

    def _refused(self, error: OSError) -> BadRequest:
        return BadRequest(f"cannot write: {error.strerror or error}", where=str(self._path), mend="check the folder")

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        self.close(done=kind is None)
