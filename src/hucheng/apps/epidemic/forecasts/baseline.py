"""The wide honest baseline: as things are, give or take how much they moved before. For places that carry no more."""

from __future__ import annotations

import numpy as np

from hucheng.apps.epidemic.forecasts.rows import STEP, Rows
from hucheng.apps.epidemic.forecasts.scaling import Numbers
from hucheng.apps.epidemic.forecasts.spread import quantiles

WIDER = 1.5
"""How much wider than the changes that were seen: a place that tells little may be unlike those that tell more."""


def changes(rows: Rows, step: int) -> Numbers:
    """(23,) changes of the fourth root over ``step`` weeks, as likely up as down.

    From rows of the nearest step there is, spread by the square root of the steps.
    """
    there = np.unique(rows.known[:, STEP])
    near = there[np.abs(there - step).argmin()]
    kept = rows.known[:, STEP] == near
    moved, weight = rows.change[kept], rows.weight[kept]
    both = quantiles(np.concatenate([moved, -moved]), np.concatenate([weight, weight]))
    found: Numbers = WIDER * np.sqrt(step / near) * both
    return found
