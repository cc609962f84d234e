"""A file's readings come as they are written down, ordered by time; what the file lacks is named."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from hucheng.base.sources.files import FileSource
from hucheng.errors import BadRequest

HEAD = "resident_id,device_id,metric,observed_at,value,unit\n"


def test_a_csv_keeps_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        HEAD + "r1,d1,m,2026-03-01T08:00:00+08:00,1.5,/min\nr1,d1,m,2026-02-28 23:59:59.5,2,/min\n,d2,m,soon,high,\n"
    )
    source = FileSource(file)
    assert source.count() == 3 and source.devices() == [("d1", "r1"), ("d2", None)]
    first, second = source.batches(2)
    assert first.observed_at == [1772323199500000, 1772323200000000] and first.value == [2.0, 1.5]
    assert second.observed_at == ["soon"] and second.value == ["high"] and second.resident_id == [None]


def test_a_row_without_a_device_is_a_reading_and_no_device(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(HEAD + "r1,d1,m,2026-03-01T08:00:00Z,1,/min\nr1,,m,2026-03-01T08:00:01Z,2,/min\n")
    source = FileSource(file)
    assert source.devices() == [("d1", "r1")] and source.count() == 2
    assert [batch.device_id for batch in source.batches(10)] == [["d1", ""]]


def test_a_parquet_file_without_residents(tmp_path: Path) -> None:
    file = tmp_path / "a.parquet"
    duckdb.sql(
        "COPY (SELECT 'd1' AS device_id, 'm' AS metric, TIMESTAMP '2026-03-01 00:00:00' AS observed_at, "
        f"7 AS value, '1' AS unit) TO '{file}'"
    )
    (batch,) = FileSource(file).batches(10)
    assert (batch.observed_at, batch.value, batch.resident_id) == ([1772323200000000], [7.0], [None])


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "device_id,metric,observed_at,unit\nd,m,2026-01-01,1\n", "value"),
        ("a.txt", HEAD, "suffix"),
        ("a.parquet", "no parquet", "cannot read"),
        ("a.csv", "", "missing|cannot read"),
    ],
)
def test_what_a_file_lacks_is_named(tmp_path: Path, name: str, text: str, says: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadRequest, match=says) as caught:
        FileSource(tmp_path / name)
    assert name in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(BadRequest, match="no such file"):
        FileSource(tmp_path / "nothing.csv")
