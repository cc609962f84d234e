"""Where an epidemic stands: R_t of many places, how far its intervals hold, nowcasts against counts as reported."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np

from bench.table import Figure
from hucheng.apps.epidemic.now import delays, nowcast, reproduction, simulation, triangle
from hucheng.apps.epidemic.scores import wis
from hucheng.apps.epidemic.series import Series, observed, vintages
from hucheng.files import read

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "epidemic"
GENERATION = delays.generation(5.2, 2.8)
DELAY = delays.reporting(6.0, 3.0)
CITIES = "cases/china_city_day.csv.gz"
HUBS = (
    ("flu 2023/24", "flusight", date(2023, 9, 1), date(2024, 8, 1)),
    ("flu 2024/25", "flusight", date(2024, 9, 1), date(2025, 8, 1)),
    ("flu, both seasons", "flusight", date(2023, 9, 1), date(2025, 8, 1)),
    ("COVID 2024/25", "covidhub", date(2024, 9, 1), date(2025, 8, 1)),
)
WORLDS: tuple[dict[str, Any], ...] = (
    {},
    {"size": 8, "imported": 0.1},
    {"noise": 0.2, "dispersion": 0.2},
    {"size": 300, "noise": 0.01, "imported": 5},
)


def measure(quick: bool) -> list[Figure]:
    """Figures of this room; those on real data only where it is."""
    figures = [*_coverage(4 if quick else 50)]
    if (DATA / CITIES).exists():
        figures += _cities()
    return figures + _nowcasts()


def simulated(world: simulation.World, many: int, seed: int, step: int = 1) -> tuple[Series, np.ndarray]:
    """So many outbreaks as the places of one series, and their true R_t (T, P), by day or by week."""
    rng = np.random.default_rng(seed)
    found = [simulation.outbreak(world, rng) for _ in range(many)]
    counts, r = np.stack([one.counts for one in found], axis=1), np.stack([one.r for one in found], axis=1)
    days = np.datetime64("2026-01-05") + np.arange(world.days)
    if step == 7:
        weeks = world.days // 7
        counts = counts[: weeks * 7].reshape(weeks, 7, many).sum(axis=1)
        days, r = days[6 : weeks * 7 : 7], r[6 : weeks * 7 : 7]
    return Series(days, tuple(f"{at:03d}" for at in range(many)), counts, step), r


def coverage(series: Series, truth: np.ndarray, counted: reproduction.Counted, warm: int) -> tuple[float, float, float]:
    """Share of true R_t in the 90 % interval, mean width, and the share on the last seven days."""
    inside, width, late = [], [], []
    at = {place: one for one, place in enumerate(series.places)}
    for one in reproduction.reproduction(series, counted).places:
        begin = int(np.searchsorted(series.days, one.days[0]))
        low, high = np.quantile(one.r, [0.05, 0.95], axis=0)
        r = truth[begin : begin + len(one.days), at[one.place]]
        good = (r >= low) & (r <= high)
        inside.append(good[warm:].mean())
        width.append((high - low)[warm:].mean())
        late.append(good[-7:].mean())
    return float(np.mean(inside)), float(np.mean(width)), float(np.mean(late))


def _coverage(many: int) -> list[Figure]:
    figures = []
    for what, step, delay in (("daily", 1, delays.NONE), ("daily with a delay", 1, DELAY), ("weekly", 7, delays.NONE)):
        shapes, latest = {}, []
        runs = many if step == 1 and delay is delays.NONE else max(2, many // 2)
        for number, shape in enumerate(simulation.SHAPES):
            shares = []
            for kind, more in enumerate(WORLDS):
                world = simulation.World(GENERATION, shape=shape, delay=delay, days=90 if step == 1 else 140, **more)
                series, truth = simulated(world, runs, 100 * number + kind, step)
                share, _, late = coverage(series, truth, reproduction.Counted(GENERATION, delay), 7 if step == 1 else 2)
                shares.append(share)
                latest.append(late)
            shapes[shape] = round(float(np.mean(shares)), 3)
        share = float(np.mean(list(shapes.values())))
        under = (
            f"{runs} outbreaks of each of {len(shapes)} shapes and {len(WORLDS)} worlds (superspreading, imports, "
            "40 % reported, weekends, noise); share of days inside"
        )
        figures.append(
            Figure(f"now: R_t, {what}, 90 % interval: distance from .90", abs(share - 0.9), "", under, 0.03, "less",
                   {"coverage": share, "last seven": float(np.mean(latest)), **shapes})
        )  # fmt: skip
    return figures


def _cities() -> list[Figure]:
    reproduction.reproduction(
        simulated(simulation.World(GENERATION, days=30), 1, 0)[0], reproduction.Counted(GENERATION)
    )
    start = time.perf_counter()
    series = observed(read(DATA / CITIES))
    found = reproduction.reproduction(series, reproduction.Counted(GENERATION))
    spent = time.perf_counter() - start
    start = time.perf_counter()
    reproduction.reproduction(series, reproduction.Counted(GENERATION, DELAY))
    late = time.perf_counter() - start
    under = f"{len(found.places)} cities and counties of one file with cases, {len(series.days)} days, 400 draws"
    return [
        Figure("now: R_t of the China cities", spent, "s", f"{under}, reading included", 30, "less"),
        Figure("now: the same with a delay of 6 (3) days", late, "s", under, 30, "less"),
    ]


def walked(file: str, begin: date, end: date) -> tuple[np.ndarray, ...]:
    """Nowcasts of the last three weeks walking forward: their scores and those of the counts as reported, natural and
    log, and whether the final counts lie in the 50 %, 90 % and 95 % intervals; one row a date, week and place."""
    final = observed(read(DATA / f"forecast/{file}_truth_final.csv"))
    seen: list[tuple[date, Series]] = []
    rows = []
    for stood, series in vintages(read(DATA / f"forecast/{file}_truth_asof.parquet")):
        seen.append((stood, series))
        if not begin <= stood < end:
            continue
        found = nowcast.nowcast(_triangle(seen), back=3)
        for at, day in enumerate(found.days):
            where = np.flatnonzero(final.days == day)
            if not len(where):
                continue
            column = [final.places.index(place) if place in final.places else -1 for place in found.places]
            came = np.where(np.array(column) >= 0, final.values[where[0]][column], np.nan)
            good = ~np.isnan(came) & ~np.isnan(found.reported[at])
            q, y, now = found.quantiles[at][good], came[good], found.reported[at][good]
            levels = found.levels
            rows.append(
                np.stack([
                    wis.parts(levels, q, y).wis, np.abs(now - y),
                    wis.parts(levels, np.log1p(q), np.log1p(y)).wis, np.abs(np.log1p(now) - np.log1p(y)),
                    *(wis.covered(levels, q, y, share).astype(float) for share in (0.5, 0.9, 0.95)),
                ])
            )  # fmt: skip
    return tuple(np.concatenate(rows, axis=1))


def _triangle(seen: list[tuple[date, Series]]) -> triangle.Triangle:
    """The versions up to now as a triangle."""
    last = seen[-1][1]
    known = np.full((len(seen), len(last.days), len(last.places)), np.nan)
    at = {place: one for one, place in enumerate(last.places)}
    for version, (_, series) in enumerate(seen):
        begin = int((series.days[0] - last.days[0]).astype(int)) // last.step
        here = [at[place] for place in series.places]
        known[version, begin : begin + len(series.days), here] = series.values.T
    return triangle.Triangle(
        np.array([one for one, _ in seen], "datetime64[D]"), last.days, last.places, known, last.step
    )


def _nowcasts() -> list[Figure]:
    figures = []
    for what, file, begin, end in HUBS:
        if not (DATA / f"forecast/{file}_truth_asof.parquet").exists():
            continue
        start = time.perf_counter()
        score, plain, score_log, plain_log, half, nine, most = walked(file, begin, end)
        spent = time.perf_counter() - start
        under = (
            f"last three weeks of {len(score):,} place-weeks walking forward, each date from its versions only; "
            "WIS over the absolute error of the count as reported"
        )
        more: dict[str, float | int | str] = {
            "log": float(score_log.mean() / plain_log.mean()), "coverage 50": float(half.mean()),
            "coverage 90": float(nine.mean()), "coverage 95": float(most.mean()), "seconds": spent,
        }  # fmt: skip
        figures.append(
            Figure(f"now: nowcast, {what}", float(score.mean() / plain.mean()), "×", under, 0.6, "less", more)
        )
    return figures
