"""Boosted trees for the change of the count, and for how far off they are on weeks they did not see."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts import spread
from hucheng.apps.epidemic.forecasts.features import NAMES, NEEDS
from hucheng.apps.epidemic.forecasts.rows import REPORTED, STEP, Rows, ahead
from hucheng.apps.epidemic.forecasts.scaling import Numbers

FOLDS = 5
CENTRE = {"num_leaves": 31, "min_data_in_leaf": 120}
ROUNDS = 90
SPREAD = {"num_leaves": 7, "min_data_in_leaf": 120}
SPREAD_ROUNDS = 60
ALWAYS: dict[str, Any] = {
    "objective": "l2", "learning_rate": 0.08, "feature_fraction": 0.6, "bagging_fraction": 0.6, "bagging_freq": 1,
    "lambda_l2": 1.0, "max_bin": 63, "verbosity": -1, "deterministic": True, "force_row_wise": True,
    "num_threads": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Trees:
    """Trees of each fold for centre and spread, and the quantiles of scaled errors by weeks ahead."""

    columns: list[int]
    centres: list[lgb.Booster]
    spreads: list[lgb.Booster]
    errors: dict[int, Numbers]

    def quantiles(self, known: NDArray[np.float32], step: int, reported: bool) -> Numbers:
        """(P, 23) changes of the fourth root over ``step`` weeks, of places known as `features` gives them."""
        given = ahead(known, step, reported)[:, self.columns]
        centre = np.mean([model.predict(given) for model in self.centres], axis=0)
        scale = np.exp(np.mean([model.predict(given) for model in self.spreads], axis=0))
        found: Numbers = centre[:, None] + scale[:, None] * self.errors[step][None, :]
        return found


def fit(rows: Rows, weeks: int, random: np.random.Generator, without: Sequence[str] = ()) -> Trees:
    """Trees over the features that ``weeks`` of history give, but for those of ``without``."""
    columns = [place for place, name in enumerate(NAMES) if NEEDS[name] <= weeks and name not in without]
    columns += [STEP, REPORTED]
    given = rows.known[:, columns]
    left_out = list(spread.folds(rows.block, FOLDS, random))
    settings = {**ALWAYS, "seed": int(random.integers(1 << 30))}
    centres, missed = _boost(given, rows.change, rows.weight, left_out, settings | CENTRE, ROUNDS)
    size = spread.size(missed)
    spreads, surprise = _boost(given, size, rows.weight, left_out, settings | SPREAD, SPREAD_ROUNDS)
    scaled = missed / np.exp(size - surprise)
    return Trees(columns, centres, spreads, spread.by_step(scaled, rows.weight, rows.known[:, STEP].astype(np.float64)))


def _boost(
    given: NDArray[np.float32], wanted: Numbers, weight: Numbers, left_out: list[NDArray[np.bool_]],
    settings: dict[str, Any], rounds: int,
) -> tuple[list[lgb.Booster], Numbers]:  # fmt: skip
    """One model a fold, and (N,) the errors on the rows each did not see."""
    whole = lgb.Dataset(given, wanted, weight=weight, params={"max_bin": settings["max_bin"]}, free_raw_data=False)
    whole.construct()
    models, missed = [], np.zeros(len(wanted))
    for left in left_out:
        model = lgb.train(settings, whole.subset(np.flatnonzero(~left).tolist()), rounds)
        missed[left] = wanted[left] - model.predict(given[left])
        models.append(model)
    return models, missed
