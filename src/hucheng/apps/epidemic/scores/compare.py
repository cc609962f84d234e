"""Comparing models that did not all answer the same tasks: on what each pair shares, or not at all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hucheng.errors import BadRequest

Numbers = NDArray[np.float64]
AT_LEAST = 0.75
"""Share of the baseline's tasks a model must answer to be compared: who skips what is hard looks better than it is."""


def pairs(scores: Numbers) -> Numbers:
    """(M, M) mean score of model i over that of model j, on the tasks both answered; NaN where they share none.

    ``scores`` is (tasks, M), NaN where a model did not answer.
    """
    known = ~np.isnan(scores)
    own = np.where(known, scores, 0.0).T @ known.astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio: Numbers = own / own.T
    return ratio


def relative(scores: Numbers, baseline: int, at_least: float = AT_LEAST) -> Numbers:
    """(M,) pairwise relative score, the baseline being 1; NaN for models with too few of the baseline's tasks.

    The geometric mean of a model's ratios against every model of the pool, itself included, on the tasks the two
    share, scaled by the baseline's. Source: Cramer et al. (2022), PNAS 119(15) e2113561119, methods.
    """
    if not 0 <= baseline < scores.shape[1]:
        raise BadRequest("there is no baseline to compare with", mend="name one of the models with --baseline")
    scores = scores[~np.isnan(scores[:, baseline])]
    found = np.full(scores.shape[1], np.nan)
    if not len(scores):
        return found
    pool = np.flatnonzero((~np.isnan(scores)).mean(axis=0) >= at_least)
    ratio = pairs(scores[:, pool])
    with np.errstate(divide="ignore"):
        theta = np.exp(np.log(ratio).mean(axis=1))
    found[pool] = theta / theta[np.searchsorted(pool, baseline)]
    return found
