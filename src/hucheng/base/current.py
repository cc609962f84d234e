"""What holds now: the newest readings of every device, for single-person reads and for the intake's own memory.

One RocksDB a partition of homes, written by its intake alone; the offset and the exact counters lie in the same write
batch as the readings they count. Others read it as a secondary, which never disturbs the writer. How far back it goes
is the contract's ``hucheng.hot``; the newest reading of a device and metric stays as long as its contract keeps any. It
can be built again from the lake.

    r device \\0 metric \\0 time     → value, received_at, seq, simulated, number of the resident
    p number                        → resident; empty once erased
    m name                          → a record (JSON)
"""

from __future__ import annotations

import struct
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from operator import add
from pathlib import Path

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rocksdict import DBCompressionType, Env, Options, Rdict, WriteBatch, WriteOptions

from hucheng.base.devices import Ints
from hucheng.base.waiting import Waiting
from hucheng.errors import LakeError

VALUE = struct.Struct("<dqqBI")
VALUE_TYPE = np.dtype([("value", "<f8"), ("received", "<i8"), ("seq", "<i8"), ("simulated", "u1"), ("resident", "<u4")])
TIME_BIAS = 1 << 63
OFFSET, HOT = b"moffset", b"mhot"
TURN, TURN_S = 20_000, 0.005
"""Entries made up at once, and the pause before more of them, for the thread beside."""


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
    ``waiting``: what is committed with it or was before, and could not be looked at.
    """

    seq: int = 0
    counted: int = 0
    received_us: int = 0
    base: int = 0
    counts: Counts = msgspec.field(default_factory=Counts)
    runs: dict[str, Counts] = msgspec.field(default_factory=dict)
    waiting: list[Waiting] = msgspec.field(default_factory=list)


def prefix_of(device: str, metric: str) -> bytes:
    """The key of a series up to the time."""
    return b"r" + device.encode() + b"\0" + metric.encode() + b"\0"


def key_time(observed_us: int) -> bytes:
    """The time in a key: as bytes in the order of time."""
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
        # Readings of all devices come in all the time: merging them in larger steps halves what that costs
        # (docs/numbers.md), and it takes what is left of the processors: nobody waits for it.
        quiet = Env()
        quiet.lower_thread_pool_cpu_priority()
        options.set_env(quiet)
        options.set_compression_type(DBCompressionType.lz4())
        options.set_level_zero_file_num_compaction_trigger(16)
        options.set_level_zero_slowdown_writes_trigger(40)
        options.set_level_zero_stop_writes_trigger(60)
        options.set_max_bytes_for_level_base(1 << 30)
        options.set_target_file_size_base(128 << 20)
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
            puts = map(batch.put, map(add, prefixes, times), values)
            for begun in range(0, len(values), TURN):
                if begun:
                    time.sleep(TURN_S)  # whoever looks at the next readings in this process goes first
                deque(islice(puts, TURN), maxlen=0)  # a loop without Python's own steps
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
        found = self._db.get(prefix + key_time(observed_us))
        return float("nan") if found is None else float(VALUE.unpack(found)[0])

    def newest(self, prefixes: Iterable[bytes]) -> Iterator[tuple[int, int, float, int]]:
        """For each series that has any reading: its place among ``prefixes``, the newest time, its value, and whose."""
        walk = self._db.iter()
        for place, prefix in enumerate(prefixes):
            walk.seek_for_prev(prefix + b"\xff" * 8)
            if walk.valid() and (key := walk.key()).startswith(prefix) and len(key) == len(prefix) + 8:
                stamp = int.from_bytes(key[-8:], "big") - TIME_BIAS
                value, _, _, _, resident = VALUE.unpack(walk.value())
                yield place, stamp, value, resident

    def forget_before(self, series: Iterable[tuple[bytes, int]]) -> None:
        """Drop what is older than the given time in each series; the caller keeps the newest by never passing it.

        Where nothing is older nothing is written: every dropped range is one more thing that a read must look at.
        """
        batch = WriteBatch(raw_mode=True)
        walk = self._db.iter()
        for prefix, before_us in series:
            begin, end = prefix + key_time(-(2**62)), prefix + key_time(before_us)
            walk.seek(begin)
            if walk.valid() and walk.key() < end:
                batch.delete_range(begin, end)
        if not batch.is_empty():
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
