"""Where two packs, or two versions of one, decide differently: an example person for each outcome, or none at all."""

from __future__ import annotations

from datetime import date
from typing import Any

import z3

from hucheng.rules.kinds import Kind, plain
from hucheng.rules.logic import PATIENCE_MS, Logic, Undecided, calendared
from hucheng.rules.model import Version


def diff(a: Version, b: Version, on_a: date | None, on_b: date | None) -> list[dict[str, Any]]:
    """Differences: ``{"outcome", "example", "a", "b"}``, in the order of the outcomes.

    People that are possible in both are compared. Facts and outcomes that only one of the two has, or that are declared
    differently, are differences without an example; ``message`` says which.
    """
    found: list[dict[str, Any]] = []
    for name in dict.fromkeys((*a.facts, *b.facts)):
        if name not in a.facts or name not in b.facts:
            found.append(_said(None, f"the fact {name} is only in {'a' if name in a.facts else 'b'}"))
        elif a.facts[name].kind != b.facts[name].kind:
            found.append(_said(None, f"the fact {name} is declared differently"))
    shared = {name for name in a.facts if name in b.facts and _alike(a.facts[name].kind, b.facts[name].kind)}
    codes = calendared(a) or calendared(b)
    one = Logic(a, on_a, None, "a ", codes)
    other = Logic(b, on_b, one.context, "b ", codes)
    solver = z3.Solver(ctx=one.context)
    solver.set("timeout", PATIENCE_MS)
    solver.add(*one.sides, *other.sides, *(_same(one, other, name) for name in shared))
    found += _constraints(solver, one, other)
    solver.add(*one.constraints, *other.constraints)
    for name in dict.fromkeys((*a.outcomes, *b.outcomes)):
        if name not in a.outcomes or name not in b.outcomes:
            found.append(_said(name, f"the outcome {name} is only in {'a' if name in a.outcomes else 'b'}"))
        elif not _alike(a.outcomes[name].kind, b.outcomes[name].kind, words=False):
            found.append(_said(name, f"the outcome {name} is declared differently"))
        else:
            found += _outcome(solver, one, other, name)
    return found


def _said(outcome: str | None, message: str) -> dict[str, Any]:
    return {"outcome": outcome, "example": None, "a": None, "b": None, "message": message}


def _alike(a: Kind, b: Kind, words: bool = True) -> bool:
    return a.name == b.name and a.scale == b.scale and (not words or a.values == b.values)


def _same(one: Logic, other: Logic, name: str) -> Any:
    return one.facts[name] == other.facts[name]


def _constraints(solver: z3.Solver, one: Logic, other: Logic) -> list[dict[str, Any]]:
    """People that are possible in one only."""
    found = []
    for here, there, said in ((one, other, "a"), (other, one, "b")):
        gone = z3.Not(z3.And(*there.constraints, there.context)) if there.constraints else None
        if gone is not None and solver.check(*here.constraints, gone) == z3.sat:
            example = _person(here, solver.model())
            found.append(_said(None, f"some people are possible in {said} only") | {"example": example})
    return found


def _outcome(solver: z3.Solver, one: Logic, other: Logic, name: str) -> list[dict[str, Any]]:
    c = one.context
    kind_a, kind_b = one.kinds[name], other.kinds[name]
    left, right = one.outcomes[name], other.outcomes[name]
    if kind_a.name == "enum" and kind_a.values != kind_b.values:
        right = other._renumbered(right, kind_b.values, kind_a.values)
    apart = z3.Or(left != right, one.defined[name] != other.defined[name], c)
    try:
        if not one.check(solver, apart):
            return []
    except Undecided as why:
        return [_said(name, f"not settled in time ({why})")]
    model = solver.model()
    example = _person(one, model) | {k: v for k, v in _person(other, model).items() if k not in one.facts}
    values = {}
    for key, logic, kind in (("a", one, kind_a), ("b", other, kind_b)):
        defined = z3.is_true(model.eval(logic.defined[name], True))
        values[key] = plain(kind, logic.outer(kind, model.eval(logic.outcomes[name], True))) if defined else None
    return [{"outcome": name, "example": example, **values, "message": f"{name} differs"}]


def _person(logic: Logic, model: Any) -> dict[str, Any]:
    found = {}
    for name, fact in logic.version.facts.items():
        found[name] = plain(fact.kind, logic.outer(fact.kind, model.eval(logic.facts[name], True)))
    return found
