"""Device silence: a device that should report and does not. Time alone finds it, so the clock is guarded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps import Facts, Tick
from hucheng.apps.care.columns import MINUTE_US, NEVER, Devices, Ints, grown, micros, times
from hucheng.apps.care.listening import Listening

ALLOWED_MIN = {"home.bed": 30, "home.motion": 180, "home.help": 26 * 60}
"""Longest silence agreed for each kind of device: a mattress reports every five minutes, a motion sensor says every
hour that it lives, a help button once a day."""

LONGEST_GRACE_MIN = 60
"""After a start or a jump of the clock a device has its allowed time again to be heard, but no longer than this."""


@dataclass
class Heard:
    """When each device was last heard: on the wall clock (names the silence), and in listening time (measures it)."""

    devices: Devices = field(default_factory=Devices)
    wall: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    heard: Ints = field(default_factory=lambda: np.empty(0, np.int64))
    listening: Listening = field(default_factory=Listening)


def hearing() -> Facts:
    """Note when each device was heard; a reading as such is never silence, so no row comes of it."""

    def facts(batch: pa.Table, state: Heard, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
        device = state.devices.of(batch)
        _room(state)
        at = times(batch["observed_at"])
        if "received_at" in batch.column_names:
            at = np.maximum(at, times(batch["received_at"]))
        at = np.minimum(at, micros(now))
        np.maximum.at(state.wall, device, at)
        np.maximum.at(state.heard, device, at - state.listening.offset)
        return _rows(state, np.empty(0, np.int64), np.empty(0, np.int64), 0)

    return facts


def silences(dataset: str) -> Tick:
    """How long each device of this dataset has been silent: ``minutes_silent`` of listening time.

    Devices come from the register ``city.devices``: one that was never heard counts from its commissioning, one that
    was given to another resident from when that was noticed, one that has ended is left out. Right after a start or a
    jump of the clock a device has its time again to be heard.
    """

    grace_us = min(ALLOWED_MIN[dataset], LONGEST_GRACE_MIN) * MINUTE_US

    def tick(state: Heard, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
        at, jump = state.listening.tick(now)
        if jump:
            state.heard = np.minimum(state.heard, at)
        listed = registers["city.devices"]
        listed = listed.filter(pc.and_(pc.equal(listed["dataset"], dataset), pc.is_valid(listed["resident_id"])))
        known = len(state.devices)
        device = state.devices.of(listed)
        _room(state)
        begun = times(listed["commissioned_at"])
        given_on = (device >= known) & np.array(state.devices.given_on, bool)[device]
        begun = np.where(given_on, np.maximum(begun, micros(now)), begun)
        ended = times(listed["ended_at"])
        never = state.wall[device] < begun
        state.wall[device[never]] = begun[never]
        state.heard[device[never]] = np.minimum(begun[never], at)
        due = device[(ended == NEVER) & (begun != NEVER)]
        if state.listening.listened < grace_us:
            due = due[:0]
        return _rows(state, due, np.maximum(at - state.heard[due], 0) // MINUTE_US, ALLOWED_MIN[dataset])

    return tick


def _room(state: Heard) -> None:
    size = len(state.devices)
    state.wall, state.heard = grown(state.wall, size, NEVER), grown(state.heard, size, NEVER)


def _rows(state: Heard, device: Ints, silent_min: Ints, allowed_min: int) -> pa.Table:
    return state.devices.rows(
        device,
        state.wall[device],
        minutes_silent=pa.array(silent_min),
        allowed_minutes=pa.array(np.full(len(device), allowed_min)),
    )
