"""The blend: two sets of trees and a linear model give the centre; its spread is learned from its own errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts import linear, spread, trees
from hucheng.apps.epidemic.forecasts.rows import STEP, Rows, ahead
from hucheng.apps.epidemic.forecasts.scaling import Numbers

WEIGHTS = {"trees": 0.3, "calendar": 0.5, "linear": 0.2}
"""Weight of each model in the centre: trees that know no calendar, trees that know the turn of the year, the linear
model. Chosen on past seasons by walking forward; docs/epidemic.md has what was tried."""
FOLDS = 5


@dataclass(frozen=True)
class Blend:
    """Models of the centre, the model of the spread, and the quantiles of scaled errors by weeks ahead."""

    centres: dict[str, trees.Trees | linear.Linear]
    spread: trees.Trees
    errors: dict[int, Numbers]

    def quantiles(self, known: NDArray[np.float32], step: int, reported: bool) -> Numbers:
        """(P, 23) changes of the fourth root over ``step`` weeks, of places known as `features` gives them."""
        given = ahead(known, step, reported)
        centre = _weighted({name: model.predict(given) for name, model in self.centres.items()})
        found: Numbers = centre[:, None] + np.exp(self.spread.predict(given))[:, None] * self.errors[step][None, :]
        return found


def fit(rows: Rows, weeks: int, random: np.random.Generator, threads: int = 1) -> Blend:
    """Fit to rows what ``weeks`` of history can tell; errors are those on blocks of weeks that were left out."""
    left_out = list(spread.folds(rows.block, FOLDS, random))
    seeds = random.spawn(3)
    work: dict[str, Callable[[], tuple[trees.Trees | linear.Linear, Numbers]]] = {
        "trees": lambda: trees.fit(rows, rows.change, weeks, left_out, trees.CENTRE, seeds[0], ("turn_of_year",)),
        "calendar": lambda: trees.fit(rows, rows.change, weeks, left_out, trees.CENTRE, seeds[1]),
        "linear": lambda: linear.fit(rows, weeks, left_out),
    }
    with ThreadPoolExecutor(threads) as pool:
        fitted = dict(zip(work, pool.map(lambda one: one(), work.values()), strict=True))
    missed = rows.change - _weighted({name: unseen for name, (_, unseen) in fitted.items()})
    size = spread.size(missed)
    model, expected = trees.fit(rows, size, weeks, left_out, trees.SPREAD, seeds[2])
    scaled = missed / np.exp(expected)
    errors = spread.by_step(scaled, rows.weight, rows.known[:, STEP].astype(np.float64))
    return Blend({name: model for name, (model, _) in fitted.items()}, model, errors)


def _weighted(each: Mapping[str, Numbers]) -> Numbers:
    """The centre that the models give together."""
    found: Numbers = np.sum([WEIGHTS[name] * one for name, one in each.items()], axis=0)
    return found
