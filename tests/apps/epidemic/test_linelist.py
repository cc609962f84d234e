"""Line lists as they come: every change is told, nothing is lost, nothing ambiguous is guessed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars
import pyarrow as pa
import pyarrow.csv as csv
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from hucheng.apps.epidemic import clean, nowcast, rt
from hucheng.apps.epidemic.linelist import counting, datereading, headings, meanings, summary
from hucheng.cli import front
from hucheng.errors import BadRequest

TODAY = date(2020, 3, 1)
MIXED = """病例编号,姓名,性别,年龄,出生日期,现住址,发病日期,Report Date,转归,备注
1,张三,男,35岁,,武汉市,2020/1/5,2020-01-09,治愈,a
2,Li Si,F,3个月,,武汉市,05.01.2020,10-Jan-20,died,b
3,王五,女,18 months,,孝感市,1月6日,43840,死亡,
4,赵六,male,,1980-05-06,孝感市,2020年1月15日,2020/1/12,在院,
5,赵六,M,,1980-05-06,孝感市,2020年1月15日,2020/1/12 13:05,在院,
1,张三,男,35岁,,武汉市,2020/1/5,2020-01-09,治愈,a
7,孙七,?,300,,武汉市,2020/2/31,,recovered,
8,周八,男,40,,武汉市,2020/1/7,2099-01-09,??,
,,,,,,,,,
病例编号,姓名,性别,年龄,出生日期,现住址,发病日期,Report Date,转归,备注
"""


def listed(**columns: list[Any]) -> pa.Table:
    return pa.table(columns)


def run(path: Path, out: Path, *words: str) -> Any:
    return CliRunner().invoke(front, ["epidemic", "clean", str(path), "--out", str(out), *words])


@pytest.fixture
def mixed(tmp_path: Path) -> Path:
    path = tmp_path / "list.csv"
    path.write_text(MIXED, encoding="gb18030")
    return path


def onsets(values: list[str | None], **more: Any) -> list[date | None]:
    found = clean(listed(id=[str(at) for at in range(len(values))], onset=values, report=["2020-02-28"] * len(values),
                         **{"report_date": ["2020-02-28"] * len(values)}), **more)  # fmt: skip
    column: list[date | None] = found.table.column("date_onset").to_pylist()
    return column


@pytest.mark.parametrize(
    "written",
    ["2020-01-25", "2020/1/25", "2020.1.25", "25.01.2020", "25/1/2020", "1/25/2020", "25-Jan-20",
     "25 January 2020",
     "Jan 25, 2020", "january 25 2020", "25th Jan 2020", "1月25日", "1月25号", "2020年1月25日",
     "2020年01月25日", "43855",
     "43855.0", "43855.75",
     "20200125", "2020-01-25 13:30", "2020-01-25T00:00:00Z", "2020/1/25 1:05:00 PM", "25/01/20",
     "２０２０/１/２５", "25-Jan"],
)  # fmt: skip
def test_a_day_is_read_in_every_form(written: str) -> None:
    assert onsets([written, "2020-01-02"], today=TODAY)[0] == date(2020, 1, 25)


@given(
    st.lists(st.dates(date(2019, 1, 1), date(2020, 2, 1)), min_size=1, max_size=30), st.sampled_from(["day", "month"])
)
def test_what_is_told_first_is_read_so_or_refused(days: list[date], order: Any) -> None:
    text = [f"{d.day}/{d.month}/{d.year}" if order == "day" else f"{d.month}/{d.day}/{d.year}" for d in days]
    assert onsets(list(text), order=order) == days
    try:
        assert onsets(list(text)) == days
    except BadRequest as error:
        assert "two ways" in error.what
        assert all(day.day <= 12 for day in days)


def test_the_whole_column_decides_between_day_and_month() -> None:
    assert onsets(["3/4/2019", "25/4/2019"])[0] == date(2019, 4, 3)
    assert onsets(["3/4/2019", "4/25/2019"])[0] == date(2019, 3, 4)
    with pytest.raises(BadRequest, match="can be read two ways: nothing in it tells"):
        onsets(["3/4/2019", "5/6/2019"])
    with pytest.raises(BadRequest, match="can be read two ways: 1 dates have the day first"):
        onsets(["3/4/2019", "25/4/2019", "4/25/2019"])
    with pytest.raises(BadRequest, match="day stands first"):
        onsets(["3/4/2019", "25/4/2019"], order="month")
    assert onsets(["4/4/2019", None])[0] == date(2019, 4, 4)


def test_points_and_strokes_are_judged_apart() -> None:
    assert onsets(["05.01.2020", "1/25/2020", "1/5/2020"]) == [date(2020, 1, 5), date(2020, 1, 25), date(2020, 1, 5)]


def test_a_missing_year_comes_from_the_row_or_the_list_or_is_asked_for() -> None:
    rows = listed(case_id=["1", "2"], 发病日期=["12月30日", "1月2日"], 报告日期=["2019-12-31", "2020-01-03"])
    assert clean(rows).table.column("date_onset").to_pylist() == [date(2019, 12, 30), date(2020, 1, 2)]
    alone = listed(case_id=["1"], 发病日期=["1月2日"])
    assert "nothing else in the file says" in clean(alone).rejected.column("reason")[0].as_py()
    assert clean(alone, year=2021).table.column("date_onset").to_pylist() == [date(2021, 1, 2)]


@pytest.mark.parametrize(("written", "years"), [
    ("35", 35.0), ("35岁", 35.0), ("35 years", 35.0), ("35y", 35.0), ("3个月", 0.25), ("3 months", 0.25), ("18月", 1.5),
    ("2岁6个月", 2.5), ("10天", 0.027), ("2 weeks", 0.038), ("0.5", 0.5), ("３５岁", 35.0), ("不详", None),
])  # fmt: skip
def test_ages_are_years(written: str, years: float | None) -> None:
    assert meanings.years(written) == years


@pytest.mark.parametrize("written", ["abc", "300", "30-39", "-4", "岁"])
def test_what_is_no_age_is_told_and_its_row_kept(written: str) -> None:
    found = clean(listed(id=["1"], age=[written], onset=["2020-01-05"]))
    assert found.table.column("age_years").to_pylist() == [None]
    assert written in found.table.column("problems")[0].as_py()


def test_values_of_two_languages_mean_the_same() -> None:
    outcomes = ["治愈", "DIED", "死亡", "在院", " Recovered ", "不详", "z"]
    classes = ["确诊病例", "suspected", "疑似", "Probable", "临床诊断", "排除", "q"]
    sexes = ["男", "F", "female", "M", "女性", None, "x"]
    found = clean(listed(性别=sexes, 转归=outcomes, 病例分类=classes, onset=["2020-01-05"] * 7))
    columns = {name: found.table.column(name).to_pylist() for name in ("sex", "outcome", "classification")}
    assert columns["sex"] == ["male", "female", "female", "male", "female", None, None]
    assert columns["outcome"] == ["recovered", "died", "died", "in_care", "recovered", "unknown", None]
    assert columns["classification"] == [
        "confirmed",
        "suspected",
        "suspected",
        "probable",
        "probable",
        "excluded",
        None,
    ]
    problems = found.table.column("problems").to_pylist()
    assert problems[:6] == [None] * 6
    assert all(value in problems[6] for value in ("“x”", "“z”", "“q”"))
    assert {"value": "F", "means": "female", "rows": 1} in found.report["columns"]["sex"]["values"]


def test_codes_of_the_standard_are_sexes_only_where_nothing_else_is_there() -> None:
    assert clean(listed(sex=["1", "2"], onset=["2020-01-05"] * 2)).table.column("sex").to_pylist() == ["male", "female"]
    mixed = clean(listed(sex=["1", "男"], onset=["2020-01-05"] * 2)).table.column("sex").to_pylist()
    assert mixed == [None, "male"]


def test_headings_of_every_kind_are_found_and_others_pass_through() -> None:
    there = ["Date of Onset (dd/mm/yyyy)", "报告日期（年月日）", "GENDER", "Age_in_Years", "身份证号", "Notes"]
    found = headings.mapping(there)
    assert list(found.values()) == ["date_onset", "date_report", "sex", "age_years", "person_id"]
    kept = clean(listed(**{"onset": ["2020-01-05"], "Notes": ["n"], "problems": ["mine"]})).table
    assert kept.column("Notes").to_pylist() == ["n"]
    assert kept.column("problems (as it came)").to_pylist() == ["mine"]
    told = clean(listed(wann=["2020-01-05"], x=["1"]), told={"date_onset": "wann"})
    assert told.table.column("date_onset").to_pylist() == [date(2020, 1, 5)]
    assert told.report["passed_through"] == ["x"]


@pytest.mark.parametrize(
    ("rows", "told", "why"),
    [({"a": ["1"]}, {}, "no column of this table"),
     ({"onset": ["2020-01-05"]}, {"when": "onset"}, "no standard"),
     ({"onset": ["2020-01-05"]}, {"sex": "zz"}, "no column “zz”"),
     ({"onset": pa.array([], pa.string())}, {}, "no rows")],
)  # fmt: skip
def test_what_cannot_be_understood_is_refused(rows: dict[str, Any], told: dict[str, str], why: str) -> None:
    with pytest.raises(BadRequest, match=why):
        clean(pa.table(rows), told=told)


def test_duplicates_are_marked_and_kept() -> None:
    rows = listed(
        case_id=["1", "2", "3", "1", "5", "6", "7"],
        id_card=["A", "B", "A", "D", "A", None, None],
        name=["x", "y", "x", "z", "x", "w", "w"],
        dob=[None, None, None, None, None, "1980-01-02", "1980-01-02"],
        onset=["2020-01-05", "2020-01-06", "2020-01-09", "2020-01-05", "2020-06-05", "2020-01-07", "2020-01-07"],
    )
    found = clean(pa.concat_tables([rows, rows.slice(1, 1)])).table
    marks = list(zip(found.column("duplicate_of").to_pylist(), found.column("duplicate_kind").to_pylist(), strict=True))
    assert marks == [
        (None, None), (None, None), (1, "same person_id"), (1, "same case_id"), (None, None), (None, None),
        (6, "same name, birth and onset"), (2, "exact"),
    ]  # fmt: skip


def test_impossible_orders_are_reported_and_kept() -> None:
    found = clean(
        listed(id=["1", "2", "3", "4"], onset=["2020-01-09", "2020-01-05", "2020-01-05", "2020-04-01"],
               report=["x"] * 4, report_date=["2020-01-05", "2020-01-06", "2020-01-06", "2020-04-02"],
               death_date=[None, "2020-01-02", None, None], dob=[None, None, "2021-01-01", None]), today=TODAY,
    )  # fmt: skip
    assert found.table.num_rows == 4
    problems = found.table.column("problems").to_pylist()
    assert problems[0] == "date_onset 2020-01-09 lies after date_report 2020-01-05"
    assert "date_onset 2020-01-05 lies after date_death 2020-01-02" in problems[1]
    assert "date_birth 2021-01-01" in problems[2]
    assert "lies in the future" in problems[3]
    assert found.report["problems"]["date_onset after date_report"] == 1


VALUES = st.one_of(st.none(), st.sampled_from(["2020-01-05", "1月5日", "43835", "x", "", "31.02.2020", "2020/1/7"]))


@given(st.lists(st.tuples(VALUES, VALUES, st.sampled_from(["男", "F", "?", None])), min_size=1, max_size=25))
def test_every_row_is_kept_or_rejected_with_a_reason(rows: list[tuple[str | None, str | None, str | None]]) -> None:
    onset, report, sex = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    found = clean(pa.table({"onset": onset, "report_date": report, "sex": sex}))
    kept, away = found.table.column("row").to_pylist(), found.rejected.column("row").to_pylist()
    assert sorted(kept + away) == list(range(1, len(rows) + 1))
    assert all(found.rejected.column("reason").to_pylist())
    assert found.rejected.column("onset").to_pylist() == [(rows[row - 1][0] or None) for row in away]
    assert found.report["rows"] == {"came": len(rows), "kept": len(kept), "rejected": len(away)}
    assert summary.text(found.report).startswith(f"{len(rows)} rows came")


def test_age_at_onset_follows_from_the_birth_where_none_is_written() -> None:
    found = clean(listed(dob=["1980-01-05", "1980-01-05"], age=[None, "12"], onset=["2020-01-05"] * 2))
    assert found.table.column("age_years").to_pylist() == [40.0, 12.0]
    assert found.report["columns"]["age_years"]["from_date_of_birth"] == 1


@pytest.mark.parametrize("kind", [lambda t: t, polars.from_arrow, lambda t: t.to_pandas()])
def test_the_answer_is_the_kind_of_table_that_was_given(kind: Callable[[pa.Table], Any]) -> None:
    given = kind(listed(id=[1, 2], onset=[date(2020, 1, 5), date(2020, 1, 6)], age=[3.0, 4.5]))
    found = clean(given)
    assert type(found.table) is type(given) and type(found.rejected) is type(given)


def test_counts_and_triangle_leave_duplicates_and_the_future_out() -> None:
    rows = listed(case_id=["1", "1", "2", "3"], place=["a", "a", "a", "b"],
                  onset=["2020-01-05", "2020-01-05", "2020-01-07", "2020-01-06"],
                  report_date=["2020-01-06", "2020-01-06", "2099-01-01", "2020-01-06"])  # fmt: skip
    table = clean(rows, today=TODAY).table
    found = counting.counts(table, today=TODAY)
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        (date(2020, 1, 5), "a", 1), (date(2020, 1, 6), "a", 0), (date(2020, 1, 7), "a", 1),
        (date(2020, 1, 5), "b", 0), (date(2020, 1, 6), "b", 1), (date(2020, 1, 7), "b", 0),
    ]  # fmt: skip
    assert counting.triangle(table, today=TODAY).num_rows == 2
    assert sum(counting.counts(table, duplicates=True).column("value").to_pylist()) == 4
    with pytest.raises(BadRequest, match="more than ten years"):
        counting.counts(clean(listed(onset=["1902-01-05", "2020-01-05"])).table)
    with pytest.raises(BadRequest, match="triangle needs"):
        counting.triangle(clean(listed(onset=["2020-01-05"])).table)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030", "utf-16"])
def test_three_date_forms_and_two_languages_in_every_encoding(tmp_path: Path, encoding: str) -> None:
    path, out = tmp_path / "list.csv", tmp_path / "clean.csv"
    path.write_text(MIXED, encoding=encoding)
    done = run(path, out)
    assert done.exit_code == 0, done.output
    found = csv.read_csv(out)
    assert found.column("date_onset").to_pylist()[:4] == [date(2020, 1, day) for day in (5, 5, 6, 15)]
    assert found.column("date_report").to_pylist()[:3] == [date(2020, 1, day) for day in (9, 10, 10)]
    assert found.column("duplicate_kind").to_pylist()[4:6] == ["same name, birth and onset", "exact"]
    away = csv.read_csv(tmp_path / "clean.rejected.csv")
    assert away.column("row").to_pylist() == [7, 9, 10]
    assert away.column("reason").to_pylist()[1:] == ["empty", "the headings again"]
    report = json.loads((tmp_path / "clean.report.json").read_text(encoding="utf-8"))
    assert report["rows"] == {"came": 10, "kept": 7, "rejected": 3}
    assert report["columns"]["date_onset"]["year_taken_from_elsewhere"] == 1
    assert "张三" not in (tmp_path / "clean.report.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("mark", [";", "\t", "|"])
def test_other_separators_and_rows_of_other_lengths(tmp_path: Path, mark: str) -> None:
    path = tmp_path / "l.csv"
    path.write_text(f"id{mark}onset\n1{mark}2020-01-05{mark}more\n2\n3{mark}2020-01-07\n", encoding="utf-8")
    done = run(path, tmp_path / "o.csv")
    assert done.exit_code == 0, done.output
    found = csv.read_csv(tmp_path / "o.csv")
    assert found.column("row").to_pylist() == [1, 3]
    assert found.column("column 3").to_pylist()[0] == "more"


def test_workbooks_and_empty_files_are_refused_in_words(tmp_path: Path) -> None:
    book, empty = tmp_path / "l.xlsx", tmp_path / "e.csv"
    book.write_bytes(b"PK")
    empty.write_text("", encoding="utf-8")
    for path, why in ((book, "workbook"), (empty, "empty"), (tmp_path / "none.csv", "cannot read")):
        done = run(path, tmp_path / "o.csv")
        assert done.exit_code != 0
        assert why in str(done.exception) + done.output


def test_from_the_list_to_the_nowcast_to_r(tmp_path: Path) -> None:
    """What an epidemiologist does on the first morning, on her own file."""
    rows = ["编号,发病日期,报告日期,城市"]
    for at in range(60):
        onset = date(2020, 1, 5) + timedelta(at)
        for case in range(12):
            report = onset + timedelta((case * 7 + at) % 6)
            if report <= date(2020, 3, 4):
                rows.append(f"{at}-{case},{onset.year}/{onset.month}/{onset.day},{report.month}月{report.day}日,甲市")
    path = tmp_path / "list.csv"
    path.write_text("\n".join(rows), encoding="gb18030")
    triangle, counts = tmp_path / "triangle.csv", tmp_path / "counts.csv"
    done = run(path, tmp_path / "clean.parquet", "--triangle", str(triangle), "--counts", str(counts))
    assert done.exit_code == 0, done.output
    now = nowcast(csv.read_csv(triangle))
    last = [row for row in now.to_pylist() if row["output_type_id"] == 0.5][-4:]
    assert all(abs(row["value"] - 12) < 5 for row in last)
    r = rt(csv.read_csv(counts), nowcasted=now, generation_time=(5.2, 2.8))
    assert r.num_rows == 60
    low, high = r.column("R_0.05").to_numpy()[-1], r.column("R_0.95").to_numpy()[-1]
    assert low < 1 < high
    assert rt(csv.read_csv(counts), generation_time=(5.2, 2.8)).column("R_0.5").to_numpy()[-1] < 0.8


def test_two_figures_of_a_year_lie_in_the_past() -> None:
    assert datereading.full_year(["5-Jan-20", "5-Jan-85", "x", None], 2026) == [2020, 1985, None, None]
