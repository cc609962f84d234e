"""A device that was given to another resident speaks of that one, and of nothing that it told of the one before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pyarrow as pa
import pytest
from care_readings import START, at, readings

from hucheng.apps import Detector
from hucheng.apps.care.detectors import DETECTORS

BY_NAME = {detector.name: detector for detector in DETECTORS}
OLD, NEW = "r-old", "r-new"


def registers(resident: str, dataset: str = "home.bed") -> dict[str, pa.Table]:
    """Registers in which the device measures this resident; it was commissioned a year ago."""
    stamp = pa.timestamp("us", tz="UTC")
    return {
        "city.residents": pa.table(
            {"resident_id": [OLD, NEW], "born": pa.array([None, None], pa.date32())},
        ),
        "care.profiles": pa.table(
            {
                "resident_id": [OLD, NEW],
                "pregnant": pa.array([None, None], pa.bool_()),
                "hypercapnic": pa.array([None, None], pa.bool_()),
                "usual_absence_min": pa.array([None, None], pa.int64()),
            }
        ),
        "city.devices": pa.table(
            {
                "device_id": ["d"],
                "resident_id": [resident],
                "dataset": [dataset],
                "commissioned_at": pa.array([START - timedelta(days=365)], stamp),
                "ended_at": pa.array([None], stamp),
            }
        ),
    }


def told(detector: Detector, state: Any, resident: str, *rows: tuple[str, float, float]) -> list[dict[str, Any]]:
    """The facts of a batch of (metric, second, value) from the device while it measures this resident."""
    batch = readings([("d", *row) for row in rows], of=resident)
    found: list[dict[str, Any]] = detector.facts(batch, state, registers(resident), at(rows[-1][1])).to_pylist()
    return found


def test_a_press_calls_help_to_whoever_has_the_button_now() -> None:
    detector = BY_NAME["help_request"]
    state = detector.start()
    assert [row["resident_id"] for row in told(detector, state, OLD, ("help", 0, 1))] == [OLD]
    assert [row["resident_id"] for row in told(detector, state, NEW, ("help", 60, 1))] == [NEW]


def test_half_a_measurement_of_one_never_meets_the_other_half_of_another() -> None:
    detector = BY_NAME["blood_pressure_crisis"]
    state = detector.start()
    told(detector, state, OLD, ("diastolic_bp", 0, 115))
    [row] = told(detector, state, NEW, ("systolic_bp", 20, 120))
    assert (row["resident_id"], row["systolic"], row["diastolic"]) == (NEW, 120, None)


def test_signs_of_one_are_never_scored_with_those_of_another() -> None:
    detector = BY_NAME["news2"]
    state = detector.start()
    told(detector, state, OLD, ("respiratory_rate", 0, 30), ("oxygen_saturation", 0, 85))
    [row] = told(detector, state, NEW, ("heart_rate", 60, 70))
    assert (row["resident_id"], row["pulse"]) == (NEW, 70)
    assert row["respiratory_rate"] is None and row["oxygen_saturation"] is None


def test_a_bed_left_by_one_is_not_missed_by_the_next() -> None:
    detector = BY_NAME["bed_exit"]
    assert detector.tick is not None
    state = detector.start()
    assert told(detector, state, OLD, ("in_bed", 0, 1), ("in_bed", 60, 0))
    assert detector.tick(state, registers(OLD), at(120))["resident_id"].to_pylist() == [OLD]
    assert detector.tick(state, registers(NEW), at(150)).num_rows == 0  # before the new one ever lay in it
    assert told(detector, state, NEW, ("in_bed", 180, 0)) == []
    assert detector.tick(state, registers(NEW), at(200)).num_rows == 0


@pytest.mark.parametrize("heard", [False, True])
def test_silence_of_a_device_given_on_counts_from_then(heard: bool) -> None:
    detector = BY_NAME["device_silence.bed"]
    assert detector.tick is not None
    state = detector.start()
    told(detector, state, OLD, ("in_bed", 0, 1))
    for minute in range(0, 61):
        listed = detector.tick(state, registers(OLD), START + timedelta(minutes=minute))
    assert listed["minutes_silent"].to_pylist() == [60]
    if heard:
        told(detector, state, NEW, ("in_bed", 61 * 60.0, 1))
    for minute in (61, 62, 63):
        listed = detector.tick(state, registers(NEW), START + timedelta(minutes=minute))
    assert listed["resident_id"].to_pylist() == [NEW] and listed["minutes_silent"].to_pylist() == [2]
