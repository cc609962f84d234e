"""Out of bed: from the last sign of her in the bed, in the bed's own time as far as it reports, then in ours."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest
from care_readings import START, at, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.bed import Beds, absences, reports

MINUTE = timedelta(minutes=1)
KNOWN = {
    "care.profiles": pa.table({"resident_id": ["r-b"], "usual_absence_min": [45]}),
    "city.devices": pa.table({"device_id": ["a", "b"], "resident_id": ["r-a", "r-b"]}),
}


def absent(table: pa.Table) -> dict[str, tuple[float, int]]:
    """Device → (second of the last sign, minutes away)."""
    return {
        row["device_id"]: ((row["observed_at"] - START).total_seconds(), row["away_minutes"])
        for row in table.to_pylist()
    }


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b"]),
            st.sampled_from(["in_bed", "heart_rate"]),
            st.integers(0, 3000),
            st.integers(0, 1),
        ),
        unique_by=lambda row: row[:3],
        max_size=20,
    ),
    st.integers(0, 20),
)
def test_absence_is_what_one_would_find_by_hand(rows: list[tuple[str, str, int, int]], cut: int) -> None:
    rows = sorted(rows, key=lambda row: row[2])
    state = Beds()
    for part in (rows[:cut], rows[cut:]):
        reports(readings((d, m, float(t), float(v)) for d, m, t, v in part), state, KNOWN, at(3000))
    found = absent(absences(state, KNOWN, at(3060)))
    for device in ("a", "b"):
        signs = [t for d, _, t, v in rows if d == device and v]
        gone = [t for d, m, t, v in rows if d == device and m == "in_bed" and not v]
        if signs and gone and max(gone) > max(signs):
            assert found.pop(device) == (max(signs), (3060 - max(signs)) // 60)
    assert found == {}


def test_a_restart_from_last_values_keeps_the_id() -> None:
    told = [("a", "in_bed", 0.0, 1.0), ("a", "heart_rate", 0.0, 60.0), ("a", "in_bed", 60.0, 0.0)]
    before, after = Beds(), Beds()
    first = absent(reports(readings([*told, ("a", "in_bed", 120.0, 0.0)]), before, KNOWN, at(120)))
    last_values = [("a", "heart_rate", 0.0, 60.0), ("a", "in_bed", 120.0, 0.0)]
    reports(readings(last_values), after, KNOWN, at(120))
    assert absent(absences(after, KNOWN, at(120))) == first == {"a": (0.0, 2)}


def test_a_jump_of_the_clock_counts_only_what_the_bed_itself_reports() -> None:
    state = Beds()
    reports(readings([("a", "in_bed", 0.0, 1.0), ("a", "in_bed", 60.0, 0.0)]), state, KNOWN, at(60))
    for minute in range(1, 6):
        absences(state, KNOWN, START + minute * MINUTE)
    jumped = at(7200)
    assert absent(absences(state, KNOWN, jumped + 6 * MINUTE))["a"][1] == 6
    reports(readings([("a", "in_bed", 600.0, 0.0)]), state, KNOWN, jumped + 10 * MINUTE)
    assert absent(absences(state, KNOWN, jumped + 7 * MINUTE))["a"][1] >= 10


@pytest.mark.parametrize(
    ("left", "now", "night"),
    [
        ("2026-03-01T22:00", "2026-03-02T05:59", True),
        ("2026-03-02T04:29", "2026-03-02T05:30", True),
        ("2026-03-02T04:30", "2026-03-02T05:30", False),
        ("2026-03-01T21:59", "2026-03-01T22:40", False),
        ("2026-03-01T23:00", "2026-03-02T06:00", False),
        ("2026-03-01T23:00", "2026-03-02T22:30", False),
        ("2026-03-02T01:00", "2026-03-02T02:00", True),
        ("2026-03-01T12:00", "2026-03-01T13:00", False),
    ],
)
@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Asia/Kathmandu"])
def test_night_is_that_of_the_city_and_she_left_in_it(left: str, now: str, night: bool, zone: str) -> None:
    there = ZoneInfo(zone)
    away, then = (datetime.fromisoformat(text).replace(tzinfo=there) for text in (left, now))
    second = (away - START).total_seconds()
    state = Beds()
    reports(readings([("a", "in_bed", second, 1.0), ("a", "in_bed", second + 60, 0.0)]), state, KNOWN, then)
    assert absences(state, KNOWN, then)["night"].to_pylist() == [night]


def test_her_usual_absence_is_what_was_agreed_or_the_default() -> None:
    state = Beds()
    rows = [(d, "in_bed", t, v) for d in ("a", "b") for t, v in ((0.0, 1.0), (60.0, 0.0))]
    assert reports(readings(rows), state, KNOWN, at(60))["usual_minutes"].to_pylist() == [30, 45]
