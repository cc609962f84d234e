"""One person at a time, by all ten packs: deciding with reasons, the nearest change, the next question, and its cost.

The cost of questions is compared with the least that is possible: the exact policy (dynamic programming over the
person's diagrams) where outcomes can be cut into cells; elsewhere with what an oracle who knows the answers would need.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np

from bench.packs import ON, TEN
from bench.people import people
from bench.table import Figure
from hucheng.rules import Pack, load, loads, names
from hucheng.rules.questions import cost

HALF = 0.5


def applicants(pack: Pack, count: int, unknown: float, seed: int) -> list[dict[str, Any]]:
    """Rows of facts, some of them None."""
    return list(people(pack, ON, count, unknown, seed).drop_columns(["id"]).to_pylist())


def spent(packs: dict[str, Pack], each: int, work: Callable[[Pack, dict[str, Any]], object]) -> list[float]:
    """Milliseconds of every call, each pack warm."""
    found = []
    for place, pack in enumerate(packs.values()):
        rows = applicants(pack, each + 20, 0.3, seed=100 + place)
        for row in rows[:20]:
            work(pack, row)
        for row in rows[20:]:
            begin = time.perf_counter()
            work(pack, row)
            found.append((time.perf_counter() - begin) * 1e3)
    return sorted(found)


def asked(pack: Pack, known: dict[str, Any], whole: dict[str, Any]) -> int:
    """Cost of asking until all is decided."""
    version, known, total = pack.version(ON), dict(known), 0
    while (fact := pack.questions(known, ON)["ask"]) is not None:
        total += cost(version.facts[fact])
        known[fact] = whole[fact]
    return total


def oracle(pack: Pack, known: dict[str, Any], whole: dict[str, Any]) -> int | None:
    """Least cost with which somebody who knows all answers could settle it: below what any policy can reach."""
    version = pack.version(ON)
    unknown = [name for name, value in known.items() if value is None]
    sets = sorted(
        (sum(cost(version.facts[n]) for n in names), names)
        for size in range(len(unknown) + 1)
        for names in itertools.combinations(unknown, size)
    )
    for total, names_ in sets:
        if pack.questions(known | {n: whole[n] for n in names_}, ON)["decided"]:
            return total
    return None


def ask_costs(packs: dict[str, Pack], each: int) -> tuple[float, dict[str, float | int | str]]:
    """Mean cost against the exact policy's, with what asking everything would cost."""
    ours = exactly = everything = 0.0
    told: dict[str, float | int | str] = {}
    for place, (name, pack) in enumerate(packs.items()):
        whole = applicants(pack, each, 0.0, seed=200 + place)
        hidden = np.random.default_rng(300 + place)
        mine = best = all_ = 0.0
        for person in whole:
            known = {n: None if hidden.random() < HALF else v for n, v in person.items()}
            spent_ = asked(pack, known, person)
            exact = pack.questions(known, ON)["policy"] == "exact"
            mine += spent_
            best += spent_ if exact else oracle(pack, known, person) or spent_
            all_ += sum(cost(pack.version(ON).facts[n]) for n, v in known.items() if v is None)
        told[name] = f"{mine / all_:.0%} of asking all; {mine / max(best, 1):.2f}"
        ours, exactly, everything = ours + mine, exactly + best, everything + all_
    told["asking everything"] = round(everything / ours, 2)
    return ours / exactly, told


def changed(pack: Pack) -> Pack:
    """The same pack with another threshold in it."""
    return loads(names()[pack.id].read_text("utf-8").replace(">= 116", ">= 117").replace("<= 34", "<= 33"), pack.id)


def measure(quick: bool) -> list[Figure]:
    """Figures of one person, of check and of diff."""
    each = 10 if quick else 100
    packs = {name: load(name) for name in TEN}
    figures = []
    works: tuple[tuple[str, Callable[[Pack, dict[str, Any]], object], float], ...] = (
        ("decide and reasons", lambda pack, row: pack.explain(row, ON, nearest=False), 10),
        ("the same with the nearest change", lambda pack, row: pack.explain(row, ON), 20),
        ("the next question", lambda pack, row: pack.questions(row, ON), 10),
    )
    for what, work, goal in works:
        took = spent(packs, each, work)
        under = f"all outcomes of ten packs, {each} people each, 30 % unknown, warm; p95"
        more: dict[str, float | int | str] = {"median": round(took[len(took) // 2], 2), "longest": round(took[-1], 1)}
        figures.append(Figure(f"one person: {what}", took[int(len(took) * 0.95)], "ms", under, goal, "less", more))
    ratio, told = ask_costs(packs, each)
    under = f"{each * 10:,} applicants, half of the facts unknown; exact policy = 1, amounts against an oracle"
    figures.append(Figure("questions: cost against the best", ratio, "×", under, 1.05, "less", told))
    begin = time.perf_counter()
    found = sum(len(pack.check()) for pack in packs.values())
    figures.append(Figure("check of the ten packs", time.perf_counter() - begin, "s", f"{found} findings", 5, "less"))
    pack = load("disability-certificate")
    other = changed(pack)
    begin = time.perf_counter()
    differ = len(pack.diff(other, ON))
    under = f"nine outcomes, {differ} of them differ"
    figures.append(Figure("diff of two packs", time.perf_counter() - begin, "s", under, 1, "less"))
    return figures


def _on(pack: Pack) -> date:
    return max(ON, pack.version(ON).in_force)
