"""The reporting triangle: the same from a line list, from new reports and from versions; what cannot be is told."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic.now.triangle import Named, triangle
from hucheng.apps.epidemic.series import Note
from hucheng.errors import BadRequest, TooLarge

START = date(2026, 1, 5)
CASES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 6), st.sampled_from("ab")), min_size=8, max_size=60)


def listed(cases: list[tuple[int, int, str]]) -> pa.Table:
    return pa.table(
        {
            "event_date": [START + timedelta(at) for at, _, _ in cases],
            "report_date": [START + timedelta(at + late) for at, late, _ in cases],
            "location": [place for _, _, place in cases],
        }
    )


@given(CASES)
def test_a_cell_holds_the_cases_that_were_reported_by_then(cases: list[tuple[int, int, str]]) -> None:
    found = triangle(listed(cases))
    for version, stood in enumerate(found.versions):
        for step, day in enumerate(found.days):  # days, or weeks where all events fell on one weekday
            on = (day - np.datetime64(START)).astype(int)
            for at, place in enumerate(found.places):
                held = found.known[version, step, at]
                if stood < day:
                    assert np.isnan(held)
                    continue
                by = (stood - np.datetime64(START)).astype(int)
                assert held == sum(one == on and one + late <= by and p == place for one, late, p in cases)


@given(CASES)
def test_new_reports_and_versions_say_the_same_as_the_list(cases: list[tuple[int, int, str]]) -> None:
    whole = triangle(listed(cases))
    tally = listed(cases).group_by(["event_date", "report_date", "location"]).aggregate([([], "count_all")])
    fresh = triangle(tally.rename_columns(["event_date", "report_date", "location", "value"]), Named(known=False))
    np.testing.assert_array_equal(fresh.known, whole.known)
    rows = [
        {"event_date": day.item(), "as_of": stood.item(), "location": place, "value": whole.known[v, t, p]}
        for v, stood in enumerate(whole.versions)
        for t, day in enumerate(whole.days)
        for p, place in enumerate(whole.places)
        if not np.isnan(whole.known[v, t, p])
    ]
    known = triangle(pa.Table.from_pylist(rows), Named(known=True))
    np.testing.assert_array_equal(known.known, whole.known)


def test_versions_and_new_reports_are_told_apart_by_looking() -> None:
    rng = np.random.default_rng(1)
    new, known = [], []
    for at in range(20):
        total = 0.0
        for late in range(26 - at):
            many = float(rng.poisson([10, 20, 12, 6, 3, 1][late])) if late < 6 else 0.0
            total += many
            both = {"event_date": START + timedelta(at), "report_date": START + timedelta(at + late)}
            if late < 6:
                new.append({**both, "value": many})
            known.append({**both, "value": total})
    last = triangle(pa.Table.from_pylist(new)).known[-1]
    stands = triangle(pa.Table.from_pylist(known))
    assert np.nansum(last) == np.nansum([one["value"] for one in new])
    final = {row["event_date"]: row["value"] for row in known}
    told = np.nanmax(stands.known[:, :, 0], axis=0)
    assert told.tolist() == [final[day.item()] for day in stands.days]


def test_new_reports_that_never_fall_are_not_taken_for_what_was_known() -> None:
    both = [(at, at + late) for at in range(20) for late in range(4)]
    rows = pa.table(
        {
            "event_date": [START + timedelta(at) for at, _ in both],
            "report_date": [START + timedelta(by) for _, by in both],
            "count": [2] * len(both),
        }
    )
    with pytest.raises(BadRequest, match="new reports, or what was known"):
        triangle(rows)
    named = rows.rename_columns(["event_date", "report_date", "new_reports"])
    assert np.nansum(triangle(named).known[-1]) == 160


def test_weeks_with_a_version_a_week() -> None:
    rows = [
        {"reference_date": START + timedelta(7 * stood), "location": "x",
         "target_end_date": START + timedelta(7 * at - 7), "value": 10.0 * at + stood}
        for stood in range(5) for at in range(stood + 1)
    ]  # fmt: skip
    found = triangle(pa.Table.from_pylist(rows))
    assert (found.step, len(found.versions), len(found.days)) == (7, 5, 5)
    assert found.ages[-1].tolist() == [5, 4, 3, 2, 1]


def kinds(notes: tuple[Note, ...]) -> dict[str, int]:
    return {note.kind: int(note.what.split()[0]) for note in notes}


def test_rows_that_cannot_be_are_left_out_and_told() -> None:
    rows: dict[str, list[Any]] = {
        "event_date": ["2026-01-05", "2026-01-06", "2026-01-07", "2031-01-01", "", "2026-01-08"],
        "report_date": ["2026-01-06", "2026-01-08", "2026-01-02", "2031-01-02", "2026-01-09", "2026-01-09"],
    }
    found = triangle(pa.table(rows), today=date(2026, 2, 1))
    assert kinds(found.notes) == {"early": 1, "future": 1, "blank": 1}
    assert np.nansum(found.known[-1]) == 3


def test_dates_the_wrong_way_round_are_refused() -> None:
    rows = listed([(at, 2, "a") for at in range(8)])
    swapped = rows.rename_columns(["report_date", "event_date", "location"])
    with pytest.raises(BadRequest, match="reported before they happened"):
        triangle(swapped)


def test_counts_that_may_mean_either_are_refused_until_said() -> None:
    rows = [
        {"event_date": START + timedelta(at), "report_date": START + timedelta(at + late), "value": value}
        for at in range(10) for late, value in enumerate([5, 6, 7, 4])
    ]  # fmt: skip
    with pytest.raises(BadRequest, match="new reports, or what was known"):
        triangle(pa.Table.from_pylist(rows))
    assert np.nansum(triangle(pa.Table.from_pylist(rows), Named(known=False)).known[-1]) == 220


def test_two_counts_for_one_cell_and_too_many_cells_are_refused() -> None:
    rows = [{"event_date": START, "as_of": START + timedelta(1), "value": value} for value in (1, 2)]
    with pytest.raises(BadRequest, match="two counts"):
        triangle(pa.Table.from_pylist(rows), Named(known=True))
    far = listed([(0, 0, "a"), (9000, 0, "b")])
    with pytest.raises(TooLarge, match="cells"):
        triangle(far)


@pytest.mark.parametrize("names", [["x", "y", "z"], ["date", "x", "y"]])
def test_unknown_columns_are_named(names: list[str]) -> None:
    with pytest.raises(BadRequest, match="no column says"):
        triangle(listed([(1, 1, "a")]).rename_columns(names))
    with pytest.raises(BadRequest, match="no rows"):
        triangle(listed([]))
