"""R_t and growth by place and day, with uncertainty, and the honest word on what each estimate rests on.

Counts are sums of a smooth curve of infections (`smoother`); R_t follows from each draw of that curve by the renewal
equation R_t = I_t / sum over s of g_s I_(t-s) (Cori et al. 2013, equation 1; Fraser 2007, PLoS ONE 2(8) e758).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.now import breaks, smoother, weekdays
from hucheng.apps.epidemic.now.delays import NONE, Delay
from hucheng.apps.epidemic.series import Note, Series, day

Numbers = NDArray[np.float64]
ENOUGH_CASES = 11
"""Counted cases in one generation time that a coefficient of variation of 0.3 needs (Cori et al. 2013, appendix)."""
CHAIN = 6.0
"""Generation times over whose cases the chance of real chains of infection averages out: infections are people, and
stray from what R_t makes one expect by one over their number, as Cori's posterior over such a window says."""
FEWEST = 3
"""Steps with a report, below which nothing is estimated."""
RISES = 12
"""Rises without a fall from which counts are asked about."""
OWN_WEEKDAYS = 200
"""Cases from which a place's own weekdays are looked at once more, over its smooth curve."""
DRAWS, LOOK = 400, 80
DATA, FEW, BREAK = "data", "few cases", "break"


@dataclass(frozen=True)
class Counted:
    """How counts come from infections."""

    generation: Delay
    delay: Delay = NONE
    """From infection to the date the counts carry."""
    complete: Numbers | None = None
    """(T, P) share of each count that is reported by now; None: all."""
    noise: Numbers | None = None
    """(T, P) squared relative error of that share."""


@dataclass(frozen=True)
class Estimate:
    """Draws for one place."""

    place: str
    days: NDArray[np.datetime64]
    """(T,)"""
    r: Numbers
    """(S, T)"""
    growth: Numbers
    """(S, T) change of log infections a day."""
    fitted: Numbers
    """(S, T) counts that the curve expects."""
    basis: list[str]
    """What each day rests on: data, few cases (ruled by what was assumed beforehand), or a break in the counts."""
    sigma: float
    alpha: float


@dataclass(frozen=True)
class Estimates:
    """All places, and what was found."""

    places: list[Estimate] = field(default_factory=list)
    notes: tuple[Note, ...] = ()


def reproduction(series: Series, counted: Counted, seed: int = 0, draws: int = DRAWS) -> Estimates:
    """R_t of every place with at least three reports; places with fewer, or without a case, get a note instead."""
    found: list[Estimate] = []
    notes = list(series.notes)
    values = series.values.copy()
    strange = np.zeros(values.shape, dtype=bool)
    for at, name in enumerate(series.places):
        known = int((~np.isnan(values[:, at])).sum())
        if known < FEWEST or not np.nansum(values[:, at]) > 0:
            why = (
                f"{known} reports: too few to estimate from" if known < FEWEST else "no case: nothing to estimate from"
            )
            notes.append(Note("short", why, name))
            values[:, at] = np.nan
            continue
        if _never_falls(values[:, at]) and not any(note.kind in ("cumulative", "rising") for note in notes):
            what = "the counts never fall: if they are running totals, say so, or R is nothing but their slowing down"
            notes.append(Note("never falls", what, name))
        strange[:, at] = _mark_breaks(series, values, at, notes)
    weekday = (series.days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    wide = np.ones(values.shape)
    if series.step == 1:
        wide = weekdays.factors(values, weekday)[weekday]
    for at in range(len(series.places)):
        if np.isnan(values[:, at]).all():
            continue
        rng = np.random.default_rng([seed, at])
        one = _place(series, values[:, at], strange[:, at], wide[:, at], weekday, counted, at, rng, draws)
        found.append(one)
    return Estimates(found, tuple(notes))


def _never_falls(counts: Numbers) -> bool:
    """Whether counts rise often and never fall, as running totals do."""
    change = np.diff(counts[~np.isnan(counts)])
    return bool((change >= 0).all() and (change > 0).sum() >= RISES)


def _mark_breaks(series: Series, values: Numbers, at: int, notes: list[Note]) -> NDArray[np.bool_]:
    """Where counts change their meaning; a batch of old cases is taken out of ``values``."""
    name = series.places[at]
    batch = breaks.batches(values[:, at])
    if batch.any():
        when = tuple(day(series.days[one]) for one in np.flatnonzero(batch))
        what = "far more cases than on the days before and after: taken for a batch of old cases, and left out"
        notes.append(Note("batch", what, name, when))
        values[batch, at] = np.nan
    shift = breaks.shifts(values[:, at])
    if shift.any():
        when = tuple(day(series.days[one]) for one in np.flatnonzero(shift))
        what = "another level from one day to the next: has the case definition changed? R around it means nothing"
        notes.append(Note("shift", what, name, when))
    return np.asarray(batch | shift)


def _place(
    series: Series, counts: Numbers, strange: NDArray[np.bool_], factor: Numbers, weekday: NDArray[np.int64],
    counted: Counted, at: int, rng: np.random.Generator, draws: int,
) -> Estimate:  # fmt: skip
    told = np.flatnonzero(~np.isnan(counts))
    span = slice(int(told[0]), int(told[-1]) + 1)
    days, counts, strange = series.days[span], counts[span], strange[span]
    factor, weekday = factor[span], weekday[span]
    complete = np.ones(len(counts)) if counted.complete is None else counted.complete[span, at]
    noise = np.zeros(len(counts)) if counted.noise is None else counted.noise[span, at]
    ahead = len(counted.generation.chances) - 1
    seen = seen_as(counts, series.step, counted.delay, ahead, factor * complete, noise)
    if series.step == 1 and len(counts) >= weekdays.ENOUGH and np.nansum(counts) >= OWN_WEEKDAYS:
        look = smoother.smooth(seen, LOOK, rng)
        level = smoother.expected(seen, look.draws).mean(axis=0) / factor
        factor = weekdays.factors(counts[:, None], weekday, level[:, None])[weekday, 0]
        seen = seen_as(counts, series.step, counted.delay, ahead, factor * complete, noise)
    curve = smoother.smooth(seen, draws, rng)
    infections = np.exp(curve.draws)
    force = np.zeros_like(infections)
    for back, chance in enumerate(counted.generation.chances):
        if back and chance > 0:
            force[:, back:] += chance * infections[:, :-back]
    where = ahead + len(counted.delay.chances) - 1 + (series.step - 1) + series.step * np.arange(len(counts))
    growth = np.diff(curve.draws, axis=1, prepend=curve.draws[:, :1])
    sums = _counted_cases(seen, infections)
    generation = counted.generation.mean
    chance = 1 / (1 + _within(sums, where, round(CHAIN * generation)))
    strayed = np.exp(np.sqrt(chance) * rng.standard_normal((len(infections), 1)) - chance / 2)
    return Estimate(
        place=series.places[at],
        days=days,
        r=infections[:, where] / np.maximum(force[:, where], 1e-12) * strayed,
        growth=growth[:, where],
        fitted=smoother.expected(seen, curve.draws),
        basis=_basis(_within(sums, where, max(series.step, round(generation))), strange, generation, series.step),
        sigma=curve.sigma,
        alpha=curve.alpha,
    )


def seen_as(counts: Numbers, step: int, delay: Delay, ahead: int, factor: Numbers, noise: Numbers) -> smoother.Seen:
    """Counts of days or weeks as sums over a curve that begins ``ahead`` days (and the longest delay) before them."""
    chances = np.convolve(delay.chances, np.ones(step))[::-1]
    first = ahead + step * np.arange(len(counts))
    days = int(first[-1]) + len(chances)
    weights = np.ascontiguousarray(np.maximum(factor, 1e-6)[:, None] * chances[None, :])
    return smoother.Seen(counts, first.astype(np.int64), weights, days, noise)


def _counted_cases(seen: smoother.Seen, infections: Numbers) -> Numbers:
    """(T + 1,) running total of infections that were counted, by day of infection."""
    known = ~np.isnan(seen.counts)
    share = np.zeros(seen.days)
    for place in range(seen.weights.shape[1]):
        np.add.at(share, seen.first[known] + place, seen.weights[known, place])
    return np.concatenate([[0.0], np.cumsum(infections.mean(axis=0) * share)])


def _within(total: Numbers, where: NDArray[np.int64], wide: int) -> Numbers:
    """Counted cases of the ``wide`` days up to each day."""
    found: Numbers = total[where + 1] - total[np.maximum(where + 1 - wide, 0)]
    return found


def _basis(cases: Numbers, strange: NDArray[np.bool_], generation: float, step: int) -> list[str]:
    """Counted cases within a generation time before each day decide whether data or assumption speaks."""
    reach = -(-max(step, round(generation)) // step)
    near = np.zeros(len(cases), dtype=bool)
    for one in np.flatnonzero(strange):
        near[max(0, one - reach) : one + reach + 1] = True
    return [BREAK if near[at] else DATA if cases[at] >= ENOUGH_CASES else FEW for at in range(len(cases))]
