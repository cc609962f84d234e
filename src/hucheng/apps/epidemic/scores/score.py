"""The score of each forecast against what came to be, and their summary by season, model and horizon."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.scores import compare, wis
from hucheng.apps.epidemic.scores.submissions import TASK, Forecasts
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow

SEASON_STARTS = 8
"""Month with which a season begins unless said otherwise: August, as the northern hubs count."""
INTERVALS = (0.5, 0.95)
SCALES = ("natural", "log")
PARTS = ("dispersion", "overprediction", "underprediction")
COMPLETE = 0.999


def truth(table: Any) -> pa.Table:
    """What came to be: location, target_end_date, truth. Of several versions of a day the latest counts.

    BadRequest where a place and day have two values of one version.
    """
    arrow = as_arrow(table)
    found = pa.table(
        {
            "location": columns.text(arrow.column(columns.find(arrow, columns.PLACE, None, "location"))),
            "target_end_date": pa.array(_days(arrow, columns.DATE, "date")),
            "truth": columns.numbers(arrow.column(columns.find(arrow, columns.VALUE, None, "value")), "value"),
        }
    )
    as_of = columns.find(arrow, columns.AS_OF, None, "version", needed=False)
    if as_of is not None:
        found = found.append_column("as_of", pa.array(columns.dates(arrow.column(as_of), as_of)))
        latest = found.group_by(["location", "target_end_date"]).aggregate([("as_of", "max")])
        found = found.join(latest, ["location", "target_end_date"]).filter(pc.field("as_of") == pc.field("as_of_max"))
        found = found.select(["location", "target_end_date", "truth"])
    found = found.filter(pc.invert(pc.is_nan(found.column("truth"))))
    found = found.group_by(["location", "target_end_date"]).aggregate([("truth", "min"), ("truth", "max")])
    if (differ := found.filter(pc.field("truth_min") != pc.field("truth_max"))).num_rows:
        one = differ.slice(0, 1).to_pylist()[0]
        raise BadRequest(
            f"{differ.num_rows} places and days have two values, first {one['location']} on {one['target_end_date']}",
            mend="keep the final one",
        )
    return found.select(["location", "target_end_date", "truth_max"]).rename_columns(
        ["location", "target_end_date", "truth"]
    )


def score(forecasts: Forecasts, came: pa.Table, season_starts: int = SEASON_STARTS) -> pa.Table:
    """One row a model and task with a known truth: the score and its parts on both scales, coverage, season.

    Natural scale in the unit of the truth; log scale after log(1 + x) (Bosse et al. 2023, PLOS Comput Biol 19(8)).
    """
    tasks = forecasts.tasks.append_column("_place", pa.array(np.arange(forecasts.tasks.num_rows)))
    tasks = tasks.join(came, ["location", "target_end_date"], join_type="inner").sort_by("_place")
    if not tasks.num_rows:
        raise BadRequest(
            "no forecast has a truth: the places and days of the two do not meet",
            where=f"forecasts: {_shown(forecasts.tasks)}; truth: {_shown(came)}",
            mend="are the places written alike (01 is not 1), and the days the same?",
        )
    kept = tasks.column("_place").to_numpy()
    y, x, levels = tasks.column("truth").to_numpy(), forecasts.quantiles[kept], forecasts.levels
    tasks = tasks.select(["model", *TASK, "target_end_date", "truth"])
    tasks = tasks.append_column("season", pa.array(_season(tasks.column("reference_date"), season_starts)))
    for scale in SCALES:
        values, true = (x, y) if scale == "natural" else (np.log1p(np.clip(x, 0, None)), np.log1p(np.clip(y, 0, None)))
        found = wis.parts(levels, values, true)
        tasks = tasks.append_column(f"wis_{scale}", pa.array(found.wis))
        for part in PARTS:
            tasks = tasks.append_column(f"{part}_{scale}", pa.array(getattr(found, part)))
    for interval in INTERVALS:
        tasks = tasks.append_column(f"in_{interval:.0%}", pa.array(wis.covered(levels, x, y, interval)))
    tasks = tasks.append_column("crossing", pa.array(forecasts.crossing[kept]))
    tasks = tasks.append_column("negative", pa.array(x[:, 0] < 0))
    return tasks.append_column("_forecast", pa.array(kept))


def baseline_of(models: Sequence[str], asked: str | None = None) -> str | None:
    """The model the others are compared with: as asked, else the one called a baseline; None where there is none."""
    if asked is not None:
        if asked not in models:
            raise BadRequest(f"no forecasts of {asked!r}", mend=f"there are: {', '.join(models)}")
        return asked
    named = [model for model in models if "baseline" in model.lower()]
    return named[0] if len(named) == 1 else None


def summary(scores: pa.Table, forecasts: Forecasts, baseline: str | None, shown: Sequence[str]) -> list[dict[str, Any]]:
    """By season the scores of each model of ``shown``, on the tasks of the baseline, all models being the pool.

    A mean is taken on the tasks that a model shares with the baseline (all its own where there is none).
    """
    return [
        _of_season(scores.filter(pc.field("season") == season), forecasts, season, baseline, shown)
        for season in sorted(pc.unique(scores.column("season")).to_pylist())
    ]


def _of_season(
    scores: pa.Table, forecasts: Forecasts, season: str, baseline: str | None, shown: Sequence[str]
) -> dict[str, Any]:
    models = sorted(pc.unique(scores.column("model")).to_pylist())
    model, many = _numbered([scores.column("model")])
    task, tasks = _numbered([scores.column(name) for name in TASK])
    anchor = models.index(baseline) if baseline in models else None
    of_anchor = np.full(tasks, anchor is None)
    grids = {}
    for scale in SCALES:
        grid = np.full((tasks, many), np.nan)
        grid[task, model] = scores.column(f"wis_{scale}").to_numpy()
        grids[scale] = grid
    if anchor is not None:
        of_anchor = ~np.isnan(grids["natural"][:, anchor])
    relative = {
        scale: compare.relative(grid, anchor) if anchor is not None else np.full(many, np.nan)
        for scale, grid in grids.items()
    }
    horizon = scores.column("horizon").to_numpy()
    found = []
    for place, name in enumerate(models):
        if name not in shown:
            continue
        mine = (model == place) & of_anchor[task]
        if not mine.any():
            continue
        against = {scale: grid[task[mine], anchor] for scale, grid in grids.items()} if anchor is not None else None
        rows = scores.filter(pa.array(mine))
        share = mine.sum() / of_anchor.sum()
        truths, at = rows.column("truth").to_numpy(), rows.column("_forecast").to_numpy()
        found.append(
            {
                "model": name,
                "tasks": int(mine.sum()),
                "share": float(share),
                "complete": bool(share >= COMPLETE),
                **_means(rows, against),
                "relative_wis": _number(relative["natural"][place]),
                "relative_wis_log": _number(relative["log"][place]),
                "crossing": int(pc.sum(rows.column("crossing")).as_py()),
                "negative": int(pc.sum(rows.column("negative")).as_py()),
                "incomplete": forecasts.incomplete.get(name, 0),
                "pit": wis.pit(forecasts.levels, forecasts.quantiles[at], truths).tolist(),
                "reliability": wis.reliability(forecasts.levels, forecasts.quantiles[at], truths).tolist(),
                "horizons": [
                    {
                        "horizon": int(step),
                        "tasks": int((horizon[mine] == step).sum()),
                        **_means(
                            rows.filter(pa.array(horizon[mine] == step)),
                            {scale: one[horizon[mine] == step] for scale, one in against.items()} if against else None,
                        ),
                    }
                    for step in np.unique(horizon[mine])
                ],
            }
        )
    return {
        "season": season,
        "baseline": baseline if anchor is not None else None,
        "tasks": int(of_anchor.sum()),
        "pool": [name for place, name in enumerate(models) if not np.isnan(relative["natural"][place])],
        "models": found,
    }


def _means(rows: pa.Table, against: dict[str, NDArray[np.float64]] | None) -> dict[str, Any]:
    """Mean scores, their ratio to the baseline's on the same tasks, and coverage."""
    found: dict[str, Any] = {}
    for scale in SCALES:
        tail = "" if scale == "natural" else "_log"
        mean = pc.mean(rows.column(f"wis_{scale}")).as_py()
        found[f"wis{tail}"] = mean
        found |= {f"{part}{tail}": pc.mean(rows.column(f"{part}_{scale}")).as_py() for part in PARTS}
        found[f"ratio{tail}"] = _number(mean / float(against[scale].mean())) if against else None
    found["coverage"] = {f"{interval * 100:g}": _share(rows.column(f"in_{interval:.0%}")) for interval in INTERVALS}
    return found


def _share(column: pa.ChunkedArray) -> float:
    return float(pc.mean(pc.cast(column, pa.float64())).as_py())


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _numbered(keys: list[pa.ChunkedArray]) -> tuple[NDArray[np.int64], int]:
    """Numbers of the distinct rows of some columns, in their order, and how many there are."""
    coded, sizes = zip(*map(columns.coded, keys), strict=True)
    found, at = np.unique(np.ravel_multi_index(coded, sizes), return_inverse=True)
    return at.astype(np.int64), len(found)


def _season(column: pa.ChunkedArray, starts: int) -> list[str]:
    """“2024/25”, or “2024” where seasons are calendar years."""
    year = pc.year(column).to_numpy() - (pc.month(column).to_numpy() < starts)
    if starts == 1:
        return [str(one) for one in year]
    return [f"{one}/{(one + 1) % 100:02d}" for one in year]


def _days(arrow: pa.Table, names: Sequence[str], what: str) -> NDArray[np.datetime64]:
    name = columns.find(arrow, names, None, what)
    return columns.dates(arrow.column(name), str(name))


def _shown(table: pa.Table) -> str:
    one = table.slice(0, 1).to_pylist()[0] if table.num_rows else {}
    return f"{one.get('location')} on {one.get('target_end_date')}, …" if one else "none"
