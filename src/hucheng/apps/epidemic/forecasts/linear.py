"""A linear model of the change, pooled over places: momentum, its bend, and what the others do."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts import spread
from hucheng.apps.epidemic.forecasts.features import NAMES, NEEDS
from hucheng.apps.epidemic.forecasts.rows import REPORTED, STEP, Rows, ahead
from hucheng.apps.epidemic.forecasts.scaling import Numbers

CENTRE = (
    "level", "change_1", "change_2", "change_3", "change_4", "change_6", "slope_3", "slope_6", "bend_5", "all_level",
    "all_change_1", "all_change_2", "all_change_4", "all_bend", "above_others",
)  # fmt: skip
RIDGE = 2.0
FOLDS = 6


@dataclass(frozen=True)
class Linear:
    """Coefficients by weeks ahead."""

    weeks: int
    columns: list[int]
    centres: dict[int, Numbers]
    spreads: dict[int, Numbers]
    errors: dict[int, Numbers]

    def quantiles(self, known: NDArray[np.float32], step: int, reported: bool) -> Numbers:
        """(P, 23) changes of the fourth root over ``step`` weeks."""
        centre = _with_one(np.nan_to_num(known[:, self.columns])) @ self.centres[step]
        scale = np.exp(_restlessness(ahead(known, step, reported), self.weeks) @ self.spreads[step])
        found: Numbers = centre[:, None] + scale[:, None] * self.errors[step][None, :]
        return found


def fit(rows: Rows, weeks: int, random: np.random.Generator) -> Linear:
    """A ridge regression a step, over the features that ``weeks`` of history give; folds as for the trees."""
    columns = [NAMES.index(name) for name in CENTRE if NEEDS[name] <= weeks]
    steps = rows.known[:, STEP]
    whole = ~np.isnan(rows.known[:, columns]).any(axis=1)
    centres, spreads, errors = {}, {}, {}
    for step in np.unique(steps):
        kept = whole & (steps == step)
        if not kept.any():
            continue
        given, wanted, weight = _with_one(rows.known[kept][:, columns]), rows.change[kept], rows.weight[kept]
        spans = given.std(axis=0)
        size: Numbers = np.where(spans > 0, spans, 1.0).astype(np.float64)
        missed, found = np.zeros(len(wanted)), list[Numbers]()
        for left in spread.folds(rows.block[kept], FOLDS, random):
            slopes = _ridge((given / size)[~left], wanted[~left], weight[~left])
            missed[left] = wanted[left] - (given / size)[left] @ slopes
            found.append(slopes / size)
        moves = _restlessness(rows.known[kept], weeks)
        root = np.sqrt(weight)
        moved = np.linalg.lstsq(moves * root[:, None], spread.size(missed) * root, rcond=None)[0]
        centres[int(step)] = np.mean(found, axis=0)
        spreads[int(step)] = moved
        errors[int(step)] = spread.quantiles(missed / np.exp(moves @ moved), weight)
    return Linear(weeks, columns, centres, spreads, errors)


def _ridge(given: Numbers, wanted: Numbers, weight: Numbers) -> Numbers:
    """Weighted ridge regression, the constant not drawn towards nothing."""
    penalty = RIDGE * np.eye(given.shape[1])
    penalty[0, 0] = 0.0
    found: Numbers = np.asarray(
        np.linalg.solve(given.T @ (weight[:, None] * given) + penalty, given.T @ (weight * wanted)), np.float64
    )
    return found


def _with_one(given: NDArray[np.float32] | Numbers) -> Numbers:
    return np.column_stack([np.ones(len(given)), given]).astype(np.float64)


def _restlessness(known: NDArray[np.float32], weeks: int) -> Numbers:
    """(N, k) what the size of errors depends on."""

    def of(name: str, missing: float = 0.0) -> Numbers:
        found: Numbers = np.nan_to_num(known[:, NAMES.index(name)].astype(np.float64), nan=missing)
        return found

    columns = [np.ones(len(known)), of("level"), of("count"), np.abs(of("change_1")), known[:, REPORTED]]
    if weeks >= NEEDS["noise"]:
        columns.append(np.log(of("noise", 0.1) + 0.02))
    if weeks >= NEEDS["restless"]:
        columns.append(of("restless", 0.1))
    return np.column_stack(columns)
