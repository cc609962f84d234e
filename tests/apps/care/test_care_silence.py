"""Silence is time in which we listened and heard nothing; a clock that jumps is not time."""

from __future__ import annotations

from datetime import timedelta

import pyarrow as pa
from care_readings import START, at, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.silence import Heard, hearing, silences

facts, tick = hearing(), silences("home.bed")
MINUTE = timedelta(minutes=1)


def devices(*rows: tuple[str, float | None]) -> dict[str, pa.Table]:
    """The register: (device, seconds after noon at which it ended or None), all commissioned an hour before noon."""
    return {
        "city.devices": pa.table(
            {
                "device_id": pa.array([d for d, _ in rows], pa.string()),
                "resident_id": pa.array([f"r-{d}" for d, _ in rows], pa.string()),
                "dataset": pa.array(["home.bed"] * len(rows), pa.string()),
                "commissioned_at": pa.array([at(-3600)] * len(rows), pa.timestamp("us", tz="UTC")),
                "ended_at": pa.array([None if e is None else at(e) for _, e in rows], pa.timestamp("us", tz="UTC")),
            }
        )
    }


def silent(table: pa.Table) -> dict[str, int]:
    """Device → minutes of silence."""
    return dict(zip(table["device_id"].to_pylist(), table["minutes_silent"].to_pylist(), strict=True))


@given(st.lists(st.tuples(st.integers(0, 3600), st.sampled_from(["a", "b"])), max_size=20))
def test_minutes_since_last_heard_with_a_steady_clock(heard: list[tuple[int, str]]) -> None:
    state, register = Heard(), devices(("a", None), ("b", None))
    last = {"a": -3600, "b": -3600}
    found: dict[str, int] = {}
    for second in range(0, 3660, 60):
        mine = [(d, "in_bed", float(t), 1.0) for t, d in heard if second - 60 < t <= second]
        facts(readings(mine), state, {}, at(second))
        for device, _, t, _ in mine:
            last[device] = max(last[device], int(t))
        found = silent(tick(state, register, at(second)))
        if second >= 1_800:
            assert found == {d: (second - t) // 60 for d, t in last.items()}
        else:
            assert found == {}
    assert set(found) == {"a", "b"}


@given(st.sampled_from([-7200, -600, 1800, 86_400]), st.integers(31, 60))
def test_a_jump_of_the_clock_adds_no_silence_and_hides_none(jump: int, after: int) -> None:
    state, register = Heard(), devices(("a", None))
    facts(readings([("a", "in_bed", 0.0, 1.0)]), state, {}, START)
    for minute in range(10):
        tick(state, register, START + minute * MINUTE)
    shifted = START + timedelta(seconds=jump)
    for minute in range(10, 10 + after):
        found = silent(tick(state, register, shifted + minute * MINUTE))
    assert found == {"a": 9 + after}


def test_after_a_start_a_device_has_its_time_again() -> None:
    state, register = Heard(), devices(("a", None))
    for minute in range(30):
        assert silent(tick(state, register, at(86_400) + minute * MINUTE)) == {}
    assert silent(tick(state, register, at(86_400) + 30 * MINUTE)) == {"a": 24 * 60 + 60 + 30}


def test_an_ended_device_is_never_silent_and_the_id_of_a_silence_stays() -> None:
    state, register = Heard(), devices(("a", None), ("gone", 0))
    facts(readings([("a", "in_bed", 30.0, 1.0)]), state, {}, at(30))
    seen = set()
    for minute in range(40):
        table = tick(state, register, START + minute * MINUTE)
        seen |= set(zip(table["device_id"].to_pylist(), table["observed_at"].to_pylist(), strict=True))
    assert seen == {("a", at(30))}


def test_a_reading_from_the_future_does_not_hide_a_silence() -> None:
    state, register = Heard(), devices(("a", None))
    facts(readings([("a", "in_bed", 86_400.0, 1.0)]), state, {}, START)
    for minute in range(36):
        found = silent(tick(state, register, START + minute * MINUTE))
    assert found == {"a": 35}
