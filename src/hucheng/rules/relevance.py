"""Whether a fact can still matter: two allowed completions that differ in it alone and are decided differently."""

from __future__ import annotations

from typing import Any

import z3

from hucheng.rules.diagram import Diagrams, Leaf
from hucheng.rules.exact import Exact
from hucheng.rules.nearest import Known


def matters(readings: Exact, outcome: str, fact: str, known: Known) -> bool:
    """Whether an unknown fact can change the outcome, given what is known. Undecided where the solver gives up."""
    cells = readings.cells
    if outcome in cells.roots:
        node = restricted(readings, outcome, known)
        return differs(cells.diagrams, node, cells.names.index(fact))
    logic = readings.logic
    if fact not in logic.facts_of(outcome):
        return False
    solver, other = readings.both(fact)
    given = [logic.is_(name, value) for name, value in known.items() if value is not None]
    apart = z3.Or(
        logic.outcomes[outcome] != other.outcomes[outcome],
        logic.defined[outcome] != other.defined[outcome],
        logic.context,
    )
    return logic.check(solver, *given, apart)


def restricted(readings: Exact, outcome: str, known: Known) -> int:
    """The outcome's diagram over the facts that are still unknown; impossible people stay in it as a value."""
    cells = readings.cells
    node = cells.roots[outcome]
    for level, name in enumerate(cells.names):
        value = known.get(name)
        if value is not None:
            node = cells.diagrams.fix(node, level, cells.code(name, value))
    return node


def differs(store: Diagrams, node: int, level: int) -> bool:
    """Whether two possible people that differ only in the fact of a level get different values."""
    key = ("differs", node, level)
    if key not in store.answers:
        store.answers[key] = _differs(store, node, level)
    return bool(store.answers[key])


def _differs(store: Diagrams, node: int, level: int) -> bool:
    if store.level[node] > level:
        return False
    kids = list(dict.fromkeys(store.kids[node]))
    if store.level[node] < level:
        return any(differs(store, kid, level) for kid in kids)
    seen = kids[0]
    for kid in kids[1:]:
        clash = store.combine("clash", _clash, seen, kid)
        if clash == store.leaf(True) or (clash not in store.values and _reaches(store, clash)):
            return True
        seen = store.combine("either", _either, seen, kid)
    return False


def _reaches(store: Diagrams, node: int) -> bool:
    true = store.leaf(True)
    return true in store.reachable(node)


def _clash(a: Any, b: Any) -> bool:
    if a is Leaf.IMPOSSIBLE or b is Leaf.IMPOSSIBLE:
        return False
    return not (type(a) is type(b) and a == b)


def _either(a: Any, b: Any) -> Any:
    """What is possible of two that do not clash."""
    return b if a is Leaf.IMPOSSIBLE else a
