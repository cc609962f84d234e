"""Out of bed at night: since when nobody has been in the bed, and whether it is night where she lives.

Presence is any sign of somebody in the bed: ``in_bed`` = 1, a respiratory rate or a heart rate. Absence begins at the
last sign of presence before an ``in_bed`` = 0, which the last values alone can rebuild after a restart. A bed in
which nobody was ever seen says nothing. ``night`` is true when she left at night and it is still that night: who has
not gone to bed yet is not missing from it, nor who gets up early.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps.care.columns import (
    MINUTE_US,
    NEVER,
    Devices,
    Flags,
    Ints,
    Known,
    grown,
    micros,
    of_metrics,
    times,
)
from hucheng.apps.care.listening import Listening

SIGNS = ("in_bed", "respiratory_rate", "heart_rate")
CITY = ZoneInfo("Asia/Shanghai")
"""Time zone where ``now`` comes without one of its own."""
NIGHT_FROM_MIN, NIGHT_TO_MIN = 22 * 60, 6 * 60
RISING_FROM_MIN = 4 * 60 + 30
"""Who leaves the bed from half past four on is getting up; agreed default, as the night itself."""
USUAL_MIN = 30
"""Longest usual absence where the profile says nothing; agreed default, no standard says how long is too long."""
LONGEST_MIN = 7 * 24 * 60


@dataclass
class Beds:
    """Per bed: last sign of presence, last report of absence, and that report in listening time."""

    devices: Devices = field(default_factory=Devices)
    present: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    absent: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    reported: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    listening: Listening = field(default_factory=Listening)
    profiles: Known = field(default_factory=Known)


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
    away = state.absent[touched] - state.present[touched]
    return _rows(state, registers, touched, away, state.absent[touched], now)


def absences(state: Beds, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """Rows for all beds that are empty now: the bed's own time up to its last report, then ours.

    Only for whom the register ``city.devices`` names with the bed: one that was given to somebody else says nothing
    about its earlier sleeper.
    """
    at, jump = state.listening.tick(now)
    if jump:
        state.reported = np.minimum(state.reported, at)
    _room(state)
    listed = registers["city.devices"]
    device = state.devices.listed(listed.filter(pc.is_valid(listed["resident_id"])))
    device = device[_empty(state, device)]
    own = state.absent[device] - state.present[device]
    since = np.maximum(at - state.reported[device], 0)
    return _rows(state, registers, device, own + since, np.full(len(device), micros(now)), now)


def _empty(state: Beds, device: Ints) -> Flags:
    found: Flags = (state.present[device] != NEVER) & (state.absent[device] > state.present[device])
    return found


def _rows(
    state: Beds, registers: Mapping[str, pa.Table], device: Ints, away_us: Ints, at: Ints, now: datetime
) -> pa.Table:
    """The facts of the pack ``bed-exit``; ``at`` is the instant up to which ``away_us`` is reckoned."""
    zone: tzinfo = now.tzinfo if now.tzinfo is not None and now.tzinfo is not UTC else CITY
    left = state.present[device]
    (left_on, left_by_night), (on, by_night) = _nights(left, zone, RISING_FROM_MIN), _nights(at, zone, NIGHT_TO_MIN)
    state.profiles.look(state.devices, registers["care.profiles"], "usual_absence_min")
    usual = pc.fill_null(state.profiles.columns["usual_absence_min"].cast(pa.int64()), USUAL_MIN)
    return state.devices.rows(
        device,
        left,
        night=pa.array(left_by_night & by_night & (left_on == on)),
        in_bed=pa.array(np.zeros(len(device), bool)),
        away_minutes=pa.array(np.clip(away_us // MINUTE_US, 0, LONGEST_MIN)),
        usual_minutes=usual.take(pa.array(device)),
    )


def _nights(at: Ints, zone: tzinfo, until_min: int) -> tuple[Ints, Flags]:
    """The day on which each instant's night began, and whether it is night, up to a minute of the morning."""
    local = at // MINUTE_US + _offset_min(at, zone)
    day, minute = local // 1440, local % 1440
    return np.where(minute < NIGHT_TO_MIN, day - 1, day), (minute < until_min) | (minute >= NIGHT_FROM_MIN)


def _offset_min(at: Ints, zone: tzinfo) -> Ints:
    """Offset of local time in minutes; taken once for each hour that occurs."""
    hours, place = np.unique(at // (60 * MINUTE_US), return_inverse=True)
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    offsets = [(epoch + timedelta(hours=int(h))).astimezone(zone).utcoffset() or timedelta() for h in hours]
    shift = np.array([int(o.total_seconds()) // 60 for o in offsets], np.int64)
    return shift[place] if len(at) else np.empty(0, np.int64)


def _room(state: Beds) -> None:
    size = len(state.devices)
    state.present, state.absent = grown(state.present, size, NEVER), grown(state.absent, size, NEVER)
    state.reported = grown(state.reported, size, NEVER)
