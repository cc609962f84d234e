"""Growth of counts after they are first reported: learned from what was known, applied to weekly reports only."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic.forecasts import forecast as forecasting
from hucheng.apps.epidemic.forecasts import growth, learned, train
from hucheng.apps.epidemic.forecasts.growth import AGES, Steps
from hucheng.apps.epidemic.series import Note, Series

REVISED = date(2025, 6, 7)
"""A day before which histories that grew by some 9 % were known."""


def weekly(values: Any, until: date, notes: tuple[Note, ...] = ()) -> Series:
    grid = np.atleast_2d(np.asarray(values, float))
    days = np.datetime64(until) - np.arange(len(grid))[::-1] * np.timedelta64(7, "D")
    places = tuple(f"p{place:02}" for place in range(grid.shape[1]))
    return Series(days.astype("datetime64[D]"), places, grid, 7, notes)


def versions(gains: list[float], many: int = 30) -> dict[date, Series]:
    """Versions of a flat history in which a week of each age grows by the same share until the next version."""
    settled = 1000.0 * np.ones((many + 12, 3)) * np.array([1, 5, 9])
    first = date(2024, 1, 6)
    return {
        first + timedelta(7 * one): weekly(
            growth.grown(settled[: one + 12], -np.cumsum(gains[::-1])[::-1]), first + timedelta(7 * one - 7)
        )
        for one in range(many)
    }


@given(st.lists(st.floats(-0.05, 0.1), min_size=AGES, max_size=AGES))
def test_a_steady_growth_is_found_as_far_as_none_is_assumed(gains: list[float]) -> None:
    known = versions(gains)
    found = growth.expected(train.steps(known), np.datetime64(max(known)) + 1)
    wanted = np.cumsum(gains[::-1])[::-1]
    assert (np.abs(found) <= np.cumsum(np.abs(gains[::-1]))[::-1] + 1e-9).all()
    np.testing.assert_allclose(found, wanted, atol=0.25 * np.abs(gains).sum() + 1e-9)


def test_only_steps_known_before_the_day_count_and_old_ones_fade() -> None:
    known = versions([0.08, *([0.0] * (AGES - 1))])
    steps = train.steps(known)
    first, last = np.datetime64(min(known)), np.datetime64(max(known))
    assert (growth.expected(steps, first + 7) == 0).all()
    assert 0 < growth.expected(steps, first + 8)[0] < growth.expected(steps, last + 1)[0] < 0.08
    assert growth.expected(steps, last + 364)[0] < 0.5 * growth.expected(steps, last + 1)[0]


def test_a_version_with_a_new_definition_tells_nothing() -> None:
    usual = np.full((20, AGES), 0.02)
    known = np.datetime64("2024-01-06") + 7 * np.arange(20)
    broken = usual.copy()
    broken[7] = -0.6
    day = np.datetime64("2024-06-01")
    fewer = Steps(np.delete(known, 7), np.delete(usual, 7, axis=0))
    np.testing.assert_array_equal(growth.expected(Steps(known, broken), day), growth.expected(fewer, day))


def test_versions_that_are_not_a_week_apart_or_share_no_place_tell_nothing() -> None:
    one = weekly(np.ones((5, 2)), date(2024, 1, 6))
    assert np.isnan(growth.step(one, weekly(np.ones((7, 2)), date(2024, 1, 20)))).all()
    other = Series(one.days + 7, ("x", "y"), one.values, 7)
    assert np.isnan(growth.step(one, other)).all()


@given(st.integers(1, 20), st.integers(0, 3))
def test_only_the_last_weeks_grow(weeks: int, age: int) -> None:
    remaining = np.linspace(0.1, 0.01, AGES)
    values = np.arange(1.0, weeks + 1)[:, None] * np.ones(2)
    found = np.log(growth.grown(values, remaining, age) / values)[::-1, 0]
    wanted = np.concatenate([remaining[age:], np.zeros(weeks)])[:weeks]
    np.testing.assert_allclose(found, wanted, atol=1e-12)


def test_what_ships_was_known_before_the_day() -> None:
    assert (learned.growing(date(2020, 1, 1)) == 0).all()
    assert learned.growing(REVISED)[0] > 0.03


def test_only_weekly_reports_are_taken_to_be_revised() -> None:
    series = weekly(np.ones((3, 2)), REVISED)
    assert forecasting.revised(series)
    assert not forecasting.revised(weekly(series.values, REVISED, (Note("cumulative", "read as totals"),)))
    assert not forecasting.revised(Series(series.days, series.places, series.values, 1))


def test_growth_that_is_assumed_is_told() -> None:
    made = forecasting.forecast(weekly(np.full((3, 2), 70.0), REVISED - timedelta(7)), REVISED)
    assert [note.kind for note in made.notes] == ["growth"] and "%" in made.notes[0].what
