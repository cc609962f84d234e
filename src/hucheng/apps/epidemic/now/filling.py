"""What is still in the pipe when events are reported late, one by one: known so far, by the share that is known by now.

Shares follow from reverse hazards, pooled over places and recent time (Kalbfleisch, Lawless 1989, JASA 84, section 3);
the curve of events is smoothed (`smoother`), so that a day without a report yet leans on its neighbours; what is still
to come is drawn given what is there (a gamma-Poisson day effect, Höhle, an der Heiden 2014, Biometrics 70, 2.2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.now import smoother, weekdays
from hucheng.apps.epidemic.now.delays import NONE, Delay
from hucheng.apps.epidemic.now.reproduction import seen_as
from hucheng.apps.epidemic.now.triangle import Triangle

Numbers = NDArray[np.float64]
MEMORY_DAYS = 28.0
"""Half-life of what is learned from a past day."""
LONGEST = {1: 90, 7: 26}
"""Steps of delay beyond which nothing is expected."""
OWN = 200.0
"""Reports at which a place's own delays count as much as all places'."""
A_WEEKDAY = 30.0
"""Reports at which a delay's own weekdays count as much as the weekdays of all delays."""
DRAWS = 1000
FEWEST = 4
"""Past days below which nothing is said about how far shares stray."""


@dataclass(frozen=True)
class Shares:
    """How much of each event step is known by the last version."""

    share: Numbers
    """(T, P) from 0 to 1."""
    noise: Numbers
    """(T, P) squared relative error of the share."""


def shares(seen: Triangle, own: Delay | None = None) -> Shares:
    """Share known by now of each step and place; from a delay of one's own (in days), or from the triangle."""
    age = seen.ages[-1]
    if own is not None:
        days = (seen.versions[-1] - seen.days).astype("timedelta64[D]").astype(np.int64)
        known = np.mean([own.within(days + back) for back in range(seen.step)], axis=0)
        flat = np.broadcast_to(known[:, None], (len(age), len(seen.places))).copy()
        return Shares(flat, np.zeros_like(flat))
    longest = min(LONGEST[seen.step], int(age.max()) + 1)
    fresh, before = _by_delay(seen, longest)
    decay = 0.5 ** ((age * seen.step) / MEMORY_DAYS)
    fresh_all, before_all = (np.einsum("t,tdp->dp", decay, np.nan_to_num(one)) for one in (fresh, before))
    pooled = fresh_all.sum(axis=1) / np.maximum(before_all.sum(axis=1), 1e-9)
    hazard = (fresh_all + OWN * pooled[:, None]) / np.maximum(before_all + OWN, 1e-9)
    lean = np.clip(hazard, 0, 1) / np.maximum(pooled, 1e-9)[:, None]
    by_day = _on_weekdays(seen, fresh, before, pooled, decay)
    share = np.ones((len(age), len(seen.places)))
    today = int((seen.versions[-1].astype("datetime64[D]").astype(np.int64) + 3) % 7)
    for at, old in enumerate(age):
        for later in range(max(int(old) + 1, 1), longest):
            odds = by_day[later, (today + later - int(old)) % 7 if seen.step == 1 else 0]
            share[at] *= 1 - np.minimum(odds * lean[later], 0.999)
    return Shares(share, _noise(seen, share, age))


def _by_delay(seen: Triangle, longest: int) -> tuple[Numbers, Numbers]:
    """(T, D, P) reports new at each delay, and all up to and with it; NaN where not seen yet."""
    ages = seen.ages
    steps, places = len(seen.days), len(seen.places)
    upto = np.full((steps, longest, places), np.nan)
    for version in range(len(seen.versions)):
        for at in np.flatnonzero((ages[version] >= 0) & (ages[version] < longest)):
            upto[at, ages[version, at]] = seen.known[version, at]
    fresh = np.diff(upto, axis=1, prepend=0.0)
    fresh[:, 0] = upto[:, 0]
    whole = np.isnan(fresh)
    return np.where(whole, np.nan, np.maximum(fresh, 0)), np.where(whole, np.nan, upto)


def _on_weekdays(seen: Triangle, fresh: Numbers, before: Numbers, pooled: Numbers, decay: Numbers) -> Numbers:
    """(D, 7) reverse hazard of each delay on each weekday of report, leaning on the delay's own where few are seen."""
    longest = fresh.shape[1]
    if seen.step != 1:
        return np.repeat(pooled[:, None], 7, axis=1)
    weekday = (seen.days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    got, due = np.zeros((longest, 7)), np.zeros((longest, 7))
    for later in range(1, longest):
        on = (weekday + later) % 7
        np.add.at(got[later], on, np.nansum(fresh[:, later], axis=1) * decay)
        np.add.at(due[later], on, np.nansum(before[:, later], axis=1) * decay)
    factor = (got.sum(axis=0) + 20) / ((due * pooled[:, None]).sum(axis=0) + 20)
    first = np.minimum(pooled[:, None] * factor[None, :], 1)
    return np.asarray((got + A_WEEKDAY * first) / (due + A_WEEKDAY), dtype=np.float64)


def _noise(seen: Triangle, share: Numbers, age: NDArray[np.int64]) -> Numbers:
    """How far known counts of an age strayed from their share of the final ones, beyond chance; pooled over places.

    Only versions of the last one's weekday count: the share of an age depends on what day it is.
    """
    noise = np.zeros_like(share)
    total = np.nansum(seen.known[-1], axis=1)
    full = (share.mean(axis=1) > 0.98) & (total > 0)
    same = (seen.versions[-1] - seen.versions).astype("timedelta64[D]").astype(np.int64) % 7 == 0
    alike = np.flatnonzero(same[:-1]) if seen.step == 1 else np.arange(len(seen.versions) - 1)
    typical = {int(old): float(share[at].mean()) for at, old in enumerate(age)}
    for at, old in enumerate(age):
        if share[at].mean() > 0.98 or old < 0:
            continue
        ratio = []
        for version in alike:
            for past in np.flatnonzero((seen.ages[version] == old) & full):
                known = np.nansum(seen.known[version, past])
                due = typical[int(old)] * total[past]
                if due >= 1:
                    chance = (1 - typical[int(old)]) / due
                    ratio.append((known / due - 1) ** 2 - chance)
        if len(ratio) >= FEWEST:
            noise[at] = float(np.clip(np.mean(ratio), 0, 1))
    return noise


def filled(seen: Triangle, known: Shares, levels: Numbers, seed: int) -> tuple[Numbers, Numbers]:
    """(T, P, L) quantiles of the final counts, and (T, P) their means."""
    steps, places = known.share.shape
    found = np.full((steps, places, len(levels)), np.nan)
    mean = np.full((steps, places), np.nan)
    weekday = (seen.days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    now = seen.known[-1]
    wide = np.ones((7, places))
    if seen.step == 1:
        whole = np.where(known.share > 0.5, now / np.maximum(known.share, 0.5), np.nan)
        wide = weekdays.factors(whole, weekday)
    for place in range(places):
        counts = np.where(known.share[:, place] > 0.005, now[:, place], np.nan)
        if np.isnan(counts).all():
            continue
        rng = np.random.default_rng([seed, place])
        factor = wide[weekday, place]
        share = known.share[:, place]
        one = seen_as(counts, seen.step, NONE, 0, factor * share, known.noise[:, place])
        curve = smoother.smooth(one, DRAWS, rng)
        mu = smoother.expected(seen_as(counts, seen.step, NONE, 0, factor, np.zeros(steps)), curve.draws)
        spread = np.sqrt(known.noise[:, place])
        moved = np.clip(share * np.exp(spread * rng.standard_normal(mu.shape)), 0, 1)
        size = 1 / curve.alphas[:, None]
        there = np.nan_to_num(counts)
        day_effect = rng.gamma(size + there, 1 / (size + mu * moved * ~np.isnan(counts)))
        coming = rng.poisson(np.minimum(day_effect * mu * (1 - moved), 1e9))
        final = np.nan_to_num(now[:, place]) + coming
        found[:, place] = np.quantile(final, levels, axis=0).T
        mean[:, place] = final.mean(axis=0)
    return found, mean
