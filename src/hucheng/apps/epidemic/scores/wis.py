"""Scores of quantile forecasts, over whole arrays of them.

Shapes: ``levels`` (L,) probabilities, rising and symmetric about 0.5; ``quantiles`` (N, L) values, rising along a row;
``truth`` (N,). Source: Bracher, Ray, Gneiting, Reich (2021), PLOS Comput Biol 17(2) e1008618.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.errors import BadRequest

Numbers = NDArray[np.float64]
SAME = 1e-6


@dataclass(frozen=True)
class Parts:
    """The weighted interval score of each forecast, and what it is made of; all in the unit of the truth, (N,)."""

    dispersion: Numbers
    """Width of the intervals: what a less sharp forecast pays."""
    overprediction: Numbers
    """What is paid where the truth lay below."""
    underprediction: Numbers
    """What is paid where the truth lay above."""

    @property
    def wis(self) -> Numbers:
        """Their sum, equation 2 of Bracher et al. (with w_0 = 1/2, w_k = alpha_k / 2)."""
        return self.dispersion + self.overprediction + self.underprediction


def check_levels(levels: Numbers) -> None:
    """BadRequest unless the levels are those of central intervals around a median."""
    good = len(levels) % 2 == 1 and (np.diff(levels) > 0).all() and levels[0] > 0 and levels[-1] < 1
    if not good or np.abs(levels + levels[::-1] - 1).max() > SAME:
        raise BadRequest(
            f"the levels {', '.join(f'{level:g}' for level in levels)} are not those of intervals around a median",
            mend="give pairs such as 0.025 and 0.975, and 0.5",
        )


def parts(levels: Numbers, quantiles: Numbers, truth: Numbers) -> Parts:
    """The score in its three parts.

    >>> found = parts(np.array([0.25, 0.5, 0.75]), np.array([[2.0, 4.0, 8.0]]), np.array([9.0]))
    >>> float(found.dispersion[0]), float(found.overprediction[0]), float(found.underprediction[0])
    (1.0, 0.0, 2.3333333333333335)
    """
    check_levels(levels)
    pairs = len(levels) // 2
    weight = pairs + 0.5
    low, middle, high = quantiles[:, :pairs], quantiles[:, pairs], quantiles[:, pairs + 1 :][:, ::-1]
    y = truth[:, None]
    return Parts(
        dispersion=(levels[:pairs] * (high - low)).sum(axis=1) / weight,
        overprediction=(np.maximum(low - y, 0).sum(axis=1) + 0.5 * np.maximum(middle - truth, 0)) / weight,
        underprediction=(np.maximum(y - high, 0).sum(axis=1) + 0.5 * np.maximum(truth - middle, 0)) / weight,
    )


def covered(levels: Numbers, quantiles: Numbers, truth: Numbers, interval: float) -> NDArray[np.bool_]:
    """Whether the truth lies in the central interval of that probability, its ends included."""
    ends = [int(np.abs(levels - (1 + sign * interval) / 2).argmin()) for sign in (-1, 1)]
    if max(abs(levels[end] - (1 + sign * interval) / 2) for end, sign in zip(ends, (-1, 1), strict=True)) > SAME:
        raise BadRequest(f"there is no {interval:.0%} interval among the levels", mend="ask for one that is there")
    inside: NDArray[np.bool_] = (truth >= quantiles[:, ends[0]]) & (truth <= quantiles[:, ends[1]])
    return inside


def pit(levels: Numbers, quantiles: Numbers, truth: Numbers, bins: int = 10) -> Numbers:
    """Histogram of the probability integral transform: (bins,) shares that sum to 1; flat where calibrated.

    A truth between two quantiles, or equal to several (counts of zero), is spread evenly over the levels between:
    the non-random form of Czado, Gneiting, Held (2009), Biometrics 65, equation 2.
    """
    if not len(truth):
        return np.zeros(bins)
    edges = np.concatenate([[0.0], levels, [1.0]])
    below = (quantiles < truth[:, None]).sum(axis=1)
    upto = (quantiles <= truth[:, None]).sum(axis=1)
    low, high = edges[below], edges[upto + 1]
    cuts = np.linspace(0, 1, bins + 1)
    reached = np.clip((cuts[None, :] - low[:, None]) / (high - low)[:, None], 0, 1)
    shares: Numbers = np.diff(reached, axis=1).mean(axis=0)
    return shares


def reliability(levels: Numbers, quantiles: Numbers, truth: Numbers) -> Numbers:
    """(L,) share of truths at or below each quantile: equal to the level where calibrated."""
    share: Numbers = (truth[:, None] <= quantiles).mean(axis=0)
    return share
