"""Distributions of whole days between two events: generation times, delays until a report; of one's own, or a gamma."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import gamma

from hucheng.apps.epidemic import columns
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow

Numbers = NDArray[np.float64]
TAIL = 1e-4
"""Mass beyond which a distribution is cut; the rest is scaled to one."""
LONGEST = 400
DAYS = ("days", "day", "delay", "delay_days", "lag", "interval", "天数", "延迟")
SHARE = ("probability", "share", "p", "pmf", "density", "weight", "value", "count", "概率", "比例")


@dataclass(frozen=True)
class Delay:
    """Chance of each whole number of days, from zero: (D,), sums to one."""

    chances: Numbers

    @property
    def mean(self) -> float:
        """Mean in days."""
        return float(self.chances @ np.arange(len(self.chances)))

    @property
    def sd(self) -> float:
        """Standard deviation in days."""
        return float(np.sqrt(self.chances @ (np.arange(len(self.chances)) - self.mean) ** 2))

    def within(self, days: NDArray[np.int64]) -> Numbers:
        """Chance that it is at most so many days."""
        total = np.cumsum(self.chances)
        found: Numbers = np.where(days < 0, 0.0, total[np.clip(days, 0, len(total) - 1)])
        return found


NONE = Delay(np.ones(1))
"""No delay at all."""


def generation(mean: float, sd: float) -> Delay:
    """Generation time (or serial interval) by mean and standard deviation in days: one day and a gamma on top.

    Cori et al. (2013), Am J Epidemiol 178(9), web appendix 11: the chance of k days is the integral over the day of
    infection of a gamma of mean ``mean - 1`` shifted by one day; nobody infects on the day of their own infection.
    Raises BadRequest unless mean > 1 and sd > 0.
    """
    if not (mean > 1 and sd > 0 and np.isfinite([mean, sd]).all()):
        raise BadRequest(
            f"a generation time of mean {mean:g} and standard deviation {sd:g} days cannot be",
            mend="the mean must be over 1 day and the standard deviation over 0; else give the distribution as a file",
        )
    shape, scale = ((mean - 1) / sd) ** 2, sd**2 / (mean - 1)
    return Delay(_cut(_spread(shape, scale, shift=1)))


def reporting(mean: float, sd: float) -> Delay:
    """Delay until a report by mean and standard deviation in days: a gamma, its first event anywhere in a day."""
    if not (mean > 0 and sd > 0 and np.isfinite([mean, sd]).all()):
        raise BadRequest(
            f"a delay of mean {mean:g} and standard deviation {sd:g} days cannot be", mend="give both above 0"
        )
    return Delay(_cut(_spread((mean / sd) ** 2, sd**2 / mean, shift=0)))


def _spread(shape: float, scale: float, shift: int) -> Numbers:
    """Chance of k = 0, 1, … days of a gamma plus ``shift``, when the first event is uniform in its day.

    The chance is the second difference of E[(x - X)+], known in closed form for a gamma X.
    """
    x = np.arange(LONGEST + 2, dtype=np.float64) - shift

    def upto(value: Numbers) -> Numbers:
        """E[(value - X)+] of the gamma X."""
        at = np.maximum(value, 0)
        part = at * gamma.cdf(at, shape, scale=scale) - shape * scale * gamma.cdf(at, shape + 1, scale=scale)
        return np.asarray(part, dtype=np.float64)

    found: Numbers = np.maximum(upto(x + 1) - 2 * upto(x) + upto(x - 1), 0)[: LONGEST + 1]
    return found


def _cut(chances: Numbers) -> Numbers:
    total = chances.sum()
    if total < 1 - 1e-3:
        raise BadRequest(f"the delay reaches beyond {LONGEST} days", mend="give a shorter one")
    last = int(np.searchsorted(np.cumsum(chances) / total, 1 - TAIL)) + 1
    kept = chances[:last]
    found: Numbers = kept / kept.sum()
    return found


def read(table: Any, what: str = "delay") -> Delay:
    """A distribution of one's own: a row a number of days, with its chance (or a count of those seen).

    Raises BadRequest for days that are negative, broken or named twice, and for chances below zero.
    """
    arrow: pa.Table = as_arrow(table)
    day_name = columns.find(arrow, DAYS, None, f"days of the {what}")
    share_name = columns.find(arrow, SHARE, None, f"chance of each {what}")
    days, shares = (columns.numbers(arrow.column(name), str(name)) for name in (day_name, share_name))
    wrong = ~((days >= 0) & (days == np.floor(days)) & (days <= LONGEST) & (shares >= 0))
    if wrong.any() or not len(days):
        raise BadRequest(
            f"the {what} has rows that are no whole days from 0 to {LONGEST} with a chance of at least 0",
            where=columns.rows(np.flatnonzero(wrong)) if len(days) else "no rows",
            mend="one row a day: days, probability",
        )
    if len(np.unique(days)) < len(days) or shares.sum() <= 0:
        raise BadRequest(f"the {what} names a day twice, or its chances sum to nothing", mend="one row a day")
    chances = np.zeros(int(days.max()) + 1)
    chances[days.astype(int)] = shares
    return Delay(chances / chances.sum())
