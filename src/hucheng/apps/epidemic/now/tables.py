"""Nowcast and R_t as tables in and tables out: what the command line and Python call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.now import cori, reproduction
from hucheng.apps.epidemic.now import nowcast as nowcasts
from hucheng.apps.epidemic.now import triangle as triangles
from hucheng.apps.epidemic.now.delays import NONE, Delay, generation, read, reporting
from hucheng.apps.epidemic.series import Columns, Note, Series, observed
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow, like

Numbers = NDArray[np.float64]
GENERATION = (5.2, 2.8)
"""Mean and standard deviation in days where none is given; the answer says that they were assumed."""
RT_LEVELS = np.array([0.025, 0.05, 0.25, 0.5, 0.75, 0.95, 0.975])
SMOOTH, CORI = "smooth", "cori"
WINDOW = 7
Timing = Delay | Sequence[float] | Any
"""A `Delay`, mean and standard deviation in days, or a table of days and chances."""


def timing(given: Timing | None, of_generation: bool = False) -> Delay | None:
    """A distribution from whatever says it: itself, (mean, sd), or a table."""
    if given is None or isinstance(given, Delay):
        return given
    if isinstance(given, (tuple, list)):
        if len(given) != 2:
            raise BadRequest(f"{len(given)} numbers are no mean and standard deviation", mend="give two, in days")
        return (generation if of_generation else reporting)(float(given[0]), float(given[1]))
    return read(given, "generation time" if of_generation else "delay")


def nowcast(
    triangle: Any, *, delay: Timing | None = None, as_of: date | None = None, today: date | None = None,
    back: int | None = None, levels: Sequence[float] | None = None, named: triangles.Named | None = None, seed: int = 0,
    notes: list[Note] | None = None,
) -> Any:  # fmt: skip
    """What recent counts will come to, from their reporting triangle; a row a place, date and quantile.

    ``triangle``: a line list with event and report dates, new reports by both dates, or versions of a history.
    ``back``: steps that are nowcast (28 days or 6 weeks). Columns as the hubs have them (horizon 0: the step that ends
    with the report), then ``reported``, its ``share`` of the final count with ``share_sd``, and ``basis``. What was
    found in the data is added to ``notes``.
    """
    if back is not None and back < 1:
        raise BadRequest(f"{back} steps cannot be nowcast", mend="give at least 1")
    asked = nowcasts.LEVELS if levels is None else np.array(sorted(levels), dtype=np.float64)
    if not len(asked) or asked[0] <= 0 or asked[-1] >= 1:
        raise BadRequest("quantile levels lie between 0 and 1", mend="give some such as 0.025, 0.5, 0.975")
    seen = triangles.triangle(triangle, named, as_of, today)
    found = nowcasts.nowcast(seen, timing(delay), back, asked, seed)
    rows = _nowcast_rows(found)
    if not rows.num_rows:
        raise BadRequest(
            "nothing could be nowcast from these reports",
            where="; ".join(note.what for note in found.notes) or "no report has a delay",
            mend="are counts new by each report date (--increments), or all known by then (--known)?",
        )
    if notes is not None:
        notes += found.notes
    return like(triangle, rows)


def _nowcast_rows(found: nowcasts.Nowcast) -> pa.Table:
    steps, places, levels = found.quantiles.shape
    step, place, level = (one.ravel() for one in np.meshgrid(*map(np.arange, (steps, places, levels)), indexing="ij"))
    order = np.lexsort((level, step, place))
    step, place, level = step[order], place[order], level[order]
    value = found.quantiles[step, place, level]
    rows = pa.table(
        {
            "reference_date": pa.array(np.full(len(step), found.version.astype("datetime64[D]"))),
            "location": pa.array(np.array(found.places, dtype=object)[place], pa.string()),
            "horizon": pa.array(-found.ages[step].astype(np.int32)),
            "target_end_date": pa.array(found.days[step].astype("datetime64[D]")),
            "output_type": pa.array(["quantile"] * len(step)),
            "output_type_id": pa.array(found.levels[level]),
            "value": pa.array(value, from_pandas=True),
            "reported": pa.array(found.reported[step, place], from_pandas=True),
            "share": pa.array(np.round(found.share[step, place], 5), from_pandas=True),
            "share_sd": pa.array(np.round(found.share_sd[step, place], 5), from_pandas=True),
            "basis": pa.array(np.array(found.basis, dtype=object)[step], pa.string()),
        }
    )
    return rows.filter(pc.is_valid(rows.column("value")))


def rt(
    observed_counts: Any, *, generation_time: Timing | None = None, delay: Timing | None = None,
    reporting_delay: Timing | None = None, nowcasted: Any = None, method: str = SMOOTH, window: int = WINDOW,
    named: Columns | None = None, today: date | None = None, seed: int = 0, notes: list[Note] | None = None,
) -> Any:  # fmt: skip
    """R_t and growth by place and date, with quantiles; see `reproduction`, and for ``method="cori"`` `cori`.

    ``delay``: from infection to the date that counts carry (default: none, R_t is then dated as the counts are).
    ``reporting_delay``: from that date to the report: the last counts are filled up by it.
    ``nowcasted``: what `nowcast` gave for the last of them, with its shares; or give that table alone.
    What was found in the data is added to ``notes``. Raises BadRequest for counts that cannot be understood.
    """
    time = timing(GENERATION if generation_time is None else generation_time, of_generation=True)
    assert time is not None
    if time.chances[0] > 0:
        raise BadRequest("the generation time has a chance of 0 days", mend="begin with day 1: nobody infects at once")
    arrow = as_arrow(observed_counts)
    share = None
    if {"output_type_id", "share", "reported"} <= set(arrow.column_names):
        arrow, share = _of_nowcast(arrow)
    series = observed(arrow, named)
    if nowcasted is not None:
        if share is not None:
            raise BadRequest("two nowcasts are given", mend="give counts, and the nowcast of the last of them")
        recent, share = _of_nowcast(as_arrow(nowcasted))
        series = _joined(series, observed(recent, Columns(cumulative=False)))
    if series.step == 7 and method == CORI:
        raise BadRequest("the window method needs daily counts, these are weekly", mend="use --method smooth")
    told: list[Note] = []
    if generation_time is None:
        what = f"no generation time was given: mean {GENERATION[0]} and sd {GENERATION[1]} days are assumed"
        told.append(Note("assumed", what))
    if today is not None and (ahead := series.days > np.datetime64(today)).any():
        told.append(Note("future", f"{int(ahead.sum())} dates lie after today ({today}): left out"))
        series = series.until(today)
        if not len(series.days):
            raise BadRequest("all dates lie in the future", mend="are the dates right?")
    if method == CORI:
        rows, more = _cori_rows(series, time, window)
        if notes is not None:
            notes += [*told, *series.notes, *more]
        return like(observed_counts, rows)
    if method != SMOOTH:
        raise BadRequest(f"there is no method {method!r}", mend=f"use {SMOOTH} or {CORI}")
    series, counted = _counted(series, time, timing(delay) or NONE, timing(reporting_delay), share)
    found = reproduction.reproduction(series, counted, seed)
    if notes is not None:
        notes += [*told, *found.notes]
    return like(observed_counts, _rt_rows(found, series))


def _of_nowcast(arrow: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Counts as reported, and their shares, of a table that `nowcast` gave."""
    kind = columns.numbers(arrow.column("output_type_id"), "output_type_id")
    middle = arrow.filter(pa.array(np.isclose(kind, kind[np.abs(kind - 0.5).argmin()])))
    plain = pa.table({name: middle.column(name) for name in ("location", "target_end_date", "reported")})
    shares = middle.select(["location", "target_end_date", "share", "share_sd"])
    return plain.rename_columns(["location", "target_end_date", "value"]), shares


def _joined(series: Series, recent: Series) -> Series:
    """Counts with those of a nowcast in place of their last ones. BadRequest for days against weeks."""
    if recent.step != series.step and len(recent.days) > 1:
        raise BadRequest(
            "counts and nowcast differ: one is daily, the other weekly", mend="give both in the same steps"
        )
    if not set(series.places) & set(recent.places) or recent.days[-1] < series.days[0]:
        raise BadRequest(
            "the nowcast is of other places or days than the counts",
            where=f"nowcast: {recent.places[0]}, … to {recent.last}; counts: {series.places[0]}, … to {series.last}",
            mend="give the nowcast of these counts",
        )
    first, last = min(series.days[0], recent.days[0]), max(series.days[-1], recent.days[-1])
    if (recent.days[0] - series.days[0]).astype(int) % series.step:
        raise BadRequest("weeks of counts and of the nowcast end on different weekdays", mend="give both alike")
    days = np.arange(first, last + np.timedelta64(1, "D"), np.timedelta64(series.step, "D"))
    places = tuple(sorted({*series.places, *recent.places}))
    values = np.full((len(days), len(places)), np.nan)
    for one in (series, recent):
        begin = int((one.days[0] - first).astype(int)) // series.step
        at = [places.index(place) for place in one.places]
        block = values[begin : begin + len(one.days), at]
        values[begin : begin + len(one.days), at] = np.where(np.isnan(one.values), block, one.values)
    return Series(days, places, values, series.step, (*series.notes, *recent.notes))


def _counted(
    series: Series, time: Delay, delay: Delay, late: Delay | None, share: pa.Table | None
) -> tuple[Series, reproduction.Counted]:
    """The counts, without those of which next to nothing is reported yet, and how they come about."""
    complete = np.ones(series.values.shape)
    noise = np.zeros(series.values.shape)
    if late is not None:
        days = (series.days[-1] - series.days).astype("timedelta64[D]").astype(np.int64)
        known = np.mean([late.within(days + back) for back in range(series.step)], axis=0)
        complete = np.repeat(known[:, None], len(series.places), axis=1)
    elif share is not None:
        at = {place: one for one, place in enumerate(series.places)}
        when = columns.dates(share.column("target_end_date"), "target_end_date")
        step = (when - series.days[0]).astype(int) // series.step
        place = np.array([at[str(name)] for name in share.column("location").to_pylist()], dtype=np.int64)
        complete[step, place] = columns.numbers(share.column("share"), "share")
        noise[step, place] = columns.numbers(share.column("share_sd"), "share_sd") ** 2
    complete = np.nan_to_num(complete, nan=1.0)
    empty = complete < 0.005
    series = replace(series, values=np.where(empty, np.nan, series.values))
    return series, reproduction.Counted(time, delay, np.where(empty, 1.0, complete), np.nan_to_num(noise))


def _quantile_names(what: str) -> list[str]:
    return [f"{what}_{level:g}" for level in RT_LEVELS]


def _rt_rows(found: reproduction.Estimates, series: Series) -> pa.Table:
    """One row a place and day."""
    blocks = []
    where = {place: at for at, place in enumerate(series.places)}
    for one in found.places:
        r, growth = (np.quantile(draws, RT_LEVELS, axis=0) for draws in (one.r, one.growth))
        middle = growth[3]
        told = (growth[1] > 0) | (growth[5] < 0)
        double = np.where(told & (middle != 0), np.log(2) / np.where(middle == 0, 1.0, middle), np.nan)
        begin = int((one.days[0] - series.days[0]).astype(int)) // series.step
        counts = series.values[begin : begin + len(one.days), where[one.place]]
        blocks.append(
            pa.table(
                {
                    "location": pa.array([one.place] * len(one.days), pa.string()),
                    "date": pa.array(one.days.astype("datetime64[D]")),
                    "count": pa.array(counts, from_pandas=True),
                    "expected": pa.array(np.round(one.fitted.mean(axis=0), 3)),
                    "R_mean": pa.array(np.round(one.r.mean(axis=0), 4)),
                    **{name: pa.array(np.round(q, 4)) for name, q in zip(_quantile_names("R"), r, strict=True)},
                    "R_above_1": pa.array((one.r > 1).mean(axis=0)),
                    **{n: pa.array(np.round(q, 5)) for n, q in zip(_quantile_names("growth"), growth, strict=True)},
                    "doubling_days": pa.array(np.round(double, 2), from_pandas=True),
                    "basis": pa.array(one.basis, pa.string()),
                }
            )
        )
    if not blocks:
        whys = "; ".join(f"{note.place}: {note.what}" for note in found.notes if note.kind == "short")
        raise BadRequest(
            "no place has counts to estimate from", where=whys[:300] or None, mend="give at least 3 reports"
        )
    return pa.concat_tables(blocks)


def _cori_rows(series: Series, time: Delay, window: int) -> tuple[pa.Table, list[Note]]:
    blocks, notes = [], []
    for at, place in enumerate(series.places):
        told = np.flatnonzero(~np.isnan(series.values[:, at]))
        counts = series.values[told[0] : told[-1] + 1, at] if len(told) else np.zeros(0)
        if len(counts) <= window or np.isnan(counts).any():
            why = "days are missing" if len(counts) > window else f"no more than {window} days"
            notes.append(Note("short", f"{why}: the window method cannot be used", place))
            continue
        found = cori.cori(counts, time, window)
        r = found.quantiles(RT_LEVELS)
        days = series.days[told[0] + found.first : told[-1] + 1]
        cases = np.convolve(counts, np.ones(window))[found.first : len(counts)]
        blocks.append(
            pa.table(
                {
                    "location": pa.array([place] * len(days), pa.string()),
                    "date": pa.array(days.astype("datetime64[D]")),
                    "count": pa.array(counts[found.first :]),
                    "R_mean": pa.array(found.mean),
                    **{name: pa.array(q) for name, q in zip(_quantile_names("R"), r, strict=True)},
                    "basis": pa.array(
                        [reproduction.DATA if one >= reproduction.ENOUGH_CASES else reproduction.FEW for one in cases]
                    ),
                }
            )
        )
    if not blocks:
        raise BadRequest("no place has a whole series longer than the window", mend="use --method smooth")
    return pa.concat_tables(blocks), notes
