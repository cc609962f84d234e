"""What holds now: the newest readings of every device, for single-person reads and for the intake's own memory.

One RocksDB a partition of homes, written by its intake alone; the offset and the exact counters lie in the same write
batch as the readings they count. Others read it as a secondary, which never disturbs the writer. How far back it goes
is the contract's ``hucheng.hot``; the newest reading of a device and metric stays however old it is. It can be built
again from the lake.

    r device \\0 metric \\0 time     → value, received_at, seq, simulated, number of the resident
    p number                        → resident; empty once erased
    m name                          → a record (JSON)
"""

from __future__ import annotations

import os
import shutil
import struct
import tempfile
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from operator import add
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rocksdict import AccessType, Options, Rdict, WriteBatch, WriteOptions

from hucheng.base.devices import Ints
from hucheng.errors import LakeError

VALUE = struct.Struct("<dqqBI")
VALUE_TYPE = np.dtype([("value", "<f8"), ("received", "<i8"), ("seq", "<i8"), ("simulated", "u1"), ("resident", "<u4")])
TIME_BIAS = 1 << 63
OFFSET, HOT = b"moffset", b"mhot"


class Reading(Struct, frozen=True):
    """One kept reading; times in µs since 1970 (UTC)."""

    resident_id: str
    device_id: str
    metric: str
    observed_us: int
    value: float
    received_us: int
    seq: int
    simulated: bool


class Counts(Struct):
    """What happened to readings: every one received is accepted, a duplicate, or quarantined."""

    received: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    def add(self, other: Counts) -> None:
        """Count what another counted."""
        self.received += other.received
        self.accepted += other.accepted
        self.duplicate += other.duplicate
        self.quarantined += other.quarantined


class Offset(Struct):
    """How far a partition is: the stream's sequence, the broker's newest time, and the counts up to ``counted``.

    ``base`` is added to the broker's own sequence numbers, so that a broker whose disk lost its tail, and which
    therefore counts anew, cannot make numbers that were there before. ``runs`` are the newest replays' own counts.
    """

    seq: int = 0
    counted: int = 0
    received_us: int = 0
    base: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    runs: dict[str, Counts] = msgspec.field(default_factory=dict)


def prefix_of(device: str, metric: str) -> bytes:
    """The key of a series up to the time."""
    return b"r" + device.encode() + b"\0" + metric.encode() + b"\0"


def _key_time(observed_us: int) -> bytes:
    return (observed_us + TIME_BIAS).to_bytes(8, "big")


class Current:
    """The writer's side."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_max_open_files(-1)
        options.set_keep_log_file_num(4)
        options.set_write_buffer_size(64 << 20)
        options.set_max_total_wal_size(256 << 20)
        try:
            self._db = Rdict(str(path), options)
        except Exception as error:  # rocksdict raises its own kinds
            raise LakeError(f"cannot open: {error}", where=str(path), mend="is another intake running?") from error
        self._residents: dict[str, int] = {}
        self._next = 0
        for key, value in self._db.items(from_key=b"p"):
            assert isinstance(key, bytes)
            if key[:1] != b"p":
                break
            number = int.from_bytes(key[1:], "big")
            self._next = number + 1
            if value:
                self._residents[value.decode()] = number
        self._sync = WriteOptions()
        self._sync.sync = True

    def offset(self) -> Offset | None:
        """How far this store is; None when it is new."""
        found = self._db.get(OFFSET)
        return None if found is None else msgspec.json.decode(found, type=Offset)

    def write(
        self,
        offset: Offset | None,
        prefixes: Sequence[bytes] = (),
        observed: Ints | None = None,
        value: NDArray[np.float64] | None = None,
        received: Ints | None = None,
        seq: Ints | None = None,
        simulated: NDArray[np.bool_] | None = None,
        residents: Ints | None = None,
    ) -> None:
        """Readings (one entry a column each) and the offset behind them, all or nothing, durable.

        ``residents`` are the numbers that `people` gave.
        """
        batch = WriteBatch(raw_mode=True)
        if observed is not None and len(observed):
            body = np.empty(len(observed), VALUE_TYPE)
            body["value"], body["received"], body["seq"], body["simulated"] = value, received, seq, simulated
            body["resident"] = residents
            times = (observed.astype(np.uint64) + np.uint64(TIME_BIAS)).astype(">u8").view("V8").tolist()
            values = body.view(f"V{VALUE.size}").tolist()
            deque(map(batch.put, map(add, prefixes, times), values), maxlen=0)  # a loop without Python's own steps
        if offset is not None:
            batch.put(OFFSET, msgspec.json.encode(offset))
        try:
            self._db.write(batch, self._sync)
        except Exception as error:
            raise LakeError(f"not written: {error}", where=self._db.path(), mend="make room on the disk") from error

    def hot(self) -> dict[str, int]:
        """How far back this store goes, in µs by dataset, as far as anybody said."""
        found = self._db.get(HOT)
        return {} if found is None else msgspec.json.decode(found, type=dict[str, int])

    def set_hot(self, hot: dict[str, int]) -> None:
        """Say how far back it goes."""
        self._db.put(HOT, msgspec.json.encode(hot))

    def value_at(self, prefix: bytes, observed_us: int) -> float:
        """The kept value of a series at a moment; NaN when there is none."""
        found = self._db.get(prefix + _key_time(observed_us))
        return float("nan") if found is None else float(VALUE.unpack(found)[0])

    def newest(self, prefixes: Iterable[bytes]) -> Iterator[tuple[int, int, float]]:
        """For each series that has any reading: its place among ``prefixes``, the newest time, and its value."""
        walk = self._db.iter()
        for place, prefix in enumerate(prefixes):
            walk.seek_for_prev(prefix + b"\xff" * 8)
            if walk.valid() and (key := walk.key()).startswith(prefix) and len(key) == len(prefix) + 8:
                stamp = int.from_bytes(key[-8:], "big") - TIME_BIAS
                yield place, stamp, VALUE.unpack(walk.value())[0]

    def forget_before(self, series: Iterable[tuple[bytes, int]]) -> None:
        """Drop what is older than the given time in each series; the caller keeps the newest by never passing it."""
        batch = WriteBatch(raw_mode=True)
        for prefix, before_us in series:
            batch.delete_range(prefix + _key_time(-(2**62)), prefix + _key_time(before_us))
        self._db.write(batch)

    def erase(self, person: str, devices: Iterable[str]) -> int:
        """Drop a person's readings of these devices, and the person; gives the number they had, -1 for nobody.

        A device that somebody else wears now keeps what it measured there. What is dropped is overwritten at once.
        """
        number = self._residents.pop(person, -1)
        if number < 0:
            return number
        batch = WriteBatch(raw_mode=True)
        ranges = [(b"r" + device.encode() + b"\0", b"r" + device.encode() + b"\x01") for device in devices]
        for start, end in ranges:
            for key, value in self._db.items(from_key=start):
                assert isinstance(key, bytes)
                if key >= end:
                    break
                if VALUE.unpack(value)[4] == number:
                    batch.delete(key)
        name = b"p" + number.to_bytes(4, "big")
        batch.put(name, b"")  # the number is never given to anybody else
        self._db.write(batch, self._sync)
        self._db.flush()
        for start, end in [*ranges, (name, name + b"\0")]:
            self._db.compact_range(start, end)
        return number

    def close(self) -> None:
        """Write out and let go."""
        self._db.close()

    def people(self, residents: Sequence[str]) -> Ints:
        """The number of each resident; new ones get the next, and are written down."""
        known = self._residents
        batch = WriteBatch(raw_mode=True)
        for name in dict.fromkeys(residents):
            if name not in known:
                known[name] = self._next
                self._next += 1
                batch.put(b"p" + known[name].to_bytes(4, "big"), name.encode())
        if not batch.is_empty():
            self._db.write(batch)
        return np.array([known[name] for name in residents], np.int64)


class CurrentReader:
    """The readers' side: all partitions of a home, at most ``stale_s`` behind their writers. Safe for threads."""

    def __init__(self, home: Path, partitions: int, *, stale_s: float = 0.02) -> None:
        self._home = home
        self._scratch = Path(tempfile.mkdtemp(prefix="hucheng-current-"))
        self._parts = [_Part(home / "current" / f"p{p}", self._scratch / f"p{p}", stale_s) for p in range(partitions)]

    def recent(
        self,
        partition: int,
        device: str,
        metrics: Sequence[str],
        since_us: int,
        until_us: int,
        limit: int | None = None,
    ) -> list[Reading]:
        """A device's readings observed in [since, until], newest first; ``limit`` counts for each metric."""
        return self._parts[partition].recent(device, metrics, since_us, until_us, limit)

    def last(self, partition: int, device: str, metrics: Sequence[str]) -> list[Reading]:
        """The newest reading of each metric, however old."""
        return self._parts[partition].recent(device, metrics, -(2**62), 2**62, 1)

    def offsets(self) -> list[Offset]:
        """How far each partition is; a new Offset for one that has nothing yet."""
        return [part.offset() for part in self._parts]

    def close(self) -> None:
        """Let go of all partitions."""
        for part in self._parts:
            part.close()
        shutil.rmtree(self._scratch, ignore_errors=True)


class _Part:
    """One partition, opened when it is first there."""

    def __init__(self, path: Path, scratch: Path, stale_s: float) -> None:
        self._path, self._scratch, self._stale_s = path, scratch, stale_s
        self._db: Rdict | None = None
        self._caught = 0.0
        self._lock = threading.Lock()
        self._people: dict[int, str] = {}
        self._identity: tuple[int, int] | None = None

    def recent(
        self, device: str, metrics: Sequence[str], since_us: int, until_us: int, limit: int | None
    ) -> list[Reading]:
        db = self._caught_up()
        if db is None:
            return []
        found: list[Reading] = []
        walk = db.iter()
        for metric in metrics:
            prefix = prefix_of(device, metric)
            low = prefix + _key_time(since_us)
            walk.seek_for_prev(prefix + _key_time(until_us))
            count = 0
            while walk.valid() and (key := walk.key()) >= low and (limit is None or count < limit):
                value, received, seq, simulated, number = VALUE.unpack(walk.value())
                stamp = int.from_bytes(key[-8:], "big") - TIME_BIAS
                resident = self._resident(db, number)
                found.append(Reading(resident, device, metric, stamp, value, received, seq, bool(simulated)))
                count += 1
                walk.prev()
        return found

    def offset(self) -> Offset:
        db = self._caught_up()
        found = db.get(OFFSET) if db is not None else None
        return Offset() if found is None else msgspec.json.decode(found, type=Offset)

    def close(self) -> None:
        with self._lock:
            if self._db is not None:
                self._db.close()
                self._db = None

    def _resident(self, db: Rdict, number: int) -> str:
        name = self._people.get(number)
        if name is None:
            found = db.get(b"p" + number.to_bytes(4, "big"))
            name = self._people[number] = found.decode() if found else ""
        return name

    def _caught_up(self) -> Rdict | None:
        with self._lock:
            now = time.monotonic()
            if self._db is not None and now - self._caught < self._stale_s:
                return self._db
            try:
                if self._db is None:
                    if not (self._path / "CURRENT").exists():
                        return None
                    options = Options(raw_mode=True)
                    options.set_max_open_files(-1)
                    self._db = Rdict(str(self._path), options, access_type=AccessType.secondary(str(self._scratch)))
                    self._identity = _identity(self._path)
                elif self._identity != _identity(self._path):  # the store was built anew
                    self._db.close()
                    self._db, self._people = None, {}
                    return None
                self._db.try_catch_up_with_primary()
                self._caught = now
            except Exception as error:
                self._db = None
                raise LakeError(
                    f"cannot read current values: {error}", where=str(self._path), mend="try again"
                ) from error
            return self._db


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - one call
    return status.st_dev, status.st_ino
