"""Earlier decisions made again: who changes, by how much, from when; nobody is lost on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from click.testing import CliRunner

from hucheng.cli import front
from hucheng.errors import RuleError
from hucheng.rules import Pack, loads

PACK = """
pack: heating
title: {{zh: 取暖, en: heating}}
basis: example
versions:
  - in_force: 2025-01-01
    facts:
      people: {{type: integer, range: [1, 20]}}
    outcomes:
      amount: {{type: decimal, scale: 2, value: "people * {old}"}}
      large: {{type: boolean, value: "people >= 5"}}
  - in_force: 2026-01-01
    facts:
      people: {{type: integer, range: [1, 20]}}
    outcomes:
      amount: {{type: decimal, scale: 2, value: "people * {new}"}}
      large: {{type: boolean, value: "people >= 5"}}
"""
MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1)]


def heating(old: str = "10.00", new: str = "12.00") -> Pack:
    return loads(PACK.format(old=old, new=new))


def decided(pack: Pack, people: dict[str, int]) -> pa.Table:
    rows = []
    for month in MONTHS:
        found = pack.decide(pa.table({"id": list(people), "people": list(people.values())}), month)
        rows += [{**row, "on": month} for row in found.to_pylist()]
    return pa.Table.from_pylist(rows).drop_columns(["_problem"])


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    return [
        (r["id"], r["outcome"], r["from"], r["until"], r["decisions"], r["before"], r["after"], r["total"])
        for r in table.to_pylist()
    ]


def test_nothing_changes_where_nothing_was_wrong() -> None:
    people = {"a": 2, "b": 7}
    facts = pa.table({"id": list(people), "people": list(people.values())})
    assert heating().restate(decided(heating(), people), facts).num_rows == 0


def test_a_corrected_fact_changes_what_it_was_decided_by_and_from_when() -> None:
    people = {"a": 2, "b": 7}
    facts = pa.table(
        {
            "id": ["a", "b", "b"],
            "people": [2, 7, 4],
            "since": [None, date(2025, 1, 1), date(2025, 12, 1)],
        }
    )
    assert rows(heating().restate(decided(heating(), people), facts)) == [
        ("b", "amount", MONTHS[1], MONTHS[1], 1, "70.00", "40.00", Decimal(-30)),
        ("b", "amount", MONTHS[2], MONTHS[3], 2, "84.00", "48.00", Decimal(-72)),
        ("b", "large", MONTHS[1], MONTHS[3], 3, "true", "false", None),
    ]


def test_a_corrected_pack_changes_only_the_time_it_is_wrong_in() -> None:
    people = {"a": 2}
    facts = pa.table({"id": ["a"], "people": [2]})
    assert rows(heating(new="12.50").restate(decided(heating(), people), facts)) == [
        ("a", "amount", MONTHS[2], MONTHS[3], 2, "24.00", "25.00", Decimal(2))
    ]


def test_equal_changes_with_a_right_decision_between_them_are_two_stretches() -> None:
    earlier = decided(heating(), {"a": 2}).to_pylist()
    earlier[0]["amount"] = earlier[2]["amount"] = Decimal("1.00")
    earlier[1]["amount"], earlier[3]["amount"] = Decimal("20.00"), Decimal("24.00")
    found = heating(new="10.00").restate(pa.Table.from_pylist(earlier), pa.table({"id": ["a"], "people": [2]}))
    assert [row[2:7] for row in rows(found)] == [
        (MONTHS[0], MONTHS[0], 1, "1.00", "20.00"),
        (MONTHS[2], MONTHS[2], 1, "1.00", "20.00"),
        (MONTHS[3], MONTHS[3], 1, "24.00", "20.00"),
    ]


def test_what_was_open_and_is_now_known_is_a_change_without_an_amount() -> None:
    earlier = pa.table({"id": ["a"], "on": [MONTHS[0]], "amount": pa.array([None], pa.decimal128(18, 2))})
    found = heating().restate(earlier, pa.table({"id": ["a"], "people": [3]})).to_pylist()
    assert [(r["before"], r["after"], r["difference"]) for r in found] == [(None, "30.00", None)]


def test_who_has_no_facts_or_impossible_ones_is_named_and_not_changed() -> None:
    earlier = decided(heating(), {"a": 2, "b": 3})
    found = heating().restate(earlier, pa.table({"id": ["b"], "people": [99]})).to_pylist()
    assert {(r["id"], r["after"], r["_problem"]) for r in found if r["outcome"] == "amount"} == {
        ("a", None, "no facts are given"),
        ("b", None, "people: 99 is not within 1 to 20"),
    }


@pytest.mark.parametrize(
    ("earlier", "facts", "says"),
    [
        ({"id": ["a"], "amount": [1]}, {"id": ["a"], "people": [1]}, "date of the earlier decisions"),
        ({"id": ["a"], "on": ["soon"], "amount": [1]}, {"id": ["a"], "people": [1]}, "not a date"),
        ({"who": ["a"], "on": MONTHS[:1], "amount": [1]}, {"id": ["a"], "people": [1]}, "no id column in common"),
        ({"id": ["a", "a"], "on": MONTHS[:1] * 2, "amount": [1, 1]}, {"id": ["a"], "people": [1]}, "two earlier"),
        ({"id": ["a"], "on": MONTHS[:1], "amount": [1]}, {"id": ["a", "a"], "people": [1, 2]}, "stand twice"),
        ({"id": ["a"], "on": MONTHS[:1], "amount": [1]}, {"id": ["a"], "peple": [1]}, "has no column"),
        ({"id": ["a"], "on": MONTHS[:1], "amount": ["x"]}, {"id": ["a"], "people": [1]}, "cannot be compared"),
        ({"id": ["a"], "on": MONTHS[:1], "sum": [1]}, {"id": ["a"], "people": [1]}, "is an outcome"),
        ({"id": [1], "on": MONTHS[:1], "amount": [1]}, {"id": ["a"], "people": [1]}, "the id"),
        ({"id": ["a"], "on": [date(2020, 1, 1)], "amount": [1]}, {"id": ["a"], "people": [1]}, "in force"),
    ],
)
def test_what_cannot_be_compared_is_refused_by_name(earlier: Any, facts: Any, says: str) -> None:
    with pytest.raises(RuleError, match=says):
        heating().restate(pa.table(earlier), pa.table(facts))


def test_differences_have_the_places_of_the_outcome() -> None:
    earlier = decided(heating(), {"a": 2})
    found = heating(new="12.50").restate(earlier, pa.table({"id": ["a"], "people": [2]}))
    assert found.schema.field("total").type == pa.decimal128(38, 2)
    assert [str(row["difference"]) for row in found.to_pylist()] == ["1.00"]


def test_an_earlier_word_that_the_outcome_does_not_have_is_no_change_but_refused() -> None:
    text = PACK.format(old="10.00", new="12.00").replace(
        'large: {type: boolean, value: "people >= 5"}',
        'size: {type: enum, values: [small, large], first_of: [{when: "people >= 5", value: large}], else: small}',
    )
    facts = pa.table({"id": ["a", "b"], "people": [2, 7]})
    earlier = pa.table({"id": ["a", "b"], "on": MONTHS[:2], "size": ["small", "Large"]})
    with pytest.raises(RuleError) as error:
        loads(text).restate(earlier, facts)
    assert "of b is “Large”" in error.value.what and error.value.mend == "did you mean “large”?"
    assert error.value.where == "decisions, row 2, column size"
    right = earlier.set_column(2, "size", pa.array(["small", None]))
    assert [row["after"] for row in loads(text).restate(right, facts).to_pylist()] == ["large"]


@pytest.mark.parametrize("kind", [pl.from_arrow, lambda t: t.to_pandas()])
def test_tables_of_every_kind(kind: Callable[[pa.Table], Any]) -> None:
    people = kind(pa.table({"id": ["a"], "people": [3]}))
    found = heating().restate(kind(decided(heating(), {"a": 2})), people)
    assert type(found) is type(people)
    assert isinstance(found, pl.DataFrame | pd.DataFrame) and len(found) == 2


def test_the_command_writes_a_file_and_says_the_sum(tmp_path: Path) -> None:
    (tmp_path / "pack.yaml").write_text(PACK.format(old="10.00", new="12.50"), "utf-8")
    lines = [
        "id,on,amount,large",
        *(f"{who},{m},{2 * (10 if m.year < 2026 else 12)}.00,false" for who in "ab" for m in MONTHS),
    ]
    (tmp_path / "paid.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "facts.csv").write_text("id,people\na,2\nb,2\n")
    arguments = ["rules", "restate", tmp_path / "pack.yaml", "--decisions", tmp_path / "paid.csv"]
    arguments += ["--facts", tmp_path / "facts.csv", "--out", tmp_path / "changes.csv", "--json"]
    done = CliRunner().invoke(front, [str(each) for each in arguments])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["decisions"], said["people"], said["not_made"]) == (8, 2, 0)
    assert said["outcomes"] == {"amount": {"decisions": 4, "from": "2026-01-01", "total": 4.0}}
    written = (tmp_path / "changes.csv").read_text().splitlines()
    assert len(written) == 3
