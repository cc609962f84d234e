"""Current values for those who only read them: the rows of one device, at most a moment behind their writer."""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import time
import weakref
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import cast

import msgspec
import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from rocksdict import AccessType, BlockBasedOptions, Cache, Options, Rdict, ReadOptions

from hucheng.base.current import OFFSET, TIME_BIAS, VALUE_TYPE, Offset, key_time, prefix_of
from hucheng.base.devices import Ints
from hucheng.errors import LakeError

Entry = tuple[bytes, bytes]
CACHE_BYTES = 256 << 20
PATIENCE = 4
"""While somebody catches up, others read what is there, unless it is so many times older than promised."""


class Series(Struct, frozen=True):
    """Kept readings of one device and metric, newest first; one entry a reading. Times in µs since 1970 (UTC).

    ``resident_id``: one name where all are of the same wearer.
    """

    device_id: str
    metric: str
    resident_id: str | list[str]
    observed_us: Ints
    value: NDArray[np.float64]
    received_us: Ints
    seq: Ints
    simulated: NDArray[np.bool_]

    def wearers(self) -> list[str]:
        """Whose each reading is."""
        return [self.resident_id] * len(self.value) if isinstance(self.resident_id, str) else self.resident_id


class CurrentReader:
    """All partitions of a home, at most ``stale_s`` behind their writers. Safe for threads.

    Its scratch folder goes when it is closed, or when the process ends by itself.
    """

    def __init__(self, home: Path, partitions: int, *, stale_s: float = 0.1) -> None:
        self._home = home
        self._scratch = Path(tempfile.mkdtemp(prefix="hucheng-current-"))
        self._gone = weakref.finalize(self, shutil.rmtree, self._scratch, ignore_errors=True)
        self._parts = [_Part(home / "current" / f"p{p}", self._scratch / f"p{p}", stale_s) for p in range(partitions)]

    def recent(
        self,
        partition: int,
        device: str,
        metrics: Sequence[str],
        since_us: int,
        until_us: int,
        limit: int | None = None,
    ) -> list[Series]:
        """A device's readings observed in [since, until], by metric; ``limit`` counts for each."""
        return self._parts[partition].recent(device, metrics, since_us, until_us, limit)

    def last(self, partition: int, device: str, metrics: Sequence[str]) -> list[Series]:
        """The newest reading of each metric, however old."""
        return self._parts[partition].recent(device, metrics, -(2**62), 2**62, 1)

    def offsets(self) -> list[Offset]:
        """How far each partition is; a new Offset for one that has nothing yet."""
        return [part.offset() for part in self._parts]

    def close(self) -> None:
        """Let go of all partitions."""
        for part in self._parts:
            part.close()
        self._gone()


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
    ) -> list[Series]:
        db = self._caught_up()
        if db is None:
            return []
        found: list[Series] = []
        for metric in metrics:
            prefix = prefix_of(device, metric)
            kept = _walk(db, prefix + key_time(since_us), prefix + key_time(until_us), limit)
            if kept:
                found.append(self._series(db, device, metric, kept))
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

    def _series(self, db: Rdict, device: str, metric: str, kept: Sequence[Entry]) -> Series:
        size = len(kept[0][0])  # every key of a series is as long
        keys = np.frombuffer(b"".join([key for key, _ in kept]), np.uint8).reshape(-1, size)
        stamps = keys[:, -8:].copy().view(">u8").ravel().astype(np.uint64) - np.uint64(TIME_BIAS)
        body = np.frombuffer(b"".join([body for _, body in kept]), VALUE_TYPE)
        people = body["resident"]
        residents: str | list[str]
        if (people == people[0]).all():
            residents = self._resident(db, int(people[0]))
        else:
            residents = [self._resident(db, number) for number in people.tolist()]
        return Series(
            device,
            metric,
            residents,
            stamps.astype(np.int64),
            body["value"].copy(),
            body["received"].copy(),
            body["seq"].copy(),
            body["simulated"].astype(bool),
        )

    def _resident(self, db: Rdict, number: int) -> str:
        name = self._people.get(number)
        if name is None:
            found = db.get(b"p" + number.to_bytes(4, "big"))
            name = self._people[number] = found.decode() if found else ""
        return name

    def _caught_up(self) -> Rdict | None:
        held, age = self._db, time.monotonic() - self._caught
        if held is not None and age < self._stale_s:
            return held
        if not self._lock.acquire(blocking=held is None or age >= self._stale_s * PATIENCE):
            return held
        try:
            now = time.monotonic()
            if self._db is not None and now - self._caught < self._stale_s:
                return self._db
            try:
                if self._db is not None and self._identity != _identity(self._path):  # the store was built anew
                    self._db.close()
                    self._db, self._people = None, {}
                if self._db is None:
                    if not (self._path / "CURRENT").exists():
                        return None
                    options = Options(raw_mode=True)
                    options.set_max_open_files(-1)
                    blocks = BlockBasedOptions()
                    blocks.set_block_cache(Cache(CACHE_BYTES))
                    options.set_block_based_table_factory(blocks)
                    self._db = Rdict(str(self._path), options, access_type=AccessType.secondary(str(self._scratch)))
                    self._identity = _identity(self._path)
                self._db.try_catch_up_with_primary()
                self._caught = now
            except Exception as error:
                self._db = None
                raise LakeError(
                    f"cannot read current values: {error}", where=str(self._path), mend="try again"
                ) from error
            return self._db
        finally:
            self._lock.release()


def _walk(db: Rdict, low: bytes, high: bytes, limit: int | None) -> list[Entry]:
    """Entries between two keys, both included, newest first.

    Forwards costs a quarter of backwards, an entry; backwards is for the end of what is longer than ``limit``.
    """
    if limit is None or limit > 1:
        reach = ReadOptions()
        reach.set_iterate_upper_bound(high + b"\0")
        ahead = cast("Iterable[Entry]", db.items(from_key=low, read_opt=reach))
        found = list(islice(ahead, None if limit is None else limit + 1))
        if limit is None or len(found) <= limit:
            return found[::-1]
    back = cast("Iterable[Entry]", db.items(backwards=True, from_key=high))
    return list(takewhile(lambda entry: entry[0] >= low, islice(back, limit)))


def _identity(path: Path) -> tuple[int, int]:
    status = os.stat(path)  # noqa: PTH116 - one call
    return status.st_dev, status.st_ino
