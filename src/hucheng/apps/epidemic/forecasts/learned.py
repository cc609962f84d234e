"""What was learned elsewhere and ships with the package: rows of other epidemics, each with the day it was known.

No forecast sees a row that was not known before its reference date. Where the rows come from and under what licence
stands beside them, in ``weights/NOTICE``; `train` makes them.
"""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow.parquet as parquet

from hucheng.apps.epidemic.forecasts import growth
from hucheng.apps.epidemic.forecasts.features import NAMES
from hucheng.apps.epidemic.forecasts.rows import REPORTED, Rows
from hucheng.apps.epidemic.forecasts.scaling import Numbers
from hucheng.errors import HuchengError

SHIPPED = Path(__file__).parent.parent / "weights" / "rows.parquet"
COLUMNS = (*NAMES, "step", "as_reported")
GROWTH = "growth.parquet"
"""File beside the rows: how counts grew from version to version."""
AS_REPORTED = 3.0
"""Weight of a row whose features are as they were first reported, against one of a settled history."""


def before(reference: date, path: Path = SHIPPED) -> Rows:
    """The rows as they were known before a day. HuchengError where the file does not fit this version."""
    known, change, weight, week, since, until = _read(path)
    kept = (since < np.datetime64(reference)) & (until >= np.datetime64(reference))
    return Rows(known[kept], change[kept], weight[kept], week[kept])


def growing(reference: date, path: Path = SHIPPED) -> Numbers:
    """(AGES,) what weeks of each age will still grow by, as was known before a day (`growth.expected`)."""
    return growth.expected(_steps(path.with_name(GROWTH)), np.datetime64(reference))


@lru_cache(maxsize=2)
def _steps(path: Path) -> growth.Steps:
    table = parquet.read_table(path)
    gain = np.column_stack([table.column(f"age_{age}").to_numpy() for age in range(growth.AGES)])
    return growth.Steps(table.column("known").to_numpy().astype("datetime64[D]"), gain.astype(np.float64))


@lru_cache(maxsize=2)
def _read(path: Path) -> tuple[np.ndarray, ...]:
    table = parquet.read_table(path)
    if tuple(table.column_names[: len(COLUMNS)]) != COLUMNS:
        raise HuchengError("the rows learned elsewhere are of another version", where=str(path), mend="install anew")
    known = np.column_stack([table.column(name).to_numpy().astype(np.float32) for name in COLUMNS])
    return (
        known,
        table.column("change").to_numpy().astype(np.float64),
        np.where(known[:, REPORTED] > 0, AS_REPORTED, 1.0),
        table.column("week").to_numpy().astype(np.int64),
        table.column("known").to_numpy().astype("datetime64[D]"),
        table.column("until").to_numpy().astype("datetime64[D]"),
    )
