"""Blood pressure: the two halves of one measurement meet in one row, and every measurement stands for itself.

A cuff reports systolic and diastolic pressure as two readings. They belong together when they come from the same
device in the same minute and are neighbours in time; a half whose partner is missing is a row with the other fact
unknown. A half may come with an earlier batch than its partner, so each device's last lone half is remembered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from hucheng.apps.care.columns import MINUTE_US, NEVER, Devices, Ints, grown, in_order, numbers, of_metrics, times

HALVES = ("diastolic_bp", "systolic_bp")


@dataclass
class Pressures:
    """Each device's last lone half: which (-1: none), when, how high."""

    devices: Devices = field(default_factory=Devices)
    half: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    at: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    value: Any = field(default_factory=lambda: np.empty(0, np.float64))


def measurements(batch: pa.Table, state: Pressures, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """One row a measurement: ``systolic`` and ``diastolic`` in mm[Hg] as measured, unknown where absent.

    ``observed_at`` is that of the half that came first, so that a late partner leaves the finding's id unchanged.
    """
    batch, half = of_metrics(batch, HALVES)
    device = state.devices.of(batch)
    size = len(state.devices)
    state.half, state.at = grown(state.half, size, -1), grown(state.at, size, NEVER)
    state.value = grown(state.value, size, np.nan)

    here = np.zeros(len(state.half), bool)
    here[device] = True
    waiting = np.flatnonzero(here & (state.half >= 0))
    device = np.concatenate([device, waiting])
    half = np.concatenate([half, state.half[waiting]])
    at = np.concatenate([times(batch["observed_at"]), state.at[waiting]])
    values = batch["value"].cast(pa.float64()).to_numpy()
    value = np.concatenate([values, state.value[waiting]])
    old = np.arange(len(device)) >= len(values)

    order = in_order(device, at, half)
    device, half, at, value, old = device[order], half[order], at[order], value[order], old[order]
    head, paired = _paired(device, at // MINUTE_US, half)
    mate = np.minimum(head + 1, len(device) - 1)
    first = np.where(paired & old[mate], at[mate], at[head])

    ends = np.append(device[head][1:] != device[head][:-1], True) if len(head) else np.empty(0, bool)
    last = head[ends]
    alone = ~paired[ends]
    state.half[device[last]] = np.where(alone, half[last], -1)
    state.at[device[last]] = at[last]
    state.value[device[last]] = value[last]

    fresh = paired | ~old[head]
    head, paired, mate, first = head[fresh], paired[fresh], mate[fresh], first[fresh]
    found = [np.where(half[head] == which, value[head], np.nan) for which in (0, 1)]
    for which in (0, 1):
        other = paired & (half[mate] == which)
        found[which][other] = value[mate[other]]
    return state.devices.rows(device[head], first, systolic=numbers(found[1]), diastolic=numbers(found[0]))


def _paired(device: Ints, minute: Ints, half: Ints) -> tuple[Ints, Any]:
    """Places that begin a measurement, and whether the next place belongs to it.

    Rows are sorted by device and time. Neighbours that could pair form a run; in a run the first pairs with the
    second, the third with the fourth.
    """
    if not len(device):
        return np.empty(0, np.int64), np.empty(0, bool)
    linked = (device[1:] == device[:-1]) & (minute[1:] == minute[:-1]) & (half[1:] != half[:-1])
    begins = np.concatenate([[True], ~linked])
    run = np.maximum.accumulate(np.where(begins, np.arange(len(device)), 0))
    even = (np.arange(len(device)) - run) % 2 == 0
    head = np.flatnonzero(even)
    return head, np.append(linked, False)[head]
