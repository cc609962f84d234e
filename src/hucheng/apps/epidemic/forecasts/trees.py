"""Boosted trees, one set for each fold of weeks left out: for the change of the count, and for the size of errors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import lightgbm as lgb
import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.features import NAMES, NEEDS
from hucheng.apps.epidemic.forecasts.rows import REPORTED, STEP, Rows
from hucheng.apps.epidemic.forecasts.scaling import Numbers

CENTRE: dict[str, Any] = {"num_leaves": 31, "min_data_in_leaf": 120, "rounds": 90}
SPREAD: dict[str, Any] = {"num_leaves": 7, "min_data_in_leaf": 120, "rounds": 60}
ALWAYS: dict[str, Any] = {
    "objective": "l2", "learning_rate": 0.08, "feature_fraction": 0.6, "bagging_fraction": 0.6, "bagging_freq": 1,
    "lambda_l2": 1.0, "max_bin": 63, "verbosity": -1, "deterministic": True, "force_row_wise": True,
    "num_threads": 1,
}  # fmt: skip


@dataclass(frozen=True)
class Trees:
    """The sets of trees and the columns they know."""

    columns: list[int]
    models: list[lgb.Booster]

    def predict(self, known: NDArray[np.float32]) -> Numbers:
        """(N,) mean over the folds, of rows as `Rows.known`."""
        return np.asarray(np.mean([model.predict(known[:, self.columns]) for model in self.models], axis=0))


def fit(
    rows: Rows, wanted: Numbers, weeks: int, left_out: Sequence[NDArray[np.bool_]], settings: dict[str, Any],
    random: np.random.Generator, without: Sequence[str] = (),
) -> tuple[Trees, Numbers]:  # fmt: skip
    """Trees for ``wanted`` (N,) over the features that ``weeks`` of history give, but for those of ``without``; and
    (N,) what the set of the fold that did not see a row says of it."""
    columns = [place for place, name in enumerate(NAMES) if NEEDS[name] <= weeks and name not in without]
    columns += [STEP, REPORTED]
    given = rows.known[:, columns]
    how = {**ALWAYS, **settings, "seed": int(random.integers(1 << 30))}
    rounds = how.pop("rounds")
    whole = lgb.Dataset(given, wanted, weight=rows.weight, params={"max_bin": how["max_bin"]}, free_raw_data=False)
    whole.construct()
    models, unseen = [], np.zeros(len(wanted))
    for left in left_out:
        model = lgb.train(how, whole.subset(np.flatnonzero(~left).tolist()), rounds)
        unseen[left] = model.predict(given[left])
        models.append(model)
    return Trees(columns, models), unseen
