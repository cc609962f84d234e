"""What the models learn from: what was known at the end of a week, and how far the count had moved some weeks later."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts.features import NAMES, features, filled
from hucheng.apps.epidemic.forecasts.scaling import Numbers, rooted

STEP = len(NAMES)
"""Column of the weeks ahead, behind the features."""
REPORTED = STEP + 1
"""Column that is 1 where the last weeks are as they were first reported, 0 where they had settled."""
LARGE = 0.2
"""Power of a place's population with which its rows weigh."""
PRIOR_WEEKS = 52
"""Weeks of own history that weigh as much as all that was learned elsewhere."""
BLOCK = 8
"""Weeks that are left out together, since neighbouring weeks tell the same."""


@dataclass(frozen=True)
class Rows:
    """N rows to learn from."""

    known: NDArray[np.float32]
    """(N, features + 2): `features`, weeks ahead, whether as first reported."""
    change: Numbers
    """(N,) change of the fourth root of the rate over those weeks."""
    weight: Numbers
    """(N,)"""
    week: NDArray[np.int64]
    """(N,) number of the week, for leaving neighbours out together."""

    def __len__(self) -> int:
        return len(self.change)

    @property
    def block(self) -> NDArray[np.int64]:
        """(N,) weeks that are left out together."""
        return self.week // BLOCK


def of_history(values: Numbers, days: NDArray[np.datetime64], scale: Numbers, steps: Sequence[int]) -> Rows:
    """Rows of each week of a history, as far as it knows what came after."""
    weeks = range(1, len(values) - min(steps))
    if not len(weeks):
        return nothing()
    known = features(values, days, scale, weeks)
    roots, held = rooted(values, scale), filled(values, scale)
    parts, moved, when = [], [], []
    number = days.astype("datetime64[D]").astype(np.int64) // 7
    for step in steps:
        later = np.full((len(weeks), values.shape[1]), np.nan)
        there = [week for week in weeks if week + step < len(values)]
        if there:
            later[: len(there)] = roots[[week + step for week in there]] - held[there]
        parts.append(ahead(known, step, False))
        moved.append(later.ravel())
        when.append(np.repeat(number[list(weeks)], values.shape[1]))
    change = np.concatenate(moved)
    kept = ~np.isnan(change)
    return Rows(np.concatenate(parts)[kept], change[kept], np.ones(int(kept.sum())), np.concatenate(when)[kept])


def ahead(known: NDArray[np.float32], step: int, reported: bool) -> NDArray[np.float32]:
    """Features with the columns behind them."""
    more = np.tile(np.array([step, reported], np.float32), (len(known), 1))
    return np.column_stack([known, more])


def nothing() -> Rows:
    """No rows."""
    return Rows(np.zeros((0, REPORTED + 1), np.float32), np.zeros(0), np.zeros(0), np.zeros(0, np.int64))


def together(own: Rows, learned: Rows, weeks: int) -> Rows:
    """Own rows and those learned elsewhere: the longer the own history, the more it weighs. Weights have mean 1."""
    if not len(own) and not len(learned):
        return nothing()
    known = np.concatenate([own.known, learned.known])
    people = known[:, NAMES.index("people")]
    weight = np.concatenate([own.weight, learned.weight]) * np.exp(LARGE * people)
    mine = np.arange(len(weight)) < len(own)
    share = weight[mine].sum() / max(weight.sum(), 1e-12)
    if 0 < share < 1:
        wanted = max(share, weeks / (weeks + PRIOR_WEEKS))
        weight = weight * np.where(mine, wanted / share, (1 - wanted) / (1 - share))
    return Rows(
        known,
        np.concatenate([own.change, learned.change]),
        weight / max(weight.mean(), 1e-12),
        np.concatenate([own.week, learned.week]),
    )
