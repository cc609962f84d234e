"""From visits, in any order and any number, to days: split by day as they stream by, then each day is sorted.

Memory: the two dictionaries, some millions of rows on their way to disk, and one day at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import ids
from hucheng.apps.epidemic.contacts.clock import SECONDS_A_DAY
from hucheng.apps.epidemic.contacts.days import Day, Presence, day_of
from hucheng.apps.epidemic.contacts.ids import Coder, Dictionary, NotNumbers
from hucheng.apps.epidemic.contacts.visits import Reader, Source
from hucheng.errors import BadRequest

HELD = 8_000_000
"""Stays kept in memory (16 bytes each) before they are written into a file a day."""

Item = TypeVar("Item")
Rejected = Callable[[pa.Table], None]


class Split:
    """Stays by the day on which they begin; what is too much for memory lies in files of a scratch folder."""

    def __init__(self, scratch: Path) -> None:
        self.scratch = scratch
        self._held: dict[int, list[NDArray[np.int32]]] = {}
        self._many = 0
        self._files: set[int] = set()

    def add(self, person: Any, place: Any, arrive: NDArray[np.int64], leave: NDArray[np.int64], day: Any) -> None:
        """Take some stays."""
        if not len(day):
            return
        rows = np.empty((len(day), 4), np.int32)
        rows[:, 0], rows[:, 1] = person, place
        rows[:, 2], rows[:, 3] = arrive - day * SECONDS_A_DAY, leave - day * SECONDS_A_DAY
        low = int(day.min())
        if int(day.max()) == low:
            self._hold(low, rows)
        else:
            order = np.argsort(
                (day - low).astype(np.int16 if int(day.max()) - low < 2**15 else np.int64), kind="stable"
            )
            rows, day = rows[order], day[order]
            starts = np.flatnonzero(np.diff(day, prepend=day[0] - 1))
            for begin, end in zip(starts, [*starts[1:], len(day)], strict=True):
                self._hold(int(day[begin]), rows[begin:end])
        if self._many > HELD:
            self._spill()

    @property
    def days(self) -> list[int]:
        return sorted(self._files | set(self._held))

    def take(self, day: int) -> NDArray[np.int32]:
        """All stays of a day, (n, 4); they are forgotten here."""
        parts = self._held.pop(day, [])
        if day in self._files:
            file = self._file(day)
            parts.insert(0, np.fromfile(file, np.int32).reshape(-1, 4))
            file.unlink()
            self._files.discard(day)
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def _hold(self, day: int, rows: NDArray[np.int32]) -> None:
        self._held.setdefault(day, []).append(rows)
        self._many += len(rows)

    def _spill(self) -> None:
        for day, parts in self._held.items():
            with self._file(day).open("ab") as file:
                for part in parts:
                    file.write(np.ascontiguousarray(part).data)
            self._files.add(day)
        self._held, self._many = {}, 0

    def _file(self, day: int) -> Path:
        return self.scratch / f"{day}.rows"


class Build:
    """Visits read, their ids in dictionaries, their stays split by day; `days` sorts them one after another."""

    def __init__(self, scratch: Path, reader: Reader, people: Dictionary | None, places: Dictionary | None) -> None:
        self.scratch = scratch
        self.reader = reader
        self.known = (people, places)
        self.coders: list[Coder] = []
        self.segments: list[Any] = []
        self._final: list[NDArray[np.int32]] = []
        self.split = Split(scratch)

    def read(self, sources: Callable[[], list[Source]], rejected: Rejected) -> None:
        """Read all visits. ``sources`` is called again where ids turn out to be text after all.

        Raises BadRequest where nothing is left, or where an index of numbers is given text.
        """
        kinds: list[str | None] = [None if one is None else one.kind for one in self.known]
        form = self.reader.form
        while True:
            try:
                self._read(sources(), kinds, rejected)
                break
            except NotNumbers as error:
                at = error.details["column"]
                if self.known[at] is not None:
                    what = ("people", "places")[at]
                    raise BadRequest(
                        f"{error.what}: the index keeps {what} as numbers", mend="build a new index of all visits"
                    ) from None
                kinds[at] = ids.WORDS
                self.reader.begin(form)
                self.split, self.coders = Split(self.scratch), []
                rejected(pa.table({}))
        if not self.reader.report.kept:
            reasons = self.reader.report.words() or ["there are no visits"]
            raise BadRequest(
                "no visit is left that can be a stay",
                where="; ".join(reasons[:3]),
                mend="check the columns; write times as 2026-01-31 08:00:00, or in whole seconds (not milliseconds)",
            )
        finished = [coder.finish() for coder in self.coders]
        self.segments = [segment for segment, _ in finished]
        self._final = [final for _, final in finished]

    def days(self, presence: Presence) -> Iterator[Day]:
        """Each day, sorted, in order; counts go to the report as it is made."""
        people, places = (len(coder) for coder in self.coders)
        for number in self.split.days:
            rows = self.split.take(number)
            for column, segment, final in zip((0, 1), self.segments, self._final, strict=True):
                if len(segment):  # otherwise every id had its code already
                    rows[:, column] = final[rows[:, column]]
            day, merged, at_two = day_of(number, rows, people, places, presence)
            self.reader.report.merged += merged
            self.reader.report.at_two_places += at_two
            yield day

    def _read(self, sources: list[Source], kinds: list[str | None], rejected: Rejected) -> None:
        for source in sources:
            for piece in ahead(self.reader.read(source)):
                if piece.rejects.num_rows:
                    rejected(piece.rejects)
                if not len(piece.arrive):
                    continue
                columns = (piece.person, piece.place)
                if not self.coders:
                    for at, column in enumerate(columns):
                        kinds[at] = kinds[at] or ids.kind_of(column)
                        self.coders.append(Coder(self.known[at] or Dictionary(str(kinds[at]), [])))
                codes = []
                for at, (coder, column) in enumerate(zip(self.coders, columns, strict=True)):
                    try:
                        codes.append(coder.codes(ids.plain(column, coder.kind)))
                    except NotNumbers as error:
                        error.details["column"] = at
                        error.where = source.name
                        raise
                self.split.add(codes[0], codes[1], piece.arrive, piece.leave, piece.day)


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The items, the next of them made in another thread while one is at work."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item
