"""What is known of each place at the end of a week: its level, its movement over several spans, and the others'."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.scaling import FLOOR, Numbers, counts_of, rooted

YEAR = 52
NEEDS = {
    "level": 1, "people": 1, "count": 1, "change_1": 2, "change_2": 3, "change_3": 4, "change_4": 5, "change_5": 6,
    "change_6": 7, "change_8": 9, "slope_3": 3, "slope_4": 4, "slope_6": 6, "bend_5": 5, "below_peak": 9,
    "above_trough": 9, "above_mean": 27, "above_past": 47, "restless": 6, "noise": 4, "all_level": 1, "all_change_1": 2,
    "all_change_2": 3, "all_change_4": 5, "all_bend": 3, "all_below_peak": 10, "rising": 2, "above_others": 1,
    "turn_of_year": 1,
}  # fmt: skip
"""Feature → weeks of history it needs. All in fourth roots of rates, but for ``people`` and ``count`` (logarithms),
``rising`` (share of places) and ``turn_of_year`` (weeks from the end of December, -20 to 20)."""
NAMES = tuple(NEEDS)


def filled(values: Numbers, scale: Numbers) -> Numbers:
    """(T, P) fourth roots, a week without a report taking the value before it."""
    found = rooted(values, scale)
    for week in range(1, len(found)):
        missing = np.isnan(found[week])
        found[week, missing] = found[week - 1, missing]
    return found


def features(
    values: Numbers, days: NDArray[np.datetime64], scale: Numbers, weeks: Sequence[int]
) -> NDArray[np.float32]:
    """(len(weeks) × P, features) as known at the end of those weeks (places of ``days``); NaN where history is short.

    ``values`` is (T, P), ``days`` (T,) the last days of the weeks, ``scale`` (P,) people / 100,000.
    """
    roots = filled(values, scale)
    told = ~np.isnan(values)
    weight = (told * scale).sum(axis=1)
    rate = np.where(told, values, 0.0).sum(axis=1) / np.maximum(weight, 1e-9)
    whole = np.where(weight > 0, (rate + FLOOR) ** 0.25, np.nan)
    with np.errstate(all="ignore"):
        return np.concatenate([_week(roots, whole, days, scale, week) for week in weeks]).astype(np.float32)


def _week(roots: Numbers, whole: Numbers, days: NDArray[np.datetime64], scale: Numbers, week: int) -> Numbers:
    """(P, features) at the end of one week."""
    now, places = roots[week], roots.shape[1]
    nothing = np.full(places, np.nan)

    def change(many: int) -> Numbers:
        return now - roots[week - many] if week >= many else nothing

    def slope(many: int) -> Numbers:
        if week < many - 1:
            return nothing
        x = np.arange(many) - (many - 1) / 2
        found: Numbers = (x[:, None] * roots[week - many + 1 : week + 1]).sum(axis=0) / (x**2).sum()
        return found

    def of_all(many: int) -> float:
        return float(whole[week] - whole[week - many]) if week >= many else np.nan

    bend = np.array([2.0, -1.0, -2.0, -1.0, 2.0])
    year = roots[max(0, week - YEAR + 1) : week + 1]
    past = roots[: max(0, week - YEAR // 2 + 1)]
    step = change(1)
    found = {
        "level": now,
        "people": np.log(scale),
        "count": np.log1p(counts_of(now, scale)),
        **{f"change_{many}": change(many) for many in (1, 2, 3, 4, 5, 6, 8)},
        **{f"slope_{many}": slope(many) for many in (3, 4, 6)},
        "bend_5": (bend[:, None] * roots[week - 4 : week + 1]).sum(axis=0) / 14.0 if week >= 4 else nothing,
        "below_peak": now - _nan(np.nanmax, year) if len(year) >= 8 else nothing,
        "above_trough": now - _nan(np.nanmin, year) if len(year) >= 8 else nothing,
        "above_mean": now - _nan(np.nanmean, year) if len(year) >= 26 else nothing,
        "above_past": now - _nan(np.nanmax, past) if len(past) >= 20 else nothing,
        "restless": _nan(np.nanstd, np.diff(roots[max(0, week - 12) : week + 1], axis=0)) if week >= 4 else nothing,
        "noise": _nan(np.nanmean, np.abs(np.diff(roots[max(0, week - 8) : week + 1], n=2, axis=0)))
        if week >= 3
        else nothing,
        "all_level": np.full(places, whole[week]),
        **{f"all_change_{many}": np.full(places, of_all(many)) for many in (1, 2, 4)},
        "all_bend": np.full(places, whole[week] - 2 * whole[week - 1] + whole[week - 2] if week >= 2 else np.nan),
        "all_below_peak": np.full(
            places, whole[week] - np.nanmax(whole[max(0, week - YEAR + 1) : week + 1]) if week >= 8 else np.nan
        ),
        "rising": np.full(places, np.nanmean(step > 0) if week >= 1 else np.nan),
        "above_others": now - np.nanmedian(now),
        "turn_of_year": np.full(places, turn_of_year(days[week])),
    }
    return np.column_stack([found[name] for name in NAMES])


def turn_of_year(day: np.datetime64) -> float:
    """Weeks from the nearest 25 December, within ±20: reports and meetings change around the turn of the year."""
    day = day.astype("datetime64[D]")
    start = day.astype("datetime64[Y]").astype("datetime64[D]")
    of_year = int((day - start).astype(int)) + 1
    return float(np.clip(((of_year - 359 + 182) % 365 - 182) / 7, -20, 20))


def _nan(what: object, values: Numbers) -> Numbers:
    """A statistic along weeks, NaN for places without any."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found: Numbers = what(values, axis=0)  # type: ignore[operator]
    return found
