"""A linear model of the change, pooled over places: momentum, its bend, and what the others do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.features import NAMES, NEEDS
from hucheng.apps.epidemic.forecasts.rows import STEP, Rows
from hucheng.apps.epidemic.forecasts.scaling import Numbers

CENTRE = (
    "level", "change_1", "change_2", "change_3", "change_4", "change_6", "slope_3", "slope_6", "bend_5", "all_level",
    "all_change_1", "all_change_2", "all_change_4", "all_bend", "above_others",
)  # fmt: skip
RIDGE = 2.0


@dataclass(frozen=True)
class Linear:
    """Coefficients by weeks ahead."""

    columns: list[int]
    slopes: dict[int, Numbers]

    def predict(self, known: NDArray[np.float32]) -> Numbers:
        """(N,) of rows as `Rows.known`; what a row does not know counts as nothing."""
        given = _with_one(np.nan_to_num(known[:, self.columns]))
        found = np.zeros(len(known))
        for step, slopes in self.slopes.items():
            here = known[:, STEP] == step
            found[here] = given[here] @ slopes
        return found


def fit(rows: Rows, weeks: int, left_out: Sequence[NDArray[np.bool_]]) -> tuple[Linear, Numbers]:
    """A ridge regression a step over the features that ``weeks`` of history give, the mean over the folds; and (N,)
    what the fold that did not see a row says of it."""
    columns = [NAMES.index(name) for name in CENTRE if NEEDS[name] <= weeks]
    whole = ~np.isnan(rows.known[:, columns]).any(axis=1)
    steps = np.unique(rows.known[whole, STEP]).astype(int).tolist()
    each, unseen = list[Linear](), np.zeros(len(rows))
    for left in left_out:
        slopes = {}
        for step in steps:
            kept = whole & ~left & (rows.known[:, STEP] == step)
            if kept.any():
                slopes[step] = _ridge(_with_one(rows.known[kept][:, columns]), rows.change[kept], rows.weight[kept])
        each.append(Linear(columns, slopes))
        unseen[left] = each[-1].predict(rows.known[left])
    mean = {step: np.mean([one.slopes[step] for one in each if step in one.slopes], axis=0) for step in steps}
    return Linear(columns, mean), unseen


def _ridge(given: Numbers, wanted: Numbers, weight: Numbers) -> Numbers:
    """Weighted ridge regression on columns of like size, the constant not drawn towards nothing."""
    spans = given.std(axis=0)
    size = np.where(spans > 0, spans, 1.0)
    even = given / size
    penalty = RIDGE * np.eye(given.shape[1])
    penalty[0, 0] = 0.0
    found = np.linalg.solve(even.T @ (weight[:, None] * even) + penalty, even.T @ (weight * wanted))
    return np.asarray(found / size, np.float64)


def _with_one(given: NDArray[np.float32]) -> Numbers:
    return np.column_stack([np.ones(len(given)), given]).astype(np.float64)
