"""The forecast of one reference date, from one version of the history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts import baseline, blend, growth, learned
from hucheng.apps.epidemic.forecasts.features import features, filled
from hucheng.apps.epidemic.forecasts.implausible import believed
from hucheng.apps.epidemic.forecasts.rows import STEP, Rows, of_history, together
from hucheng.apps.epidemic.forecasts.scaling import Numbers, counts_of, scales
from hucheng.apps.epidemic.series import WEEK, Note, Series, day
from hucheng.errors import BadRequest

HORIZONS = 4
ENOUGH = 400
"""Rows to learn from, below which there is only the baseline."""
TOLD = 0.005
"""Growth of the last week from which it is told."""
LATE = 2
"""Weeks without any report before the reference date from which nothing is forecast."""
RECENT = 8
"""Weeks within which a place must have reported once to be forecast at all."""

MODEL, BASELINE, REFUSED = "model", "baseline", "refused"


@dataclass(frozen=True)
class Forecast:
    """Quantiles of each place and week, and how each place's were made."""

    reference: date
    places: tuple[str, ...]
    """(P,) those that are forecast."""
    quantiles: Numbers
    """(P, H, 23) counts, rising, none below zero; horizon 0 is the week that ends with the reference date."""
    made: Mapping[str, str]
    """Place of the history → “model”, “baseline” or “refused”."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Place → why it is not the model."""
    notes: tuple[Note, ...] = ()


def forecast(
    observed: Series,
    reference: date,
    people: Mapping[str, float] | None = None,
    elsewhere: Rows | None = None,
    horizons: int = HORIZONS,
    seed: int = 1,
    threads: int = 2,
) -> Forecast:
    """Forecast from what ``observed`` knew of the weeks that ended before the reference date.

    ``people`` gives the population of places; ``elsewhere`` what was learned from other epidemics (default: what ships
    and was known before the reference date). Raises BadRequest where the data cannot carry a forecast.
    """
    weekly, notes = weeks_before(observed, reference)
    behind = (reference - day(weekly.days[-1])).days // WEEK
    if behind > LATE:
        raise BadRequest(
            f"nothing was reported for the {behind - 1} weeks before {reference}",
            where=f"the last report is of {day(weekly.days[-1])}",
            mend="give newer data, or an earlier reference date",
        )
    made, why = _grades(weekly)
    kept = [place for place in _by_size(weekly.values) if made[weekly.places[place]] != REFUSED]
    if not kept:
        raise BadRequest(
            "no place can be forecast", where="; ".join(sorted(set(why.values()))), mend="give more weeks of reports"
        )
    names = tuple(weekly.places[place] for place in kept)
    values = weekly.values[:, kept]
    scale = scales(names, values, people or {})
    if people and (unknown := [name for name in names if name not in people]):
        some = f"{', '.join(unknown[:3])}{' and others' * (len(unknown) > 3)}"
        what = f"no population is given for {len(unknown)} of {len(names)} places ({some}): it is guessed"
        notes += (Note("population", what),)
    reported = revised(observed)
    if elsewhere is None and reported:
        remaining = learned.growing(reference)
        values = growth.grown(values, remaining, behind - 1)
        if abs(by := np.expm1(remaining[behind - 1])) >= TOLD:
            what = f"the last week is taken to grow by {by:.0%} until it is settled, as in other histories"
            notes += (Note("growth", what),)
    values, doubted = believed(values, scale)
    notes += tuple(
        Note("doubted", "the last report is far from the one before: not believed yet", names[place],
             (day(weekly.days[-1]),))
        for place in np.flatnonzero(doubted)
    )  # fmt: skip
    steps = range(behind, behind + horizons)
    own = of_history(values, weekly.days, scale, steps)
    shipped = learned.before(reference) if elsewhere is None else elsewhere
    rows = together(own, shipped, len(values))
    if not len(rows):
        raise BadRequest("two weeks of reports are needed, and there is one", mend="give more weeks")
    now = filled(values, scale)[-1]
    moved = np.stack([np.tile(baseline.changes(rows, step), (len(names), 1)) for step in steps], axis=1)
    learnt = [step for step in steps if (rows.known[:, STEP] == step).any()]
    if len(rows) >= ENOUGH and len(learnt) == len(steps):
        modelled = [place for place, name in enumerate(names) if made[name] == MODEL]
        known = features(values, weekly.days, scale, [len(values) - 1])
        model = blend.fit(rows, len(values), np.random.default_rng(seed), threads)
        blended = np.stack([model.quantiles(known, step, reported) for step in steps], axis=1)
        moved[modelled] = blended[modelled]
    else:
        reason = f"{len(rows)} weeks and places to learn from are too few for a model"
        why |= {name: reason for name in names if made[name] == MODEL}
        made |= dict.fromkeys(names, BASELINE)
    counts = np.sort(counts_of(now[:, None, None] + moved, scale[:, None, None]), axis=2)
    back = sorted(range(len(kept)), key=lambda place: kept[place])
    return Forecast(reference, tuple(names[place] for place in back), counts[back], made, why, weekly.notes + notes)


def revised(observed: Series) -> bool:
    """Whether last counts are taken to be revised later, as weekly reports are; daily counts and running totals are
    taken as they stand."""
    return observed.step == WEEK and not any(note.kind == "cumulative" for note in observed.notes)


def _by_size(values: Numbers) -> list[int]:
    """Places in an order that their names have no part in, so that a forecast does not change with how they are
    called or listed."""
    known = np.nan_to_num(values, nan=-1.0)
    return sorted(range(values.shape[1]), key=lambda place: (float(known[:, place].sum()), *known[:, place].tolist()))


def weeks_before(observed: Series, reference: date) -> tuple[Series, tuple[Note, ...]]:
    """Weekly counts of the weeks that ended before a day, ending on its weekday; days are summed to whole weeks.

    Raises BadRequest where weeks end on another weekday than the reference date, or nothing was reported before it.
    """
    notes: list[Note] = []
    if observed.step == WEEK:
        off = (reference - day(observed.days[-1])).days % WEEK
        if off:
            raise BadRequest(
                f"{reference} is a {reference:%A}, and the weeks end on a {day(observed.days[-1]):%A}",
                mend=f"take {reference - timedelta(off)} or {reference + timedelta(WEEK - off)} as the reference date",
            )
        days, values = observed.days, observed.values
    else:
        days, values = _weeks(observed, reference)
    before = days < np.datetime64(reference)
    if before.sum() < len(days):
        if observed.step == WEEK or day(observed.days[-1]) >= reference:
            what = f"{int((~before).sum())} weeks that end on {reference} or later are not used"
        else:
            what = f"the last days, to {day(observed.days[-1])}, are of a week that is not over: they are not used"
        notes.append(Note("later", what))
    days, values = days[before], values[before]
    told = np.flatnonzero(~np.isnan(values).all(axis=1))
    if not len(told):
        raise BadRequest(f"nothing was reported before {reference}", mend="give a later reference date")
    days, values = days[told[0] : told[-1] + 1], values[told[0] : told[-1] + 1]
    return Series(days, observed.places, values, WEEK, observed.notes), tuple(notes)


def _weeks(observed: Series, reference: date) -> tuple[NDArray[np.datetime64], Numbers]:
    """Sums of whole weeks that end on the weekday of a date; a week with a day missing is scaled up from its others,
    one with more than two missing is unknown."""
    number = (observed.days - np.datetime64(reference)).astype(np.int64)
    week = np.ceil(number / WEEK).astype(np.int64)
    first, last = int(week[0]), int(week[-1])
    at = week - first
    total = np.zeros((last - first + 1, len(observed.places)))
    there = np.zeros_like(total)
    told = ~np.isnan(observed.values)
    np.add.at(total, at, np.where(told, observed.values, 0.0))
    np.add.at(there, at, told)
    values = np.where(there >= WEEK - 2, total * WEEK / np.maximum(there, 1), np.nan)
    days = np.datetime64(reference) + (np.arange(first, last + 1) * WEEK).astype("timedelta64[D]")
    return days, values


def _grades(weekly: Series) -> tuple[dict[str, str], dict[str, str]]:
    """How each place will be forecast, and why it is not the model."""
    made, why = {}, {}
    for place, name in enumerate(weekly.places):
        told = np.flatnonzero(~np.isnan(weekly.values[:, place]))
        age = len(weekly.values) - 1 - told[-1] if len(told) else RECENT
        if age >= RECENT:
            made[name], why[name] = REFUSED, f"no report in the last {RECENT} weeks"
        elif age or len(told) < 2:
            made[name] = BASELINE
            why[name] = f"the last report is {age + 1} weeks old" if age else "there is one report"
        else:
            made[name] = MODEL
    return made, why
