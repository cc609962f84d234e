"""Cliffs: people who lose by having a little more."""

from __future__ import annotations

import re

import z3

from hucheng.rules.kinds import Kind, Value
from hucheng.rules.logic import PATIENCE_MS, Logic, Varied
from hucheng.rules.model import Version

_CURRENCY = re.compile(r"[A-Z]{3}")


def key(outcome: str, fact: str) -> str:
    """The name by which a cliff is acknowledged."""
    return f"cliff.{outcome}.{fact}"


def comparable(out: Kind, out_unit: str | None, fact: Kind, fact_unit: str | None) -> bool:
    """Whether an outcome and a fact are amounts of the same thing: units agree before “/”.

    Where a unit is left out, decimals are compared with money and with decimals without a unit.
    """
    if out.name != "number" or fact.name != "number":
        return False
    units = [unit.partition("/")[0] for unit in (out_unit, fact_unit) if unit]
    if len(units) == 2:
        return units[0] == units[1]
    return bool(out.scale and fact.scale) and all(_CURRENCY.fullmatch(unit) for unit in units)


def possible(version: Version) -> list[str]:
    """The names of all cliffs that are looked for."""
    return [
        key(name, fact)
        for name, outcome in version.outcomes.items()
        for fact, declared in version.facts.items()
        if comparable(outcome.kind, outcome.unit, declared.kind, declared.unit)
    ]


def cliff(version: Version, one: Logic, name: str, fact: str) -> dict[str, Value] | None:
    """Somebody who loses more than one step of the fact by having one step more, if there is one. Undecided where the
    solver gives up."""
    other = Varied(one, fact)
    out, kind = version.outcomes[name].kind, version.facts[fact].kind
    scale = max(out.scale, kind.scale)
    lost = (one.outcomes[name] - other.outcomes[name]) * 10 ** (scale - out.scale)
    gained = 10 ** (scale - kind.scale)
    solver = z3.Solver(ctx=one.context)
    solver.set("timeout", PATIENCE_MS)
    solver.add(*one.sides, *one.constraints, *other.sides, *other.constraints)
    solver.add(other.facts[fact] == one.facts[fact] + 1, lost > gained)
    if not one.check(solver):
        return None
    model = solver.model()
    return {n: one.outer(f.kind, model.eval(one.facts[n], True)) for n, f in version.facts.items()}
