"""Proximity: a pair's records add up, exactly, on two real sets of sensor records and on made-up ones."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import meetings
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from meetings import DAY, Row
from pyarrow import parquet

from hucheng.apps.epidemic.contacts import proximity
from hucheng.errors import BadRequest

Near = dict[int, list[tuple[int, int]]]


def records_table(rows: list[Row]) -> pa.Table:
    return meetings.table(("t", "i", "j"), rows)


def near(rows: list[Row]) -> Near:
    """Everybody's records: when, and with whom; the same pair at the same time once."""
    found: Near = defaultdict(list)
    for t, i, j in {(t, *sorted((i, j))) for t, i, j in rows if i != j}:
        found[i].append((t, j))
        found[j].append((t, i))
    return found


def met(known: Near, periods: list[Row], minutes: float, step: int) -> list[Row]:
    """Pairs with enough records, by looking at all of the case's."""
    found = []
    for case, begin, end in periods:
        times: dict[int, list[int]] = defaultdict(list)
        for t, other in known.get(case, []):
            if begin <= t <= end:
                times[other].append(t)
        found += [
            (other, case, None, min(t), max(t), len(t) * step / 60)
            for other, t in times.items()
            if len(t) * step >= minutes * 60
        ]
    return sorted(found, key=str)


def rows_of(table: pa.Table) -> list[Row]:
    names = ("person", "case", "place", "from", "until", "minutes")
    return sorted((tuple(row[name] for name in names) for row in table.to_pylist()), key=str)


@pytest.mark.parametrize("name", ["sp_workplace_invs15", "sp_sfhh_conference"])
def test_a_thousand_random_cases_of_a_real_set_equal_brute_force(name: str, shared_data: Callable[[str], Path]) -> None:
    """SocioPatterns (CC0): face to face within 1.5 m, 20 s a record; an office of 217 and a conference of 403."""
    table = parquet.read_table(shared_data(f"epidemic/contacts/{name}.parquet"), columns=["t", "i", "j"])
    rows = list(zip(*(table.column(one).to_pylist() for one in "tij"), strict=True))
    known, first, last = near(rows), min(row[0] for row in rows), max(row[0] for row in rows)
    chance = random.Random(5)
    periods = [
        (chance.choice(sorted(known)), begin := chance.randrange(first, last), begin + chance.randrange(5 * DAY))
        for _ in range(1_000)
    ]
    for minutes in (1, 2, 5, 15, 60):
        found = proximity.contacts(table, meetings.cases_table(periods), minutes)
        assert rows_of(found.overlaps) == met(known, periods, minutes, 20)


RECORDS = st.lists(st.tuples(st.integers(0, 40).map(lambda at: at * 30), st.integers(0, 4), st.integers(0, 4)))


@given(
    RECORDS, st.lists(st.tuples(st.integers(0, 5), st.integers(-9, 900), st.integers(0, 900)), min_size=1, max_size=4)
)
def test_random_records_equal_brute_force(rows: list[Row], some: list[Row]) -> None:
    rows = [*rows, (0, 0, 1), (30, 0, 1)]
    periods = [(p, begin, begin + length) for p, begin, length in some]
    found = proximity.contacts(records_table(rows), meetings.cases_table(periods), 1)
    assert rows_of(found.overlaps) == met(near(rows), periods, 1, 30)


def test_both_ends_of_a_period_belong_to_it_and_doubled_records_count_once() -> None:
    rows = [(20, 1, 2), (40, 2, 1), (40, 1, 2), (60, 1, 2), (80, 3, 3), (None, 1, 2)]
    found = proximity.contacts(records_table(rows), meetings.cases_table([(1, 20, 60)]), 1)
    assert rows_of(found.overlaps) == [(2, 1, None, 20, 60, 1.0)]
    notes = " | ".join(found.notes())
    assert "counted once" in notes and "with themselves" in notes and "row 6" in notes and "lasts 20 s" in notes


def test_minutes_of_people_count_once_where_periods_of_a_case_overlap() -> None:
    rows = [(at, 1, 2) for at in range(0, 601, 60)]
    found = proximity.contacts(records_table(rows), meetings.cases_table([(1, 0, 400), (1, 200, 600)]), 1)
    assert found.overlaps.num_rows == 2
    assert found.persons.to_pylist() == [
        {"person": 2, "minutes": 11.0, "overlaps": 1, "cases": 1, "first": 0, "last": 600}
    ]


def test_the_second_ring_begins_with_the_first_record_of_the_first() -> None:
    rows = [(0, 2, 4), (60, 1, 2), (120, 2, 3), (180, 1, 2), (900, 2, 5)]
    found = proximity.contacts(records_table(rows), meetings.cases_table([(1, 0, 600)]), 1, ring=2)
    assert [(row["ring"], row["person"], row["via"]) for row in found.overlaps.to_pylist()] == [(1, 2, None), (2, 3, 2)]


def test_records_of_one_time_need_to_be_told_how_long_they_last() -> None:
    asked: Any = (records_table([(20, 1, 2)]), meetings.cases_table([(1, 0, 60)]))
    with pytest.raises(BadRequest, match="one time") as caught:
        proximity.contacts(*asked)
    assert "--step" in str(caught.value.mend)
    assert proximity.contacts(*asked, minutes=1, step=60).overlaps.num_rows == 1
