"""Out of bed at night: since when nobody has been in the bed, and whether it is night where she lives.

Presence is any sign of somebody in the bed: ``in_bed`` = 1, a respiratory rate or a heart rate. Absence begins at the
last sign of presence before an ``in_bed`` = 0, which the last values alone can rebuild after a restart. A bed in
which nobody was ever seen says nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa

from hucheng.apps.care.columns import MINUTE_US, NEVER, Devices, Flags, Ints, grown, micros, of_metrics, times
from hucheng.apps.care.listening import Listening

SIGNS = ("in_bed", "respiratory_rate", "heart_rate")
CITY = ZoneInfo("Asia/Shanghai")
"""Time zone where ``now`` comes without one of its own."""


@dataclass
class Beds:
    """Per bed: last sign of presence, last report of absence, and that report in listening time."""

    devices: Devices = field(default_factory=Devices)
    present: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    absent: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    reported: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    listening: Listening = field(default_factory=Listening)


def reports(batch: pa.Table, state: Beds, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """Rows for the beds that this batch leaves empty, reckoned by the bed's own clock up to its last report."""
    batch, sign = of_metrics(batch, SIGNS)
    device = state.devices.of(batch)
    _room(state)
    at = times(batch["observed_at"])
    value = batch["value"].cast(pa.float64()).to_numpy()
    here = value > 0
    np.maximum.at(state.present, device[here], at[here])
    gone = (sign == 0) & ~here
    np.maximum.at(state.absent, device[gone], at[gone])
    np.maximum.at(state.reported, device[gone], np.minimum(at[gone], micros(now)) - state.listening.offset)
    touched = np.unique(device[gone])
    touched = touched[_empty(state, touched)]
    return _rows(state, touched, state.absent[touched] - state.present[touched], state.absent[touched], now)


def absences(state: Beds, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """Rows for all beds that are empty now: the bed's own time up to its last report, then ours."""
    at, jump = state.listening.tick(now)
    if jump:
        state.reported = np.minimum(state.reported, at)
    _room(state)
    device = np.arange(len(state.devices))
    device = device[_empty(state, device)]
    own = state.absent[device] - state.present[device]
    since = np.maximum(at - state.reported[device], 0)
    return _rows(state, device, own + since, np.full(len(device), micros(now)), now)


def _empty(state: Beds, device: Ints) -> Flags:
    found: Flags = (state.present[device] != NEVER) & (state.absent[device] > state.present[device])
    return found


def _rows(state: Beds, device: Ints, absent_us: Ints, at: Ints, now: datetime) -> pa.Table:
    zone: tzinfo = now.tzinfo if now.tzinfo is not None and now.tzinfo is not UTC else CITY
    local = _minute_of_day(at, zone)
    return state.devices.rows(
        device,
        state.present[device],
        absent_min=pa.array(absent_us // MINUTE_US),
        local_hour=pa.array(local // 60),
    )


def _minute_of_day(at: Ints, zone: tzinfo) -> Ints:
    """Minute of the local day; the offset of the zone is taken once an hour that occurs."""
    hours, place = np.unique(at // (60 * MINUTE_US), return_inverse=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    offsets = [(epoch + timedelta(hours=int(h))).astimezone(zone).utcoffset() or timedelta() for h in hours]
    shift = np.array([int(o.total_seconds()) // 60 for o in offsets], np.int64)
    found: Ints = (at // MINUTE_US + shift[place]) % 1440 if len(at) else np.empty(0, np.int64)
    return found


def _room(state: Beds) -> None:
    size = len(state.devices)
    state.present, state.absent = grown(state.present, size, NEVER), grown(state.absent, size, NEVER)
    state.reported = grown(state.reported, size, NEVER)
