"""Does a reading keep to its contract? Columns of readings in, a reason for each one that does not out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hucheng.base.devices import Devices, Ints
from hucheng.base.readings import Rows

FUTURE_US = 300 * 10**6
REASONS = (
    "", "malformed", "unknown_device", "wrong_gateway", "wrong_resident", "unknown_metric", "wrong_unit",
    "out_of_range", "in_future", "too_old", "conflict", "flood", "too_large",
)  # fmt: skip
CODE = {name: i for i, name in enumerate(REASONS)}


@dataclass
class Judged:
    """The same rows as numbers: device, metric (-1 unknown), broker time in µs, and the reason's code (0: fine)."""

    device: Ints
    metric: Ints
    received: Ints
    seq: Ints
    reason: NDArray[np.int8]


def judge(rows: Rows, devices: Devices) -> Judged:
    """Every check that needs nothing but the contract and the register of devices."""
    metrics = devices.metrics
    n = len(rows)
    device = devices.numbers(rows.device)
    received, seq = _per_row(rows, "received_us"), _per_row(rows, "seq")
    reason = np.zeros(n, np.int8)
    if not n:
        return Judged(device, np.empty(0, np.int64), received, seq, reason)

    def mark(wrong: NDArray[np.bool_], name: str) -> None:
        reason[wrong & (reason == 0)] = CODE[name]

    mark(device < 0, "unknown_device")
    safe = np.maximum(device, 0)
    known = device >= 0
    dataset = devices.dataset[safe] if len(devices) else np.full(n, len(metrics.datasets), np.int64)
    word = metrics.name_index.of(rows.metric)
    metric = np.where(known, metrics.of[np.where(known, dataset, -1), word], -1)
    gateways = np.array([devices.gateway_index.get(o.gateway, -1) for o in rows.origins], np.int64)
    right = np.array([o.right_partition for o in rows.origins], bool)
    if len(devices):
        mark((gateways[rows.message] != devices.gateway[safe]) | ~right[rows.message], "wrong_gateway")
    claimed = [o.dataset for o in rows.origins]
    if any(claimed):
        numbers = {name: i for i, name in enumerate(metrics.datasets)}
        claim = np.array([-1 if name is None else numbers.get(name, -2) for name in claimed], np.int64)[rows.message]
        mark((claim != -1) & (claim != dataset), "unknown_metric")
    for i in [i for i, name in enumerate(rows.resident) if name is not None] if any(rows.resident) else []:
        if not reason[i] and devices.rows[int(device[i])].resident_id != rows.resident[i]:
            reason[i] = CODE["wrong_resident"]
    mark(metric < 0, "unknown_metric")
    if not metrics.count:
        return Judged(device, metric, received, seq, reason)
    of = np.maximum(metric, 0)
    unit = metrics.unit_index.of(rows.unit)
    mark(unit != metrics.unit_number[of], "wrong_unit")
    value = rows.value
    mark(~((value >= metrics.low[of]) & (value <= metrics.high[of])), "out_of_range")
    mark(metrics.integer[of] & (np.floor(value) != value), "out_of_range")
    mark(rows.observed > received + FUTURE_US, "in_future")
    mark(rows.observed < received - metrics.retention_us[metrics.dataset[of]], "too_old")
    return Judged(device, metric, received, seq, reason)


def fresh(rows: Rows, judged: Judged, devices: Devices) -> NDArray[np.bool_]:
    """Which readings may raise a finding: young enough by the broker's clock, or replayed as if live."""
    metrics = devices.metrics
    if not len(rows) or not metrics.count:
        return np.zeros(len(rows), bool)
    live = np.array([o.mode == "live" for o in rows.origins], bool)[rows.message]
    age = judged.received - rows.observed
    limit = metrics.freshness_us[metrics.dataset[np.maximum(judged.metric, 0)]]
    young: NDArray[np.bool_] = (judged.reason == 0) & (live | (age <= limit))
    return young


def detail(rows: Rows, judged: Judged, devices: Devices, i: int) -> str:
    """A sentence on why row ``i`` was set aside, without the value of any other row."""
    metrics = devices.metrics
    name = REASONS[judged.reason[i]]
    number = int(judged.metric[i])
    match name:
        case "unknown_device":
            return f"device {rows.device[i][:80]!r} is not in the register city.devices"
        case "wrong_gateway":
            return f"the device does not belong to gateway {rows.origins[int(rows.message[i])].gateway!r}"
        case "wrong_resident":
            return "the register names another resident for this device"
        case "unknown_metric":
            dataset = devices.rows[int(judged.device[i])].dataset
            return f"{rows.metric[i][:80]!r} is not a metric of {dataset}, to which the device belongs"
        case "wrong_unit":
            return f"{rows.unit[i][:40]!r}, the contract says {metrics.unit[number]!r}"
        case "out_of_range":
            whole = ", whole numbers" if metrics.integer[number] else ""
            return f"{rows.value[i]:g} is outside {metrics.low[number]:g} to {metrics.high[number]:g}{whole}"
        case "in_future":
            return "observed more than 5 min after the broker had it"
        case "too_old":
            return "observed longer ago than the contract's retention"
        case "conflict":
            return "another value is stored for this device, metric and time"
        case "flood":
            return "the device sends more than its contract's device_rate"
        case _:
            return name


def _per_row(rows: Rows, name: str) -> Ints:
    each = np.array([getattr(origin, name) for origin in rows.origins], np.int64)
    return each[rows.message] if len(rows) else np.empty(0, np.int64)


class Flood:
    """A token bucket for each device, filled by the broker's clock at its contract's rate."""

    def __init__(self) -> None:
        self._level: NDArray[np.float64] = np.empty(0)
        self._at: Ints = np.empty(0, np.int64)

    def spill(self, rows: Rows, judged: Judged, devices: Devices) -> None:
        """Mark what a device sends beyond its rate; the operator's replays are not judged."""
        metrics = devices.metrics
        if not len(rows) or not metrics.count:
            return
        grown = len(devices) - len(self._level)
        if grown > 0:
            self._level = np.concatenate([self._level, np.full(grown, np.inf)])
            self._at = np.concatenate([self._at, np.zeros(grown, np.int64)])
        ours = np.array([not o.mode for o in rows.origins], bool)[rows.message]
        dataset = metrics.dataset[np.maximum(judged.metric, 0)]
        young = judged.received - rows.observed <= metrics.freshness_us[dataset]
        counted = np.flatnonzero(ours & young & (judged.reason == 0) & (metrics.rate[dataset] > 0))
        if not len(counted):
            return
        unique, first, counts = np.unique(judged.device[counted], return_index=True, return_counts=True)
        kind = dataset[counted[first]]
        rate, burst = metrics.rate[kind] / 1e6, metrics.burst[kind]
        start = judged.received[counted[first]]
        level = np.minimum(burst, self._level[unique] + rate * (start - self._at[unique]))
        enough = counts <= level
        self._level[unique[enough]] = level[enough] - counts[enough]
        self._at[unique[enough]] = start[enough]
        for j in np.flatnonzero(~enough).tolist():
            number, tokens, at = int(unique[j]), float(level[j]), int(start[j])
            for i in counted[judged.device[counted] == number].tolist():
                tokens = min(float(burst[j]), tokens + float(rate[j]) * (int(judged.received[i]) - at))
                at = int(judged.received[i])
                if tokens >= 1:
                    tokens -= 1
                else:
                    judged.reason[i] = CODE["flood"]
            self._level[number], self._at[number] = tokens, at
