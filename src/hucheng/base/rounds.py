"""What is taken between two commits, and what one commit writes."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.base.current import Offset, prefix_of
from hucheng.base.devices import Devices, Ints
from hucheng.base.erasing import Erasure
from hucheng.base.quarantine import Held


@dataclass
class Kept:
    """New readings of one `take`, as numbers and as Arrow by dataset; ``fresh`` ones may raise findings."""

    pair: Ints
    observed: Ints
    value: NDArray[np.float64]
    newest: NDArray[np.bool_]
    received: Ints
    seq: Ints
    simulated: NDArray[np.bool_]
    people: Ints
    tables: dict[str, pa.Table] = field(default_factory=dict)
    fresh: dict[str, pa.Table] = field(default_factory=dict)
    index: dict[tuple[int, int], float] | None = None

    def at(self, pair: int, observed: int) -> float | None:
        """The value among these, looked up by an index that is only built when somebody asks."""
        if self.index is None:
            keys = zip(self.pair.tolist(), self.observed.tolist(), strict=True)
            self.index = dict(zip(keys, self.value.tolist(), strict=True))
        return self.index.get((pair, observed))


@dataclass
class Round:
    """What one commit writes; ``done`` names the tables that have it already.

    ``erase``: whose readings up to a sequence are to go; ``gone``: the numbers in current values of those who went.
    """

    offset: Offset
    kept: list[Kept]
    held: list[Held]
    erase: list[tuple[Erasure, int]] = field(default_factory=list)
    gone: list[tuple[int, int]] = field(default_factory=list)
    done: set[str] = field(default_factory=set)
    tried: set[str] = field(default_factory=set)


class Prefixes(dict[int, bytes]):
    """The key in current values of every pair (device × metric), made when first asked for."""

    def __init__(self, devices: Devices) -> None:
        super().__init__()
        self._devices = devices

    def __missing__(self, pair: int) -> bytes:
        device, metric = divmod(pair, self._devices.metrics.count)
        found = self[pair] = prefix_of(self._devices.ids[device], self._devices.metrics.name[metric])
        return found
