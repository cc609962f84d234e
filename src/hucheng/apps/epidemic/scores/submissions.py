"""Quantile forecasts from hubverse files, or tables of that form: read, typed, and laid out one row a model and task.

Columns: ``reference_date, horizon, location, target_end_date, value``, the level as ``output_type_id`` (of rows whose
``output_type`` is quantile) or ``quantile``, the model as ``model_id`` or ``model`` or in the file's name
``<reference_date>-<model>.csv``. Source: https://docs.hubverse.io, model output.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.errors import BadRequest
from hucheng.files import read as read_file
from hucheng.tables import as_arrow

SUFFIXES = (".csv", ".csv.gz", ".parquet")
NAMED = re.compile(r"\d{4}-\d\d-\d\d-(.+)")
TASK = ("reference_date", "location", "horizon")
LEVEL = ("output_type_id", "quantile", "level")
MODEL = ("model_id", "model")
ROWS = pa.schema(
    {"model": pa.string(), "reference_date": pa.date32(), "location": pa.string(), "horizon": pa.int64(),
     "target_end_date": pa.date32(), "level": pa.float64(), "value": pa.float64()}
)  # fmt: skip
"""Quantile rows of one or more files."""


@dataclass(frozen=True)
class Forecasts:
    """Forecasts with all levels, one row a model and task (N rows), ordered by model and task."""

    levels: NDArray[np.float64]
    """(L,) rising."""
    tasks: pa.Table
    """model, reference_date, location, horizon, target_end_date; N rows."""
    quantiles: NDArray[np.float64]
    """(N, L), sorted along a row."""
    crossing: NDArray[np.bool_]
    """(N,) whether they were out of order as they came."""
    incomplete: dict[str, int]
    """Model → tasks left out because a level was missing."""


def folder(path: Path, target: str | None = None) -> pa.Table:
    """All quantile rows below a folder, or of one file. BadRequest where there are none, or a file is malformed."""
    if not path.exists():
        raise BadRequest("there is no such file or folder", where=str(path), mend="check the path")
    files = [path] if path.is_file() else sorted(one for one in path.rglob("*") if one.name.endswith(SUFFIXES))
    return joined((read(read_file(one), _model_of(one), target, str(one)) for one in files), str(path))


def joined(parts: Iterable[pa.Table], where: str) -> pa.Table:
    """Rows of several files as one (`ROWS`). BadRequest where none has a quantile."""
    whole = pa.concat_tables([ROWS.empty_table(), *parts])
    if not whole.num_rows:
        raise BadRequest("there are no quantile forecasts", where=where, mend="give hubverse files, CSV or Parquet")
    return whole


def read(table: Any, model: str | None = None, target: str | None = None, where: str | None = None) -> pa.Table:
    """The quantile rows (`ROWS`) of one table; ``model`` names the forecaster where no column does."""
    arrow = as_arrow(table)
    try:
        return _read(arrow, model, target)
    except BadRequest as error:
        raise BadRequest(error.what, where=" ".join(filter(None, [where, error.where])), mend=error.mend) from None


def _read(arrow: pa.Table, model: str | None, target: str | None) -> pa.Table:
    if "output_type" in arrow.column_names:
        arrow = arrow.filter(pc.equal(columns.text(arrow.column("output_type")), "quantile"))
    arrow = _of_target(arrow, target)
    reference = _dates(arrow, "reference_date")
    end = _dates(arrow, "target_end_date")
    level_name = columns.find(arrow, LEVEL, None, "level of the quantile")
    level = columns.numbers(arrow.column(level_name), str(level_name)).round(4)
    if ((level <= 0) | (level >= 1)).any():
        raise BadRequest("a quantile's level is between 0 and 1", mend="write the median as 0.5")
    horizon = columns.numbers(arrow.column(columns.find(arrow, ("horizon",), None, "horizon")), "horizon")
    value = columns.numbers(arrow.column(columns.find(arrow, ("value",), None, "value")), "value")
    if np.isnan(horizon).any() or np.isnan(value).any() or np.isnan(level).any():
        raise BadRequest(
            "horizon, level and value must be there in each row",
            where=columns.rows(np.flatnonzero(np.isnan(horizon) | np.isnan(value) | np.isnan(level))),
            mend="fill them, or leave the whole task out",
        )
    name = columns.find(arrow, MODEL, None, "model", needed=False)
    if name is None and model is None and arrow.num_rows:
        raise BadRequest("nothing says which model this is", mend="name the file <reference_date>-<model>.csv")
    models = pa.repeat(model or "", arrow.num_rows) if name is None else _texts(arrow.column(name))
    location = _texts(arrow.column(columns.find(arrow, columns.PLACE, None, "location")))
    steps = horizon.astype(np.int64)
    _check_ends(reference, end, steps)
    return pa.table([models, pa.array(reference), location, steps, pa.array(end), level, value], schema=ROWS)


def complete(rows: pa.Table, levels: Sequence[float] | NDArray[np.float64]) -> Forecasts:
    """Forecasts of the tasks for which a model gives every one of the levels; others are counted, by model.

    Raises BadRequest where a model gives one quantile of a task twice.
    """
    wanted = np.asarray(sorted(levels), np.float64).round(4)
    given = rows.column("level").to_numpy()
    place = np.searchsorted(wanted, given).clip(max=len(wanted) - 1)
    kept = wanted[place] == given
    if not kept.any():
        raise BadRequest("no forecast gives these levels", mend=f"there are: {_some(np.unique(given))}")
    rows, place = rows.filter(pa.array(kept)), place[kept]
    coded, sizes = zip(*(columns.coded(rows.column(name)) for name in ("model", *TASK)), strict=True)
    flat = np.ravel_multi_index(coded, sizes)
    tasks, first, at = np.unique(flat, return_index=True, return_inverse=True)
    cell = at * len(wanted) + place
    times = np.bincount(cell, minlength=len(tasks) * len(wanted))
    if times.max() > 1:
        one = rows.slice(int(np.flatnonzero(cell == times.argmax())[0]), 1).to_pylist()[0]
        raise BadRequest(
            f"{int((times > 1).sum())} quantiles are there twice, first level {one['level']:g} of {one['model']}, "
            f"{one['location']}, {one['reference_date']}, horizon {one['horizon']}",
            mend="keep one row of each; of several targets name the one that is meant",
        )
    grid = np.full((len(tasks), len(wanted)), np.nan)
    grid.flat[cell] = rows.column("value").to_numpy()
    whole = ~np.isnan(grid).any(axis=1)
    lacking = pc.value_counts(rows.column("model").take(pa.array(first[~whole]))).to_pylist()
    return Forecasts(
        wanted,
        rows.select(["model", *TASK, "target_end_date"]).take(pa.array(first[whole])),
        np.sort(grid[whole], axis=1),
        (np.diff(grid[whole], axis=1) < -1e-9).any(axis=1),
        {one["values"]: one["counts"] for one in lacking},
    )


def _model_of(path: Path) -> str:
    """The model in a file's name, else the folder's."""
    stem = path.name.removesuffix(".gz").rpartition(".")[0]
    named = NAMED.fullmatch(stem)
    return named[1] if named else path.parent.name


def _of_target(arrow: pa.Table, target: str | None) -> pa.Table:
    """Rows of the target that is meant, where there are several."""
    if "target" not in arrow.column_names or not arrow.num_rows:
        return arrow
    there = pc.unique(columns.text(arrow.column("target"))).to_pylist()
    if target is None and len(there) > 1:
        raise BadRequest("the file holds several targets", mend=f"say --target, one of: {', '.join(map(str, there))}")
    return arrow if target is None else arrow.filter(pc.equal(columns.text(arrow.column("target")), target))


def _dates(arrow: pa.Table, name: str) -> NDArray[np.datetime64]:
    found = columns.dates(arrow.column(columns.find(arrow, (name,), None, name)), name)
    if np.isnat(found).any():
        raise BadRequest(f"“{name}” is empty", where=columns.rows(np.flatnonzero(np.isnat(found))), mend="fill it")
    return found


def _check_ends(reference: NDArray[Any], end: NDArray[Any], horizon: NDArray[np.int64]) -> None:
    """All ends must be the same number of days a horizon after their reference date."""
    days = (end - reference).astype(int)
    ahead = np.flatnonzero(horizon != 0)
    step = int(days[ahead[0]] // horizon[ahead[0]]) if len(ahead) else 0
    wrong = np.flatnonzero(days != step * horizon)
    if len(wrong):
        one = wrong[0]
        raise BadRequest(
            f"target_end_date is not {step} days a horizon after reference_date: {reference[one]}, horizon "
            f"{horizon[one]}, {end[one]}",
            where=columns.rows(wrong),
            mend="let it be reference_date + step × horizon in every row",
        )


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column as text, in which nothing may be empty."""
    found = columns.text(column)
    if found.null_count:
        raise BadRequest("a model or location is empty", mend="fill it in each row")
    return found


def _some(levels: NDArray[np.float64]) -> str:
    return ", ".join(f"{level:g}" for level in levels)
