"""An outcome is given if and only if every completion of the unknown facts gives it: against brute force."""

from __future__ import annotations

import os
import random
from datetime import date
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hucheng.errors import RuleError
from hucheng.rules import loads
from hucheng.rules.cells import Cells
from hucheng.rules.diagram import Leaf
from hucheng.rules.logic import Logic
from hucheng.rules.reasons import admitted
from hucheng.rules.tables import decided
from tests.rules import people

ON = date(2026, 3, 1)
PACKS = int(os.environ.get("HUCHENG_WILD_PACKS", "40"))
TYPES = {
    "integer": pa.int64(),
    "decimal": pa.decimal128(12, 1),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "enum": pa.string(),
}


def tabled(wild: people.Wild, rows: list[dict[str, Any]]) -> pa.Table:
    return pa.table({name: pa.array([row[name] for row in rows], TYPES[kind]) for name, kind in wild.facts.items()})


@settings(max_examples=PACKS, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_every_reading_agrees_with_brute_force(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    pack = loads(wild.text)
    version = pack.version(ON)
    rows = [people.person(rng, wild, rng.choice([0.0, 0.3, 0.6])) for _ in range(25)]
    expected = [{name: people.brute(wild, truth, row, name) for name in wild.outcomes} for row in rows]

    result = pack.decide(tabled(wild, rows), ON).to_pylist()
    for row, got, want in zip(rows, result, expected, strict=True):
        for name, value in want.items():
            if value == people.IMPOSSIBLE:
                assert got[name] is None and got["_problem"], (wild.text, row, name, got)
            else:
                assert got["_problem"] is None, (wild.text, row, got)
                assert got[name] == (None if value == people.OPEN else value), (wild.text, row, name, got, value)

    cells, logic = Cells(version, ON), Logic(version, ON)
    for row, want in zip(rows[:8], expected, strict=False):
        known = admitted(version, row)
        for name, value in want.items():
            answers = [logic.solved(name, known), logic.outcome(name, known)]
            if name in cells.exact:
                answers.append(cells.outcome(name, cells.codes(known)))
            for answer in answers:
                if value == people.OPEN:
                    assert answer is Leaf.OPEN, (wild.text, row, name)
                elif value == people.IMPOSSIBLE:
                    assert answer is Leaf.IMPOSSIBLE, (wild.text, row, name)
                else:
                    kind = version.outcomes[name].kind
                    shown = Decimal(answer).scaleb(-kind.scale) if kind.name == "number" else answer
                    assert shown == value, (wild.text, row, name, answer, value)


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_reasons_are_enough_and_none_can_be_left_out(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    pack = loads(wild.text)
    for _ in range(6):
        row = people.person(rng, wild, 0.3)
        given_ = row
        values = {name: people.brute(wild, truth, row, name) for name in wild.outcomes}
        if people.IMPOSSIBLE in values.values():
            with pytest.raises(RuleError):
                pack.explain(given_, ON)
            continue
        for name, each in pack.explain(given_, ON)["outcomes"].items():
            value = values[name]
            if value == people.OPEN:
                assert each["value"] is None and each["reasons"] == []
                continue
            assert each["value"] == value
            kept = {reason["fact"]: row[reason["fact"]] for reason in each["reasons"]}
            assert people.brute(wild, truth, kept, name) == value, (wild.text, row, kept)
            for fact in kept:
                fewer = {other: v for other, v in kept.items() if other != fact}
                assert people.brute(wild, truth, fewer, name) == people.OPEN, (wild.text, row, name, kept, fact)


@settings(max_examples=PACKS // 3, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_sql_and_arrays_and_text_give_the_same_table(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    version = loads(wild.text).version(ON)
    rows = [people.person(rng, wild, 0.3) for _ in range(20)]
    table = tabled(wild, rows)
    written = [
        {k: None if v is None else str(v).lower() if isinstance(v, bool) else str(v) for k, v in r.items()}
        for r in rows
    ]
    text = pa.Table.from_pylist(written, pa.schema([(name, pa.string()) for name in wild.facts]))
    arrays = table
    for name, kind in wild.facts.items():
        if kind == "decimal":  # floats take the array road, decimals the SQL road
            place = arrays.column_names.index(name)
            floats = [None if row[name] is None else float(row[name]) for row in rows]
            arrays = arrays.set_column(place, name, pa.array(floats, pa.float64()))
    by_sql = decided(version, text, ON, text=True)
    assert decided(version, arrays, ON).to_pylist() == by_sql.to_pylist(), wild.text
    assert decided(version, table, ON).to_pylist() == by_sql.to_pylist(), wild.text


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_the_nearest_change_flips_the_outcome_and_no_smaller_one_does(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    pack = loads(wild.text)
    possible = list(truth)
    if not possible:
        return
    for person in rng.sample(possible, min(4, len(possible))):
        row = dict(zip(wild.domains, person, strict=True))
        for name, each in pack.explain(row, ON)["outcomes"].items():
            value = truth[person][name]
            flips = [p for p in possible if truth[p][name] != value]
            changes = {change["fact"]: change for change in each["nearest"]}
            if not flips:
                assert not changes
                continue
            assert all(row[fact] == change["from"] for fact, change in changes.items())
            new = row | {fact: change["to"] for fact, change in changes.items()}
            assert truth[tuple(new.values())][name] != value, (wild.text, row, name, changes)
            least = min(cost(wild, person, other) for other in flips)
            assert cost(wild, person, tuple(new.values())) == pytest.approx(least), (wild.text, row, name, changes)


def cost(wild: people.Wild, one: tuple[Any, ...], other: tuple[Any, ...]) -> tuple[int, float]:
    """Facts changed, and how far: a share of the domain for numbers and dates, 1 for all else."""
    far = 0.0
    for (name, domain), a, b in zip(wild.domains.items(), one, other, strict=True):
        if a != b:
            counted = wild.facts[name] in ("integer", "decimal", "date")
            far += abs(domain.index(a) - domain.index(b)) / len(domain) if counted else 1
    return sum(a != b for a, b in zip(one, other, strict=True)), far
