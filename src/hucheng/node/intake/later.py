"""What a detector could not look at, kept for a second look: bounded, and what had to be dropped is said."""

from __future__ import annotations

import logging
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

import pyarrow as pa

log = logging.getLogger(__name__)
MOST_ROWS = 50_000
"""So many rows wait for one detector; beyond that the oldest are dropped."""
LONGEST = timedelta(hours=6)
"""So long they wait: an alarm that comes later than this helps nobody."""
AGAIN_S = 30.0
"""Seconds between two looks at what waits."""

Stage = Literal["readings", "seen", "facts"]
"""How far a look came: readings as they were stored, what the gate let through, facts to be decided on."""


@dataclass(frozen=True)
class Kept:
    """A table that was not looked at to the end. ``now``: the time of its look, which the second one has too."""

    stage: Stage
    table: pa.Table
    now: datetime


@dataclass
class Later:
    """What waits for one detector, the oldest first, and how many rows were dropped."""

    detector: str
    waiting: deque[Kept] = field(default_factory=deque)
    dropped: int = 0

    @property
    def rows(self) -> int:
        """How many rows wait."""
        return sum(one.table.num_rows for one in self.waiting)

    def keep(self, one: Kept) -> None:
        """Put aside; what is too much or too old goes, and is counted."""
        self.waiting.append(one)
        lost = 0
        while self.waiting and (self.rows > MOST_ROWS or one.now - self.waiting[0].now > LONGEST):
            lost += self.waiting.popleft().table.num_rows
        if lost:
            self.dropped += lost
            log.error("rows were never looked at", extra={"fields": {"detector": self.detector, "rows": lost}})

    def take(self) -> list[Kept]:
        """Everything that waits, for a second look; whatever fails again is kept again."""
        taken = list(self.waiting)
        self.waiting.clear()
        return taken

    def told(self) -> str:
        """What waits and what was dropped, in words; empty where nothing is."""
        parts = [f"{self.rows} rows wait for a second look"] if self.waiting else []
        parts += [f"{self.dropped} rows were dropped and never looked at"] if self.dropped else []
        return ", ".join(parts)
