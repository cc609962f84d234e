"""Standing views: what detection sees of the stream, opened once, noted when opened, each hour, and when closed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from msgspec import structs

from hucheng.base.contracts import Contract, Use
from hucheng.base.lake import connection
from hucheng.gate.entries import Entry
from hucheng.gate.shaping import columns, stopped

EVERY = timedelta(hours=1)
Sink = Callable[[Entry], None]


class StandingView:
    """One purpose's sight of one dataset as it comes in; hands on only the permitted fields."""

    def __init__(
        self,
        contract: Contract,
        use: Use,
        fields: Sequence[str],
        entry: Entry,
        sink: Sink,
        clock: Callable[[], datetime],
        register: Callable[[str], pa.Table],
    ) -> None:
        self._contract = contract
        self._use = use
        self.fields = tuple(fields)
        self._entry = entry
        self._sink = sink
        self._clock = clock
        self._register = register
        self._people = Crowd()
        self._rows = 0
        self._since = clock()
        self._lock = threading.Lock()
        self._closed = False
        self._db: duckdb.DuckDBPyConnection | None = None
        self._send("opened", self._since)

    def select(self, batch: pa.Table) -> pa.Table:
        """The rows that meet the use's condition, with the permitted fields, coarsened. Raises Refused."""
        if self._closed:
            raise stopped(self._contract, ValueError("the standing view is closed"))
        if self._use.where is None and not self._use.coarsen:
            picked: pa.Table = batch.select(list(self.fields))
        else:
            wanted = columns(self._contract, structs.replace(self._use, fields=self.fields))
            condition = f" WHERE {self._use.where}" if self._use.where else ""
            try:
                self._db = self._db or connection()
                self._db.register("batch_", written_out(batch))
                picked = self._db.sql(f"SELECT {', '.join(wanted)} FROM batch_{condition}").to_arrow_table()
            except duckdb.Error as error:
                raise stopped(self._contract, error) from error
        self._rows += picked.num_rows
        return picked

    def seen(self, residents: pa.ChunkedArray) -> None:
        """Note whose data was looked at (a column of resident ids); once an hour the journal gets it."""
        with self._lock:
            for chunk in residents.chunks:
                self._people.add(chunk)
        now = self._clock()
        if now - self._since >= EVERY:
            self.beat(now)

    def beat(self, now: datetime) -> None:
        """Write down what was seen since the last time; nothing when nothing was."""
        with self._lock:
            people, rows = self._people, self._rows
            self._people, self._rows, self._since = Crowd(), 0, now
        if people or rows:
            try:
                self._send("hourly", now, people, rows)
            except Exception:
                with self._lock:  # it is still owed to these people: the next beat carries it
                    self._people.names.update(people)
                    self._rows += rows
                raise

    def register(self, dataset: str) -> pa.Table:
        """The permitted columns of a register, of everybody, as it is now. Raises Refused. Noted like any bulk use."""
        return self._register(dataset)

    def close(self) -> None:
        """End it; what was seen and is not yet written down goes with the closing entry."""
        if not self._closed:
            self._closed = True
            self._send("closed", self._clock(), self._people, self._rows)

    def _send(self, action: str, now: datetime, people: Iterable[str] = (), rows: int = 0) -> None:
        named = tuple(people)
        ref = f"{self._entry.ref}/{action}/{int(now.timestamp() * 1e6)}"
        counts: dict[str, int] = {"rows": rows, "people": len(named)} if action != "opened" else {}
        detail: dict[str, Any] = {}
        fresh = structs.replace(self._entry, at=now, action=action, people=named, counts=counts, ref=ref, detail=detail)
        self._sink(fresh)


def written_out(batch: pa.Table) -> pa.Table:
    """The table with dictionary-encoded columns as plain ones: DuckDB would take in the whole dictionary each time."""
    plain = [f.with_type(f.type.value_type) if pa.types.is_dictionary(f.type) else f for f in batch.schema]
    return batch.cast(pa.schema(plain))


class Crowd:
    """Whose data was looked at. Of a column that brings its dictionary, places are noted; names are made when asked."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._dictionary: pa.Array | None = None
        self._marks = np.empty(0, bool)

    def add(self, ids: pa.Array) -> None:
        """Those in one column."""
        ids = ids.drop_null()
        if not pa.types.is_dictionary(ids.type):
            self.names.update(ids.unique().to_pylist())
            return
        if self._dictionary is None or not _same(self._dictionary, ids.dictionary):
            self.names = set(self)
            self._dictionary, self._marks = ids.dictionary, np.zeros(len(ids.dictionary), bool)
        self._marks[ids.indices.to_numpy(zero_copy_only=False)] = True

    def __iter__(self) -> Iterator[str]:
        if self._dictionary is None:
            return iter(self.names)
        return iter(self.names | set(self._dictionary.filter(pa.array(self._marks)).to_pylist()))

    def __bool__(self) -> bool:
        return bool(self.names) or bool(self._marks.any())


def _same(one: pa.Array, other: pa.Array) -> bool:
    """Whether two arrays are the same memory (not only the same values, which would take as long as the work saved)."""
    where = [[buffer and buffer.address for buffer in array.buffers()] for array in (one, other)]
    return len(one) == len(other) and one.offset == other.offset and where[0] == where[1]
