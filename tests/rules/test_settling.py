"""What trying and bounds settle for many rows at once is what brute force says; what they cannot, they leave."""

from __future__ import annotations

import os
import random
from datetime import date
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hucheng.rules import arrays, load, loads
from hucheng.rules.cells import Cells
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import exact, person
from hucheng.rules.lookup import Lookup, grouped
from hucheng.rules.settling import IMPOSSIBLE, LEFT, OPEN, VALUE, Settling
from tests.rules import people
from tests.rules.test_exactness import tabled

ON = date(2026, 3, 1)
PACKS = int(os.environ.get("HUCHENG_WILD_PACKS", "40"))


@settings(max_examples=PACKS, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_nothing_is_settled_wrongly_and_little_is_left(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    version = loads(wild.text).version(ON)
    rows = [people.person(rng, wild, rng.choice([0.3, 0.6, 0.9])) for _ in range(30)]
    facts = arrays.read(version, tabled(wild, rows))
    assert facts is not None
    settling = Settling(Cells(version, ON))
    for name, outcome in version.outcomes.items():
        found = settling.settle(name, facts.columns, np.arange(len(rows)))
        for place, row in enumerate(rows):
            wanted, state, value = people.brute(wild, truth, row, name), found.state[place], found.values[place]
            if state == LEFT:
                continue
            if wanted in (people.OPEN, people.IMPOSSIBLE):
                assert state == (OPEN if wanted == people.OPEN else IMPOSSIBLE), (wild.text, row, name, state)
                continue
            kind = outcome.kind
            shown = {
                "boolean": lambda v: bool(v),
                "enum": lambda v, words=kind.values: words[v],
                "number": lambda v, scale=kind.scale: Decimal(int(v)).scaleb(-scale),
            }[kind.name](value)
            assert (state, shown) == (VALUE, wanted), (wild.text, row, name)
        complete = [all(value is not None for value in row.values()) for row in rows]
        assert (found.state[complete] != LEFT).all(), "where nothing is unknown there is nothing to try"


@pytest.mark.parametrize("name", ["minimum-living-allowance", "income-tax-reduction", "assistive-device-subsidy"])
def test_logic_says_the_same_of_packs_with_amounts(name: str) -> None:
    """On random people of the packs that ship: amounts over millions of values, where there is no brute force."""
    from bench.people import people as somebody

    pack = load(name)
    version = pack.version(ON)
    readings = exact(version, ON)
    facts = arrays.read(version, somebody(pack, ON, 150, 0.35, seed=7))
    assert facts is not None
    rows = np.arange(facts.rows)
    for outcome in (each for each in version.outcomes if each not in readings.cells.exact):
        found = readings.settling.settle(outcome, facts.columns, rows)
        for row in rows.tolist():
            known = {f: person(c, row, version.facts[f].kind.name) for f, c in facts.columns.items()}
            leaf, state = readings.logic.outcome(outcome, known), found.state[row]
            if state == LEFT:
                continue
            if isinstance(leaf, Leaf):
                assert state == {Leaf.OPEN: OPEN, Leaf.IMPOSSIBLE: IMPOSSIBLE}[leaf], (known, leaf)
            else:
                assert (state, found.values[row]) == (VALUE, int(leaf)), (known, leaf)
        assert len(found.hard()) <= 3


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40), st.sampled_from([8, 64, 4096]))
def test_a_walk_by_groups_ends_where_a_walk_fact_by_fact_does(seed: int, wide: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    version = loads(wild.text).version(ON)
    cells = Cells(version, ON)
    rows = [people.person(rng, wild, 0.4) for _ in range(40)]
    facts = arrays.read(version, tabled(wild, rows))
    assert facts is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hucheng.rules.lookup.WIDE", wide)
        lookup = Lookup(cells)
    keys = lookup.keys(facts)
    for name in cells.exact:
        leaves, ends = lookup.ends(name, keys, facts.rows)
        for row in range(facts.rows):
            known = {f: person(c, row, version.facts[f].kind.name) for f, c in facts.columns.items()}
            one, other = leaves[ends[row]], cells.outcome(name, cells.codes(known))
            assert one == other and type(one) is type(other)


def test_groups_stay_within_their_width_and_a_fact_with_more_cells_has_its_own() -> None:
    groups = grouped([("a", 0, 200), ("b", 1, 200), ("c", 2, 100_000), ("d", 5, 3)])
    assert [group.names for group in groups] == [("a",), ("b",), ("c",), ("d",)]
    assert [group.width for group in grouped([("a", 0, 100), ("b", 1, 100)])] == [10_000]


def test_decimals_are_read_exactly_whatever_their_scale() -> None:
    """From Arrow decimals of other scales: brought to the fact's, reported where that would round."""
    pack = loads(
        "pack: trial\ntitle: {zh: 试, en: trial}\nbasis: none\nversions:\n  - in_force: 2020-01-01\n    facts:\n"
        "      paid: {type: decimal, scale: 2, range: [-5, 5]}\n"
        "      near: {type: integer, range: [-5, 5], round: half_up}\n"
        '    outcomes:\n      both: {type: decimal, scale: 2, value: "paid + near"}\n'
    )
    values = ["1.5", "1.505", "-2.5", "5.01", "-5.00", None, "4.995", str(10**20)]
    paid = pa.array([None if v is None else Decimal(v) for v in values], pa.decimal128(38, 3))
    near = pa.array([Decimal("0.5")] * 7 + [Decimal(0)], pa.decimal128(10, 1))
    table = pa.table({"paid": paid, "near": near})
    for given_ in (table, table.slice(1)):
        found = pack.decide(given_, ON).to_pylist()
        shown = [None if row["both"] is None else str(row["both"]) for row in found]
        assert shown == ["2.50", None, "-1.50", None, "-4.00", None, None, None][-len(found) :]
        assert [bool(row["_problem"]) for row in found] == [False, True, False, True, False, False, True, True][
            -len(found) :
        ]
