"""Overlaps of cases' stays with everybody else's, from days in memory or on disk.

Work grows with the cases' own stays: for each, two binary searches a class of length among the stays at that place on
that day, and a look at those between. Only where somebody's stays of two days meet within a case's stay (over midnight)
are pieces collected and joined, because an overlap counts by its whole length.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import kernels, sorting
from hucheng.apps.epidemic.contacts.days import Codes, Day

AT_ONCE = 500_000
"""Overlaps held at one time, unless one case alone has more."""
TOGETHER = 128
"""Stays searched by one task of a thread."""

Seconds = NDArray[np.int64]


@dataclass(frozen=True)
class Stays:
    """Where cases were within their periods, one row a stay, in the order of the cases and of time."""

    period: NDArray[np.int64]
    """Which period of the cases it belongs to."""
    case: Codes
    place: Codes
    begin: Seconds
    end: Seconds

    def __len__(self) -> int:
        return len(self.period)

    def some(self, rows: Any) -> Stays:
        return Stays(self.period[rows], self.case[rows], self.place[rows], self.begin[rows], self.end[rows])


@dataclass(frozen=True)
class Overlaps:
    """Overlaps of some stays, in the order of the stays."""

    stays: Stays
    counts: NDArray[np.int64]
    """Overlaps of each stay."""
    person: Codes
    begin: Seconds
    end: Seconds

    @property
    def period(self) -> NDArray[np.int64]:
        """Which period of the cases each overlap belongs to."""
        return np.repeat(self.stays.period, self.counts)


def stays_of(days: Sequence[Day], case: Codes, begin: Seconds, end: Seconds) -> Stays:
    """The stays of people (codes, -1 for somebody unknown) within their periods; touching ones are one."""
    found: list[list[NDArray[Any]]] = [[], [], [], []]
    for day in days:
        known = np.flatnonzero(
            (case >= 0) & (case < len(day.person_offsets) - 1) & (begin < day.end) & (end > day.first)
        )
        starts = day.person_offsets[case[known]].astype(np.int64)
        many = day.person_offsets[case[known] + 1] - starts
        total = int(many.sum())
        if not total:
            continue
        run = np.arange(total) - np.repeat(np.cumsum(many) - many, many)
        rows = day.order[np.repeat(starts, many) + run]
        keys = np.searchsorted(day.place_offsets, rows, side="right") - 1
        for to, column in zip(
            found,
            (
                np.repeat(known, many), (keys // sorting.CLASSES).astype(np.int32),
                day.begin + day.arrive[rows].astype(np.int64), day.begin + day.leave[rows].astype(np.int64),
            ),
            strict=True,
        ):  # fmt: skip
            to.append(column)
    kinds = (np.int64, np.int32, np.int64, np.int64)
    period, place, since, until = (
        np.concatenate([np.zeros(0, kind), *parts]) for kind, parts in zip(kinds, found, strict=True)
    )
    rows, until = kernels.joined(period, place, since, until, np.lexsort((since, place, period)))
    period, place, since = period[rows], place[rows], since[rows]
    since, until = np.maximum(since, begin[period]), np.minimum(until, end[period])
    order = np.lexsort((place, since, period))
    order = order[since[order] < until[order]]
    period = period[order]
    return Stays(period, case[period].astype(np.int32), place[order], since[order], until[order])


class Search:
    """Days to search in, oldest first."""

    def __init__(self, days: Sequence[Day]) -> None:
        self.days = sorted(days, key=lambda day: day.number)
        self._pool = ThreadPoolExecutor(os.cpu_count() or 1)

    def overlaps(self, stays: Stays, need: int, at_once: int = AT_ONCE) -> Iterator[Overlaps]:
        """Overlaps of at least ``need`` seconds (at least 1), some cases at a time; a case's come together."""
        stays = stays.some(np.flatnonzero(stays.end - stays.begin >= need))
        if not len(stays):
            return
        starts = np.maximum.accumulate(np.array([day.first for day in self.days]))
        main = np.maximum(np.searchsorted(starts, stays.begin, side="right") - 1, 0)
        both = self._two_days(stays, main)
        counts = np.zeros(len(stays), np.int64)
        for at, _ in enumerate(self.days):
            self._count(at, stays, np.flatnonzero((main == at) & ~both), need, counts)
            self._count(at, stays, np.flatnonzero(both), 1, counts)
        for begin, end in _blocks(stays.case, counts, at_once):
            part = slice(begin, end)
            yield self._fill(stays.some(part), main[part], both[part], counts[part], need)

    def _two_days(self, stays: Stays, main: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Where stays of another day than the main one overlap, too: there pieces may have to be joined."""
        there = np.zeros(len(stays), np.bool_)
        for at, day in enumerate(self.days):
            some = np.flatnonzero((main != at) & ~there & (stays.begin < day.end) & (stays.end > day.first))

            def look(rows: NDArray[np.int64], day: Day = day) -> None:
                found = np.zeros(len(rows), np.bool_)
                kernels.anybody(*_columns(day), *_asked(stays, rows, day), found)
                there[rows] = found

            self._spread(look, stays, some)
        return there

    def _count(self, at: int, stays: Stays, rows: NDArray[np.int64], need: int, counts: NDArray[np.int64]) -> None:
        day = self.days[at]
        rows = rows[(stays.begin[rows] < day.end) & (stays.end[rows] > day.first)]

        def count(some: NDArray[np.int64]) -> None:
            found = np.zeros(len(some), np.int64)
            kernels.overlaps(*_columns(day), *_asked(stays, some, day), need, found)
            counts[some] += found

        self._spread(count, stays, rows)

    def _fill(
        self, stays: Stays, main: NDArray[np.int64], both: NDArray[np.bool_], counts: NDArray[np.int64], need: int
    ) -> Overlaps:
        """The overlaps of some stays, of which it is known how many there are (at most, where days are joined)."""
        counts = counts.copy()
        pieces = None
        if (slow := np.flatnonzero(both)).size:
            pieces = self._joined(stays, slow, need)
            counts[slow] = np.bincount(pieces[0], minlength=len(stays))[slow]
        starts = np.cumsum(counts) - counts
        total = int(counts.sum())
        person, begin, end = np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.int64)
        for at, day in enumerate(self.days):

            def fill(rows: NDArray[np.int64], day: Day = day) -> None:
                asked = _asked(stays, rows, day)
                kernels.fill(*_columns(day), *asked, need, day.begin, starts[rows], person, begin, end)

            self._spread(fill, stays, np.flatnonzero((main == at) & ~both & (counts > 0)))
        if pieces is not None:
            stay, who, since, until = pieces
            many = counts[slow]
            to = np.repeat(starts[slow], many) + np.arange(len(stay)) - np.repeat(np.cumsum(many) - many, many)
            person[to], begin[to], end[to] = who, since, until
        return Overlaps(stays, counts, person, begin, end)

    def _joined(self, stays: Stays, slow: NDArray[np.int64], need: int) -> tuple[NDArray[Any], ...]:
        """Overlaps of stays that meet stays of several days: stay, person, beginning, end, in the order of stays."""
        many = np.zeros((len(slow), len(self.days)), np.int64)
        some = stays.some(slow)
        for at in range(len(self.days)):
            self._count(at, some, np.arange(len(slow)), 1, many[:, at])
        total = int(many.sum())
        starts = (np.cumsum(many) - many.ravel()).reshape(many.shape)
        person, begin, end = np.empty(total, np.int32), np.empty(total, np.int64), np.empty(total, np.int64)
        for at, day in enumerate(self.days):

            def fill(rows: NDArray[np.int64], day: Day = day, at: int = at) -> None:
                asked = _asked(some, rows, day)
                kernels.fill(*_columns(day), *asked, 1, day.begin, starts[rows, at], person, begin, end)

            self._spread(fill, some, np.flatnonzero(many[:, at]))
        stay = np.repeat(slow, many.sum(axis=1))
        again = np.zeros(total, np.bool_)
        kernels.on_two_days(person, many, again)
        counts = ~again & (end - begin >= need)
        rows = np.flatnonzero(again)
        rows, until = kernels.joined(
            stay, person, begin, end, rows[np.lexsort((begin[rows], person[rows], stay[rows]))]
        )
        end[rows] = until
        counts[rows] = until - begin[rows] >= need
        kept = np.flatnonzero(counts)
        return stay[kept], person[kept], begin[kept], end[kept]

    def _spread(self, work: Any, stays: Stays, rows: NDArray[np.int64]) -> None:
        """Do work on some stays in threads, neighbours at a place together."""
        rows = rows[np.lexsort((stays.begin[rows], stays.place[rows]))]
        if len(rows) <= TOGETHER:
            if len(rows):
                work(rows)
            return
        list(self._pool.map(work, (rows[at : at + TOGETHER] for at in range(0, len(rows), TOGETHER))))


def _columns(day: Day) -> tuple[NDArray[Any], ...]:
    return day.person, day.arrive, day.leave, day.place_offsets, day.reach


def _asked(stays: Stays, rows: NDArray[np.int64], day: Day) -> tuple[NDArray[Any], ...]:
    return stays.place[rows], stays.begin[rows] - day.begin, stays.end[rows] - day.begin, stays.case[rows]


def _blocks(case: Codes, counts: NDArray[np.int64], at_once: int) -> Iterator[tuple[int, int]]:
    """Runs of stays with not too many overlaps together; the stays of a case are never parted."""
    ends = np.flatnonzero(np.diff(case, append=-2)) + 1
    sums = np.cumsum(counts)[ends - 1]
    begin, before = 0, 0
    for at, end in enumerate(ends):
        following = sums[at + 1] if at + 1 < len(ends) else None
        if following is None or following - before > at_once:
            yield begin, int(end)
            begin, before = int(end), int(sums[at])
