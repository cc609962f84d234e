"""The least change that gives another outcome: fewest facts first, then the smallest steps.

Facts declared ``immutable`` (birth, what has happened) are never changed; unknown facts stay unknown, and the other
outcome must hold whatever they are.
"""

from __future__ import annotations

from datetime import date
from typing import Any

import z3

from hucheng.rules.cells import Cells
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import Exact
from hucheng.rules.kinds import Kind, Value
from hucheng.rules.logic import Logic
from hucheng.rules.model import Version

Known = dict[str, Value | None]
Cost = tuple[int, float]
MOST_FACTS = 60
"""Facts among which logic looks for the least change; beyond, none is given."""
NEVER: Cost = (10**9, 0.0)


def nearest(version: Version, readings: Exact, known: Known, name: str, value: Value) -> dict[str, Value]:
    """Facts to change and their new values; empty where no allowed change gives another outcome."""
    if name in readings.cells.exact:
        return by_cells(version, readings.cells, known, name, value)
    return by_logic(version, readings.logic, known, name, value)


def by_cells(version: Version, cells: Cells, known: Known, name: str, value: Value) -> dict[str, Value]:
    """Shortest path through the diagram to a leaf of another value."""
    store = cells.diagrams
    codes = cells.codes(known)
    memo: dict[int, tuple[Cost, int]] = {}

    def best(node: int) -> tuple[Cost, int]:
        """Cost from here on, and the cell to go to."""
        if node in store.values:
            leaf = store.values[node]
            other = not isinstance(leaf, Leaf) and not (type(leaf) is type(value) and leaf == value)
            return ((0, 0.0) if other else NEVER), -1
        if node not in memo:
            level = store.level[node]
            fact = cells.names[level]
            kids = store.kids[node]
            stay = codes[level]
            found = best(kids[stay])[0], stay
            if known.get(fact) is not None and not version.facts[fact].immutable:
                for code, kid in enumerate(kids[:-1]):
                    if code != stay:
                        count, way = best(kid)[0]
                        cost = (count + 1, way + _step(cells, fact, known[fact], code))
                        if cost < found[0]:
                            found = cost, code
            memo[node] = found
        return memo[node]

    node, changes = cells.exact[name], {}
    if best(node)[0] >= NEVER:
        return {}
    while node not in store.values:
        code, level = best(node)[1], store.level[node]
        fact = cells.names[level]
        if code != codes[level]:
            changes[fact] = closest(cells, fact, known[fact], code)
        node = store.kids[node][code]
    return {fact: changes[fact] for fact in version.facts if fact in changes}


def closest(cells: Cells, fact: str, value: Value | None, code: int) -> Value:
    """The value of a cell that lies nearest to a given one."""
    kind, starts = cells.version.facts[fact].kind, cells.starts[fact]
    if kind.name not in ("number", "date"):
        return cells.sample(fact, code)
    low = starts[code]
    high = starts[code + 1] - 1 if code + 1 < len(starts) else kind.high
    place = min(max(_place(value), low), high)
    return date.fromordinal(place) if kind.name == "date" else place


def _place(value: Value | None) -> int:
    return value.toordinal() if isinstance(value, date) else int(value)  # type: ignore[arg-type]


def _step(cells: Cells, fact: str, value: Value | None, code: int) -> float:
    """How far it is to a cell, as a share of the fact's domain; 1 for words and yes or no."""
    kind: Kind = cells.version.facts[fact].kind
    if kind.name not in ("number", "date"):
        return 1.0
    return abs(_place(closest(cells, fact, value, code)) - _place(value)) / kind.size


def by_logic(version: Version, logic: Logic, known: Known, name: str, value: Value) -> dict[str, Value]:
    """The same by optimisation in Z3; only where every fact of the outcome is known."""
    used = logic.facts_of(name)
    if len(used) > MOST_FACTS or any(known.get(fact) is None for fact in used):
        return {}
    solver = z3.Optimize(ctx=logic.context)
    solver.set("timeout", 2_000)
    solver.add(*logic.sides, *logic.constraints, logic.defined[name])
    solver.add(logic.outcomes[name] != logic.inner(logic.kinds[name], value))
    counts, steps = [], []
    c = logic.context
    for fact in used:
        declared = version.facts[fact]
        same = logic.is_(fact, known[fact])  # type: ignore[arg-type]
        if declared.immutable:
            solver.add(same)
            continue
        counts.append(z3.If(same, z3.IntVal(0, c), z3.IntVal(1, c), c))
        if declared.kind.name in ("number", "date"):
            place = logic.facts[fact]
            away = (logic.calendar.ordinal(place) if declared.kind.name == "date" else place) - _place(known[fact])
            size = z3.ToReal(z3.If(away >= 0, away, -away, c))
            steps.append(size / z3.RealVal(declared.kind.size, c))
        else:
            steps.append(z3.If(same, z3.RealVal(0, c), z3.RealVal(1, c), c))
    if not counts:
        return {}
    solver.minimize(z3.Sum(*counts))
    solver.minimize(z3.Sum(*steps))
    if solver.check() != z3.sat:
        return {}
    model: Any = solver.model()
    found = {fact: logic.outer(version.facts[fact].kind, model.eval(logic.facts[fact], True)) for fact in used}
    return {fact: new for fact, new in found.items() if new != known[fact]}
