"""Rounding is what a person with a pencil does, and devices keep their number."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

import numpy as np
import pytest
from care_readings import readings
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.care.columns import Devices, decimals


@given(st.lists(st.decimals(-400, 400, places=3), min_size=1), st.integers(0, 2))
def test_rounds_half_away_from_zero_on_the_decimal_text(values: list[Decimal], places: int) -> None:
    found = decimals(np.array([float(v) for v in values]), places).to_pylist()
    unit = Decimal(1).scaleb(-places)
    assert [Decimal(f) for f in found] == [v.quantize(unit, ROUND_HALF_UP) for v in values]


@pytest.mark.parametrize(("value", "places", "text"), [(38.05, 1, "38.1"), (20.5, 0, "21"), (38.04, 1, "38.0")])
def test_the_cases_the_standard_leaves_open(value: float, places: int, text: str) -> None:
    assert str(decimals(np.array([value]), places)[0].as_py()) == text


def test_unknown_stays_unknown() -> None:
    assert decimals(np.array([np.nan, 1.0]), 1).to_pylist() == [None, Decimal("1.0")]
    assert decimals(np.array([np.nan, 1.0]), 0).to_pylist() == [None, 1]


def test_a_device_keeps_its_number_and_its_resident() -> None:
    devices = Devices()
    first = devices.of(readings([("b", "help", 0, 1), ("a", "help", 1, 1), ("b", "help", 2, 1)]))
    second = devices.of(readings([("a", "help", 3, 1), ("c", "help", 4, 1)]))
    assert first.tolist() == [0, 1, 0]
    assert second.tolist() == [1, 2]
    assert devices.residents == ["r-b", "r-a", "r-c"]
