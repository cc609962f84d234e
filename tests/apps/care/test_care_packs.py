"""Facts and packs fit: from readings to the verdict, as a detector is run."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pytest
from care_readings import START, at, readings

from hucheng.apps import Detector
from hucheng.apps.care.app import app
from hucheng.rules import load

DETECTORS = {detector.name: detector for detector in app.detectors}
TODAY = date(2026, 3, 1)
REGISTERS = {
    "city.residents": pa.table({"resident_id": ["r-a"], "born": pa.array([date(1946, 1, 1)])}),
    "care.profiles": pa.table(
        {
            "resident_id": ["r-a"],
            "pregnant": pa.array([None], pa.bool_()),
            "hypercapnic": pa.array([None], pa.bool_()),
            "usual_absence_min": pa.array([None], pa.int64()),
        }
    ),
    "city.devices": pa.table(
        {
            "device_id": ["a"],
            "resident_id": ["r-a"],
            "dataset": ["home.bed"],
            "commissioned_at": pa.array([at(-3600)], pa.timestamp("us", tz="UTC")),
            "ended_at": pa.array([None], pa.timestamp("us", tz="UTC")),
        }
    ),
}


def verdicts(detector: Detector, table: pa.Table) -> list[Any]:
    """What the detector's outcome says of each row; a row with a problem fails."""
    decided = load(app.rules / f"{detector.pack}.yaml").decide(table, TODAY)
    assert decided["_problem"].null_count == len(decided)
    return decided[detector.outcome].to_pylist()


@pytest.mark.parametrize(
    ("name", "rows", "verdict"),
    [
        ("blood_pressure_crisis", [("systolic_bp", 180.0), ("diastolic_bp", 95.0)], [True]),
        ("blood_pressure_crisis", [("systolic_bp", 179.0), ("diastolic_bp", 109.0)], [False]),
        ("blood_pressure_crisis", [("systolic_bp", 150.0)], [None]),
        ("blood_pressure_crisis", [("diastolic_bp", 110.0)], [True]),
        ("help_request", [("help", 1.0)], [True]),
        ("help_request", [("help", 0.0)], [False]),
        ("news2", [("respiratory_rate", 25.0)], [True]),
        ("news2", [("respiratory_rate", 18.0), ("heart_rate", 80.0)], [None]),
        ("news2", [("oxygen_saturation", 91.0)], [True]),
        ("bed_exit", [("in_bed", 0.0)], []),
    ],
)
def test_readings_to_verdict(name: str, rows: list[tuple[str, float]], verdict: list[Any]) -> None:
    detector = DETECTORS[name]
    batch = readings(("a", metric, 0.0, value) for metric, value in rows)
    table = detector.facts(batch, detector.start(), REGISTERS, START)
    assert verdicts(detector, table) == verdict


WELL = {
    "respiratory_rate": 16, "oxygen_saturation": 97, "on_oxygen": 0, "systolic_bp": 125, "heart_rate": 70,
    "consciousness": 0, "body_temperature": 36.6,
}  # fmt: skip


@pytest.mark.parametrize(
    ("signs", "verdict"),
    [
        ({}, False),
        ({"respiratory_rate": 20.5, "body_temperature": 38.05, "heart_rate": 111}, True),  # 2 + 1 + 2
        ({"respiratory_rate": 20.4, "body_temperature": 38.05, "heart_rate": 111}, False),
        ({"respiratory_rate": 20.5, "body_temperature": 38.04, "heart_rate": 111}, False),
    ],
)
def test_a_whole_set_of_signs(signs: dict[str, float], verdict: bool) -> None:
    detector = DETECTORS["news2"]
    batch = readings(("a", metric, 0.0, value) for metric, value in (WELL | signs).items())
    assert verdicts(detector, detector.facts(batch, detector.start(), REGISTERS, START)) == [verdict]


@pytest.mark.parametrize(("minutes", "verdict"), [(30, False), (31, True)])
def test_a_bed_left_at_night(minutes: int, verdict: bool) -> None:
    detector = DETECTORS["bed_exit"]
    assert detector.tick is not None
    state, night = detector.start(), START + timedelta(hours=11)  # 23:00
    second = (night - START).total_seconds()
    batch = readings([("a", "in_bed", second, 1.0), ("a", "in_bed", second + 60, 0.0)])
    assert verdicts(detector, detector.facts(batch, state, REGISTERS, night + timedelta(minutes=1))) == [False]
    table = detector.tick(state, REGISTERS, night + timedelta(minutes=minutes))
    assert verdicts(detector, table) == [verdict]


@pytest.mark.parametrize(("minutes", "verdict"), [(30, False), (31, True)])
def test_a_bed_that_no_longer_speaks(minutes: int, verdict: bool) -> None:
    detector = DETECTORS["device_silence.bed"]
    assert detector.tick is not None
    state = detector.start()
    detector.facts(readings([("a", "in_bed", 0.0, 1.0)]), state, REGISTERS, START)
    for minute in range(minutes + 1):
        table = detector.tick(state, REGISTERS, START + timedelta(minutes=minute))
    assert verdicts(detector, table) == [verdict]
