"""Every measurement of a cuff is looked at, with its partner where it has one, however the stream is cut."""

from __future__ import annotations

import pyarrow as pa
from care_readings import START, at, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.pressure import Pressures, measurements

Half = tuple[str, str, int, int]

halves = st.lists(
    st.tuples(
        st.sampled_from(["a", "b"]),
        st.sampled_from(["systolic_bp", "diastolic_bp"]),
        st.integers(0, 200),
        st.integers(60, 220),
    ),
    unique_by=lambda row: row[:3],
    max_size=25,
)


def rows(table: pa.Table) -> list[tuple[str, float, int | None, int | None]]:
    """Device, seconds after noon, systolic, diastolic."""
    return sorted(
        (
            (r["device_id"], (r["observed_at"] - START).total_seconds(), r["systolic"], r["diastolic"])
            for r in table.to_pylist()
        ),
        key=repr,
    )


def oracle(given: list[Half]) -> list[tuple[str, float, int | None, int | None]]:
    """The same by hand: walk each device in time, join neighbours of one minute and different halves."""
    found = []
    for device in {row[0] for row in given}:
        mine = sorted((t, metric, value) for d, metric, t, value in given if d == device)
        while mine:
            t, metric, value = mine.pop(0)
            pair = {metric: value}
            if mine and mine[0][0] // 60 == t // 60 and mine[0][1] != metric:
                _, other, partner = mine.pop(0)
                pair[other] = partner
            found.append((device, float(t), pair.get("systolic_bp"), pair.get("diastolic_bp")))
    return sorted(found, key=repr)


@given(halves)
def test_one_batch_pairs_as_one_would_by_hand(given: list[Half]) -> None:
    batch = readings((d, m, float(t), float(v)) for d, m, t, v in given)
    assert rows(measurements(batch, Pressures(), {}, START)) == oracle(given)


@given(halves, st.data())
def test_cut_anywhere_no_half_is_lost_and_every_pair_is_found(given: list[Half], data: st.DataObject) -> None:
    ordered = sorted(given, key=lambda row: (row[2], row[1]))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(ordered)), max_size=4)))
    state, seen = Pressures(), []
    for start, end in zip([0, *cuts], [*cuts, len(ordered)], strict=True):
        batch = readings((d, m, float(t), float(v)) for d, m, t, v in ordered[start:end])
        seen += rows(measurements(batch, state, {}, START))
    for device, metric, _, value in given:
        column = 2 if metric == "systolic_bp" else 3
        assert any(row[0] == device and row[column] == value for row in seen)
    whole = [row for row in seen if None not in row]
    assert sorted(whole, key=repr) == [row for row in oracle(given) if None not in row]
    values = {(d, m, v) for d, m, _, v in given}
    for device, _, systolic, diastolic in seen:
        assert systolic is None or (device, "systolic_bp", systolic) in values
        assert diastolic is None or (device, "diastolic_bp", diastolic) in values


def test_a_partner_that_comes_later_keeps_the_id() -> None:
    state = Pressures()
    first = measurements(readings([("a", "systolic_bp", 5, 185)]), state, {}, START)
    second = measurements(readings([("a", "diastolic_bp", 5, 95)]), state, {}, START)
    assert rows(first) == [("a", 5.0, 185, None)]
    assert rows(second) == [("a", 5.0, 185, 95)]
    assert rows(measurements(readings([("a", "diastolic_bp", 9, 70)]), state, {}, START)) == [("a", 9.0, None, 70)]


def test_other_metrics_and_empty_batches_give_nothing() -> None:
    assert measurements(readings([("a", "heart_rate", 0, 70)]), Pressures(), {}, START).num_rows == 0
    assert measurements(readings([]), Pressures(), {}, at(0)).num_rows == 0
