"""How far off forecasts are: errors on weeks that were left out, scaled, and their quantiles."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.scaling import Numbers

LEVELS = np.array([0.01, 0.025, *(round(0.05 * step, 2) for step in range(1, 20)), 0.975, 0.99])
"""The 23 levels that hubs ask for."""
LEAST = 0.01
"""Error (fourth root of a rate) below which two errors are the same to the model of the spread."""


def folds(block: NDArray[np.int64], many: int, random: np.random.Generator) -> Iterator[NDArray[np.bool_]]:
    """Which rows are left out, ``many`` times: whole blocks of weeks, each block once."""
    there = np.unique(block)
    turn = dict(zip(there.tolist(), random.permutation(np.arange(len(there)) % many).tolist(), strict=True))
    of_row = np.array([turn[one] for one in block.tolist()])
    for fold in range(many):
        if (left := of_row == fold).any() and not left.all():
            yield left


def quantiles(errors: Numbers, weight: Numbers) -> Numbers:
    """(23,) weighted quantiles of scaled errors."""
    order = np.argsort(errors, kind="stable")
    reached = np.cumsum(weight[order]) - 0.5 * weight[order]
    found: Numbers = np.interp(LEVELS, reached / weight.sum(), errors[order])
    return found


def by_step(errors: Numbers, weight: Numbers, steps: Numbers) -> dict[int, Numbers]:
    """Weeks ahead → (23,) quantiles of scaled errors."""
    return {int(step): quantiles(errors[steps == step], weight[steps == step]) for step in np.unique(steps)}


def size(errors: Numbers) -> Numbers:
    """(N,) logarithm of the size of errors: what a model of the spread learns."""
    found: Numbers = np.log(np.abs(errors) + LEAST)
    return found
