"""Vital signs as the pack ``news2`` wants them: the latest value of each sign, none older than an hour.

Scale 2 of oxygen saturation counts only where a clinician has prescribed it, so a profile that says nothing means
scale 1 (Royal College of Physicians, NEWS2, 2017). Whether the score applies to a person, and how signs are rounded,
is the pack's affair.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps.care.columns import (
    MINUTE_US,
    NEVER,
    Devices,
    Floats,
    Ints,
    Known,
    booleans,
    grown,
    in_order,
    numbers,
    of_metrics,
    time_column,
    times,
)

LEVELS = pa.array(["alert", "new_confusion", "voice", "pain", "unresponsive"])
"""Consciousness by its code in ``home.vitals``."""


def levels(values: Floats) -> pa.Array:
    """Codes of consciousness as the pack's words; NaN is null."""
    known = ~np.isnan(values)
    return LEVELS.take(pa.array(np.where(known, values, 0).astype(np.int64), mask=~known))


SIGNS = {
    "respiratory_rate": ("respiratory_rate", numbers),
    "oxygen_saturation": ("oxygen_saturation", numbers),
    "on_oxygen": ("oxygen", booleans),
    "systolic_bp": ("systolic", numbers),
    "heart_rate": ("pulse", numbers),
    "consciousness": ("consciousness", levels),
    "body_temperature": ("temperature", numbers),
}
"""Metric → fact of the pack and what it is read as."""

WINDOW_US = 60 * MINUTE_US
"""A sign older than this, at the start of the minute that is scored, is unknown."""
PAST_CHILDBEARING = 55
"""From this age a profile that says nothing of pregnancy means none."""


@dataclass
class Signs:
    """Per device: last value of each sign and when; the minute being scored and its first reading; who she is."""

    devices: Devices = field(default_factory=Devices)
    value: Floats = field(default_factory=lambda: np.empty((0, len(SIGNS)), np.float64))
    at: Any = field(default_factory=lambda: np.empty((0, len(SIGNS)), np.int64))
    minute: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    first: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    people: Known = field(default_factory=Known)
    profiles: Known = field(default_factory=Known)


def vital_signs(batch: pa.Table, state: Signs, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """One row a device and minute with new readings; signs unknown where none came within the hour.

    A sign that arrives late is scored with what was then known of the others and never replaces a later one. Beside
    the signs: ``born``, ``pregnant``, ``hypercapnic`` of the resident, from the registers.
    """
    batch, sign = of_metrics(batch, tuple(SIGNS))
    device = state.devices.of(batch)
    _room(state)
    at = times(batch["observed_at"])
    value = batch["value"].cast(pa.float64()).to_numpy()
    order = in_order(device, at, np.zeros(len(at), np.int64))
    device, at, sign, value = device[order], at[order], sign[order], value[order]

    minute = at // MINUTE_US
    begins = np.ones(len(device), bool)
    begins[1:] = (device[1:] != device[:-1]) | (minute[1:] != minute[:-1])
    row = np.cumsum(begins) - 1
    who, when, first = device[begins], minute[begins], at[begins]
    values = np.full((len(who), len(SIGNS)), np.nan)
    ats = np.full((len(who), len(SIGNS)), NEVER)
    values[row, sign], ats[row, sign] = value, at  # in order of time: the last one stays

    values, ats = _carried(who, values, ats)
    earlier = state.at[who]
    usable = (earlier < (when[:, None] + 1) * MINUTE_US) & (earlier > ats)
    values, ats = np.where(usable, state.value[who], values), np.where(usable, earlier, ats)
    _remember(state, device, sign, at, value)
    stale = ats < when[:, None] * MINUTE_US - WINDOW_US
    values, ats = np.where(stale, np.nan, values), np.where(stale, NEVER, ats)

    first = np.where(state.minute[who] == when, state.first[who], first)
    ends = np.append(who[1:] != who[:-1], True)[: len(who)]
    newest = ends & (when >= state.minute[who])
    state.minute[who[newest]], state.first[who[newest]] = when[newest], first[newest]

    facts = _about(state, registers, who, now)
    for place, (name, read) in enumerate(SIGNS.values()):
        facts[name] = read(values[:, place])
        facts[name + "__at"] = time_column(ats[:, place])
    return state.devices.rows(who, first, **facts)


def _carried(who: Ints, values: Floats, ats: Any) -> tuple[Floats, Any]:
    """Each sign carried forward over the later minutes of the same device."""
    rows = np.arange(len(who))
    begins = np.ones(len(who), bool)
    begins[1:] = who[1:] != who[:-1]
    start = np.maximum.accumulate(np.where(begins, rows, 0))
    source = np.maximum.accumulate(np.where(ats != NEVER, rows[:, None], -1), axis=0)
    within = source >= start[:, None]
    places = np.arange(values.shape[1])
    picked = np.maximum(source, 0)
    return (
        np.where(within, values[picked, places], np.nan),
        np.where(within, ats[picked, places], NEVER),
    )


def _remember(state: Signs, device: Ints, sign: Ints, at: Ints, value: Floats) -> None:
    """The latest value of each sign by its own time; readings come sorted by device and time."""
    later = at > state.at[device, sign]
    device, sign, at, value = device[later], sign[later], at[later], value[later]
    state.value[device, sign], state.at[device, sign] = value, at


def _about(state: Signs, registers: Mapping[str, pa.Table], who: Ints, now: datetime) -> dict[str, Any]:
    """What the registers say of the people measured."""
    state.people.look(state.devices, registers["city.residents"], "born")
    state.profiles.look(state.devices, registers["care.profiles"], "pregnant", "hypercapnic")
    born = state.people.columns["born"].cast(pa.date32()).take(pa.array(who))
    years = pc.years_between(born, pa.scalar(now.date(), pa.date32()))
    aged = pc.if_else(pc.greater(years, PAST_CHILDBEARING), pa.scalar(False), pa.scalar(None, pa.bool_()))
    pregnant, hypercapnic = (
        state.profiles.columns[name].cast(pa.bool_()).take(pa.array(who)) for name in ("pregnant", "hypercapnic")
    )
    return {
        "born": born,
        "pregnant": pc.coalesce(pregnant, aged),
        "hypercapnic": pc.fill_null(hypercapnic, False),
    }


def _room(state: Signs) -> None:
    size = len(state.devices)
    state.value, state.at = grown(state.value, size, np.nan), grown(state.at, size, NEVER)
    state.minute, state.first = grown(state.minute, size, NEVER), grown(state.first, size, NEVER)
