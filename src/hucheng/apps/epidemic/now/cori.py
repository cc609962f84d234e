"""R_t as EpiEstim gives it: a gamma posterior in closed form over a sliding window. For comparison and for anchors."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import gamma

from hucheng.apps.epidemic.now.delays import Delay
from hucheng.errors import BadRequest

Numbers = NDArray[np.float64]
PRIOR_MEAN, PRIOR_SD = 5.0, 5.0


@dataclass(frozen=True)
class Posterior:
    """Gamma posterior of R over the window that ends on each day: (T - window,), from day ``first`` on."""

    first: int
    shape: Numbers
    scale: Numbers

    @property
    def mean(self) -> Numbers:
        """Mean of R."""
        found: Numbers = self.shape * self.scale
        return found

    def quantiles(self, levels: Numbers) -> Numbers:
        """(L, T - window) quantiles of R."""
        return np.asarray(gamma.ppf(levels[:, None], self.shape, scale=self.scale), dtype=np.float64)


def infectiousness(counts: Numbers, time: Delay) -> Numbers:
    """Lambda_t: earlier cases, each by the chance of infecting today. Cori et al. (2013), equation 1.

    >>> infectiousness(np.array([1.0, 2.0, 0.0]), Delay(np.array([0.0, 0.5, 0.5]))).tolist()
    [0.0, 0.5, 1.5]
    """
    found: Numbers = np.convolve(counts, time.chances)[: len(counts)]
    return found


def cori(counts: Numbers, time: Delay, window: int = 7, imported: Numbers | None = None) -> Posterior:
    """Posterior of R over sliding windows of so many days, from daily counts (T,) without gaps.

    Cori et al. (2013), Am J Epidemiol 178(9):1505, equation 5 of web appendix 1: with a gamma prior of mean 5 and
    standard deviation 5, the posterior's shape is a plus the cases of the window, its rate 1/b plus the sum of Lambda.
    The first day counts as imported, as do ``imported`` (T,). Raises BadRequest for gaps, and for too few days.
    """
    if np.isnan(counts).any():
        raise BadRequest("days are missing within the counts", mend="use the smoother: it needs no whole series")
    if not 1 <= window < len(counts):
        raise BadRequest(f"a window of {window} does not fit into {len(counts)} days", mend="give a shorter one")
    local = counts - (0 if imported is None else imported)
    force = infectiousness(counts, time)
    shape, rate = (PRIOR_MEAN / PRIOR_SD) ** 2, PRIOR_MEAN / PRIOR_SD**2

    def over(values: Numbers) -> Numbers:
        """Sums over windows that end on days ``window``, …; the first day is in none."""
        total = np.concatenate([[0.0], np.cumsum(values[1:])])
        return np.asarray(total[window:] - total[:-window], dtype=np.float64)

    return Posterior(window, shape + over(local), 1 / (rate + over(force)))
