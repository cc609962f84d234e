"""Vital signs as NEWS2 wants them: the latest value of each sign, none older than an hour.

NEWS2 (Royal College of Physicians, 2017) is for people of 16 and older who are not pregnant, and scale 2 of oxygen
saturation only where a clinician has prescribed it (``hypercapnic``). It was not validated at home.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
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
    booleans,
    decimals,
    grown,
    of_metrics,
    time_column,
    times,
)

SIGNS = {
    "respiratory_rate": ("respiratory_rate", 0),
    "oxygen_saturation": ("oxygen_saturation", 0),
    "on_oxygen": ("on_oxygen", None),
    "systolic_bp": ("systolic", 0),
    "heart_rate": ("pulse", 0),
    "alert": ("alert", None),
    "body_temperature": ("temperature", 1),
}
"""Metric → fact of the pack and its decimal places (None: yes or no)."""

WINDOW_US = 60 * MINUTE_US
"""A sign older than this, at the start of the minute that is scored, is unknown."""
ADULT = 16


@dataclass
class Signs:
    """Per device: last value of each sign and when; the minute being scored and its first reading; who she is."""

    devices: Devices = field(default_factory=Devices)
    value: Floats = field(default_factory=lambda: np.empty((0, len(SIGNS)), np.float64))
    at: Any = field(default_factory=lambda: np.empty((0, len(SIGNS)), np.int64))
    minute: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    first: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    adult_from: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    pregnant: Any = field(default_factory=lambda: np.empty(0, np.bool_))
    hypercapnic: Any = field(default_factory=lambda: np.empty(0, np.bool_))
    known: tuple[Any, Any, int] = (None, None, 0)


def vital_signs(batch: pa.Table, state: Signs, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """One row a device and minute with new readings; signs unknown where none came within the hour.

    A sign that arrives late is scored with what was then known of the others and never replaces a later one. Rows
    of residents whose birth is unknown, who are under 16 or pregnant are left out.
    """
    batch, sign = of_metrics(batch, tuple(SIGNS))
    device = state.devices.of(batch)
    _room(state)
    _know(state, registers)
    at = times(batch["observed_at"])
    value = batch["value"].cast(pa.float64()).to_numpy()
    order = np.lexsort((at, device))
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

    fit = (state.adult_from[who] != NEVER) & (first >= state.adult_from[who]) & ~state.pregnant[who]
    who, first, values, ats = who[fit], first[fit], values[fit], ats[fit]
    facts: dict[str, Any] = {"hypercapnic": pa.array(state.hypercapnic[who])}
    for place, (name, digits) in enumerate(SIGNS.values()):
        column = values[:, place]
        facts[name] = booleans(column) if digits is None else decimals(column, digits)
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


def _know(state: Signs, registers: Mapping[str, pa.Table]) -> None:
    """Look up who the devices' residents are, when a device is new or a register has changed."""
    residents, profiles = registers["city.residents"], registers["care.profiles"]
    known, count = state.known[:2], state.known[2]
    if known[0] is residents and known[1] is profiles and count == len(state.devices):
        return
    names = pa.array(state.devices.residents, pa.string())
    state.adult_from[: len(names)] = [_adult_from(b) for b in _looked_up(names, residents, "born")]
    for flag, into in (("pregnant", state.pregnant), ("hypercapnic", state.hypercapnic)):
        into[: len(names)] = [bool(v) for v in _looked_up(names, profiles, flag)]
    state.known = (residents, profiles, len(names))


def _looked_up(names: pa.Array, table: pa.Table, field: str) -> list[Any]:
    column = table["resident_id"].combine_chunks()
    place = pc.index_in(names, value_set=column if len(column) else pa.array([], pa.string()))
    found: list[Any] = pc.take(table[field], place).to_pylist() if len(column) else [None] * len(names)
    return found


def _adult_from(born: date | str | None) -> int:
    """The day from which NEWS2 may be used, as microseconds; NEVER where the birth is unknown."""
    if born is None:
        return NEVER
    if isinstance(born, str):
        born = date.fromisoformat(born)
    try:
        day = date(born.year + ADULT, born.month, born.day)
    except ValueError:  # 29 February
        day = date(born.year + ADULT, 3, 1)
    return (day - date(1970, 1, 1)).days * 1440 * MINUTE_US


def _room(state: Signs) -> None:
    size = len(state.devices)
    state.value, state.at = grown(state.value, size, np.nan), grown(state.at, size, NEVER)
    state.minute, state.first = grown(state.minute, size, NEVER), grown(state.first, size, NEVER)
    state.adult_from = grown(state.adult_from, size, NEVER)
    state.pregnant, state.hypercapnic = (
        grown(state.pregnant, size, False),
        grown(state.hypercapnic, size, False),
    )
