"""Is a reading new? Exact against everything that is kept, by (device, metric, observed_at).

Most readings are newer than the newest kept one of their device and metric (the high-water mark), and need no look-up.
The others are looked up: the same value again is a duplicate, another value a conflict.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from hucheng.base.devices import Ints

NEW, DUPLICATE, CONFLICT = 0, 1, 2
NEVER = np.iinfo(np.int64).min
Floats = NDArray[np.float64]
LookUp = Callable[[Ints, Ints], Floats]
"""Pairs and times in; the kept value of each, NaN where nothing is kept."""


class Novelty:
    """The newest kept reading of every pair (device number × metric number)."""

    def __init__(self) -> None:
        self.mark: Ints = np.empty(0, np.int64)
        self.last: Floats = np.empty(0)

    def grow(self, pairs: int) -> None:
        """Make room for pairs up to ``pairs``."""
        missing = pairs - len(self.mark)
        if missing > 0:
            self.mark = np.concatenate([self.mark, np.full(missing, NEVER)])
            self.last = np.concatenate([self.last, np.full(missing, np.nan)])

    def forget(self, start: int, end: int) -> None:
        """Nothing is kept of these pairs any more."""
        self.mark[start:end] = NEVER
        self.last[start:end] = np.nan

    def raise_to(self, pair: Ints, observed: Ints, value: Floats) -> None:
        """Take note of kept readings, in any order."""
        order = np.lexsort((observed, pair))
        pair, observed, value = pair[order], observed[order], value[order]
        final = np.ones(len(pair), bool)
        final[:-1] = pair[1:] != pair[:-1]
        pair, observed, value = pair[final], observed[final], value[final]
        higher = observed > self.mark[pair]
        self.mark[pair[higher]] = observed[higher]
        self.last[pair[higher]] = value[higher]

    def tell(self, pair: Ints, observed: Ints, value: Floats, look_up: LookUp) -> NDArray[np.int8]:
        """NEW, DUPLICATE or CONFLICT for each reading, in their order; new ones are taken note of."""
        n = len(pair)
        verdict = np.zeros(n, np.int8)
        if not n:
            return verdict
        order = np.lexsort((np.arange(n), observed, pair))
        p, t, v = pair[order], observed[order], value[order]
        first = np.ones(n, bool)
        first[1:] = (p[1:] != p[:-1]) | (t[1:] != t[:-1])
        heads = np.flatnonzero(first)
        hp, ht = p[heads], t[heads]
        kept = np.full(len(heads), np.nan)
        mark = self.mark[hp]
        same = ht == mark
        kept[same] = self.last[hp[same]]
        older = ht < mark
        if older.any():
            kept[older] = look_up(hp[older], ht[older])
        fresh = np.isnan(kept)
        reference = np.where(fresh, v[heads], kept)
        group = np.cumsum(first) - 1
        told = np.where(v == reference[group], DUPLICATE, CONFLICT).astype(np.int8)
        told[heads[fresh]] = NEW
        verdict[order] = told
        new = heads[fresh]
        self.raise_to(p[new], t[new], v[new])
        return verdict
