"""Visits and cases made up for tests, and the plainest possible search, to compare with."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

DAY = 86_400
Row = tuple[Any, ...]

LENGTHS = st.one_of(
    st.sampled_from([0, 60, 600, 900, 3_600, 7_200, 40 * 3_600]), st.integers(0, 10 * 3_600), st.integers(-100, 3 * DAY)
)
TIMES = st.one_of(st.integers(0, 3 * DAY), st.integers(0, 72).map(lambda hour: hour * 3_600))


@st.composite
def visits(draw: st.DrawFn, most: int = 40) -> list[Row]:
    """Visits of few people at few places over three days, many of them touching; at least one is a stay."""
    some = st.tuples(st.integers(0, 5), st.integers(0, 2), TIMES, LENGTHS)
    rows = [(p, q, a, a + length) for p, q, a, length in draw(st.lists(some, max_size=most))]
    return [*rows, (0, 0, 1_000, 9_000)]


@st.composite
def cases(draw: st.DrawFn) -> list[Row]:
    """Periods, also empty ones, several of one person, and of people nobody knows."""
    some = st.tuples(st.integers(0, 7), st.integers(-DAY, 3 * DAY), st.integers(0, 2 * DAY))
    return [(p, begin, begin + length) for p, begin, length in draw(st.lists(some, min_size=1, max_size=5))]


def visits_table(rows: list[Row]) -> pa.Table:
    return table(("person", "place", "arrive", "leave"), rows)


def cases_table(rows: list[Row]) -> pa.Table:
    return table(("person", "from", "until"), rows)


def table(names: tuple[str, ...], rows: list[Row]) -> pa.Table:
    return pa.Table.from_pylist([dict(zip(names, row, strict=True)) for row in rows])


def stays(rows: list[Row]) -> list[Row]:
    """Touching and overlapping stays of one person and place as one."""
    found: list[list[Any]] = []
    for person, place, arrive, leave in sorted(row for row in rows if row[3] > row[2]):
        last = found[-1] if found else None
        if last is not None and last[:2] == [person, place] and arrive <= last[3]:
            last[3] = max(last[3], leave)
        else:
            found.append([person, place, arrive, leave])
    return [tuple(one) for one in found]


def met(rows: list[Row], periods: list[Row], minutes: float) -> list[Row]:
    """Every overlap, by looking at everything."""
    whole = stays(rows)
    found = []
    for case, begin, end in periods:
        for _, place, arrive, leave in (one for one in whole if one[0] == case):
            for person, where, came, left in whole:
                since, until = max(begin, arrive, came), min(end, leave, left)
                if where == place and person != case and until > since and until - since >= minutes * 60:
                    found.append((person, case, place, since, until, (until - since) / 60))
    return sorted(found)


def rows_of(result: pa.Table) -> list[Row]:
    """A result as sorted rows."""
    names = ("person", "case", "place", "from", "until", "minutes")
    return sorted(tuple(row[name] for name in names) for row in result.to_pylist())
