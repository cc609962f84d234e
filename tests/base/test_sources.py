"""A file's readings come as they are written down, ordered by time; what the file lacks is named."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from hucheng.base.sources.files import FileSource
from hucheng.errors import BadRequest

COLUMNS = "resident_id,device_id,metric,observed_at,value,unit\n"


def test_a_csv_keeps_what_it_says(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(
        COLUMNS + "r1,d1,m,2026-03-01T08:00:00+08:00,1.5,/min\nr1,d1,m,2026-02-28 23:59:59.5,2,/min\n,d2,m,soon,high,\n"
    )
    source = FileSource(file)
    assert source.count() == 3 and source.devices() == [("d1", "r1"), ("d2", None)]
    first, second = source.batches(2)
    assert first.observed_at == [1772323199500000, 1772323200000000] and first.value == [2.0, 1.5]
    assert second.observed_at == ["soon"] and second.value == ["high"] and second.resident_id == [None]


def test_a_row_without_a_device_is_a_reading_and_no_device(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(COLUMNS + "r1,d1,m,2026-03-01T08:00:00Z,1,/min\nr1,,m,2026-03-01T08:00:01Z,2,/min\n")
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
        ("a.txt", COLUMNS, "suffix"),
        ("a.parquet", "no parquet", "no whole Parquet file"),
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


COLUMNS = "resident_id,device_id,metric,observed_at,value,unit\n"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (
            "a.csv",
            COLUMNS.encode() + "r1,d1,步数,2026-03-01T00:00:00Z,1,1\n".encode("gb18030"),
            "the text is not UTF-8",
        ),
        ("b.csv", COLUMNS.encode("utf-16"), "the text is not UTF-8"),
        (
            "a.csv",
            COLUMNS.encode() + b"r1,d1,m,2026-03-01,1,1\n" * 30_000 + b"r1,d1,m,2026-03-01,1,1,9,9\n",
            "no CSV of one header",
        ),
        ("a.parquet", b"PAR1" + bytes(200) + b"PAR1", "no whole Parquet file"),
        ("a.parquet", b"", "no whole Parquet file"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_in_our_words(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(BadRequest, match=says) as refused:
        source = FileSource(path)
        source.count()
        list(source.batches(10))
    told = str(refused.value)
    assert str(path) in told and "\n" not in told
    assert not any(word in told for word in ("null_padding", "read_csv", "DuckDB", "Exception", "Error:"))
