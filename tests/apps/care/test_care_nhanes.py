"""Real people: of 3,168 measured by NHANES exactly 57 have a reading in crisis, and exactly those are found."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType

import pyarrow as pa
import pytest
from care_readings import SCHEMA
from pyarrow import csv

from hucheng.apps.care.app import app
from hucheng.rules import load

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
CRISIS = next(detector for detector in app.detectors if detector.rule == "bp_crisis")


@pytest.fixture
def source(shared_data: Callable[[str], Path]) -> Path:
    """NHANES 2021–2023, three readings a person."""
    return shared_data("care/nhanes_bp/nhanes_2021_2023_bp.csv.gz")


@pytest.fixture
def nhanes() -> ModuleType:
    """The script that makes the readings file."""
    spec = importlib.util.spec_from_file_location("nhanes", Path(__file__).parents[2] / "e2e" / "nhanes.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def batch_of(table: pa.Table) -> pa.Table:
    """A readings file as the stream would bring it."""
    more = {
        "received_at": table["observed_at"],
        "seq": pa.array(range(len(table)), pa.int64()),
        "simulated": pa.array([False] * len(table)),
    }
    for name, column in more.items():
        table = table.append_column(name, column)
    return table.select(SCHEMA.names).cast(SCHEMA)


@pytest.mark.parametrize("cut", [1_000_000, 1000, 7])
def test_exactly_the_57_residents_in_crisis(source: Path, nhanes: ModuleType, tmp_path: Path, cut: int) -> None:
    readings = tmp_path / "readings.csv"
    nhanes.write(source, readings, NOW)
    table = batch_of(csv.read_csv(readings))
    table = table.sort_by("observed_at") if cut == 7 else table
    pack, state, found, ids = load(app.rules / "blood-pressure.yaml"), CRISIS.start(), set(), set()
    facts = [CRISIS.facts(table.slice(n, cut), state, {}, NOW) for n in range(0, len(table), cut)]
    decided = pack.decide(pa.concat_tables(facts), NOW.date())
    for row in decided.to_pylist():
        if row["crisis"]:
            found.add(row["resident_id"])
            ids.add((row["device_id"], row["observed_at"]))
    assert len(found) == 57
    assert found == nhanes.in_crisis(source)
    assert len({device for device, _ in ids}) == 57


def test_every_pair_is_two_rows_of_one_device_and_minute_in_the_last_hour(
    source: Path, nhanes: ModuleType, tmp_path: Path
) -> None:
    readings = tmp_path / "readings.csv"
    count = nhanes.write(source, readings, NOW)
    table = batch_of(csv.read_csv(readings))
    assert len(table) == count
    assert pa.compute.min(table["observed_at"]).as_py() > NOW - timedelta(hours=1)
    assert pa.compute.max(table["observed_at"]).as_py() <= NOW
    assert len(set(zip(*(table[c].to_pylist() for c in ("device_id", "metric", "observed_at")), strict=True))) == count
    assert len(set(table["resident_id"].to_pylist())) == 3058
