"""Out of bed: from the last sign of her in the bed, in the bed's own time as far as it reports, then in ours."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pyarrow as pa
from care_readings import START, at, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.bed import Beds, absences, reports

MINUTE = timedelta(minutes=1)


def absent(table: pa.Table) -> dict[str, tuple[float, int]]:
    """Device → (second of the last sign, minutes away)."""
    return {
        row["device_id"]: ((row["observed_at"] - START).total_seconds(), row["absent_min"]) for row in table.to_pylist()
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
        reports(readings((d, m, float(t), float(v)) for d, m, t, v in part), state, {}, at(3000))
    found = absent(absences(state, {}, at(3060)))
    for device in ("a", "b"):
        signs = [t for d, _, t, v in rows if d == device and v]
        gone = [t for d, m, t, v in rows if d == device and m == "in_bed" and not v]
        if signs and gone and max(gone) > max(signs):
            assert found.pop(device) == (max(signs), (3060 - max(signs)) // 60)
    assert found == {}


def test_a_restart_from_last_values_keeps_the_id() -> None:
    told = [("a", "in_bed", 0.0, 1.0), ("a", "heart_rate", 0.0, 60.0), ("a", "in_bed", 60.0, 0.0)]
    before, after = Beds(), Beds()
    first = absent(reports(readings([*told, ("a", "in_bed", 120.0, 0.0)]), before, {}, at(120)))
    last_values = [("a", "heart_rate", 0.0, 60.0), ("a", "in_bed", 120.0, 0.0)]
    reports(readings(last_values), after, {}, at(120))
    assert absent(absences(after, {}, at(120))) == first == {"a": (0.0, 2)}


def test_a_jump_of_the_clock_counts_only_what_the_bed_itself_reports() -> None:
    state = Beds()
    reports(readings([("a", "in_bed", 0.0, 1.0), ("a", "in_bed", 60.0, 0.0)]), state, {}, at(60))
    for minute in range(1, 6):
        absences(state, {}, START + minute * MINUTE)
    jumped = at(7200)
    assert absent(absences(state, {}, jumped + 6 * MINUTE))["a"][1] == 6
    reports(readings([("a", "in_bed", 600.0, 0.0)]), state, {}, jumped + 10 * MINUTE)
    assert absent(absences(state, {}, jumped + 7 * MINUTE))["a"][1] >= 10


def test_the_hour_is_that_of_the_city() -> None:
    state = Beds()
    midnight = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)  # 02:30 in Shanghai
    rows = [("a", "in_bed", 0.0, 1.0), ("a", "in_bed", 60.0, 0.0)]
    reports(readings(rows), state, {}, at(60))
    assert absences(state, {}, midnight)["local_hour"].to_pylist() == [2]
    kathmandu = midnight.astimezone(ZoneInfo("Asia/Kathmandu"))  # 00:15
    assert absences(state, {}, kathmandu)["local_hour"].to_pylist() == [0]
