# ruff: noqa: E501
"""``hucheng rules``: files in, files out, and errors that say where and how to mend."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.csv as csv
import pyarrow.parquet as parquet
import pytest
from click.testing import CliRunner, Result

from hucheng.cli import front


def run(*args: object) -> Result:
    return CliRunner().invoke(front, ["rules", *map(str, args)])


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    path = tmp_path / "facts.csv"
    path.write_text("resident_id,note,systolic,diastolic\n001,早,185,\n002,,120,80\n003,,999,80\n004,,,\n", "utf-8-sig")
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_decide_passes_ids_through_and_reports_what_it_cannot_decide(facts: Path, tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"out.{suffix}"
    result = run("decide", "blood-pressure", "--facts", facts, "--out", out, "--on", "2026-03-01", "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert (said["rows"], said["reported"], said["open"]) == (4, 1, 2)
    if suffix == "parquet":
        rows = parquet.read_table(out).to_pylist()
        assert rows[0] == {"resident_id": "001", "note": "早", "crisis": True, "grade": "grade_3", "_problem": None}
        assert rows[2]["_problem"] == "systolic: 999 is not within 30 to 350 mm[Hg]"
        again = run("decide", "blood-pressure", "--facts", out, "--out", tmp_path / "x.csv")
        assert again.exit_code == 1 and "has no column" in again.output
    else:
        text = csv.ConvertOptions(column_types={"resident_id": "string"})
        assert csv.read_csv(out, convert_options=text).to_pydict()["crisis"] == [True, False, None, None]
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_explain_prints_the_documented_object(tmp_path: Path) -> None:
    row = tmp_path / "row.json"
    row.write_text('{"resident_id": "001", "systolic": 185, "diastolic": 95}')
    result = run("explain", "blood-pressure", "--facts", row, "--json", "--on", "2026-03-01")
    crisis = json.loads(result.stdout)["outcomes"]["crisis"]
    assert crisis["value"] is True and crisis["reasons"] == [{"fact": "systolic", "value": 185}]
    assert set(crisis) == {"value", "reasons", "nearest", "basis", "text"} and set(crisis["text"]) == {"zh", "en"}
    assert "收缩压 185" in run("explain", "blood-pressure", "--facts", row).stdout


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["decide", "blood-pressur", "--facts", "F", "--out", "o.csv"], 1, "no rule pack"),
        (["decide", "none.yaml", "--facts", "F", "--out", "o.csv"], 1, "cannot read"),
        (["decide", "blood-pressure", "--facts", "F", "--out", "o.csv", "--on", "2020-01-01"], 1, "in force from 2023-06-21"),
        (["decide", "blood-pressure", "--facts", "F", "--out", "o.csv", "--on", "1.1.2020"], 2, "2026-01-31"),
        (["decide", "blood-pressure", "--facts", "F", "--out", "o.xls"], 2, "neither .csv nor .parquet"),
        (["decide", "blood-pressure", "--facts", "none.csv", "--out", "o.csv"], 2, "cannot read"),
        (["decide", "news2", "--facts", "F", "--out", "o.csv"], 1, "has no column"),
        (["explain", "blood-pressure", "--facts", "F"], 2, "not JSON"),
        (["explain", "blood-pressure"], 2, "--facts"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said(facts: Path, tmp_path: Path, args: list[str], status: int, words: str) -> None:
    named = {"F": facts, "none.csv": tmp_path / "none.csv", "none.yaml": tmp_path / "none.yaml"}
    result = run(*(named.get(arg, tmp_path / arg if arg.startswith("o.") else arg) for arg in args))
    assert result.exit_code == status and words in result.output, result.output


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"id,systolic,systolic,diastolic\n1,2,3,4\n", "there twice"),
        (b"systolic,diastolic\n1,2\n1\n", "cannot read the table: the row has 1 value, the header 2"),
        (b"systolic,diastolic\n1,2\n1\n", "facts.csv:3"),
        (b"id,systolic,diastolic\n\n'a,b',1,2\n", "facts.csv:3"),
        ("systolic,diastolic,名\n1,2,三\n".encode("gbk"), "UTF-8"),
        (b"", "the file is empty"),
    ],
)
def test_a_broken_table_stops_before_anything_is_written(tmp_path: Path, data: bytes, words: str) -> None:
    (tmp_path / "facts.csv").write_bytes(data)
    result = run("decide", "blood-pressure", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out.csv")
    assert result.exit_code in (1, 2) and words in result.output, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["facts.csv"]


def test_a_cell_may_hold_a_line_break(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text('id,systolic,diastolic,note\n1,150,80,"a\nb"\n2,120,70,c\n', "utf-8")
    result = run("decide", "blood-pressure", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out.csv")
    assert result.exit_code == 0, result.output
    found = csv.read_csv(tmp_path / "out.csv", parse_options=csv.ParseOptions(newlines_in_values=True)).to_pylist()
    assert [(row["note"], row["crisis"]) for row in found] == [("a\nb", False), ("c", False)]


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_quote_that_is_never_closed_does_not_swallow_the_rest(tmp_path: Path, end: str) -> None:
    (tmp_path / "facts.csv").write_text(f'id,systolic,diastolic,note\n1,150,80,x\n2,1,1,"loud\n3,1,1,y{end}', "utf-8")
    result = run("decide", "blood-pressure", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out.csv")
    assert result.exit_code == 2 and "never closed" in result.output and "facts.csv:3" in result.output, result.output
    assert [path.name for path in tmp_path.iterdir()] == ["facts.csv"]


@pytest.mark.parametrize(("command", "option"), [("explain", "--facts"), ("questions", "--known")])
def test_a_complaint_about_a_fact_of_one_person_names_the_file(tmp_path: Path, command: str, option: str) -> None:
    (tmp_path / "one.json").write_text('{"systolic": 500}', "utf-8")
    result = run(command, "blood-pressure", option, tmp_path / "one.json")
    assert result.exit_code != 0 and "one.json: systolic" in result.output, result.output


EXACT = """pack: exact
title: {zh: 准, en: exact}
basis: none
versions:
  - in_force: 2020-01-01
    facts:
      paid: {type: decimal, scale: 9, range: [0, 999999999]}
      n: {type: integer, range: [0, 9]}
    outcomes:
      amount: {type: decimal, scale: 9, value: "paid * (n + 100000000)"}
      count: {type: integer, value: "n + 12345678901234567890123"}
"""


def test_json_carries_every_digit_of_an_amount(tmp_path: Path) -> None:
    def numbers(result: Result) -> dict[str, Any]:
        assert result.exit_code in (0, 1), result.output
        return json.loads(result.stdout, parse_float=Decimal)  # type: ignore[no-any-return]

    pack, other, one = tmp_path / "exact.yaml", tmp_path / "other.yaml", tmp_path / "one.json"
    pack.write_text(EXACT, "utf-8")
    other.write_text(EXACT.replace("n + 100000000", "n + 100000001"), "utf-8")
    one.write_text('{"paid": 123456789.123456789, "n": 7}')
    amount = Decimal("123456789.123456789") * 100000007
    said = numbers(run("explain", pack, "--facts", one, "--json"))["outcomes"]
    assert said["amount"]["value"] == amount and said["count"]["value"] == 12345678901234567890130
    assert said["amount"]["reasons"][0] == {"fact": "paid", "value": Decimal("123456789.123456789")}
    assert numbers(run("questions", pack, "--known", one, "--json"))["outcomes"]["amount"] == amount
    found = numbers(run("diff", pack, other, "--json"))["differences"][0]
    person = {name: Decimal(value) for name, value in found["example"].items()}
    assert found["a"] == person["paid"] * (person["n"] + 100000000)
    (tmp_path / "facts.csv").write_text("id,paid,n\na,123456789.123456789,7\n")
    (tmp_path / "then.csv").write_text("id,amount\na,0.000000001\n")
    back = ["restate", pack, "--decisions", tmp_path / "then.csv", "--facts", tmp_path / "facts.csv"]
    told = numbers(run(*back, "--out", tmp_path / "out.csv", "--on", "2026-03-01", "--json"))
    assert told["outcomes"]["amount"]["total"] == amount - Decimal("0.000000001")


@pytest.mark.parametrize(
    "args",
    [
        ["decide", "blood-pressur", "--facts", "F", "--out", "o.csv"],
        ["decide", "news2", "--facts", "F", "--out", "o.csv"],
        ["decide", "blood-pressure", "--facts", "F", "--out", "o.csv", "--on", "1.1.2020"],
        ["explain", "blood-pressure", "--facts", "F"],
        ["explain", "blood-pressure"],
        ["questions", "blood-pressure", "--known", "none.json"],
        ["diff", "blood-pressure", "none.yaml"],
        ["restate", "blood-pressure", "--decisions", "F", "--facts", "F", "--out", "o.csv"],
        ["check", "blood-pressure", "--unheard-of"],
        ["forecast"],
    ],
)
def test_with_json_an_error_is_one_document_and_the_exit_status_stays(facts: Path, args: list[str]) -> None:
    named = [str(facts) if arg == "F" else str(facts.parent / arg) if arg.startswith("o.") else arg for arg in args]
    plain, told = run(*named), run(*named, "--json")
    assert told.exit_code == plain.exit_code != 0 and told.stderr == ""
    error = json.loads(told.stdout)["error"]
    assert {"kind", "what", "where", "mend"} <= set(error) and error["what"] in plain.stderr.replace("\n", " ")


def test_a_missing_column_names_its_file(facts: Path, tmp_path: Path) -> None:
    result = run("decide", "news2", "--facts", facts, "--out", tmp_path / "out.csv", "--json")
    error = json.loads(result.stdout)["error"]
    assert error["where"] == str(facts) and error["column"] == "born" and "“born” has no column" in error["what"]


TRIAL = """pack: trial
title: {zh: 试, en: trial}
basis: <b>none</b>
versions:
  - in_force: 2020-01-01
    facts:
      n: {type: integer, range: [0, 9], labels: {}, title: {zh: 数, en: number}}
      born: {type: date, range: [1900-01-01, 2040-12-31]}
    outcomes:
      old: {type: boolean, value: "age(born, decision_date) >= 60 AND n > 1"}
      part: {type: enum, values: [a, b], one_of: [{when: "n < 3", value: a}, {when: "n > 3", value: b}]}
"""


@pytest.fixture
def trial(tmp_path: Path) -> Path:
    path = tmp_path / "trial.yaml"
    path.write_text(TRIAL, "utf-8")
    return path


def test_questions_says_what_to_ask_and_what_not(tmp_path: Path) -> None:
    known = tmp_path / "known.json"
    known.write_text('{"systolic": 170}')
    said = json.loads(run("questions", "blood-pressure", "--known", known, "--json").stdout)
    assert (said["decided"], said["ask"], said["irrelevant"], said["expected_questions"]) == (
        False,
        "diastolic",
        [],
        1.0,
    )
    known.write_text('{"systolic": 190}')
    said = json.loads(run("questions", "blood-pressure", "--known", known, "--outcomes", "crisis", "--json").stdout)
    assert said["decided"] and said["outcomes"] == {"crisis": True} and said["irrelevant"] == ["diastolic"]


def test_check_finds_the_gap_and_exits_with_one(trial: Path) -> None:
    result = run("check", trial, "--json")
    finding = json.loads(result.stdout)["findings"][0]
    assert result.exit_code == 1 and finding["kind"] == "gap" and finding["example"]["n"] == 3
    assert finding["where"] == f"{trial}:11"
    trial.write_text(TRIAL.replace("n > 3", "n >= 3"), "utf-8")
    assert run("check", trial).exit_code == 0
    trial.write_text(TRIAL.replace("n > 3", "n / 3 > 1"), "utf-8")
    result = run("check", trial, "--json")
    assert result.exit_code == 1 and json.loads(result.stdout)["findings"][0]["kind"] == "load"


def test_diff_gives_somebody_who_is_decided_differently(trial: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.yaml"
    other.write_text(TRIAL.replace(">= 60", "> 60"), "utf-8")
    assert run("diff", trial, trial, "--on", "2026-03-01").exit_code == 0
    result = run("diff", trial, other, "--on", "2026-03-01", "--json")
    found = json.loads(result.stdout)["differences"]
    assert result.exit_code == 1 and [each["outcome"] for each in found] == ["old"]
    assert (found[0]["a"], found[0]["b"]) == (True, False)
    assert "1965-03-02" <= found[0]["example"]["born"] <= "1966-03-01"  # aged exactly 60
    moved = run("diff", trial, trial, "--on", "2026-03-01", "--on-b", "2027-03-01", "--json")
    assert [each["outcome"] for each in json.loads(moved.stdout)["differences"]] == ["old"]


def test_doc_writes_a_page_in_both_languages_that_escapes_what_it_shows(trial: Path, tmp_path: Path) -> None:
    out = tmp_path / "trial.html"
    assert run("doc", trial, "--out", out, "--on", "2026-03-01").exit_code == 0
    page = out.read_text("utf-8")
    assert 'lang="zh"' in page and 'lang="en"' in page and "<b>none</b>" not in page
    assert "周岁 ≥ 60" in page and "举例：" in page and "a where number &lt; 3" in page


def test_facts_are_never_replaced_by_what_is_decided_from_them(facts: Path) -> None:
    before = facts.read_bytes()
    done = run("decide", "blood-pressure", "--facts", facts, "--out", facts)
    assert done.exit_code == 2 and "another name" in done.output and facts.read_bytes() == before


def test_half_a_parquet_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    broken = tmp_path / "facts.parquet"
    broken.write_bytes(b"PAR1 and no more")
    done = run("decide", "blood-pressure", "--facts", broken, "--out", tmp_path / "out.csv")
    assert done.exit_code == 2 and "cannot read the table" in done.output


def test_an_amount_carries_its_unit_once(tmp_path: Path) -> None:
    row = tmp_path / "row.json"
    row.write_text('{"born": "1930-01-01", "registered_here": true}')
    said = run("explain", "old-age-allowance", "--facts", row, "--on", "2026-03-01").stdout
    assert "发给 500.00 元/月" in said and "500.00 CNY a month" in said and "CNY CNY" not in said


def test_a_page_can_be_made_of_a_pack_with_a_gap(tmp_path: Path) -> None:
    pack = tmp_path / "gap.yaml"
    pack.write_text(
        "pack: gap\ntitle: {zh: 缺, en: gap}\nbasis: none\nversions:\n  - in_force: 2020-01-01\n"
        "    facts:\n      n: {type: integer, range: [0, 9]}\n    outcomes:\n"
        "      out: {type: enum, values: [a], one_of: [{when: n < 5, value: a}]}\n"
        '      all: {type: boolean, value: "n < 3"}\n',
        "utf-8",
    )
    done = run("doc", pack, "--out", tmp_path / "gap.html")
    assert done.exit_code == 0, done.output


def test_two_rows_with_the_same_ids_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    """Wherever in the file they are: pieces are decided one after the other."""
    (tmp_path / "facts.csv").write_text(
        "id,day,systolic,diastolic\n"
        + "".join(f"{n},1,120,80\n" for n in range(300_000))
        + "17,2,120,80\n41,1,150,95\n"
    )
    done = run("decide", "blood-pressure", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out.csv")
    assert done.exit_code == 1 and "rows 42 and 300002 have the same ids (id = 41, day = 1)" in done.output
    assert str(tmp_path / "facts.csv") in done.output.replace("\n", "") and "keep one" in done.output
    assert [path.name for path in tmp_path.iterdir()] == ["facts.csv"]


def test_rows_without_ids_are_decided_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "facts.csv").write_text("systolic,diastolic\n120,80\n120,80\n")
    done = run("decide", "blood-pressure", "--facts", tmp_path / "facts.csv", "--out", tmp_path / "out.csv")
    assert done.exit_code == 0, done.output


def test_a_key_that_stands_twice_in_json_is_refused_with_its_line(tmp_path: Path) -> None:
    row = tmp_path / "row.json"
    row.write_text('{"systolic": 185,\n "diastolic": 95,\n "systolic": 120}')
    done = run("explain", "blood-pressure", "--facts", row)
    assert done.exit_code == 2 and "“systolic” is there twice" in done.output and f"{row}:3" in done.output


def test_check_says_which_days_it_proved_and_writes_examples_as_packs_do(trial: Path) -> None:
    text = TRIAL.replace('when: "n < 3"', 'when: "n < 3 OR old"')
    trial.write_text(text, "utf-8")
    told = run("check", trial)
    assert "2020-01-01 to 2069-12-31" in told.output and "decision_date = " in told.output
    assert "True" not in told.output and "None" not in told.output
    said = json.loads(run("check", trial, "--json").stdout)
    assert said["days"] == [{"version": "2020-01-01", "from": "2020-01-01", "until": "2069-12-31"}]
    assert {each["kind"] for each in said["findings"]} == {"gap", "overlap"}
    assert all("decision_date" in each["example"] and each["versions"] == ["2020-01-01"] for each in said["findings"])


def test_findings_do_not_depend_on_the_day_that_is_asked_for(trial: Path) -> None:
    """Before 1960 nobody born in the range is 60: the branch is reached later, so nothing is unreachable."""
    trial.write_text(TRIAL.replace("n > 3", "n >= 3").replace("1900-01-01", "1990-01-01"), "utf-8")
    outputs = [run("check", trial, "--on", day, "--json").stdout for day in ("2020-01-01", "2026-03-01", "2060-01-01")]
    assert outputs[0] == outputs[1] == outputs[2] and json.loads(outputs[0])["findings"] == []
