"""What overlaps add up to for each person: minutes, overlaps, cases met, the first and the last time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import clock, kernels
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.apps.epidemic.contacts.ids import Dictionary

COLUMNS = 6


class Exposures:
    """Sums by person over overlaps that come some at a time, those of a case side by side."""

    def __init__(self, people: int) -> None:
        self._slot = np.zeros(people, np.int32)
        self._used = 0
        self._sums = np.empty((1 << 10, COLUMNS), np.int64)

    def __len__(self) -> int:
        return self._used

    def add(
        self,
        person: NDArray[np.int32],
        case: NDArray[Any],
        begin: NDArray[np.int64],
        end: NDArray[np.int64],
        seconds: NDArray[np.int64] | None = None,
    ) -> None:
        """Take in overlaps: codes of the person and of the case, times, and seconds where they are not end - begin."""
        seconds = end - begin if seconds is None else seconds
        room = self._used + min(len(person), len(self._slot) - self._used)
        if room > len(self._sums):
            grown = np.empty((max(room, 2 * len(self._sums)), COLUMNS), np.int64)
            grown[: self._used] = self._sums[: self._used]
            self._sums = grown
        self._used = kernels.exposed(person, case, begin, end, seconds, self._slot, self._used, self._sums)

    def table(self, people: Dictionary, form: Form) -> pa.Table:
        """One row a person, the longest exposed first: person, minutes, overlaps, cases, first, last."""
        who = np.flatnonzero(self._slot).astype(np.int32)
        rows = self._slot[who] - 1
        order = np.argsort(-self._sums[rows, 0], kind="stable")
        who, sums = who[order], self._sums[rows[order]]
        return pa.table(
            {
                "person": people.take(who),
                "minutes": pa.array(sums[:, 0] / 60.0),
                "overlaps": pa.array(np.ascontiguousarray(sums[:, 3])),
                "cases": pa.array(np.ascontiguousarray(sums[:, 4])),
                "first": clock.write(np.ascontiguousarray(sums[:, 1]), form),
                "last": clock.write(np.ascontiguousarray(sums[:, 2]), form),
            }
        )


def counted_once(
    person: NDArray[np.int32], case: NDArray[Any], place: NDArray[np.int32], begin: NDArray[np.int64], end: Any
) -> tuple[NDArray[Any], ...]:
    """Overlaps of cases whose periods overlap: the same minutes, listed once a period, are one here.

    Gives person, case, beginning and end, those of a case side by side.
    """
    order = np.lexsort((begin, place, person, case))
    pair = case.astype(np.int64) << 32 | person
    kept, until = kernels.joined(pair, place, begin, end, order)
    return person[kept], case[kept], begin[kept], until
