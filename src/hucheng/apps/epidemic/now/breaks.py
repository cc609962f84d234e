"""Counts that changed their meaning: one day's batch of old cases, or another case definition from a day on."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
AROUND = 7
TIMES = 4.0
"""How many times its neighbours on both sides a count must be to be a batch; and a level to be another one."""
CALM = 1.6
"""Change within three steps on either side of a shift, beyond which it is growth and no shift."""
LEAST = 15
"""Events below which a jump is chance."""


def batches(counts: Numbers) -> NDArray[np.bool_]:
    """(T,) steps far above their neighbours and the median of those before and after: old cases in one go."""
    found = np.zeros(len(counts), dtype=bool)
    for at in range(1, len(counts) - 1):
        before = _known(counts[max(0, at - AROUND) : at])
        after = _known(counts[at + 1 : at + 1 + AROUND])
        if len(before) < 3 or len(after) < 2 or np.isnan(counts[at]):
            continue
        usual = max(float(np.median(before)), float(np.median(after)), float(before[-1]), float(after[0]))
        found[at] = counts[at] > TIMES * usual and counts[at] > usual + LEAST + 8 * np.sqrt(usual)
    return found


def shifts(counts: Numbers) -> NDArray[np.bool_]:
    """(T,) steps from which the level is another one, up or down, while it is calm on both sides."""
    found = np.zeros(len(counts), dtype=bool)
    for at in range(6, len(counts) - 5):
        far, near, now, later = (_known(counts[at + k : at + k + 3]) for k in (-6, -3, 0, 3))
        if min(map(len, (far, near, now, later))) < 2:
            continue
        a, b, c, d = (float(one.mean()) for one in (far, near, now, later))
        if max(b, c) < LEAST:
            continue
        apart = now.min() > TIMES * near.max() + LEAST or near.min() > TIMES * now.max() + LEAST
        calm = _apart(a, b) < CALM and _apart(c, d) < CALM
        found[at] = apart and calm
    return found


def _known(values: Numbers) -> Numbers:
    found: Numbers = values[~np.isnan(values)]
    return found


def _apart(one: float, other: float) -> float:
    return max(one + 1, other + 1) / (min(one, other) + 1)
