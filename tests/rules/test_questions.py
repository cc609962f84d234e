"""No fact is asked for that can change nothing, none is left out that can, and asking by the policy costs the least."""

from __future__ import annotations

import os
import random
from datetime import date
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hucheng.errors import RuleError
from hucheng.rules import load, loads
from hucheng.rules.cells import Cells
from tests.rules import people

ON = date(2026, 3, 1)
PACKS = int(os.environ.get("HUCHENG_WILD_PACKS", "40"))
Truth = dict[tuple[Any, ...], dict[str, Any]]


def relevant(wild: people.Wild, truth: Truth, known: dict[str, Any]) -> set[str]:
    """Facts in which two possible completions differ alone, with different outcomes."""
    found = set()
    names = list(wild.domains)
    allowed = [p for p in people.completions(wild, known) if p in truth]
    for place, name in enumerate(names):
        if known.get(name) is not None:
            continue
        groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
        for p in allowed:
            groups.setdefault(p[:place] + p[place + 1 :], []).append(truth[p])
        if any(any(each != same[0] for each in same) for same in groups.values()):
            found.add(name)
    return found


@settings(max_examples=PACKS, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_irrelevant_facts_are_exactly_those_that_can_change_nothing(seed: int) -> None:
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    truth = wild.truth()
    pack = loads(wild.text)
    for _ in range(3):
        row = people.person(rng, wild, 0.6)
        if not any(p in truth for p in people.completions(wild, row)):
            with pytest.raises(RuleError):
                pack.questions(row, ON)
            continue
        found = pack.questions(row, ON)
        values = {name: people.brute(wild, truth, row, name) for name in wild.outcomes}
        assert found["decided"] == (people.OPEN not in values.values())
        assert found["outcomes"] == {n: None if v == people.OPEN else v for n, v in values.items()}
        unknown = {name for name, value in row.items() if value is None}
        wanted = relevant(wild, truth, row)
        assert set(found["irrelevant"]) == unknown - wanted, (wild.text, row, found, wanted)
        if found["decided"]:
            assert found["ask"] is None
        else:
            assert found["ask"] in (wanted or unknown)


@settings(max_examples=PACKS // 2, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**40))
def test_the_exact_policy_is_the_best_there_is(seed: int) -> None:
    """Against dynamic programming over all partial people; all whom the constraints allow are equally likely."""
    rng = random.Random(seed)
    wild = people.wild_pack(rng)
    pack = loads(wild.text)
    truth = wild.truth()
    if not truth or len(wild.domains) > 4 or Cells(pack.version(ON), ON).unable:
        return
    names = list(wild.domains)
    memo: dict[tuple[Any, ...], float] = {}

    def best(known: tuple[Any, ...]) -> float:
        if known not in memo:
            row = dict(zip(names, known, strict=True))
            results = [truth[p] for p in people.completions(wild, row) if p in truth]
            if all(result == results[0] for result in results):
                memo[known] = 0.0
            else:
                memo[known] = min(2 + after(known, i) for i in range(len(names)) if known[i] is None)
        return memo[known]

    def after(known: tuple[Any, ...], place: int) -> float:
        """What it costs from the answer on, by how many of those who are possible give it."""
        answers = [(*known[:place], value, *known[place + 1 :]) for value in wild.domains[names[place]]]
        counts = [
            sum(p in truth for p in people.completions(wild, dict(zip(names, answer, strict=True))))
            for answer in answers
        ]
        costs = [n * best(answer) for answer, n in zip(answers, counts, strict=True) if n]
        return sum(costs) / sum(counts)

    found = pack.questions({}, ON)
    assert found["policy"] == "exact"
    assert 2 * found["expected_questions"] == pytest.approx(best((None,) * len(names)), abs=2e-3), wild.text


def test_facts_that_matter_only_together_are_asked_all_the_same() -> None:
    """Two facts that constraints tie to one another: neither can differ alone, so none “matters”, yet all is open."""
    pack = loads(
        "pack: tied\ntitle: {zh: 试, en: trial}\nbasis: none\nversions:\n  - in_force: 2020-01-01\n"
        "    facts:\n      a: {type: boolean}\n      b: {type: boolean}\n"
        '    constraints:\n      - a = b\n    outcomes:\n      out: {type: boolean, value: "a AND b"}\n'
    )
    found = pack.questions({}, ON)
    assert (found["decided"], found["ask"], found["expected_questions"]) == (False, "a", 1.0)
    assert found["irrelevant"] == ["a", "b"]
    assert pack.questions({"a": True}, ON)["outcomes"] == {"out": True}


def test_whether_comes_before_how_much() -> None:
    """An amount cannot be cut into cells: the question of entitlement is asked first, by the exact policy."""
    pack = load("assistive-device-subsidy")
    facts = {"certificate": False, "device": "hearing", "assessed": True, "hardship": True, "had_before": False}
    facts |= {"last_on": date(2020, 1, 1), "price": 900}
    known: dict[str, Any] = {}
    asked = []
    while (found := pack.questions(known, ON, ["amount"]))["ask"]:
        assert found["policy"].startswith("exact for the outcomes") or asked
        asked.append(found["ask"])
        known[found["ask"]] = facts[found["ask"]]
    assert found["decided"] and found["outcomes"]["amount"] == 0
    assert "price" not in asked and asked[-1] == "certificate"


def test_one_half_may_be_enough() -> None:
    pack = load("blood-pressure")
    assert pack.questions({}, ON, ["crisis"])["ask"] in ("systolic", "diastolic")
    done = pack.questions({"diastolic": 112}, ON)
    assert done["decided"] and done["irrelevant"] == ["systolic"]
    for ask in (pack.questions, pack.explain):
        with pytest.raises(RuleError, match="no outcome"):
            ask({}, ON, ["crises"])
    assert load("device-silence").questions({}, ON)["policy"].startswith("cheapest first")
