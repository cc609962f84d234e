from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from gate.gatekit import pulse
from hucheng.base.contracts import Use
from hucheng.gate.columns import Columns, of_arrow, stacked
from hucheng.gate.shaping import hand_out, shape

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
KINDS = {"metric": pa.string(), "value": pa.float64(), "observed_at": pa.timestamp("us", "UTC"), "note": pa.string()}

part = st.builds(
    lambda metric, values, before: _part(metric, values, before),
    st.sampled_from(["pulse", "breath"]),
    st.lists(st.floats(-1e6, 1e6), max_size=5),
    st.integers(-(10**6), 10**6),
)


def _part(metric: str, values: list[float], before: int) -> Columns:
    times = [NOON + timedelta(microseconds=before + n) for n in range(len(values))]
    at = np.array([time.replace(tzinfo=None) for time in times], "M8[us]")
    return Columns(len(values), {"metric": metric}, {"value": np.array(values, float), "observed_at": at})


def _plain(columns: Columns) -> list[dict[str, Any]]:
    values = {name: list(columns.values(name)) for name in KINDS}
    return [{name: values[name][place] for name in KINDS} for place in range(len(columns))]


@given(st.lists(part, min_size=1, max_size=4))
def test_columns_stacked_are_the_rows_of_all_of_them_in_their_order(parts: list[Columns]) -> None:
    rows = [row for one in parts for row in one.rows(tuple(KINDS))]
    found = stacked(parts)
    assert found.rows(tuple(KINDS)) == _plain(found) == rows
    assert len(found) == len(rows)
    assert all(row["note"] is None for row in rows)
    for name, kind in KINDS.items():
        assert found.arrow(name, kind).to_pylist() == [row[name] for row in rows]
        assert found.arrow(name, kind).type == kind
    for places in (slice(1, 3), slice(0, None), [], list(range(len(rows)))[::-1]):
        picked = rows[places] if isinstance(places, slice) else [rows[place] for place in places]
        taken = found.take(places if isinstance(places, slice) else np.array(places, np.intp))
        assert (taken.rows(tuple(KINDS)), len(taken)) == (picked, len(picked))


def test_a_table_becomes_columns_with_its_gaps_and_its_moments_in_utc() -> None:
    beijing = pa.array([NOON, NOON + timedelta(hours=1)], pa.timestamp("us", "Asia/Shanghai"))
    table = pa.table({"observed_at": beijing, "note": ["a", None], "value": [1.5, 2.5], "many": [["x"], []]})
    assert of_arrow(table).rows(("observed_at", "value", "note", "many")) == [
        {"observed_at": NOON, "value": 1.5, "note": "a", "many": ["x"]},
        {"observed_at": NOON + timedelta(hours=1), "value": 2.5, "note": None, "many": []},
    ]


def test_rows_of_a_hand_out_share_nothing() -> None:
    first, second = _part("pulse", [1, 2], 0).rows(("metric", "value"))
    first["metric"] = "mine"
    assert second == {"metric": "pulse", "value": 2}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("metric", pa.int64()), ("value", pa.bool_()), ("value", pa.list_(pa.string())), ("observed_at", pa.string())],
)
def test_a_value_of_another_kind_is_never_made_to_fit(name: str, kind: pa.DataType) -> None:
    with pytest.raises(pa.ArrowException):
        _part("pulse", [1], 0).arrow(name, kind)


@given(st.lists(part, min_size=1, max_size=4))
def test_conditions_and_coarsening_say_the_same_of_columns_and_of_rows(parts: list[Columns]) -> None:
    whole = stacked(parts)
    names = ("metric", "value", "observed_at")
    contract = structs.replace(pulse(), id="test.columns")
    coarse = {"observed_at": "date_trunc('hour', observed_at)", "value": "round(value / 10) * 10"}
    for use in (Use("a", names), Use("b", names, "value >= 0"), Use("c", names, "metric = 'pulse'", coarse)):
        rows = shape(contract, use, whole.rows(names))
        columns = shape(contract, use, whole)
        assert len(columns) == len(rows)
        assert hand_out(contract, use, columns) == hand_out(contract, use, rows)
