"""A forecast as a hubverse submission, as it stands; and the report of how it was made beside it.

Source: https://docs.hubverse.io, model output; columns and file names as hubs validate them.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from hucheng.apps.epidemic.forecasts.forecast import Forecast
from hucheng.apps.epidemic.forecasts.spread import LEVELS
from hucheng.apps.epidemic.series import WEEK
from hucheng.errors import BadRequest

DIGITS = 3
"""Decimal places of a count."""


def table(made: Forecast, target: str) -> pa.Table:
    """One row a place, horizon and level, ordered by them."""
    places, horizons, many = made.quantiles.shape
    step = np.tile(np.repeat(np.arange(horizons), many), places)
    ends = np.array([made.reference + timedelta(WEEK * int(one)) for one in range(horizons)], "datetime64[D]")
    return pa.table(
        {
            "reference_date": pa.array(np.full(len(step), np.datetime64(made.reference))),
            "target": pa.repeat(target, len(step)),
            "horizon": pa.array(step, pa.int64()),
            "target_end_date": pa.array(ends[step]),
            "location": pa.array(np.repeat(np.array(made.places, dtype=object), horizons * many), pa.string()),
            "output_type": pa.repeat("quantile", len(step)),
            "output_type_id": pa.array(np.tile(LEVELS, places * horizons)),
            "value": pa.array(np.round(made.quantiles, DIGITS).ravel()),
        }
    )


def report(made: Forecast) -> dict[str, Any]:
    """How each place was forecast and why, and what was found in its data."""
    return {
        "reference_date": str(made.reference),
        "places": {name: {"made_by": how, "why": made.why.get(name)} for name, how in sorted(made.made.items())},
        "notes": [
            {"kind": note.kind, "place": note.place, "days": [str(one) for one in note.days], "what": note.what}
            for note in made.notes
        ],
    }


def name(made: Forecast, model: str) -> str:
    """File name of a submission, without suffix. BadRequest for a model that hubs would not take."""
    if not model or any(not (one.isalnum() or one in "-_") for one in model) or not model.isascii():
        raise BadRequest(f"{model!r} is no model id", mend="use letters, digits, “_” and one “-”: team-model")
    return f"{made.reference}-{model}"


def beside(path: Path) -> Path:
    """Where the report of a submission stands."""
    return path.with_name(f"{path.name.removesuffix('.gz').rpartition('.')[0]}.report.json")
