"""Readings from a file; the suffix decides: ``.csv`` (also ``.csv.gz``) or ``.parquet``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

from hucheng.base.contracts import Contract
from hucheng.base.lake import connection
from hucheng.base.sources import OPTIONAL, REQUIRED, Batch
from hucheng.errors import BadRequest


class FileSource:
    """One file. A time without an offset is UTC. Raises BadRequest when it cannot be read or lacks a column."""

    def __init__(self, path: Path) -> None:
        self.path = path
        name = path.name.lower()
        if not path.is_file():
            raise BadRequest("no such file", where=str(path), mend="give the path of a CSV or Parquet file")
        if name.endswith((".csv", ".csv.gz")):
            self._from = "read_csv(?, all_varchar=true, header=true, null_padding=false)"
        elif name.endswith(".parquet"):
            self._from = "read_parquet(?)"
        else:
            raise BadRequest(f"suffix {path.suffix!r}", where=str(path), mend="use .csv, .csv.gz or .parquet")
        try:
            with connection() as db:
                answer = db.execute(f"DESCRIBE SELECT * FROM {self._from}", [str(path)]).fetchall()
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
        self.columns = {row[0]: row[1] for row in answer}
        missing = [name for name in REQUIRED if name not in self.columns]
        if missing:
            raise BadRequest(
                f"column {missing[0]!r} is missing",
                where=str(path),
                mend=f"a readings file has {', '.join((*OPTIONAL, *REQUIRED))}",
            )

    def check(self, contract: Contract) -> None:
        """Raise BadRequest unless the contract is one of observations."""
        if contract.kind != "observation":
            raise BadRequest(
                f"{contract.id} is a {contract.kind}", mend="name a dataset of observations, e.g. home.bed"
            )

    def devices(self) -> list[tuple[str, str | None]]:
        """Every (device_id, resident_id) that occurs; rows without a device are nobody's, and end in quarantine."""
        resident = "CAST(resident_id AS VARCHAR)" if "resident_id" in self.columns else "NULL"
        return self._rows(
            f"SELECT DISTINCT CAST(device_id AS VARCHAR) AS device, {resident} FROM {self._from} "
            "WHERE trim(device) <> '' ORDER BY 1, 2"
        )

    def count(self) -> int:
        """How many readings there are."""
        return int(self._rows(f"SELECT count(*) FROM {self._from}")[0][0])

    def batches(self, rows: int) -> Iterator[Batch]:
        """All readings by time; whatever is no time comes last."""
        resident = "CAST(resident_id AS VARCHAR)" if "resident_id" in self.columns else "NULL"
        query = (
            "SELECT CAST(device_id AS VARCHAR), CAST(metric AS VARCHAR), "
            "epoch_us(TRY_CAST(observed_at AS TIMESTAMPTZ)) AS moment, CAST(observed_at AS VARCHAR), "
            "TRY_CAST(value AS DOUBLE), CAST(value AS VARCHAR), CAST(unit AS VARCHAR), "
            f"{resident} FROM {self._from} ORDER BY moment NULLS LAST"
        )
        with connection() as db:
            try:
                answer = db.execute(query, [str(self.path)])
                while chunk := answer.fetchmany(rows):
                    device, metric, at, at_text, value, value_text, unit, residents = map(
                        list, zip(*chunk, strict=True)
                    )
                    yield Batch(
                        [text or "" for text in device],
                        [text or "" for text in metric],
                        [a if a is not None else text for a, text in zip(at, at_text, strict=True)],
                        [v if v is not None else text for v, text in zip(value, value_text, strict=True)],
                        [text or "" for text in unit],
                        residents,
                    )
            except (duckdb.Error, UnicodeDecodeError) as error:
                raise self._unreadable(error) from error

    def _unreadable(self, error: Exception) -> BadRequest:
        """What is wrong with the file, in our words: the engine speaks of its own options."""
        said = str(error)
        where = str(self.path)
        if self._from.startswith("read_parquet"):
            return BadRequest("this is no whole Parquet file", where=where, mend="write or fetch it again")
        if isinstance(error, UnicodeDecodeError) or "utf-8" in said.lower() or "unicode" in said.lower():
            return BadRequest("the text is not UTF-8", where=where, mend="save it as UTF-8")
        found = re.search(r"Line: (\d+)", said)
        place = f"{where}:{found[1]}" if found else where
        return BadRequest("this is no CSV of one header and equal rows", where=place, mend="mend the file")

    def _rows(self, query: str) -> list[tuple[Any, ...]]:
        try:
            with connection() as db:
                found: list[tuple[Any, ...]] = db.execute(query, [str(self.path)]).fetchall()
                return found
        except (duckdb.Error, UnicodeDecodeError) as error:
            raise self._unreadable(error) from error
