"""For notebooks: forecasts and truth in, scores out, in the same kind of table."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from matplotlib.figure import Figure

from hucheng.apps.epidemic.charts import calibration
from hucheng.apps.epidemic.charts.captions import say_in
from hucheng.apps.epidemic.scores import score as scoring
from hucheng.apps.epidemic.scores import submissions
from hucheng.tables import like


def score(forecasts: Any, truth: Any, model: str = "forecast") -> Any:
    """One row a model and task: WIS and its parts on the natural and the log scale, and whether the truth lay in the
    50 and the 95 % interval.

    ``forecasts`` is a hubverse table (`forecast` gives one; ``model`` names it where no column does), ``truth`` has
    date, place and value.
    """
    _, scores = _scored(forecasts, truth, None, model)
    return like(forecasts, scores.drop_columns(["_forecast"]))


def compare(
    forecasts: Any, truth: Any, against: Any = None, baseline: str | None = None, model: str = "forecast"
) -> list[dict[str, Any]]:
    """By season: mean scores, coverage, PIT and pairwise relative scores of each model on common tasks."""
    whole, scores = _scored(forecasts, truth, against, model)
    there = sorted(pc.unique(scores.column("model")).to_pylist())
    return scoring.summary(scores, whole, scoring.baseline_of(there, baseline), there)


def calibration_chart(forecasts: Any, truth: Any, model: str = "forecast") -> Figure:
    """A figure: share of truths at or below each quantile against its level."""
    whole, scores = _scored(forecasts, truth, None, model)
    there = sorted(pc.unique(scores.column("model")).to_pylist())
    rows = [one for season in scoring.summary(scores, whole, None, there) for one in season["models"]]
    return calibration.reliability(rows, whole.levels.tolist(), say_in("en"))


def _scored(forecasts: Any, truth: Any, against: Any, model: str) -> tuple[submissions.Forecasts, pa.Table]:
    mine = submissions.read(forecasts, model)
    rows = pa.concat_tables([mine] + ([submissions.read(against)] if against is not None else []))
    whole = submissions.complete(rows, pc.unique(mine.column("level")).to_numpy())
    return whole, scoring.score(whole, scoring.truth(truth))
