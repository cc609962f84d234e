"""Observed counts: whatever table they come in, one grid; what is strange is said, what is ambiguous is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import polars
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic.series import Columns, observed, population, vintages
from hucheng.errors import BadRequest
from hucheng.files import read

START = date(2026, 1, 3)


def table(values: dict[str, list[float | None]], step: int = 7, **more: Any) -> pa.Table:
    """One row a place and date, as text, as a CSV file has it."""
    rows = [
        {"date": str(START + timedelta(step * at)), "location": place, "value": None if many is None else f"{many:g}"}
        for place, column in values.items()
        for at, many in enumerate(column)
    ]
    return pa.Table.from_pylist(rows)


def test_weeks_and_days_are_told_apart_by_their_dates() -> None:
    assert observed(table({"a": [1, 2, 3]})).step == 7
    assert observed(table({"a": [1, 2, 3]}, step=1)).step == 1
    with pytest.raises(BadRequest, match="neither daily nor on one weekday"):
        observed(table({"a": [1, 2, 3]}, step=30))


@pytest.mark.parametrize(
    "kind", [lambda t: t, polars.from_arrow, lambda t: t.to_pandas()], ids=["arrow", "polars", "pandas"]
)
def test_every_kind_of_table_gives_the_same_grid(kind: Callable[[pa.Table], Any]) -> None:
    found = observed(kind(table({"b": [4, None, 6], "a": [1, 2, 3]})))
    assert found.places == ("a", "b")
    np.testing.assert_array_equal(found.values, [[1, 4], [2, np.nan], [3, 6]])


def test_a_table_of_one_place_needs_no_place() -> None:
    found = observed(pandas.DataFrame({"week_end": ["2026-01-03", "2026-01-10"], "cases": [3, 4]}))
    assert (found.places, found.values.tolist()) == (("all",), [[3], [4]])


def test_columns_can_be_named_and_a_wrong_name_lists_those_there() -> None:
    strange = table({"a": [1, 2, 3]}).rename_columns(["wann", "wo", "viele"])
    found = observed(strange, Columns(date="wann", place="wo", value="viele"))
    assert found.values[:, 0].tolist() == [1, 2, 3]
    with pytest.raises(BadRequest, match="wann, wo, viele"):
        observed(strange, Columns(date="when"))
    with pytest.raises(BadRequest, match="no column says the date"):
        observed(strange)


@given(st.lists(st.integers(0, 50), min_size=3, max_size=30), st.data())
def test_running_totals_keep_their_total_however_they_fall(new: list[int], data: Any) -> None:
    totals: list[float | None] = [float(one) for one in np.cumsum(new)]
    for at in data.draw(st.lists(st.integers(1, len(new) - 1), max_size=3)):
        totals[at] = max(0.0, (totals[at] or 0) - data.draw(st.integers(0, 60)))
    for at in data.draw(st.lists(st.integers(1, len(new) - 2), max_size=3)):
        totals[at] = None
    found = observed(table({"a": totals}, step=1), Columns(cumulative=True))
    assert (found.values >= 0).all()
    assert found.values.sum() == pytest.approx(totals[-1])
    told = [one for one in totals if one is not None]
    falls = sum(b < a for a, b in itertools.pairwise(told))
    assert falls == sum(len(note.days) for note in found.notes if note.kind == "fall")


def test_running_totals_are_noticed_and_said() -> None:
    rng = np.random.default_rng(1)
    new = rng.poisson(5, (60, 3)).astype(float)
    names = {"a": 0, "b": 1, "c": 2}
    totals = observed(table({name: np.cumsum(new[:, at]).tolist() for name, at in names.items()}, step=1))
    np.testing.assert_allclose(totals.values, new)
    assert [note.kind for note in totals.notes] == ["cumulative"]
    assert observed(table({name: new[:, at].tolist() for name, at in names.items()}, step=1)).notes == ()


@pytest.mark.parametrize("form", ["%Y-%m-%d", "%Y/%-m/%-d", "%Y.%m.%d", "%Y年%-m月%-d日", "%Y%m%d", "%Y/%-m/%-d 9:30"])
def test_a_date_with_the_year_first_is_understood_however_it_is_written(form: str) -> None:
    days = [date(2026, 1, 29) + timedelta(day) for day in range(6)]
    found = observed(pa.table({"date": [day.strftime(form) for day in days], "value": [1, 2, 3, 2, 1, 4]}))
    assert (found.days.astype("datetime64[D]").tolist(), found.values[:, 0].tolist()) == (days, [1, 2, 3, 2, 1, 4])


@pytest.mark.parametrize("seed", range(5))
def test_running_totals_of_one_place_and_a_few_weeks_are_noticed_too(seed: int) -> None:
    """One city, twenty days, as a newcomer has them; new counts are never mistaken, and what cannot be told is said."""
    rng = np.random.default_rng(seed)
    curve = 300 * np.exp(-(((np.arange(24) - 9) / 6) ** 2))
    new = rng.poisson(curve).astype(float)
    totals = observed(table({"a": np.cumsum(new).tolist()}, step=1))
    np.testing.assert_allclose(totals.values[:, 0], new)
    assert [note.kind for note in totals.notes] == ["cumulative"]
    assert observed(table({"a": new.tolist()}, step=1)).notes == ()
    growing = [float(round(20 * 1.3**day)) for day in range(15)]
    assert [note.kind for note in observed(table({"a": growing}, step=1)).notes] == ["rising"]
    wave = 20_000 * np.exp(-((np.arange(15) - 14) ** 2) / 60)
    for until in (11, 13, 15):  # a wave up to its peak and before it; what only slows is asked about
        counts = observed(table({"a": rng.poisson(wave[:until]).astype(float).tolist()}))
        assert "cumulative" not in {note.kind for note in counts.notes}
    few = {f"place {place}": [3.0 + place, 9.0 + place, 11.0 + place] for place in range(12)}
    assert [note.kind for note in observed(table(few)).notes] == ["rising"]


def test_negative_counts_and_blank_places_are_said() -> None:
    rows = [*table({"a": [1, -2, 3]}).to_pylist(), {"date": "2026-01-03", "location": " ", "value": "9"}]
    found = observed(pa.Table.from_pylist(rows))
    assert {note.kind for note in found.notes} == {"negative", "blank"}
    np.testing.assert_array_equal(found.values[:, 0], [1, np.nan, 3])


def test_two_values_for_one_place_and_day_are_refused_and_the_same_row_counts_once() -> None:
    rows = table({"a": [1, 2]}).to_pylist()
    assert observed(pa.Table.from_pylist([*rows, rows[0]])).values[:, 0].tolist() == [1, 2]
    with pytest.raises(BadRequest, match="two values, first a on 2026-01-03"):
        observed(pa.Table.from_pylist([*rows, rows[0] | {"value": "7"}]))


@pytest.mark.parametrize(
    ("column", "word", "message"),
    [("date", "3.1.2026", "are no dates"), ("value", "twelve", "are no numbers"), ("value", "inf", "infinity")],
)
def test_what_cannot_be_read_is_named_with_its_row(column: str, word: str, message: str) -> None:
    rows = table({"a": [1, 2, 3]}).to_pylist()
    rows[1][column] = word
    with pytest.raises(BadRequest, match=message) as caught:
        observed(pa.Table.from_pylist(rows))
    assert caught.value.where == "row 2"


def test_each_version_is_read_from_its_own_rows_and_none_knows_the_future() -> None:
    first = [row | {"as_of": "2026-01-17"} for row in table({"a": [1, 2]}).to_pylist()]
    second = [row | {"as_of": "2026-01-24"} for row in table({"a": [1, 3, 4]}).to_pylist()]
    whole = dict(vintages(pa.Table.from_pylist(first + second)))
    assert [found.values[:, 0].tolist() for found in whole.values()] == [[1, 2], [1, 3, 4]]
    alone = dict(vintages(pa.Table.from_pylist(second)))
    np.testing.assert_array_equal(alone[date(2026, 1, 24)].values, whole[date(2026, 1, 24)].values)
    with pytest.raises(BadRequest, match="from the future"):
        list(vintages(pa.Table.from_pylist([row | {"as_of": "2026-01-09"} for row in first])))
    with pytest.raises(BadRequest, match="several versions"):
        observed(pa.Table.from_pylist(first + second))


def test_the_target_that_is_meant_is_kept() -> None:
    rows = [row | {"target": "x"} for row in table({"a": [1, 2]}).to_pylist()]
    rows += [row | {"target": "y"} for row in table({"a": [5, 6]}).to_pylist()]
    assert observed(pa.Table.from_pylist(rows), Columns(target="y")).values[:, 0].tolist() == [5, 6]
    with pytest.raises(BadRequest, match="2 targets"):
        observed(pa.Table.from_pylist(rows), Columns(target="z"))


def test_real_running_totals_of_cities_are_read_as_they_come(shared_data: Callable[[str], Path]) -> None:
    found = observed(read(shared_data("epidemic/cases/china_city_day.csv.gz")))
    assert found.step == 1 and len(found.places) > 400
    assert {"fall", "gap", "blank", "cumulative"} == {note.kind for note in found.notes}
    assert not (found.values < 0).any()


def test_real_versions_of_weekly_counts_are_read_as_they_come(shared_data: Callable[[str], Path]) -> None:
    known = dict(vintages(read(shared_data("epidemic/forecast/flusight_truth_asof.parquet"))))
    assert len(known) == 57 and all(found.last < stood for stood, found in known.items())
    people = population(read(shared_data("epidemic/forecast/locations.csv")))
    assert set(known[max(known)].places) <= set(people)
