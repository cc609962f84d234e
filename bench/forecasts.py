"""Forecasts: one reference date of a real hub, training included; and seasons walked forward beside the hub's own.

The real versions are read from `../shared/data`; without them nothing is measured. Whole seasons take an hour of one
core: set HUCHENG_BENCH_SEASONS=1 for them.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
from click.testing import CliRunner

from bench.table import Figure

DATA = Path(__file__).resolve().parents[2] / "shared" / "data" / "epidemic" / "forecast"
HUBS = {"flusight": ("wk inc flu hosp", 2), "covidhub": ("wk inc covid hosp", 1)}


def measure(quick: bool) -> list[Figure]:
    """The figures; none where the data are absent."""
    if not DATA.exists():
        return []
    from hucheng.apps.epidemic.forecasts import forecast as forecasting
    from hucheng.apps.epidemic.series import population, vintages
    from hucheng.files import read

    people = population(read(DATA / "locations.csv"))
    versions = dict(vintages(read(DATA / "flusight_truth_asof.parquet")))
    last = max(versions)
    began, cpu = time.perf_counter(), time.process_time()
    made = forecasting.forecast(versions[last], last, people)
    seconds, used = time.perf_counter() - began, time.process_time() - cpu
    places, horizons, levels = made.quantiles.shape
    found = [
        Figure(
            "forecasts: one reference date, training included", seconds, "s",
            f"{places} places × {horizons} weeks × {levels} levels, {last}, the longest history there is", 60, "less",
            more={"cpu_s": round(used, 1)},
        )
    ]  # fmt: skip
    if quick or not os.environ.get("HUCHENG_BENCH_SEASONS"):
        return found
    for hub in HUBS:
        found += _seasons(hub)
    return found


def _seasons(hub: str) -> list[Figure]:
    """Relative scores and coverage of each season of one hub, beside its ensemble's."""
    from hucheng.apps.epidemic.scores import score as scoring
    from hucheng.apps.epidemic.scores import submissions
    from hucheng.cli import front
    from hucheng.files import read

    with TemporaryDirectory() as folder:
        done = CliRunner().invoke(
            front,
            ["epidemic", "forecast", "--vintages", str(DATA / f"{hub}_truth_asof.parquet"), "--target", HUBS[hub][0],
             "--model", "hucheng-blend", "--population", str(DATA / "locations.csv"), "--out", folder],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
        mine = submissions.folder(Path(folder))
    rows = pa.concat_tables([mine, submissions.folder(DATA / f"{hub}_forecasts.parquet")])
    whole = submissions.complete(rows, np.unique(mine.column("level").to_numpy()))
    came = read(DATA / f"{hub}_truth_final.csv").select(["target_end_date", "location", "value"])
    scores = scoring.score(whole, scoring.truth(came))
    names = sorted(set(scores.column("model").to_pylist()))
    found = []
    for season in scoring.summary(scores, whole, scoring.baseline_of(names), names):
        models = {one["model"]: one for one in season["models"]}
        ours = models["hucheng-blend"]
        ensemble = next(one for name, one in models.items() if name.endswith("-ensemble"))
        for scale, tail in (("natural", ""), ("log", "_log")):
            found.append(
                Figure(
                    f"forecasts: {hub} {season['season']}, relative WIS {scale}", ours[f"relative_wis{tail}"], "",
                    f"{ours['tasks']} tasks, as-of data only; goal: the ensemble's", ensemble[f"relative_wis{tail}"],
                    "less",
                    more={f"cover_{share}": round(ours["coverage"][share], 3) for share in ("50", "95")},
                )
            )  # fmt: skip
    return found
