"""Devices keep their number, unknown stays unknown, and time has no time zone of its own."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import numpy as np
import pyarrow as pa
from care_readings import START, readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.columns import NEVER, Devices, booleans, in_order, micros, numbers, time_column, times

NAMED = ("device_id", "resident_id")
EARLY, LATE = datetime(1970, 1, 2), datetime(2100, 1, 1)  # noqa: DTZ001  (hypothesis wants them naive)


def test_a_device_keeps_its_number_and_its_resident() -> None:
    devices = Devices()
    first = devices.of(readings([("b", "help", 0, 1), ("a", "help", 1, 1), ("b", "help", 2, 1)]))
    second = devices.of(readings([("a", "help", 3, 1), ("c", "help", 4, 1)]))
    assert first.tolist() == [0, 1, 0]
    assert second.tolist() == [1, 2]
    assert devices.residents == ["r-b", "r-a", "r-c"]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), max_size=12))
def test_every_row_keeps_its_own_resident(rows: list[tuple[str, str]]) -> None:
    devices = Devices()
    for part in (rows[:5], rows[5:]):
        table = pa.table({name: pa.array([row[n] for row in part], pa.string()) for n, name in enumerate(NAMED)})
        found = [(devices.names[n], devices.residents[n]) for n in devices.of(table).tolist()]
        assert found == part


def test_unknown_stays_unknown() -> None:
    assert numbers(np.array([np.nan, 1.5])).to_pylist() == [None, 1.5]
    assert booleans(np.array([np.nan, 1.0, 0.0])).to_pylist() == [None, True, False]


@given(st.datetimes(timezones=st.just(timezone(timedelta(hours=8))), min_value=EARLY, max_value=LATE))
def test_an_instant_is_the_same_number_everywhere(instant: datetime) -> None:
    column = time_column(np.array([micros(instant), NEVER]))
    assert column[0].as_py() == instant
    assert times(column).tolist() == [micros(instant), NEVER]


def test_noon_in_shanghai() -> None:
    assert micros(START) == 1_772_337_600_000_000


@given(
    st.lists(
        st.tuples(st.integers(0, 9), st.integers(-(2**50), 2**50) | st.integers(0, 3), st.integers(0, 1)), max_size=30
    )
)
def test_rows_are_sorted_by_device_time_and_metric(rows: list[tuple[int, int, int]]) -> None:
    device, at, minor = (np.array([row[n] for row in rows], np.int64) for n in range(3))
    assert [rows[n] for n in in_order(device, at, minor).tolist()] == sorted(rows)


@given(st.lists(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2)), min_size=1, max_size=6), max_size=8))
def test_encoded_batches_get_the_numbers_of_plain_ones(batches: list[list[tuple[int, int]]]) -> None:
    """Devices that are given on inside a batch, between batches and back again, by one dictionary all the while."""
    names, people = pa.array([f"d{n}" for n in range(5)]), pa.array([f"r{n}" for n in range(3)])
    plain, encoded = Devices(), Devices()
    for batch in batches:
        device, person = (pa.array(column, pa.int32()) for column in zip(*batch, strict=True))
        texts = pa.table({"device_id": names.take(device), "resident_id": people.take(person)})
        codes = pa.table(
            {
                "device_id": pa.DictionaryArray.from_arrays(device, names),
                "resident_id": pa.DictionaryArray.from_arrays(person, people),
            }
        )
        assert plain.of(texts).tolist() == encoded.of(codes).tolist()
    assert plain.names == encoded.names and plain.residents == encoded.residents
    assert plain.given_on == encoded.given_on
