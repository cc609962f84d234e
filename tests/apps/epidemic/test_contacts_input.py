"""What comes in: forms of time, bad visits, bad cases; nothing is lost without being said."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import meetings
import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from meetings import DAY

from hucheng.apps.epidemic.contacts.index import Index
from hucheng.errors import BadRequest
from hucheng.files import read

BEGIN = 1_767_600_000  # 2026-01-05T08:00:00Z


def of(times: Any, kind: pa.DataType | None = None) -> pa.Table:
    """Two people for two hours at one place, times written in some way."""
    first, last = (pa.array([one, one], kind) for one in times)
    return pa.table({"person": ["a", "b"], "place": ["x", "x"], "arrive": first, "leave": last})


def case(times: Any, kind: pa.DataType | None = None) -> pa.Table:
    first, last = (pa.array([one], kind) for one in times)
    return pa.table({"person": ["a"], "from": first, "until": last})


@pytest.mark.parametrize(
    ("arrive", "leave", "half"),
    [
        ("2026-01-05T08:00:00", "2026-01-05T10:00:00", "2026-01-05T09:00:00"),
        ("2026-01-05 08:00:00", "2026-01-05 10:00:00", "2026-01-05 09:00:00"),
        ("2026-01-05T08:00:00Z", "2026-01-05T10:00:00Z", "2026-01-05T09:00:00Z"),
        ("2026-01-05T16:00:00+08:00", "2026-01-05T18:00:00+08:00", "2026-01-05T17:00:00+08:00"),
        ("1767600000", "1767607200", "1767603600"),
    ],
)
def test_times_come_out_as_they_went_in(arrive: str, leave: str, half: str) -> None:
    found = Index.of(of((arrive, leave))).contacts(case((half, leave))).overlaps.to_pylist()
    assert [(row["person"], str(row["from"]), str(row["until"]), row["minutes"]) for row in found] == [
        ("b", half, leave, 60.0)
    ]


@pytest.mark.parametrize("zone", [None, "Asia/Shanghai", "UTC"])
@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_arrow_times_keep_unit_and_zone(unit: str, zone: str | None) -> None:
    kind = pa.timestamp(unit, zone)
    times = [datetime.fromtimestamp(BEGIN + more, UTC) for more in (0, 7_200)]
    times = [one if zone else one.replace(tzinfo=None) for one in times]
    found = Index.of(of(times, kind)).contacts(case(times, kind)).overlaps
    assert found.schema.field("from").type == kind and found.column("until")[0].as_py() == times[1]


def test_other_offsets_are_the_same_moments_and_days_are_cut_where_people_live() -> None:
    visits = of(("2026-01-05T00:30:00+08:00", "2026-01-05T02:30:00+08:00"))
    index = Index.of(visits)
    assert [day.name for day in index.days] == ["2026-01-05"]
    found = index.contacts(case(("2026-01-04T16:30:00Z", "2026-01-04T17:30:00Z"))).overlaps.to_pylist()
    assert found[0]["until"] == "2026-01-05T01:30:00+08:00"


@pytest.mark.parametrize(
    ("visits", "cases"),
    [
        (("2026-01-05T08:00:00Z", "2026-01-05T10:00:00"), ("2026-01-05T08:00:00Z",) * 2),
        (("2026-01-05T08:00:00", "2026-01-05T10:00:00"), ("2026-01-05T08:00:00Z",) * 2),
        (("0", "7200"), ("2026-01-05T08:00:00Z",) * 2),
        (("2026-01-05T08:00:00", "2026-01-05T10:00:00"), (0, 7_200)),
    ],
)
def test_forms_of_time_are_never_mixed(visits: Any, cases: Any) -> None:
    with pytest.raises(BadRequest, match="two forms"):
        Index.of(of(visits)).contacts(case(cases))


def test_two_forms_in_one_column_are_refused_by_example() -> None:
    table = pa.table({"person": ["a", "b"], "place": ["x", "x"], "arrive": ["5", "2026-01-05"], "leave": ["9", "9"]})
    with pytest.raises(BadRequest, match="5 and 2026-01-05"):
        Index.of(table)


def test_what_cannot_be_a_stay_is_left_out_counted_and_listed(tmp_path: Path) -> None:
    rows = [
        (1, 1, 0, 4_000), (2, 1, 0, 4_000), (3, 1, 500, 400), (4, 1, 500, 500), (5, 1, -10, 400), (6, 1, 0, 10**11),
        (None, 1, 0, 400), (7, None, 0, 400), (8, 1, None, 400), (9, 1, 0, None), (1, 2, 0, 40 * 3_600),
    ]  # fmt: skip
    index, added = Index.build(meetings.visits_table(rows), tmp_path)
    report = added.report
    assert (report.rows, report.kept) == (11, 3) and sum(report.left_out.values()) == 8
    assert (report.long, report.longest_s, report.at_two_places) == (1, 40 * 3_600, 1)
    listed = read(tmp_path / "left-out.csv")
    assert listed.column("row").to_pylist() == [str(one) for one in range(3, 11)]
    assert set(listed.column("reason").to_pylist()) == set(report.left_out)
    assert any("leaves before it arrives" in line for line in report.words())
    found = index.contacts(meetings.cases_table([(2, 0, DAY)]))
    assert found.overlaps.column("person").to_pylist() == [1]


def test_milliseconds_and_a_missing_column_are_refused_with_a_hint() -> None:
    with pytest.raises(BadRequest, match="milliseconds"):
        Index.of(of((BEGIN * 1_000, BEGIN * 1_000 + 5)))
    with pytest.raises(BadRequest, match="no column says the place"):
        Index.of(of((0, 5)).drop_columns(["place"]))


def test_one_person_at_two_places_is_counted_over_midnight_and_over_builds(tmp_path: Path) -> None:
    home = [(1, 1, DAY - 3_600, DAY + 3_600)]
    out = [(1, 2, DAY + 600, DAY + 1_200), (2, 2, DAY + 600, DAY + 1_200)]
    assert Index.of(meetings.visits_table(home + out)).report.at_two_places == 1
    Index.build(meetings.visits_table(home), tmp_path)
    assert Index.build(meetings.visits_table(out), tmp_path)[1].report.at_two_places == 1


def test_cases_unknown_absent_or_backwards_are_named() -> None:
    index = Index.of(meetings.visits_table([(1, 1, 0, 4_000), (2, 1, 0, 4_000)]))
    found = index.contacts(
        meetings.cases_table([(1, 0, DAY), (1, 5 * DAY, 6 * DAY), (77, 0, DAY), (2, DAY, 0), (None, 0, DAY)])
    )
    notes = " | ".join(found.notes())
    assert "without any visit: 77" in notes and "without a visit in a period: 1" in notes
    assert "ends before it begins (row 4)" in notes and "no person (row 5)" in notes
    assert found.overlaps.num_rows == 1
    with pytest.raises(BadRequest, match="no case"):
        index.contacts(meetings.cases_table([(2, DAY, 0)]))


def test_dates_as_ends_are_taken_as_midnight_and_said() -> None:
    index = Index.of(of(("2026-01-05T08:00:00", "2026-01-05T10:00:00")))
    found = index.contacts(case(("2026-01-04", "2026-01-05")))
    assert found.overlaps.num_rows == 0 and any("write the next day" in note for note in found.notes())
    assert index.contacts(case(("2026-01-04", "2026-01-06"))).overlaps.num_rows == 1


def test_ten_thousand_cases_come_some_at_a_time_and_add_up() -> None:
    rng = np.random.default_rng(3)
    many = 30_000
    arrive = rng.integers(0, 5 * DAY, many)
    visits = pa.table(
        {"person": rng.integers(0, 12_000, many), "place": rng.integers(0, 400, many), "arrive": arrive,
         "leave": arrive + rng.integers(600, 20_000, many)}
    )  # fmt: skip
    cases = pa.table({"person": np.arange(10_000), "from": np.zeros(10_000, int), "until": np.full(10_000, 5 * DAY)})
    index = Index.of(visits)
    found = index.contacts(cases)
    exposures = found.exposures()
    pieces = list(found.pieces(exposures, at_once=1_000))
    assert len(pieces) > 50 and max(piece.num_rows for piece in pieces) < 3_000
    whole = index.contacts(cases)
    assert pa.concat_tables(pieces).equals(whole.overlaps)
    assert found.ranked(exposures).equals(whole.persons)


def test_sums_of_people_count_each_minute_once_where_periods_overlap() -> None:
    index = Index.of(
        meetings.visits_table([(1, 1, 0, 6_000), (2, 1, 0, 6_000), (3, 1, 0, 6_000), (3, 2, 9_000, 9_900)])
    )
    found = index.contacts(meetings.cases_table([(1, 0, 4_000), (1, 2_000, 6_000), (3, 0, 3_000)]))
    assert found.overlaps.num_rows == 6
    people = {row["person"]: row for row in found.persons.to_pylist()}
    assert (people[2]["minutes"], people[2]["overlaps"], people[2]["cases"]) == (100 + 50, 2, 2)
    assert (people[2]["first"], people[2]["last"]) == (0, 6_000)
    assert any("periods that overlap" in note for note in found.notes())


@pytest.mark.parametrize("minutes", [-1, float("nan"), float("inf")])
def test_minutes_that_are_no_bound_are_refused(minutes: float) -> None:
    with pytest.raises(BadRequest, match="no bound"):
        Index.of(meetings.visits_table([(1, 1, 0, 60)])).contacts(meetings.cases_table([(1, 0, 60)]), minutes)


def test_the_second_ring_is_what_contacts_met_after_they_were_exposed() -> None:
    visits = [
        (1, 1, 0, 4_000), (2, 1, 1_000, 4_000),  # 2 meets the case
        (2, 2, 5_000, 8_000), (3, 2, 5_000, 8_000),  # and then 3
        (2, 3, 0, 900), (4, 3, 0, 900),  # but 4 before
        (2, 4, 20_000, 30_000), (5, 4, 20_000, 30_000),  # and 5 after the period
    ]  # fmt: skip
    found = Index.of(meetings.visits_table(visits)).contacts(meetings.cases_table([(1, 0, 10_000)]), 10, ring=2)
    rows = [(row["ring"], row["person"], row["case"], row["via"]) for row in found.overlaps.to_pylist()]
    assert rows == [(1, 2, 1, None), (2, 3, 1, 2)]
    assert found.people.to_pylist() == [2]


def test_pandas_and_polars_frames_are_visits_too() -> None:
    table = meetings.visits_table([(1, 1, 0, 4_000), (2, 1, 0, 4_000)])
    asked = meetings.cases_table([(1, 0, DAY)])
    for frame in (table.to_pandas(), polars.from_arrow(table)):
        assert Index.of(frame).contacts(asked).people.to_pylist() == [2]
    with_gaps = pandas.DataFrame({"person": [1, 2, None], "place": [1, 1, 1], "arrive": [0] * 3, "leave": [4_000] * 3})
    assert Index.of(with_gaps).contacts(asked).people.to_pylist() == [2]
