"""The same contacts from an index in memory, an index on disk, DuckDB, and Spark where it is installed."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import duckdb
import ibis
import meetings
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from meetings import Row

from hucheng.apps.epidemic.contacts.index import Index
from hucheng.apps.epidemic.contacts.relational import overlaps

Engine = Callable[[list[Row], list[Row], float], list[Row]]


def memory(visits: list[Row], cases: list[Row], minutes: float) -> list[Row]:
    found = Index.of(meetings.visits_table(visits)).contacts(meetings.cases_table(cases), minutes)
    return meetings.rows_of(found.overlaps)


def disk(visits: list[Row], cases: list[Row], minutes: float) -> list[Row]:
    """Built in two runs: what begins on the last day comes later."""
    last = max(row[2] // meetings.DAY for row in visits if row[3] > row[2])
    with tempfile.TemporaryDirectory() as folder:
        early = [row for row in visits if row[2] // meetings.DAY != last]
        if any(row[3] > row[2] for row in early):
            Index.build(meetings.visits_table(early), folder)
        index, _ = Index.build(meetings.visits_table([row for row in visits if row[2] // meetings.DAY == last]), folder)
        return meetings.rows_of(index.contacts(meetings.cases_table(cases), minutes).overlaps)


def through_duckdb(held: duckdb.DuckDBPyConnection) -> Engine:
    def ask(visits: list[Row], cases: list[Row], minutes: float) -> list[Row]:
        for name, rows in (("visits", meetings.visits_table(visits)), ("cases", meetings.cases_table(cases))):
            held.register("given", rows)
            held.execute(f"create or replace table {name} as from given")
        base = ibis.duckdb.from_connection(held)
        found = overlaps(base.table("visits"), base.table("cases"), minutes)
        return meetings.rows_of(held.execute(ibis.to_sql(found, dialect="duckdb")).to_arrow_table())

    return ask


@pytest.fixture(scope="module", params=["memory", "disk", "duckdb", "spark"])
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if request.param == "memory":
        yield memory
    elif request.param == "disk":
        yield disk
    elif request.param == "duckdb":
        with duckdb.connect() as held:
            yield through_duckdb(held)
    else:
        yield through_spark(request.getfixturevalue("spark"))


def through_spark(session: Any) -> Engine:
    base = ibis.pyspark.connect(session)

    def ask(visits: list[Row], cases: list[Row], minutes: float) -> list[Row]:
        for name, rows in (("visits", meetings.visits_table(visits)), ("cases", meetings.cases_table(cases))):
            session.createDataFrame(rows.to_pylist()).createOrReplaceTempView(name)
        found = overlaps(base.table("visits"), base.table("cases"), minutes)
        return meetings.rows_of(base.to_pyarrow(found))

    return ask


TOUCHING = [(1, 9, 0, 600), (1, 9, 600, 1_200), (2, 9, 0, 1_200), (1, 8, 0, 600), (3, 9, 1_200, 4_000)]


def test_touching_stays_are_one_and_half_open_ones_do_not_meet(engine: Engine) -> None:
    assert engine(TOUCHING, [(1, 0, 5_000)], 15) == [(2, 1, 9, 0, 1_200, 20.0)]
    assert engine(TOUCHING, [(1, 0, 1_100)], 15) == [(2, 1, 9, 0, 1_100, 1_100 / 60)]
    assert engine(TOUCHING, [(1, 0, 899)], 15) == []


def test_a_stay_that_touches_another_over_midnight_is_one(engine: Engine) -> None:
    day = meetings.DAY
    visits = [(1, 5, day - 900, day), (1, 5, day, day + 900), (2, 5, day - 600, day), (2, 5, day, day + 600)]
    assert engine(visits, [(1, 0, 3 * day)], 20) == [(2, 1, 5, day - 600, day + 600, 20.0)]


def test_a_case_meets_a_case_and_each_period_answers_for_itself(engine: Engine) -> None:
    visits = [(1, 5, 0, 3_600), (2, 5, 0, 3_600), (3, 5, 2_000, 3_600)]
    cases = [(1, 0, 1_800), (1, 1_800, 3_600), (2, 0, 3_600)]
    assert engine(visits, cases, 15) == meetings.met(visits, cases, 15)


def test_random_visits_give_what_looking_at_everything_gives(engine: Engine, request: pytest.FixtureRequest) -> None:
    few = "spark" in request.node.name

    phases = [Phase.generate] if few else list(Phase)  # a query takes Spark a second: nothing is made smaller there

    @settings(max_examples=4 if few else 100, phases=phases, suppress_health_check=list(HealthCheck))
    @given(meetings.visits(), meetings.cases(), st.sampled_from([0, 0.5, 1, 15, 60]))
    def same(visits: list[Row], cases: list[Row], minutes: float) -> None:
        assert engine(visits, cases, minutes) == meetings.met(visits, cases, minutes)

    same()
