"""The lake keeps rows and offset together, hands out its files, and looks readings up exactly."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from hucheng.base.lake import Lake, connection
from hucheng.base.readings import READINGS
from hucheng.base.tidying import command, sole_rewriter
from hucheng.errors import Fenced, LakeError

START = datetime(2026, 3, 1, tzinfo=UTC)


def rows(n: int, seq: int, *, day: int = 0) -> pa.Table:
    at = [START + timedelta(days=day, seconds=i) for i in range(n)]
    columns = [
        [f"r{i % 3}" for i in range(n)],
        [f"d{i % 3}" for i in range(n)],
        ["m"] * n,
        at,
        [float(i) for i in range(n)],
    ]
    return pa.table([*columns, ["1"] * n, at, [seq] * n, [False] * n], schema=READINGS)


def us(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)


def test_the_offset_comes_with_the_rows(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = lake.writer("home.x", READINGS, "intake-0")
    assert table.offset() == 0 and lake.files("home.x") == []
    table.append(rows(10, 1), 7, {"note": "hello"})
    again = lake.writer("home.x", READINGS, "intake-0")
    assert again.offset() == 7 and again.carried("note") == "hello" and again.carried("other") is None
    assert lake.writer("home.x", READINGS, "intake-1").offset() == 0
    assert lake.datasets() == ["home.x"]


def test_two_writers_of_one_partition_cannot_both_go_on(tmp_path: Path) -> None:
    first, second = (Lake(tmp_path).writer("home.x", READINGS, "intake-0") for _ in range(2))
    other = Lake(tmp_path).writer("home.x", READINGS, "intake-1")
    first.append(rows(1, 1), 1)
    other.append(rows(1, 1), 1)
    with pytest.raises(Fenced):
        second.append(rows(1, 2), 2)


def test_only_files_that_can_hold_it_are_read(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = lake.writer("home.x", READINGS, "intake-0")
    for day in range(5):
        table.append(rows(10, day, day=day), day + 1)
    day2 = START + timedelta(days=2)
    assert len(lake.files("home.x")) == 5
    assert len(lake.files("home.x", day2, day2 + timedelta(hours=1))) == 1
    assert lake.files("home.x", START + timedelta(days=9)) == []


def test_looking_up_is_exact(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = lake.writer("home.x", READINGS, "intake-0")
    table.append(rows(10, 1), 1)
    asked = [("d1", "m", START + timedelta(seconds=4)), ("d1", "m", START + timedelta(seconds=5)),
             ("d2", "x", START + timedelta(seconds=2)), ("d0", "m", START)]  # fmt: skip
    found = lake.kept("home.x", [a[0] for a in asked], [a[1] for a in asked], [us(a[2]) for a in asked])
    np.testing.assert_array_equal(found, [4.0, np.nan, np.nan, 0.0])
    assert np.isnan(lake.kept("home.y", ["d1"], ["m"], [0])).all()


def test_small_files_are_joined_and_nothing_is_lost(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = lake.writer("home.x", READINGS, "intake-0")
    for i in range(70):
        table.append(rows(3, i), i + 1)
    assert table.crowded() and not table.crowded()
    assert subprocess.run(command([table.path])).returncode == 0
    assert len(lake.files("home.x")) == 1 and lake.read("home.x").num_rows == 210
    table.append(rows(3, 99), 99)  # by the table object from before the joining, which notices it
    assert table.offset() == 99 and lake.read("home.x").num_rows == 213


def test_nothing_is_deleted_while_files_are_joined(tmp_path: Path) -> None:
    table = Lake(tmp_path).writer("home.x", READINGS, "intake-0")
    table.append(rows(9, 1), 1)
    with (
        sole_rewriter(table.path),
        pytest.raises(LakeError, match="being rewritten"),
        sole_rewriter(table.path, patience_s=0.1),
    ):
        pass
    assert table.erase("resident_id = 'r1'") == 3


def test_a_persons_rows_can_be_taken_out_of_the_files_too(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    table = lake.writer("home.x", READINGS, "intake-0")
    table.append(rows(9, 1), 1)
    assert table.erase("resident_id = 'r1'") == 3
    assert table.erase("resident_id = 'it''s nobody'") == 0
    left = {name for f in (tmp_path / "home.x").glob("**/*.parquet") for name in connection().sql(
        f"SELECT DISTINCT resident_id FROM '{f}'").fetchnumpy()["resident_id"]}  # fmt: skip
    assert left == {"r0", "r2"}
    table.append(rows(3, 2), 2)
    assert lake.read("home.x").num_rows == 9


def test_a_projection_is_replaced_once_a_version(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    assert lake.replace("city.x", pa.table({"a": [1, 2]}), "registers", 3)
    assert not lake.replace("city.x", pa.table({"a": [9]}), "registers", 3)
    assert lake.replace("city.x", pa.table({"a": ["new"]}), "registers", 4)
    assert lake.read("city.x").to_pylist() == [{"a": "new"}]
