"""What care looks for: one entry a thing, no branches. Thresholds stand in the packs, facts come from the modules."""

from __future__ import annotations

from datetime import timedelta

from hucheng.apps import Detector
from hucheng.apps.care.bed import SIGNS as PRESENCE
from hucheng.apps.care.bed import Beds, absences, reports
from hucheng.apps.care.calls import presses
from hucheng.apps.care.columns import Devices
from hucheng.apps.care.pressure import HALVES, Pressures, measurements
from hucheng.apps.care.silence import ALLOWED_MIN, Heard, hearing, silences
from hucheng.apps.care.vitals import SIGNS, Signs, vital_signs

ALARM = "care.alarm"
DEVICE = "care.device"
DETECT = "care.detect"

CONSTANT = tuple(ALLOWED_MIN)
"""Datasets whose devices report by themselves, so that their silence means something."""

DETECTORS = (
    Detector(
        name="blood_pressure_crisis",
        dataset="home.blood_pressure",
        purpose=DETECT,
        pack="blood-pressure",
        outcome="crisis",
        rule="bp_crisis",
        kind=ALARM,
        urgent=True,
        facts=measurements,
        start=Pressures,
        metrics=HALVES,
        expires=timedelta(hours=24),
    ),
    Detector(
        name="help_request",
        dataset="home.help",
        purpose=DETECT,
        pack="help-request",
        outcome="help",
        rule="help_request",
        kind=ALARM,
        urgent=True,
        facts=presses,
        start=Devices,
        metrics=("help",),
    ),
    Detector(
        name="news2",
        dataset="home.vitals",
        purpose=DETECT,
        pack="news2",
        outcome="urgent",
        rule="news2_urgent",
        kind=ALARM,
        urgent=True,
        facts=vital_signs,
        start=Signs,
        registers=("city.residents", "care.profiles"),
        metrics=tuple(SIGNS),
        expires=timedelta(hours=24),
    ),
    Detector(
        name="bed_exit",
        dataset="home.bed",
        purpose=DETECT,
        pack="bed-exit",
        outcome="absent",
        rule="bed_exit",
        kind=ALARM,
        urgent=True,
        facts=reports,
        tick=absences,
        start=Beds,
        registers=("care.profiles", "city.devices"),
        metrics=PRESENCE,
        every_s=30,
        expires=timedelta(hours=12),
    ),
    *(
        Detector(
            name=f"device_silence.{dataset.removeprefix('home.')}",
            dataset=dataset,
            purpose=DETECT,
            pack="device-silence",
            outcome="silent",
            rule="device_silence",
            kind=DEVICE,
            facts=hearing(),
            tick=silences(dataset),
            start=Heard,
            registers=("city.devices",),
            every_s=60,
        )
        for dataset in CONSTANT
    ),
)
