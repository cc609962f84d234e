"""NEWS2 sees the latest value of each sign within the hour, and only people it was made for."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa
from care_readings import START, at, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.vitals import SIGNS, Signs, vital_signs

METRICS = list(SIGNS)
Row = tuple[str, str, int, int]


def registers(**profile: Any) -> dict[str, pa.Table]:
    """Two residents of 80, the profile given for the first."""
    return {
        "city.residents": pa.table(
            {
                "resident_id": ["r-a", "r-b", "r-young"],
                "born": pa.array([date(1946, 1, 1), date(1946, 1, 1), date(2010, 3, 2)]),
            }
        ),
        "care.profiles": pa.table(
            {
                "resident_id": ["r-a"],
                "pregnant": pa.array([profile.get("pregnant")], pa.bool_()),
                "hypercapnic": pa.array([profile.get("hypercapnic")], pa.bool_()),
            }
        ),
    }


KNOWN = registers()
CODED = ("on_oxygen", "consciousness")

series = st.lists(
    st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(METRICS), st.integers(0, 3 * 3600), st.integers(50, 99)),
    unique_by=lambda row: row[:3],
    max_size=40,
)


def oracle(given: list[Row]) -> dict[tuple[str, int], dict[str, int | None]]:
    """By hand: for each device and minute with readings, the newest value of each sign not older than an hour."""
    found = {}
    for device, minute in {(d, t // 60) for d, _, t, _ in given}:
        facts: dict[str, int | None] = {}
        for metric in METRICS:
            mine = [
                (t, v)
                for d, m, t, v in given
                if d == device and m == metric and minute * 60 - 3600 <= t < (minute + 1) * 60
            ]
            facts[metric] = max(mine)[1] if mine else None
        found[device, minute] = facts
    return found


def seen(table: pa.Table) -> dict[tuple[str, int], dict[str, int | None]]:
    """The same shape from a table of facts; the last row of a minute stands."""
    found = {}
    for row in table.to_pylist():
        second = int((row["observed_at"] - START).total_seconds())
        facts = {}
        for metric, (fact, _) in SIGNS.items():
            value = row[fact]
            facts[metric] = None if value is None else 50 if metric in CODED else int(value)
        found[row["device_id"], second // 60] = facts
    return found


def plain(given: list[Row]) -> list[Row]:
    """Yes-or-no signs as yes."""
    return [(d, m, t, 50 if m in CODED else v) for d, m, t, v in given]


def batch(given: list[Row]) -> pa.Table:
    """A batch; a yes is a one."""
    return readings((d, m, float(t), 1.0 if m in CODED else float(v)) for d, m, t, v in given)


@given(series)
def test_one_batch_gives_what_one_would_find_by_hand(given: list[Row]) -> None:
    assert seen(vital_signs(batch(given), Signs(), KNOWN, START)) == oracle(plain(given))


@given(series, st.data())
def test_cut_anywhere_the_last_word_on_each_minute_is_the_same(given: list[Row], data: st.DataObject) -> None:
    ordered = sorted(given, key=lambda row: row[2])
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ordered)), max_size=5)))
    state, found = Signs(), {}
    for start, end in zip([0, *cuts], [*cuts, len(ordered)], strict=True):
        found |= seen(vital_signs(batch(ordered[start:end]), state, KNOWN, START))
    assert found == oracle(plain(given))


def test_a_minute_in_two_batches_keeps_its_id() -> None:
    state = Signs()
    first = vital_signs(readings([("a", "respiratory_rate", 3, 25)]), state, KNOWN, START)
    second = vital_signs(readings([("a", "heart_rate", 2, 120)]), state, KNOWN, START)
    assert first["observed_at"].to_pylist() == second["observed_at"].to_pylist() == [at(3)]
    assert second["respiratory_rate"].to_pylist() == [25]
    assert second["respiratory_rate__at"].to_pylist() == [at(3)]


def test_a_late_sign_is_scored_but_replaces_nothing() -> None:
    state = Signs()
    vital_signs(readings([("a", "respiratory_rate", 600, 18)]), state, KNOWN, START)
    late = vital_signs(readings([("a", "respiratory_rate", 60, 28)]), state, KNOWN, START)
    then = vital_signs(readings([("a", "heart_rate", 660, 80)]), state, KNOWN, START)
    assert late["respiratory_rate"].to_pylist() == [28]
    assert then["respiratory_rate"].to_pylist() == [18]


def test_the_pack_is_told_who_it_is_about() -> None:
    given = [(d, "respiratory_rate", 0.0, 30.0) for d in ("a", "b", "young", "nobody")]
    table = vital_signs(readings(given), Signs(), registers(pregnant=True), START)
    assert table["born"].to_pylist() == [date(1946, 1, 1), date(1946, 1, 1), date(2010, 3, 2), None]
    assert table["pregnant"].to_pylist() == [True, False, None, None]


def test_consciousness_in_the_words_of_the_pack() -> None:
    given = [("a", "consciousness", 60.0 * code, float(code)) for code in range(5)]
    table = vital_signs(readings(given), Signs(), KNOWN, START)
    assert table["consciousness"].to_pylist() == ["alert", "new_confusion", "voice", "pain", "unresponsive"]


def test_scale_two_only_where_a_clinician_said_so() -> None:
    given = [(d, "oxygen_saturation", 0.0, 90.0) for d in ("a", "b")]
    table = vital_signs(readings(given), Signs(), registers(hypercapnic=True), START)
    assert table["hypercapnic"].to_pylist() == [True, False]


def test_a_changed_register_counts_from_the_next_batch() -> None:
    state = Signs()
    before = vital_signs(readings([("a", "heart_rate", 0, 80)]), state, KNOWN, START)
    after = vital_signs(readings([("a", "heart_rate", 60, 80)]), state, registers(pregnant=True), START)
    assert (before["pregnant"].to_pylist(), after["pregnant"].to_pylist()) == ([False], [True])
