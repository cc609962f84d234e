"""The strict SQL gives the same on Spark as on DuckDB, cell by cell, and never another answer than ``decide``."""

from __future__ import annotations

import random
from datetime import date
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from bench.people import as_arrow
from bench.people import people as whole_people

from hucheng.errors import RuleError
from hucheng.rules import Pack, bulk, load, loads
from hucheng.rules.pack import names
from tests.rules import people

ON = date(2026, 9, 1)
PEOPLE = 3_000


def on_spark(spark: Any, pack: Pack, table: pa.Table) -> pa.Table:
    """The strict SQL over the table as Spark has it; the table has a column ``id`` in ascending order."""
    frame = spark.createDataFrame(table)
    for field in table.schema:
        if pa.types.is_timestamp(field.type):  # Spark takes all timestamps for instants
            frame = frame.withColumn(field.name, frame[field.name].cast("timestamp_ntz"))
    frame.createOrReplaceTempView("hucheng_facts")
    schema = frame.limit(0).toArrow().schema
    return spark.sql(pack.sql(schema, ON, "spark")).toArrow().sort_by("id")


def agree(spark: Any, pack: Pack, table: pa.Table) -> None:
    """Spark and DuckDB give the same in every cell; what they answer, ``decide`` answers too."""
    here = bulk.run(bulk.connection(), pack.sql(table.schema, ON), table)
    there = on_spark(spark, pack, table)
    decided = pack.decide(table, ON)
    assert there.column_names == here.column_names == decided.column_names
    for name in here.column_names:
        assert there.column(name).to_pylist() == here.column(name).to_pylist(), (pack.id, name)
    possible = pc.is_null(decided.column("_problem")).to_numpy()  # strict SQL does not see every contradiction
    for name in pack.version(ON).outcomes:
        answers = zip(there.column(name).to_pylist(), decided.column(name).to_pylist(), possible, strict=True)
        assert all(strict is None or strict == exact for strict, exact, some in answers if some), (pack.id, name)


def spoilt(pack: Pack, table: pa.Table) -> pa.Table:
    """The people, every tenth with one fact beyond its range."""
    rng = np.random.default_rng(1)
    for name, fact in pack.version(ON).facts.items():
        if fact.kind.name in ("number", "date"):
            beyond = as_arrow(fact.kind, np.full(len(table), fact.kind.high + 1)).cast(table.schema.field(name).type)
            rows = pa.array(rng.random(len(table)) < 0.1 / len(pack.version(ON).facts))
            found = pc.if_else(rows, beyond, table.column(name))
        elif fact.kind.name == "enum":
            rows = pa.array(rng.random(len(table)) < 0.1 / len(pack.version(ON).facts))
            found = pc.if_else(rows, "it's none", table.column(name))
        else:
            continue
        table = table.set_column(table.column_names.index(name), name, found)
    return table


@pytest.mark.spark
@pytest.mark.parametrize("name", sorted(names()))
def test_every_pack_that_ships_decides_on_spark_as_here(spark: Any, name: str) -> None:
    pack = load(name)
    agree(spark, pack, spoilt(pack, whole_people(pack, ON, PEOPLE, unknown=0.25)))


@pytest.mark.spark
@pytest.mark.parametrize("seed", range(6))
def test_random_packs_decide_on_spark_as_here(spark: Any, seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    rows = [people.person(rng, wild, rng.choice([0.0, 0.3, 0.6])) for _ in range(300)]
    types = {"integer": pa.int64(), "decimal": pa.decimal128(12, 1), "boolean": pa.bool_(), "date": pa.date32()}
    facts = {
        name: pa.array([row[name] for row in rows], types.get(kind, pa.string())) for name, kind in wild.facts.items()
    }
    agree(spark, loads(wild.text), pa.table({"id": range(len(rows)), **facts}))


HARD = """pack: hard
title: {zh: 难, en: hard}
basis: none
versions:
  - in_force: 2020-01-01
    facts:
      gross: {type: decimal, scale: 4, range: [-99999999999.9999, 99999999999.9999]}
      share: {type: decimal, scale: 5, range: [0, 99.99999], round: half_up}
      people: {type: integer, range: [1, 3]}
      born: {type: date, range: [1990-01-01, 2020-12-31]}
      way: {type: enum, values: ["it's", "back\\\\slash", plain]}
    constraints:
      - "NOT (way = 'it''s' AND people = 3)"
    outcomes:
      wide: {type: decimal, scale: 9, value: "gross * share"}
      part: {type: decimal, scale: 2, value: "round(gross * share / people, 2)"}
      product: {type: decimal, scale: 4, value: "gross * (people - 2) - 0.5", range: [-10000000000, 50000000000]}
      down: {type: integer, value: "floor(gross / people)"}
      up: {type: integer, value: "ceil(gross / people)"}
      until: {type: date, value: "born + INTERVAL (people - 2) MONTH - INTERVAL 3 DAY"}
      years: {type: integer, value: "age(born, decision_date)"}
"""


def hard_people(rng: random.Random, rows: int, kind: pa.DataType) -> pa.Table:
    def some(value: Any) -> Any:
        return None if rng.random() < 0.01 else value  # each costs decide a question to the solver: numbers are wide

    born = ["1996-02-29", "2000-01-31", "2001-03-01", "2008-09-01", "2008-09-02"]
    if pa.types.is_timestamp(kind):
        born.append("2008-09-01 10:30:00")
    columns = {
        "id": pa.array(range(rows)),
        "gross": pa.array([Decimal(rng.randrange(-(10**15) + 1, 10**15)).scaleb(-4) for _ in range(rows)]),
        "share": pa.array([rng.choice([0.5, 99.99999, 0.000005, 99.999996, rng.uniform(0, 101)]) for _ in range(rows)]),
        "people": pa.array([some(rng.randint(0, 3)) for _ in range(rows)], pa.int32()),
        "born": pa.array([some(rng.choice(born)) for _ in range(rows)]).cast(kind),
        "way": pa.array([some(rng.choice(["it's", "back\\slash", "plain"])) for _ in range(rows)]),
    }
    return pa.table(columns)


@pytest.mark.spark
@pytest.mark.parametrize("kind", [pa.date32(), pa.timestamp("us")], ids=str)
def test_wide_numbers_doubles_quotes_short_months_and_timestamps_are_the_same_on_spark(spark: Any, kind: Any) -> None:
    agree(spark, loads(HARD), hard_people(random.Random(3), 1_500, kind))


def test_what_spark_would_not_keep_is_refused() -> None:
    pack = load("blood-pressure")
    narrow = pa.schema({"systolic": pa.float32(), "diastolic": pa.int64()})
    assert pack.sql(narrow)
    with pytest.raises(RuleError, match="decimal or a double"):
        pack.sql(narrow, dialect="spark")
    with pytest.raises(RuleError, match="no dialect “oracle”"):
        pack.sql(narrow, dialect="oracle")  # type: ignore[arg-type]
    with pytest.raises(RuleError, match="has no column"):
        pack.sql(pa.schema({"systolic": pa.int64()}), dialect="spark")
    wide = loads(
        "pack: wide\ntitle: {zh: 宽, en: wide}\nbasis: none\nversions:\n  - in_force: 2020-01-01\n    facts:\n"
        "      a: {type: decimal, scale: 9, range: [0, 999999999]}\n    outcomes:\n"
        '      out: {type: integer, value: "floor(a * 9999999999 / 1)"}\n'
    )
    with pytest.raises(RuleError, match="more than 64 bits"):
        wide.sql(pa.schema({"a": pa.decimal128(18, 9)}), dialect="spark")
