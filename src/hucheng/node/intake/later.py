"""What a detector could not look at, kept for a second look: bounded, and what had to be dropped is said.

Which readings these are is written down with their own commit (``written``), so that a restart looks at them too.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc
from msgspec import structs

from hucheng.base.waiting import Waiting

log = logging.getLogger(__name__)
MOST_ROWS = 50_000
"""So many rows wait for one detector; beyond that the oldest are dropped."""
MOST_WRITTEN = 500
"""So many pieces of the stream are written down for one detector; beyond that the oldest are dropped."""
LONGEST = timedelta(hours=6)
"""So long they wait: an alarm that comes later than this helps nobody."""
TOGETHER = timedelta(minutes=5)
"""Looks that fail one after the other are written down as one, as long as they are not further apart."""
AGAIN_S = 30.0
"""Seconds between two looks at what waits."""

Stage = Literal["readings", "seen", "facts"]
"""How far a look came: readings as they were stored, what the gate let through, facts to be decided on."""


@dataclass(frozen=True)
class Kept:
    """A table that was not looked at to the end. ``now``: the time of its look, which the second one has too.

    ``source``: the readings it was made of; ``alone``: not to be written down as one with what failed before it.
    """

    stage: Stage
    table: pa.Table
    now: datetime
    source: Waiting | None = None
    alone: bool = False


def source_of(detector: str, dataset: str, readings: pa.Table, now: datetime) -> Waiting:
    """Which readings these are."""
    ends = pc.min_max(readings.column("seq")).as_py()
    return Waiting(detector, dataset, ends["min"], ends["max"], readings.num_rows, int(now.timestamp() * 1e6))


@dataclass
class Later:
    """What waits for one detector, the oldest first, and how many rows were dropped.

    ``written``: the same as it is written down; it may reach a little further back than what waits.
    """

    detector: str
    waiting: deque[Kept] = field(default_factory=deque)
    written: deque[Waiting] = field(default_factory=deque)
    rows: int = 0
    dropped: int = 0
    _failing: bool = False
    _begun_us: int = 0

    def keep(self, one: Kept) -> None:
        """Put aside; what is too much or too old goes, and is counted."""
        if not self._failing:
            one = replace(one, alone=True)
        self.waiting.append(one)
        self.rows += one.table.num_rows
        if one.source is not None:
            self._write_down(one.source, one.alone)
        self._failing = True
        lost = 0
        while self.waiting and self._too_much(one.now):
            first = self.waiting.popleft()
            self.rows -= first.table.num_rows
            lost += first.table.num_rows
            left = next((kept.source.first for kept in self.waiting if kept.source is not None), None)
            while self.written and (left is None or self.written[0].last < left):
                self.written.popleft()
        self.lost(lost)

    def went_well(self) -> None:
        """A look came to its end: what fails from now on is not one with what failed before."""
        self._failing = False

    def take(self) -> list[Kept]:
        """Everything that waits, for a second look; whatever fails again is kept again."""
        taken = list(self.waiting)
        self.waiting.clear()
        self.written.clear()
        self.rows, self._failing = 0, False
        return taken

    def recall(self, ones: Iterable[Kept]) -> None:
        """What waited before a restart, among what waits since."""
        for one in sorted([*ones, *self.take()], key=lambda kept: kept.now):
            self.keep(one)

    def lost(self, rows: int) -> None:
        """So many rows will never be looked at."""
        if rows > 0:
            self.dropped += rows
            log.error("rows were never looked at", extra={"fields": {"detector": self.detector, "rows": rows}})

    def told(self) -> str:
        """What waits and what was dropped, in words; empty where nothing is."""
        parts = [f"{self.rows} rows wait for a second look"] if self.waiting else []
        parts += [f"{self.dropped} rows were dropped and never looked at"] if self.dropped else []
        return ", ".join(parts)

    def _too_much(self, now: datetime) -> bool:
        pieces = len(self.written) > MOST_WRITTEN
        return self.rows > MOST_ROWS or pieces or now - self.waiting[0].now > LONGEST

    def _write_down(self, source: Waiting, alone: bool) -> None:
        if alone or not self.written or source.now_us - self._begun_us > TOGETHER.total_seconds() * 1e6:
            self._begun_us = source.now_us
            self.written.append(source)
        else:
            before = self.written[-1]
            self.written[-1] = structs.replace(source, first=before.first, rows=before.rows + source.rows)
