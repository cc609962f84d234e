"""The lake: one Delta table a dataset, appended in order by its sole writer, read by DuckDB through its list of files.

Every append carries the writer's offset as a Delta application transaction, in the same commit as the rows: after a
crash the table itself says how far it is. A second writer of the same partition meets `Fenced`.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from deltalake import CommitProperties, DeltaTable, Transaction, WriterProperties, write_deltalake
from deltalake.exceptions import CommitFailedError, DeltaError, TableNotFoundError
from numpy.typing import NDArray

from hucheng.base.erasing import ATTEMPTS, older, take_out, tracked
from hucheng.errors import Fenced, LakeError

CONFIGURATION = {
    "delta.checkpointInterval": "100",
    "delta.logRetentionDuration": "interval 1 hours",
    "delta.deletedFileRetentionDuration": "interval 1 hours",
}
SMALL_FILES = 64


class Table:
    """One dataset's table for one writer; keeps the table object, because only a kept one notices a rival."""

    def __init__(self, path: Path, schema: pa.Schema, app_id: str) -> None:
        self.path = path
        self.app_id = app_id
        try:
            settings = CONFIGURATION | tracked(schema)
            self._table = DeltaTable.create(path, schema, mode="ignore", name=path.name, configuration=settings)
        except (DeltaError, OSError) as error:
            raise LakeError(f"cannot open the table: {error}", where=str(path), mend="check the disk") from error
        self._schema = schema
        self._commits = 0

    def offset(self) -> int:
        """The last sequence this writer committed; 0 before the first."""
        self._table.update_incremental()
        return int(self._table.transaction_version(self.app_id) or 0)

    def append(self, rows: pa.Table, seq: int, metadata: dict[str, str] | None = None) -> None:
        """Append rows and the offset ``seq`` in one commit, on the disk when this returns.

        Raises Fenced when somebody else wrote as this writer, LakeError when it cannot be written (try again).
        """
        known = int(self._table.transaction_version(self.app_id) or 0)
        properties = CommitProperties(app_transactions=[Transaction(self.app_id, seq)], custom_metadata=metadata or {})
        for attempt in range(ATTEMPTS):
            try:
                write_deltalake(
                    self._table,
                    rows,
                    mode="append",
                    writer_properties=WriterProperties(compression="ZSTD", compression_level=1),
                    commit_properties=properties,
                )
                break
            except CommitFailedError as error:  # somebody else committed: a rival as us, or an erasure that read more
                if self.offset() != known:
                    raise Fenced(
                        f"another {self.app_id} writes here", where=str(self.path), mend="stop one of the two"
                    ) from error
                if attempt == ATTEMPTS - 1:
                    raise LakeError(
                        f"not committed: {error}", where=str(self.path), mend="it is tried again"
                    ) from error
            except (DeltaError, OSError) as error:
                raise LakeError(f"not written: {error}", where=str(self.path), mend="make room on the disk") from error
        self._commits += 1
        self._sync()

    def carried(self, key: str) -> str | None:
        """What the newest commit that carries ``key`` beside its rows says under it."""
        for commit in self._table.history(200):
            if key in commit:
                return str(commit[key])
        return None

    def erase(self, where: str, changes: Mapping[str, str] | None = None) -> int:
        """Delete rows (with ``changes``: set columns in them), and the files that held them. LakeError: try again."""
        return take_out(self._table, self.path, where, changes)

    def crowded(self) -> bool:
        """Whether there are many small files since this was last True: then somebody should `tidy` the table."""
        if self._commits < SMALL_FILES:
            return False
        self._commits = 0
        return True

    def _sync(self) -> None:
        """Have the newest commit's files on the disk: Delta writes them, but does not wait for the disk."""
        log = self.path / "_delta_log"
        entry = log / f"{self._table.version():020d}.json"
        try:
            with entry.open("rb") as file:
                lines = [json.loads(line) for line in file]
            for path in [entry, *(self.path / line["add"]["path"] for line in lines if "add" in line), log, self.path]:
                descriptor = os.open(path, os.O_RDONLY)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
        except FileNotFoundError:
            return  # already joined into a checkpoint or a larger file


class Lake:
    """All tables below ``root``, one folder a dataset."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: dict[str, DeltaTable] = {}

    def writer(self, dataset: str, schema: pa.Schema, app_id: str) -> Table:
        """The table of a dataset for its one writer ``app_id``; made when there is none."""
        self.root.mkdir(parents=True, exist_ok=True)
        return Table(self.root / dataset, schema, app_id)

    def datasets(self) -> list[str]:
        """Every dataset that has a table (the quarantine is none)."""
        if not self.root.exists():
            return []
        return sorted(p.name for p in self.root.iterdir() if (p / "_delta_log").is_dir() and p.name[0] != "_")

    def files(self, dataset: str, since: datetime | None = None, until: datetime | None = None) -> list[str]:
        """The Parquet files of the newest version, without those that hold nothing observed in [since, until].

        An empty list: the table is empty or was never written. Files stay readable for an hour after they were
        joined into others.
        """
        table = self._fresh(dataset)
        if table is None:
            return []
        actions = pa.table(table.get_add_actions(flatten=True))
        paths = [str(self.root / dataset / path) for path in actions.column("path").to_pylist()]
        if since is None and until is None:
            return paths
        if "min.observed_at" not in actions.column_names:
            return paths
        lows = actions.column("min.observed_at").to_pylist()
        highs = actions.column("max.observed_at").to_pylist()
        millisecond = timedelta(milliseconds=1)  # statistics may be cut to milliseconds
        return [
            path
            for path, low, high in zip(paths, lows, highs, strict=True)
            if low is None
            or ((since is None or high + millisecond >= since) and (until is None or low - millisecond <= until))
        ]

    def columns(self, dataset: str) -> list[str]:
        """Names of a table's columns; none where there is no table."""
        table = self._fresh(dataset)
        return [] if table is None else [field.name for field in table.schema().fields]

    def replace(self, dataset: str, rows: pa.Table, app_id: str, version: int, until: int = 0) -> bool:
        """Put ``rows`` in the place of all rows (registers' projection); ``until``: µs UTC, when they hold no longer.

        Not where the table is at ``version`` already, with the same columns and the same ``until``.
        """
        table = self._fresh(dataset)
        ends = f"{app_id}/until"
        there = (
            table is not None
            and int(table.transaction_version(app_id) or 0) >= version
            and int(table.transaction_version(ends) or 0) == until
        )
        if there and set(self.columns(dataset)) == set(rows.column_names):
            return False
        self.root.mkdir(parents=True, exist_ok=True)
        write_deltalake(
            self.root / dataset,
            rows,
            mode="overwrite",
            schema_mode="overwrite",
            configuration=CONFIGURATION | tracked(rows.schema),
            commit_properties=CommitProperties(
                app_transactions=[Transaction(app_id, version), Transaction(ends, until)]
            ),
        )
        return True

    def expire(self, dataset: str, column: str, before: datetime) -> int:
        """Delete rows whose time in ``column`` lies before a moment; gives their number.

        Their files go with the next `sweep` that comes an hour later. By a table object of its own, beside the writer.
        """
        return self.take_out(dataset, older(column, before))

    def take_out(self, dataset: str, where: str) -> int:
        """Delete the rows of a condition, beside the writer; gives their number. Their files go as `expire` says."""
        self._open.pop(dataset, None)
        table = self._fresh(dataset)
        return 0 if table is None else take_out(table, self.root / dataset, where, keep_h=1)

    def sweep(self, dataset: str, keep_h: int = 1) -> int:
        """Drop the files of old versions, and what a kill left behind, that old and older; gives their number.

        Less than an hour only where nobody writes beside.
        """
        self._open.pop(dataset, None)
        table = self._fresh(dataset)
        if table is None:
            return 0
        try:
            return len(table.vacuum(keep_h, dry_run=False, enforce_retention_duration=False, full=True))
        except (DeltaError, OSError) as error:
            raise LakeError(f"not swept: {error}", where=dataset, mend="it is tried again") from error

    def kept(self, dataset: str, devices: Sequence[str], metrics: Sequence[str], times: Any) -> NDArray[np.float64]:
        """The stored value of each (device, metric, µs) asked for; NaN where the lake has none."""
        found = np.full(len(devices), np.nan)
        stamps = np.asarray(times, np.int64)
        low, high = (_moment(int(stamps.min())), _moment(int(stamps.max()))) if len(stamps) else (None, None)
        files = self.files(dataset, low, high) if len(stamps) else []
        if not files:
            return found
        asked = pa.table(
            {
                "place": pa.array(np.arange(len(stamps))),
                "device_id": pa.array(devices, pa.string()),
                "metric": pa.array(metrics, pa.string()),
                "at": pa.array(stamps).cast(pa.timestamp("us", "UTC")),
            }
        )
        with connection() as db:
            db.register("asked", asked)
            answer = db.execute(
                "SELECT place, value FROM read_parquet(?) r JOIN asked a ON r.device_id = a.device_id "
                "AND r.metric = a.metric AND r.observed_at = a.at WHERE r.observed_at BETWEEN ? AND ?",
                [files, low, high],
            ).fetchnumpy()
        found[np.asarray(answer["place"], np.int64)] = answer["value"]
        return found

    def newest(self, dataset: str, since_us: int, after: int | None) -> Iterator[pa.RecordBatch]:
        """Rows with a sequence behind ``after``; with None, all observed since a time and the last of each series."""
        files = self.files(dataset)
        if not files:
            return
        query = "SELECT * FROM read_parquet(?) WHERE seq > ?"
        values: list[Any] = [files, after]
        if after is None:
            query = (
                "SELECT * FROM read_parquet(?) WHERE epoch_us(observed_at) >= ? UNION ALL SELECT * FROM ("
                "SELECT * FROM read_parquet(?) WHERE epoch_us(observed_at) < ? QUALIFY row_number() OVER "
                "(PARTITION BY device_id, metric ORDER BY observed_at DESC) = 1)"
            )
            values = [files, since_us, files, since_us]
        with connection() as db:
            batches: Iterator[pa.RecordBatch] = db.sql(query, params=values).to_arrow_reader(200_000)
            yield from batches

    def read(self, dataset: str, columns: str = "*", where: str = "", values: Sequence[Any] = ()) -> pa.Table:
        """Rows as Arrow, by the base's own hand (never for people: they go through the gate)."""
        files = self.files(dataset)
        if not files:
            return pa.table({})
        with connection() as db:
            query = f"SELECT {columns} FROM read_parquet(?) {where}"
            return db.sql(query, params=[files, *values]).to_arrow_table()

    def _fresh(self, dataset: str) -> DeltaTable | None:
        table = self._open.get(dataset)
        try:
            if table is None:
                table = self._open[dataset] = DeltaTable(self.root / dataset)
            else:
                table.update_incremental()
        except TableNotFoundError:
            self._open.pop(dataset, None)
            return None
        except (DeltaError, OSError) as error:
            self._open.pop(dataset, None)
            raise LakeError(f"cannot read the table: {error}", where=dataset, mend="check the disk") from error
        return table


def connection() -> duckdb.DuckDBPyConnection:
    """A DuckDB that loads nothing over the network and speaks UTC: a session of this process's one instance."""
    return _instance().cursor()


@cache
def _instance() -> duckdb.DuckDBPyConnection:
    db = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    db.execute("SET GLOBAL TimeZone='UTC'")
    return db


def _moment(stamp_us: int) -> datetime:
    """µs since 1970 as a time; what no calendar holds is cut to the nearest that it does."""
    limit = 253402300799 * 10**6
    return datetime.fromisoformat("1970-01-01T00:00:00+00:00") + timedelta(
        microseconds=max(-62135596800 * 10**6, min(stamp_us, limit))
    )
