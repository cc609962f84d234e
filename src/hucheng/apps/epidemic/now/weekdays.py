"""How much of its share each weekday gets reported; shared by all places as far as a place has few counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
WEEK = 7
ENOUGH = 21
"""Days below which no weekday effect can be told from the rest."""
OWN = 50.0
"""Events a weekday at which a place counts as much as all places together."""


def factors(counts: Numbers, weekday: NDArray[np.int64], level: Numbers | None = None) -> Numbers:
    """(7, P) factors of mean 1, from daily counts (T, P) over their smooth level (default: centred mean of 7 days).

    ``weekday`` (T,) from 0 to 6. All ones where there are fewer than three weeks.
    """
    days, places = counts.shape
    if days < ENOUGH:
        return np.ones((WEEK, places))
    usual = _centred(counts) if level is None else level
    known = ~np.isnan(counts) & ~np.isnan(usual)
    seen, due = np.zeros((WEEK, places)), np.zeros((WEEK, places))
    np.add.at(seen, weekday, np.where(known, counts, 0))
    np.add.at(due, weekday, np.where(known, usual, 0))
    joint = (seen.sum(axis=1) + OWN) / (due.sum(axis=1) + OWN)
    found = (seen + OWN * joint[:, None]) / (due + OWN)
    found = np.maximum(found, 0.02)
    return np.asarray(found / found.mean(axis=0), dtype=np.float64)


def _centred(counts: Numbers) -> Numbers:
    """Mean of the seven days around; NaN near the ends and around gaps."""
    found = np.full_like(counts, np.nan)
    half = WEEK // 2
    for at in range(half, len(counts) - half):
        found[at] = counts[at - half : at + half + 1].mean(axis=0)
    return found
