# ruff: noqa: E501
"""A fault that is planted in a pack is found, with somebody whom it would hit; the packs that ship have none."""

from __future__ import annotations

import os
import random
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hucheng.rules import load, loads, names
from hucheng.rules.cliffs import comparable
from hucheng.rules.kinds import number
from tests.rules import people

ON = date(2026, 3, 1)
PACKS = int(os.environ.get("HUCHENG_WILD_PACKS", "40"))
GOOD = """pack: trial
title: {zh: 试, en: trial}
basis: none
versions:
  - in_force: 2020-01-01
    facts:
      income: {type: decimal, scale: 2, range: [0, 9000], unit: CNY/month}
      grade: {type: integer, range: [1, 4]}
      kind: {type: enum, values: [red, green, blue]}
    outcomes:
      desk: {type: enum, values: [a, b], one_of: [{when: "kind = 'red'", value: a}, {when: "kind <> 'red'", value: b}]}
      level:
        type: integer
        range: [0, 3]
        first_of:
          - {when: "grade = 1", value: 3}
          - {when: "grade <= 2", value: 2}
        else: 0
      monthly: {type: decimal, scale: 2, unit: CNY/month, value: "GREATEST(900 - round(income * 0.5, 2), 0.00)"}
    examples:
      - {facts: {income: 100, grade: 2, kind: red}, outcomes: {desk: a, level: 2, monthly: 850.00}}
"""


def kinds(text: str) -> list[str]:
    return [finding.kind for finding in loads(text).check(ON)]


@pytest.mark.parametrize("name", sorted(names()))
def test_the_packs_that_ship_have_no_findings(name: str) -> None:
    assert load(name).check(ON) == []


@pytest.mark.parametrize(
    ("old", "new", "kind"),
    [
        ("kind <> 'red'", "kind = 'green'", "gap"),
        ("kind <> 'red'", "kind IN ('red', 'green', 'blue')", "overlap"),
        ("grade <= 2", "grade < 2", "unreachable"),
        ("grade <= 2", "grade <= 4", "unreachable"),
        ("{type: integer, range: [1, 4]}\n", "{type: integer, range: [1, 4]}\n      spare: {type: boolean}\n", "useless"),
        ("    outcomes:\n      desk", "    outcomes:\n      same: {type: boolean, value: \"grade > 0 OR kind = 'red'\"}\n      desk", "constant"),
        ("range: [0, 3]", "range: [0, 2]", "domain"),
        ("GREATEST(900 - round(income * 0.5, 2), 0.00)", "CASE WHEN income <= 800 THEN 900 ELSE 0 END", "cliff"),
        ("monthly: 850.00}", "monthly: 800.00}", "example"),
        ("    outcomes:\n      desk", "    constraints: [\"grade > 2 AND grade < 2\"]\n    outcomes:\n      desk", "impossible"),
    ],
)  # fmt: skip
def test_a_planted_fault_is_found(old: str, new: str, kind: str) -> None:
    assert kinds(GOOD) == []
    assert GOOD.count(old) >= 1
    found = loads(GOOD.replace(old, new, 1), "trial.yaml").check(ON)
    first = next(finding for finding in found if finding.kind == kind)
    assert first.where.startswith("trial.yaml:") and first.message
    assert first.severity == ("warning" if kind == "cliff" else "error")
    if kind in ("gap", "overlap", "domain", "cliff"):
        assert first.example is not None and set(first.example) == {"income", "grade", "kind"}


@pytest.mark.parametrize(
    ("unit_in", "unit_out", "seen"),
    [("CNY/mo", "CNY/a", True), ("CNY/mo", None, True), (None, None, True), ("CNY", "kg", False), ("Cel", None, False)],
)
def test_amounts_are_compared_where_their_units_allow_it(unit_in: str | None, unit_out: str | None, seen: bool) -> None:
    """A unit that was left out hides no cliff of an amount of money."""
    kind = number(0, 10, 2)
    assert comparable(kind, unit_out, kind, unit_in) is seen
    assert not comparable(number(0, 4), unit_out and None, kind, None), "a grade without a unit is no amount"


def test_a_cliff_that_is_meant_is_acknowledged_by_name() -> None:
    steep = GOOD.replace("GREATEST(900 - round(income * 0.5, 2), 0.00)", "CASE WHEN income <= 800 THEN 900 ELSE 0 END")
    steep = steep.replace("monthly: 850.00}", "monthly: 900.00}")
    assert kinds(steep) == ["cliff"]
    assert kinds(steep + "    acknowledge: {cliff.monthly.income: the law says so}\n") == []


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_findings_are_exactly_those_of_brute_force(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    found = loads(wild.text).check(ON)
    said = {(f.kind, f.message.partition(":")[0]) for f in found if f.kind in ("constant", "useless")}
    if not truth:
        assert [f.kind for f in found] == ["impossible"]
        return
    constant = {("constant", n) for n in wild.outcomes if len({r[n] for r in truth.values()}) == 1}
    places = list(wild.domains)
    useless = set(places)
    for place, name in enumerate(places):
        groups: dict[tuple[Any, ...], dict[str, Any]] = {}
        for p, result in truth.items():
            if groups.setdefault(p[:place] + p[place + 1 :], result) != result:
                useless.discard(name)
    assert said == constant | {("useless", name) for name in useless}, wild.text
    assert not any(f.kind in ("disagreement", "unsettled", "gap", "overlap", "domain") for f in found)


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_differences_are_exactly_those_of_brute_force(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    other = people.changed(rng, wild)
    one, two = loads(wild.text), loads(other.text)
    assert one.diff(one, ON) == []
    truth, changed = wild.truth(), other.truth()
    both = truth.keys() & changed.keys()
    wanted = {name for name in wild.outcomes if any(truth[p][name] != changed[p][name] for p in both)}
    found = one.diff(two, ON)
    assert {each["outcome"] for each in found if each["outcome"]} == wanted, (wild.text, other.text)
    for each in found:
        if each["outcome"]:
            person = tuple(each["example"][name] for name in wild.domains)
            name = each["outcome"]
            assert (truth[person][name], changed[person][name]) == (each["a"], each["b"])
