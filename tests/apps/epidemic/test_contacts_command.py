"""The commands, from file to file, as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import meetings
import polars
import pytest
from click.testing import CliRunner

from hucheng.apps.epidemic import Index, find_contacts
from hucheng.apps.epidemic.commands import epidemic
from hucheng.errors import BadRequest
from hucheng.files import read, write

VISITS = [(1, 1, 0, 4_000), (2, 1, 1_000, 4_000), (2, 2, 5_000, 8_000), (3, 2, 5_000, 8_000), (4, 2, 60, 50)]
CASES = [(1, 0, 10_000), (99, 0, 10_000)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(meetings.visits_table(VISITS), tmp_path / "visits.csv")
    write(meetings.cases_table(CASES), tmp_path / "cases.csv")
    return tmp_path


def run(*given: Any) -> Any:
    found = CliRunner().invoke(epidemic, [str(one) for one in given])
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return found


@pytest.mark.parametrize("kind", ["csv", "parquet", "csv.gz"])
def test_index_and_file_give_the_same_files(folder: Path, kind: str) -> None:
    built = run("index", folder / "visits.csv", "--out", folder / "index")
    assert "1 visit left out" in built.stderr and "left-out.csv" in built.stderr
    asked = ("--cases", folder / "cases.csv", "--ring", 2)
    for where, name in (("--index", "index"), ("--visits", "visits.csv")):
        out, people = folder / f"{name}.out.{kind}", folder / f"{name}.people.{kind}"
        told = json.loads(
            run("contacts", where, folder / name, *asked, "--out", out, "--persons", people, "--json").stdout
        )
        assert (told["cases"], told["overlaps"], told["people"]) == (2, 2, 1)
        assert any("without any visit: 99" in note for note in told["notes"])
        rows = [[str(one) for one in row.values()] for row in read(out).to_pylist()]
        assert [row[:5] for row in rows] == [["2", "1", "1", "1000", "4000"], ["3", "1", "2", "5000", "8000"]]
        assert [row[6:] for row in rows] == [["1", "None"], ["2", "2"]]
        assert read(people).num_rows == 1


def test_what_was_left_out_of_a_file_is_listed_where_it_is_asked_for(folder: Path) -> None:
    run("contacts", "--visits", folder / "visits.csv", "--cases", folder / "cases.csv", "--out", folder / "out.csv",
        "--left-out", folder / "left.csv")  # fmt: skip
    assert read(folder / "left.csv").column("row").to_pylist() == ["5"]


def test_nothing_found_is_a_file_with_its_columns(folder: Path) -> None:
    run("contacts", "--visits", folder / "visits.csv", "--cases", folder / "cases.csv", "--minutes", 600, "--out",
        folder / "out.csv")  # fmt: skip
    assert read(folder / "out.csv").column_names == ["person", "case", "place", "from", "until", "minutes"]


def test_proximity_has_an_empty_place(folder: Path) -> None:
    (folder / "near.csv").write_text("t,i,j\n20,1,2\n40,1,2\n60,2,1\n")
    run("contacts", "--proximity", folder / "near.csv", "--cases", folder / "cases.csv", "--minutes", 1, "--out",
        folder / "out.parquet")  # fmt: skip
    assert read(folder / "out.parquet").to_pylist() == [
        {"person": 2, "case": 1, "place": None, "from": 20, "until": 60, "minutes": 1.0}
    ]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["--out", "o.csv"], "where to look"),
        (["--index", "i", "--visits", "v.csv", "--out", "o.csv"], "where to look"),
        (["--visits", "visits.csv", "--out", "visits.csv"], "replace what is read"),
        (["--visits", "visits.csv", "--out", "o.xlsx"], "suffix"),
        (["--visits", "visits.csv", "--out", "o.csv", "--persons", "o.csv"], "one name"),
    ],
)
def test_what_cannot_be_done_is_refused_before_anything_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch, given: list[str], message: str
) -> None:
    monkeypatch.chdir(folder)
    with pytest.raises(BadRequest, match=message):
        run("contacts", "--cases", "cases.csv", *given)


def test_it_works_where_compiled_code_cannot_be_kept(folder: Path) -> None:
    """A read-only installation and no home: the loops are compiled again and the answer is the same."""
    env = os.environ | {"NUMBA_CACHE_DIR": "/dev/null/none", "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run(
        [sys.executable, "-m", "hucheng", "epidemic", "contacts", "--visits", folder / "visits.csv", "--cases",
         folder / "cases.csv", "--out", folder / "out.csv"],
        check=True, env=env, capture_output=True,
    )  # fmt: skip
    assert read(folder / "out.csv").num_rows == 1


def test_answers_come_in_the_kind_of_table_that_was_given(folder: Path) -> None:
    table, cases = meetings.visits_table(VISITS), meetings.cases_table(CASES)
    assert isinstance(find_contacts(polars.from_arrow(table), cases).overlaps, polars.DataFrame)
    found = find_contacts(table.to_pandas(), cases)
    assert list(found.persons["person"]) == [2] and any("left out" in note for note in found.notes)
    index = Index.of(table)
    assert isinstance(find_contacts(index, polars.from_arrow(cases)).persons, polars.DataFrame)
