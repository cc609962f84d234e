"""A day of an index: the stays that begin on it, as columns in two orders, in memory or mapped from files."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import sorting
from hucheng.apps.epidemic.contacts.clock import SECONDS_A_DAY
from hucheng.errors import BadRequest, LakeError

Codes = NDArray[np.int32]
COLUMNS = ("person", "arrive", "leave", "place_offsets", "order", "person_offsets")


@dataclass(frozen=True)
class Day:
    """Stays of one day (of their own clock), sorted by place, class of length and arrival."""

    number: int
    """Days since 1970-01-01; its zero is at ``number`` × 86,400 s."""
    person: Codes
    arrive: Codes
    """Seconds since the day's zero; so is ``leave``."""
    leave: Codes
    place_offsets: Codes
    """Where the stays of place p and class k begin: at place_offsets[p × CLASSES + k]."""
    order: Codes
    """Rows of the columns above, sorted by person."""
    person_offsets: Codes
    """Where the stays of a person begin in ``order``."""
    reach: NDArray[np.int64]
    """Seconds: the longest stay of each class."""
    first: int
    """Seconds of the clock: the first arrival, the last one, and the last departure."""
    last: int
    end: int

    @property
    def begin(self) -> int:
        """The day's zero on the clock, in seconds."""
        return self.number * SECONDS_A_DAY

    @property
    def name(self) -> str:
        return str(np.datetime64(self.number, "D"))

    def digest(self) -> str:
        """The same for the same stays, however many ids the dictionaries have by now."""
        used = int(np.searchsorted(self.place_offsets, len(self.person)))
        found = hashlib.blake2b(str(self.number).encode(), digest_size=16)
        for column in (self.person, self.arrive, self.leave, self.place_offsets[:used]):
            found.update(np.ascontiguousarray(column).data)
        return found.hexdigest()

    def save(self, folder: Path, digest: str) -> dict[str, Any]:
        """Write the columns, safely on disk, into a new folder; returns what the manifest must say of the day."""
        folder.mkdir(parents=True)
        for name in COLUMNS:
            with (folder / f"{name}.npy").open("wb") as file:
                np.save(file, getattr(self, name))
                sync(file.fileno())
        sync_folder(folder)
        return {
            "day": self.name,
            "folder": folder.name,
            "stays": len(self.person),
            "first": self.first,
            "last": self.last,
            "end": self.end,
            "reach": self.reach.tolist(),
            "digest": digest,
            "bytes": {name: (folder / f"{name}.npy").stat().st_size for name in COLUMNS},
        }

    @classmethod
    def open(cls, folder: Path, told: dict[str, Any]) -> Day:
        """The day as its files are, mapped, not read. Raises LakeError where a file is not as the manifest says."""
        columns = {}
        for name in COLUMNS:
            file = folder / f"{name}.npy"
            try:
                if file.stat().st_size != told["bytes"][name]:
                    raise ValueError("its size is another")
                columns[name] = np.load(file, mmap_mode="r").view(np.ndarray)
            except (OSError, ValueError) as error:
                raise LakeError(
                    f"a file of the index is damaged or gone: {error}",
                    where=str(file),
                    mend="build the day again with --replace",
                ) from None
        number = int(np.datetime64(told["day"], "D").astype(int))
        reach = np.array(told["reach"], np.int64)
        return cls(number, **columns, reach=reach, first=told["first"], last=told["last"], end=told["end"])


@dataclass
class Presence:
    """Until when and where each person is known to be, carried from day to day."""

    until: NDArray[np.int64]
    where: Codes

    @classmethod
    def nobody(cls, people: int) -> Presence:
        return cls(np.full(people, np.iinfo(np.int64).min), np.full(people, -1, np.int32))

    def after(self, day: Day, least: int) -> None:
        """Take in the stays of an earlier day that last until ``least`` (seconds of the clock) or longer."""
        if day.end >= least:
            sorting.late(
                day.person, day.leave, day.place_offsets, sorting.CLASSES, least - day.begin, day.begin, self.until,
                self.where,
            )  # fmt: skip


def day_of(number: int, rows: Codes, people: int, places: int, presence: Presence) -> tuple[Day, int, int]:
    """A day from its stays, (n, 4): person, place, arrival and departure in seconds since the day's zero.

    Returns the day, how many stays were joined to another, and how many begin while their person is elsewhere.
    """
    if len(rows) >= 2**31 - 1 or places * sorting.CLASSES >= 2**31:
        raise BadRequest(f"{len(rows):,} stays of one day at {places:,} places are too many", mend="split the city")
    many = len(rows)
    rows = sorting.by_column(rows, 0, 0, people)
    left, at_two = sorting.tidy(rows, number * SECONDS_A_DAY, presence.until, presence.where)
    rows = rows[:left]
    low, high = int(rows[:, 2].min()), int(rows[:, 2].max())
    rows = sorting.by_column(rows, 2, low, high - low + 1)
    reach = np.zeros(sorting.CLASSES, np.int64)
    sorting.classes(rows, np.array(sorting.EDGES), reach)
    person, arrive, leave, place_offsets = sorting.by_key(rows, places * sorting.CLASSES)
    del rows
    order, person_offsets = sorting.by_person(person, people)
    begin = number * SECONDS_A_DAY
    day = Day(
        number, person, arrive, leave, place_offsets, order, person_offsets, reach,
        begin + low, begin + high, begin + int(leave.max()),
    )  # fmt: skip
    for name in COLUMNS:
        getattr(day, name).flags.writeable = False
    return day, many - left, int(at_two)


def sync(number: int) -> None:
    """Have a file on disk, not on its way there."""
    os.fsync(number)


def sync_folder(folder: Path) -> None:
    """Have a folder's list of names on disk."""
    held = os.open(folder, os.O_RDONLY)
    try:
        sync(held)
    finally:
        os.close(held)
