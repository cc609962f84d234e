# ruff: noqa: E501
"""Tables of every kind; what is not admissible is reported with its row and decides nothing."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import duckdb
import pandas
import polars
import pyarrow as pa
import pytest

from hucheng.errors import BadRequest, RuleError
from hucheng.rules import load, loads, tables

TEXT = """pack: trial
title: {zh: 试, en: trial}
basis: none
versions:
  - in_force: 2020-01-01
    parameters:
      limit: {type: decimal, scale: 2, value: 800.00, source: a source}
    facts:
      paid: {type: decimal, scale: 2, range: [0, 1000]}
      size: {type: integer, range: [1, 9], round: half_up}
      kind: {type: enum, values: [red, green]}
      born: {type: date, range: [1900-01-01, 2040-12-31]}
      away: {type: boolean}
    constraints:
      - "NOT (away AND kind = 'green')"
    outcomes:
      poor: {type: boolean, value: "round(paid / size, 2) < limit"}
      share: {type: decimal, scale: 2, value: "round(paid / size, 2)"}
      due: {type: date, value: "born + INTERVAL 1 MONTH"}
      group: {type: enum, values: [a, b], one_of: [{when: "kind = 'red'", value: a}, {when: "kind = 'green'", value: b}]}
"""
ROW = {"id": "x", "paid": 100.01, "size": 3, "kind": "red", "born": date(2024, 1, 31), "away": False}
OUT = {"id": "x", "poor": True, "share": Decimal("33.34"), "due": date(2024, 2, 29), "group": "a", "_problem": None}


clock = datetime.fromisoformat
"""A timestamp without time zone."""


@pytest.fixture(scope="module")
def pack() -> Any:
    return loads(TEXT)


def table(*rows: dict[str, Any]) -> pa.Table:
    return pa.Table.from_pylist([ROW | row for row in rows])


@pytest.fixture(params=["arrays", "sql"])
def road(request: Any, monkeypatch: pytest.MonkeyPatch) -> str:
    """What fits into 64 bits goes over arrays, the rest over SQL; each promise is kept on both roads."""
    if request.param == "sql":
        monkeypatch.setattr(tables, "_fits", lambda digest, version: False)
    return str(request.param)


def test_every_kind_of_table_comes_back_as_it_came(pack: Any, road: str) -> None:
    given = table({})
    assert pack.decide(given).to_pylist() == [OUT]
    batch = pack.decide(given.to_batches()[0])
    assert isinstance(batch, pa.RecordBatch) and batch.to_pylist() == [OUT]
    frame = pack.decide(polars.from_arrow(given))
    assert isinstance(frame, polars.DataFrame) and frame.to_dicts() == [OUT]
    lazy = pack.decide(polars.from_arrow(given).lazy())
    assert isinstance(lazy, polars.LazyFrame) and lazy.collect().to_dicts() == [OUT]
    relation = pack.decide(duckdb.from_arrow(given))
    assert isinstance(relation, duckdb.DuckDBPyRelation) and relation.fetchall() == [tuple(OUT.values())]
    panda = pack.decide(pandas.DataFrame([ROW], index=[7]))
    assert list(panda.index) == [7] and panda["share"].tolist() == [OUT["share"]]
    assert pack.decide(given.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"paid": 1000.01}, "paid: 1000.01 is not within 0.00 to 1000.00"),
        ({"paid": 10.005}, "paid: 10.005 has more than 2 decimal places"),
        ({"paid": float("nan")}, "paid: nan is not within"),
        ({"paid": float("inf")}, "paid: inf is not within"),
        ({"size": 0}, "size: 0 is not within 1 to 9"),
        ({"kind": "Red"}, "kind: Red is not one of red, green"),
        ({"born": date(1899, 12, 31)}, "born: 1899-12-31 is not within 1900-01-01 to 2040-12-31"),
        ({"away": True, "kind": "green"}, "constraint: NOT (away AND kind = 'green')"),
    ],
)
def test_a_row_outside_the_domain_is_reported_not_decided(pack: Any, change: Any, problem: str, road: str) -> None:
    wrong, right = pack.decide(table(change, {})).to_pylist()
    assert wrong["_problem"].startswith(problem)
    assert all(wrong[name] is None for name in ("poor", "share", "due", "group"))
    assert right == OUT
    with pytest.raises(RuleError) as caught:
        pack.explain(ROW | change)
    assert problem.startswith("constraint") or caught.value.what == wrong["_problem"]


MISSHAPEN = [
    ("paid", "1e3", "1e3 is not a number written as 120 or 120.00"),
    ("paid", " 12", "“ 12” is not a number written as 120 or 120.00"),
    ("paid", "12元", "12元 is not a number written as 120 or 120.00"),
    ("paid", "１２", "１２ is not a number written as 120 or 120.00"),
    ("paid", "  ", "“  ” is blank; leave it empty where it is not known"),
    ("paid", "12.345", "12.345 has more than 2 decimal places"),
    ("paid", "1000.01", "1000.01 is not within 0.00 to 1000.00"),
    ("paid", "9" * 40, "9" * 40 + " is not within 0.00 to 1000.00"),
    ("size", "1.0000000000001", "1.0000000000001 has more than 12 decimal places"),
    ("size", "9.6", "9.6 is not within 1 to 9"),
    ("born", "2018/01/01", "2018/01/01 is not a date written as 2026-01-31"),
    ("born", "2018-02-30", "2018-02-30 is not a date written as 2026-01-31"),
    ("born", "1850-01-01", "1850-01-01 is not within 1900-01-01 to 2040-12-31"),
    ("born", " ", "“ ” is blank; leave it empty where it is not known"),
    ("kind", "", "“” is blank; leave it empty where it is not known"),
    ("kind", "7", "7 is not one of red, green"),
    ("away", "ja", "ja is not true or false"),
]


@pytest.mark.parametrize(("name", "value", "complaint"), MISSHAPEN)
def test_a_value_in_a_wrong_form_is_told_the_form(pack: Any, name: str, value: str, complaint: str, road: str) -> None:
    """As in a CSV file, where every value is text; ``explain`` says the same."""
    row = {"paid": "100.01", "size": "3", "kind": "red", "born": "2024-01-31", "away": "false"} | {name: value}
    given = pa.table({key: pa.array([text], pa.string()) for key, text in row.items()})
    found = tables.decided(pack.version(), given, None, text=True).to_pylist()[0]
    assert found["_problem"] == f"{name}: {complaint}"
    with pytest.raises(RuleError) as caught:
        pack.explain(ROW | {name: value})
    assert caught.value.what == f"{name}: {complaint}"


@pytest.mark.parametrize(
    ("fact", "value", "complaint"),
    [
        ("kind", 7, "kind: 7 is not one of red, green"),
        ("paid", True, "paid: true is not a number written as 120 or 120.00"),
        ("paid", [1], "paid: [1] is not a number written as 120 or 120.00"),
        ("paid", 10**400, f"paid: {10**400} is not within 0.00 to 1000.00"),
        ("paid", Decimal("sNaN"), "paid: sNaN is not within 0.00 to 1000.00"),
        ("born", 20240131, "born: 20240131 is not a date written as 2026-01-31"),
        ("born", clock("2024-01-31 08:00"), "born: 2024-01-31 08:00:00 has a time of day, a date is expected"),
        ("away", 1, "away: 1 is not true or false"),
    ],
)
def test_a_value_of_another_kind_is_told_what_is_expected(pack: Any, fact: str, value: Any, complaint: str) -> None:
    with pytest.raises(RuleError) as caught:
        pack.explain(ROW | {fact: value})
    assert caught.value.what == complaint


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_timestamps_that_are_all_midnight_are_dates(pack: Any, road: str, unit: str) -> None:
    days = [clock("2024-01-31"), clock("1890-01-01"), None, clock("2024-01-31 10:30")]
    rows = table({}, {}, {"born": None}, {})
    given = rows.set_column(4, "born", pa.array(days, pa.timestamp("us")).cast(pa.timestamp(unit)))
    assert given.column_names == rows.column_names
    found = pack.decide(given).to_pylist()
    assert found[0] == OUT and found[2]["_problem"] is None
    assert found[1]["_problem"] == "born: 1890-01-01 00:00:00 is not within 1900-01-01 to 2040-12-31"
    assert found[3]["_problem"] == "born: 2024-01-31 10:30:00 has a time of day, a date is expected"
    frame = pandas.DataFrame([ROW]).assign(born=pandas.to_datetime(["2024-01-31"]))
    assert pack.decide(frame)["due"].tolist() == [OUT["due"]]
    assert pack.explain(ROW | {"born": clock("2024-01-31")})["outcomes"]["due"]["value"] == OUT["due"]


def test_unknown_stays_open_only_where_it_matters(pack: Any, road: str) -> None:
    row = pack.decide(
        table({"paid": None, "size": 1, "kind": None, "away": True}, {"size": None, "paid": 1.0})
    ).to_pylist()
    assert (row[0]["poor"], row[0]["group"]) == (None, "a")  # away excludes green: red is all that is left
    assert (row[1]["poor"], row[1]["share"]) == (True, None)  # a share of at most 1.00 is below the limit


@pytest.mark.parametrize("unknown", [False, True])
def test_pieces_of_a_file_are_decided_as_the_whole_is(
    pack: Any, unknown: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A few pieces become one where facts are unknown; words may be places in another list in each piece."""
    for name, value in (("PIECE", 100), ("SHARING", 250), ("WORKERS", 2)):
        monkeypatch.setattr(tables, name, value)
    version = pack.version(date(2026, 1, 1))
    rows = [
        {
            "id": place,
            "size": None if unknown and place % 3 else place % 9 + 1,
            "kind": ("red", "green")[place // 50 % 2],
        }
        for place in range(700)
    ]
    whole = table(*rows)
    pieces = []
    for begin in range(0, 700, 100):
        part = whole.slice(begin, 100)
        coded = part.set_column(part.column_names.index("kind"), "kind", part.column("kind").dictionary_encode())
        pieces.append((coded, False, part.num_rows))
    found = list(tables.shared(version, pieces))
    assert [share for _, _, share in found] == ([300, 300, 100] if unknown else [100] * 7)
    decided = pa.concat_tables(tables.decided(version, piece, None) for piece, _, _ in found)
    assert decided.to_pylist() == tables.decided(version, whole, None).to_pylist()


def test_rows_keep_their_order_in_a_table_of_any_size(pack: Any, road: str) -> None:
    """Four hundred thousand rows: several pieces, several threads; DuckDB with threads of its own would mix them."""
    rows = 400_000
    sizes = [place * 7919 % 9 + 1 for place in range(rows)]
    same = {name: pa.array([ROW[name]] * rows) for name in ("kind", "born", "away")}
    many = pa.table({"id": range(rows), "paid": pa.array([90.0] * rows), "size": sizes, **same})
    found = pack.decide(many)
    assert found.column("id").to_pylist() == list(range(rows))
    share = {size: pack.decide(table({"paid": 90.0, "size": size})).column("share")[0].as_py() for size in range(1, 10)}
    assert found.column("share").to_pylist() == [share[size] for size in sizes]


def test_rounding_on_entry_is_the_same_by_every_road(road: str) -> None:
    values = [2.5, 2.4999999, 2.49, 3.5, 1.5, 0.6, 8.4, 8.5]
    pack = loads(TEXT)
    rows = table(*({"size": value} for value in values))
    exact = rows.set_column(2, "size", pa.array([Decimal(str(v)) for v in values], pa.decimal128(12, 7)))
    expected = [(100, 3), (100, 2), (100, 2), (100, 4), (100, 2), (100, 1), (100, 8), (100, 9)]
    wanted = [Decimal(10001 * 2 + n).__floordiv__(2 * n) / 100 for _, n in expected]
    for given in (rows, exact):
        assert pack.decide(given).slice(0, 8).column("share").to_pylist() == wanted
    for value, share in zip(values, wanted, strict=True):
        assert pack.explain(ROW | {"size": value})["outcomes"]["share"]["value"] == share


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("paid", pa.array(["1"])),
        ("paid", pa.array([True])),
        ("kind", pa.array([1])),
        ("born", pa.array([datetime(2020, 1, 1, tzinfo=UTC)])),
        ("born", pa.array(["2020-01-01"])),
        ("away", pa.array([1])),
    ],
)
def test_a_column_that_cannot_carry_the_fact_stops_the_table(pack: Any, column: str, values: pa.Array) -> None:
    given = table({})
    given = given.set_column(given.column_names.index(column), column, values)
    with pytest.raises(RuleError, match=f"the column “{column}” is"):
        pack.decide(given)


def test_a_column_that_is_missing_or_there_twice_stops_the_table(pack: Any) -> None:
    with pytest.raises(RuleError, match="has no column"):
        pack.decide(table({}).drop_columns(["paid"]))
    with pytest.raises(RuleError, match=r"is it “payed”"):
        pack.decide(table({}).rename_columns(["id", "payed", "size", "kind", "born", "away"]))
    doubled = pa.table([[1], [2], *table({}).columns[1:]], names=["id", "id", *table({}).column_names[1:]])
    with pytest.raises(RuleError, match="there twice"):
        pack.decide(doubled)
    with pytest.raises(RuleError, match="name of a result"):
        pack.decide(table({}).append_column("poor", pa.array([1])))
    with pytest.raises(BadRequest, match="is no table"):
        pack.decide([{"a": 1}])


def test_a_gap_and_an_overlap_are_reported_with_the_row(road: str) -> None:
    text = TEXT.replace("kind = 'green'\", value: b", 'size > 5", value: b')
    pack = loads(text)
    rows = pack.decide(table({"size": 9}, {"kind": "green", "size": 1}, {})).to_pylist()
    assert [row["_problem"] for row in rows] == ["group: two branches hold", "group: no branch holds", None]


def test_a_misspelt_fact_is_not_taken_for_an_id(pack: Any) -> None:
    with pytest.raises(RuleError, match="did you mean “away”"):
        pack.explain({"id": 1, "awai": True})


def test_nhanes_people_in_crisis_are_exactly_those_of_plain_arithmetic(shared_data: Any) -> None:
    """Real people: any of three readings at systolic ≥ 180 or diastolic ≥ 110 mm[Hg] (57 residents in this file)."""
    frame = pandas.read_csv(shared_data("care/nhanes_bp/nhanes_2021_2023_bp.csv.gz"))
    systolic = [c for c in frame.columns if c.lower().startswith(("sysbp", "bpxosy"))]
    diastolic = [c for c in frame.columns if c.lower().startswith(("diabp", "bpxodi"))]
    assert systolic and len(systolic) == len(diastolic), list(frame.columns)
    plain, ours = set(), set()
    pack = load("blood-pressure")
    for s, d in zip(systolic, diastolic, strict=True):
        readings = pa.table({"id": frame.index.to_numpy(), "systolic": pa.array(frame[s], from_pandas=True), "diastolic": pa.array(frame[d], from_pandas=True)})  # fmt: skip
        result = pack.decide(readings)
        assert result.column("_problem").null_count == len(frame)
        ours |= {row["id"] for row in result.select(["id", "crisis"]).to_pylist() if row["crisis"]}
        plain |= set(frame.index[(frame[s] >= 180) | (frame[d] >= 110)])
    assert ours == plain and len(ours) == 57


def test_a_constraint_that_stands_twice_is_reported_once() -> None:
    pack = loads(
        "pack: twice\ntitle: {zh: 二, en: two}\nbasis: none\nversions:\n  - in_force: 2020-01-01\n"
        "    facts: {b: {type: boolean}}\n    constraints: [b, b]\n"
        "    outcomes: {o: {type: boolean, value: b}}\n"
    )
    frame = pa.table({"b": [False, True]})
    assert pack.decide(frame, date(2024, 1, 1)).column("_problem").to_pylist() == ["constraint: b", None]
