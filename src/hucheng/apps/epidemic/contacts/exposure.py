"""What overlaps add up to for each person: minutes, overlaps, cases met, the first and the last time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import clock, kernels
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.apps.epidemic.contacts.ids import Dictionary

_SUMS = (
    ("seconds", np.int64), ("times", np.int32), ("cases", np.int32), ("latest", np.int32),
    ("first", np.int64), ("last", np.int64), ("who", np.int32),
)  # fmt: skip


class Exposures:
    """Sums by person over overlaps that come some at a time, those of a case side by side."""

    def __init__(self, people: int) -> None:
        self._slot = np.zeros(people, np.int32)
        self._used = 0
        self._sums = {name: np.zeros(1 << 10, kind) for name, kind in _SUMS}

    def __len__(self) -> int:
        return self._used

    def add(
        self, person: NDArray[np.int32], case: NDArray[Any], begin: NDArray[np.int64], end: NDArray[np.int64]
    ) -> None:
        """Take in overlaps: codes of the person and of the case, seconds."""
        room = self._used + min(len(person), len(self._slot) - self._used)
        if room > len(self._sums["who"]):
            for name, held in self._sums.items():
                grown = np.empty(max(room, 2 * len(held)), held.dtype)
                grown[: self._used] = held[: self._used]
                self._sums[name] = grown
        sums = self._sums
        self._used = kernels.exposed(
            person, case, begin, end, self._slot, self._used, sums["seconds"], sums["times"], sums["cases"],
            sums["latest"], sums["first"], sums["last"], sums["who"],
        )  # fmt: skip

    def table(self, people: Dictionary, form: Form) -> pa.Table:
        """One row a person, in the order of the dictionary: person, minutes, overlaps, cases, first, last."""
        order = np.argsort(self._sums["who"][: self._used])
        sums = {name: held[: self._used][order] for name, held in self._sums.items()}
        return pa.table(
            {
                "person": people.take(sums["who"]),
                "minutes": pa.array(sums["seconds"] / 60.0),
                "overlaps": pa.array(sums["times"]),
                "cases": pa.array(sums["cases"]),
                "first": clock.write(sums["first"], form),
                "last": clock.write(sums["last"], form),
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
