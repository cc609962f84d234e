"""How counts still grow after they are first reported: learned from versions of other histories, by the week's age.

A week of age 0 is the last one that a version holds. From one version to the next a week gains a little at each age;
what it gains in all is the sum of the steps that are still before it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.scaling import Numbers
from hucheng.apps.epidemic.series import WEEK, Series

AGES = 8
"""Weeks after which a count is taken to grow no more."""
HALF_LIFE = 10.0
"""Weeks after which a step that was seen weighs half: what was learned long ago fades into no growth."""
NONE_SEEN = 2.0
"""Steps of no growth that are assumed beside those that were seen."""
USUAL = 0.2
"""A version with a larger step at any age is a new definition, or places that came back: it tells nothing of growth."""


@dataclass(frozen=True)
class Steps:
    """N steps from one version to the next, each with the day on which it was known."""

    known: NDArray[np.datetime64]
    """(N,)"""
    gain: Numbers
    """(N, AGES) logarithm of the ratio of all places' counts, later to earlier; NaN where a version holds less."""


def step(earlier: Series, later: Series) -> Numbers:
    """(AGES,) growth from one version to the next, over the places and weeks that both hold; NaN where none."""
    found = np.full(AGES, np.nan)
    if (later.days[-1] - earlier.days[-1]).astype(int) != WEEK:
        return found
    there = {name: place for place, name in enumerate(later.places)}
    both = [(place, there[name]) for place, name in enumerate(earlier.places) if name in there]
    for age in range(min(AGES, len(earlier.days))):
        at = np.flatnonzero(later.days == earlier.days[-1 - age])
        if not len(at) or not both:
            continue
        before = earlier.values[-1 - age, [one for one, _ in both]]
        after = later.values[at[0], [other for _, other in both]]
        told = ~np.isnan(before) & ~np.isnan(after)
        if before[told].sum() > 0 and after[told].sum() > 0:
            found[age] = np.log(after[told].sum() / before[told].sum())
    return found


def expected(steps: Steps, day: np.datetime64) -> Numbers:
    """(AGES,) logarithm of what a week of each age will still grow by, from the steps known before a day."""
    kept = (steps.known < day) & ~(np.abs(np.nan_to_num(steps.gain)) > USUAL).any(axis=1)
    if not kept.any():
        return np.zeros(AGES)
    known, gain = steps.known[kept], steps.gain[kept]
    weight = 0.5 ** ((day - known).astype(float) / WEEK / HALF_LIFE)
    told = ~np.isnan(gain)
    seen = np.where(told, gain, 0.0)
    mean = (weight[:, None] * seen).sum(axis=0) / ((weight[:, None] * told).sum(axis=0) + NONE_SEEN)
    remaining: Numbers = np.cumsum(mean[::-1])[::-1]
    return remaining


def grown(values: Numbers, remaining: Numbers, age: int = 0) -> Numbers:
    """(T, P) counts with what the last weeks will still grow by; the last row is ``age`` weeks old."""
    found = values.copy()
    for back in range(min(len(values), AGES - age)):
        found[-1 - back] = values[-1 - back] * np.exp(remaining[age + back])
    return found
