"""What every command of the bench keeps: nothing that is read is written over; what cannot be is said before work."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from hucheng.cli import front

WEEKS = [(date(2025, 1, 4) + timedelta(7 * week)).isoformat() for week in range(60)]


def run(*words: Any) -> Any:
    return CliRunner().invoke(front, ["epidemic", *map(str, words)])


def put(path: Path, head: str, rows: Iterable[Iterable[Any]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([head.split(","), *rows])
    return path


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """A small file of each kind."""
    days = [(date(2026, 1, 1) + timedelta(day)).isoformat() for day in range(40)]
    lines = [(f"P{n}", days[n % 30], days[n % 30 + 3], "东") for n in range(120)]
    return {
        "clean": put(tmp_path / "list.csv", "id,date_onset,date_report,place", [*lines, *lines[:5]]),
        "counts": put(tmp_path / "counts.csv", "date,location,value", [(d, "东", 5 + n) for n, d in enumerate(WEEKS)]),
        "visits": put(tmp_path / "visits.csv", "person,place,arrive,leave", [("a", "p", 0, 9000), ("b", "p", 0, 9000)]),
        "cases": put(tmp_path / "cases.csv", "person,from,until", [("a", 0, 9000)]),
    }


def words(files: dict[str, Path], command: str, out: Path) -> list[Any]:
    """A call of a command with its result in ``out``."""
    return {
        "clean": ["clean", files["clean"], "--out", out],
        "nowcast": ["nowcast", "--triangle", files["clean"], "--out", out],
        "rt": ["rt", "--observed", files["counts"], "--out", out],
        "forecast": ["forecast", "--observed", files["counts"], "--reference-date", "2026-02-28", "--target", "t",
                     "--model", "a-b", "--out", out],
        "contacts": ["contacts", "--visits", files["visits"], "--cases", files["cases"], "--out", out],
    }[command]  # fmt: skip


READS = {"clean": "clean", "nowcast": "clean", "rt": "counts", "forecast": "counts", "contacts": "visits"}


@pytest.mark.parametrize(("command", "read"), READS.items())
def test_a_result_never_replaces_what_is_read(files: dict[str, Path], command: str, read: str) -> None:
    before = files[read].read_bytes()
    done = run(*words(files, command, files[read]))
    assert done.exit_code == 2 and "would replace what is read" in done.output, done.output
    assert files[read].read_bytes() == before


@pytest.mark.parametrize("command", READS)
def test_a_folder_that_is_not_there_is_said_before_any_work(
    files: dict[str, Path], tmp_path: Path, command: str
) -> None:
    done = run(*words(files, command, tmp_path / "nowhere" / "x.csv"))
    assert done.exit_code == 2 and "there is no such folder" in done.output, done.output


def test_a_report_is_a_page_and_versions_go_into_a_folder(files: dict[str, Path], tmp_path: Path) -> None:
    done = run("score", tmp_path, "--truth", files["counts"], "--report", tmp_path / "s.csv")
    assert done.exit_code == 2 and "end with .html" in done.output
    more = ["--target", "t", "--model", "a-b", "--out", tmp_path / "x.csv"]
    done = run("forecast", "--vintages", files["counts"], *more)
    assert done.exit_code == 2 and "is a folder" in done.output


def test_an_empty_file_and_one_of_another_encoding_are_called_so(files: dict[str, Path], tmp_path: Path) -> None:
    files["counts"].write_bytes(b"")
    assert "the file is empty" in run(*words(files, "rt", tmp_path / "r.csv")).output
    files["counts"].write_bytes("日期,地区,数量\n2026-01-01,东,3\n".encode("gb18030"))
    done = run(*words(files, "rt", tmp_path / "r.csv"))
    assert "not UTF-8" in done.output and "save it as UTF-8" in done.output


def test_rows_that_repeat_another_are_counted_by_none(files: dict[str, Path], tmp_path: Path) -> None:
    out, triangle = tmp_path / "clean.csv", tmp_path / "triangle.csv"
    assert run("clean", files["clean"], "--out", out, "--triangle", triangle).exit_code == 0
    of_list = run("nowcast", "--triangle", out, "--out", tmp_path / "a.csv")
    of_triangle = run("nowcast", "--triangle", triangle, "--out", tmp_path / "b.csv")
    assert of_list.exit_code == of_triangle.exit_code == 0, of_list.output
    assert "5 rows are marked as repeating another" in of_list.output
    with (tmp_path / "a.csv").open() as one, (tmp_path / "b.csv").open() as other:
        mine, theirs = (sum(int(float(row["reported"])) for row in csv.DictReader(file)) for file in (one, other))
    assert mine == theirs


def test_a_table_without_any_date_of_a_case_is_no_line_list(files: dict[str, Path], tmp_path: Path) -> None:
    done = run("clean", files["visits"], "--out", tmp_path / "x.csv")
    assert done.exit_code == 2 and not (tmp_path / "x.csv").exists()


def test_the_name_of_a_column_says_that_it_holds_totals(tmp_path: Path) -> None:
    days = [(date(2026, 1, 1) + timedelta(day)).isoformat() for day in range(25)]
    totals = put(tmp_path / "t.csv", "日期,累计确诊", [(d, round(10 * 1.2**n)) for n, d in enumerate(days)])
    done = run("rt", "--observed", totals, "--out", tmp_path / "r.csv")
    assert done.exit_code == 0 and "“累计确诊” says so" in done.output, done.output


def test_a_nowcast_of_something_else_is_refused(files: dict[str, Path], tmp_path: Path) -> None:
    assert run("nowcast", "--triangle", files["clean"], "--out", tmp_path / "n.csv").exit_code == 0
    days = [(date(2024, 1, 1) + timedelta(day)).isoformat() for day in range(40)]
    other = put(tmp_path / "o.csv", "date,location,value", [(d, "elsewhere", 9) for d in days])
    done = run("rt", "--observed", other, "--nowcast", tmp_path / "n.csv", "--out", tmp_path / "r.csv")
    assert done.exit_code == 2 and "other places or days" in done.output, done.output


def test_places_without_a_population_are_named(files: dict[str, Path], tmp_path: Path) -> None:
    people = put(tmp_path / "people.csv", "location,population", [("西", 90_000)])
    done = run(*words(files, "forecast", tmp_path / "2026-02-28-a-b.csv"), "--population", people)
    assert done.exit_code == 0 and "no population is given for 1 of 1 places (东)" in done.output, done.output
