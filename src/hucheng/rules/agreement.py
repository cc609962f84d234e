"""The readings of a version against each other: on random people, on both sides of every place where a rule notices,
and, where the date of decision counts, on several days."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import date
from typing import Any

import z3

from hucheng.rules import evaluate
from hucheng.rules.cells import Cells
from hucheng.rules.days import Days
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import Exact, exact
from hucheng.rules.findings import Finding, said
from hucheng.rules.grammar import TODAY
from hucheng.rules.kinds import Kind, Value, plain
from hucheng.rules.model import Version

SAMPLES = 60
"""People on whom the readings are compared; fewer where a pack has more than a dozen outcomes."""
ANSWERS = 720
"""Answers that are compared in all."""
DAYS = 4
"""Days on which they are: the first, the last, and others between them."""

Known = Mapping[str, Value | None]


def disagreements(version: Version, span: Days) -> list[Finding]:
    """The first person on whom the readings differ. Undecided where the solver gives up."""
    rng = random.Random(0)  # noqa: S311 - reproducible, no secret
    people = max(5, min(SAMPLES, ANSWERS // len(version.outcomes)))
    on = days(rng, span) if version.dated else [None]
    for day in on:
        readings = exact(version, None) if day is None else Exact(version, day)
        for _ in range(-(-people // len(on))):
            known = {name: None if rng.random() < 0.2 else pick(rng, readings.cells, name) for name in version.facts}
            found = apart(readings, known)
            if found:
                return [_finding(version, day, known, *found)]
    return []


def days(rng: random.Random, span: Days) -> list[date]:
    """Some days of a span, its ends among them."""
    first, last = span.first.toordinal(), span.last.toordinal()
    chosen = {first, last, *(rng.randint(first, last) for _ in range(DAYS - 2))}
    return [date.fromordinal(day) for day in sorted(chosen)]


def apart(readings: Exact, known: Known) -> tuple[str, list[Any]] | None:
    """An outcome that the readings answer differently for somebody, with the answers of each."""
    version, cells = readings.version, readings.cells
    strict: dict[str, Value | None] = {}
    for name, outcome in version.outcomes.items():
        strict[name] = evaluate.value(outcome.tree, known, strict, readings.on)
    codes = cells.codes(known)
    expected: dict[str, Value | None] = {}
    for name, outcome in version.outcomes.items():
        answer: Any = cells.outcome(name, codes) if name in cells.exact else strict[name]
        value = answer if same_kind(outcome.kind, answer) else None
        if name in cells.exact and strict[name] is not None and answer is not Leaf.IMPOSSIBLE and strict[name] != value:
            return name, [strict[name], answer]
        if name in cells.exact or value is not None:
            expected[name] = value
    different = unproved(readings, known, expected)
    if different is None:
        return None
    answers = [cells.outcome(different, codes)] if different in cells.exact else []
    return different, [strict[different], *answers, readings.logic.solved(different, known)]


def unproved(readings: Exact, known: Known, expected: Mapping[str, Value | None]) -> str | None:
    """An outcome of which logic says otherwise: not this value for every completion, or, where None, one value."""
    logic = readings.logic
    solver = logic.solver()
    given = [logic.is_(name, value) for name, value in known.items() if value is not None]
    if not logic.check(solver, *given):
        given_by_cells = (name for name in expected if name in readings.cells.exact and expected[name] is not None)
        return next(given_by_cells, None)  # nobody is like this; the strict reading does not know
    model = solver.model()
    doubts: dict[str, Any] = {}
    for name, value in expected.items():
        defined = z3.is_true(model.eval(logic.defined[name], True))
        here = model.eval(logic.outcomes[name], True)
        otherwise = z3.Or(logic.outcomes[name] != here, z3.Not(logic.defined[name]), logic.context)
        if value is None:
            if defined and not logic.check(solver, *given, otherwise):
                return name
        elif not defined or logic.outer(logic.kinds[name], here) != value:
            return name
        else:
            doubts[name] = otherwise
    if doubts and logic.check(solver, *given, z3.Or(*doubts.values(), logic.context)):
        return next(name for name, doubt in doubts.items() if logic.check(solver, *given, doubt))
    return None


def _finding(version: Version, day: date | None, known: Known, name: str, answers: list[Any]) -> Finding:
    outcome = version.outcomes[name]
    people: dict[str, Any] = {fact: plain(version.facts[fact].kind, value) for fact, value in known.items()}
    if day is not None:
        people[TODAY] = day
    message = (
        f"{name}: the readings disagree ({', '.join(said(outcome.kind, answer) for answer in answers)}); "
        "this is a fault of Hucheng: report it with the pack, and do not publish the pack meanwhile"
    )
    return Finding("disagreement", "error", f"{version.file}:{outcome.line}", message, people, (version.in_force,))


def pick(rng: random.Random, cells: Cells, name: str) -> Value:
    """A value at an edge of a cell, or anywhere."""
    kind: Kind = cells.version.facts[name].kind
    if kind.name == "boolean":
        return rng.random() < 0.5
    if kind.name == "enum":
        return rng.choice(kind.values)
    start = rng.choice(cells.starts[name]) if rng.random() < 0.7 else rng.randint(kind.low, kind.high)
    place = min(max(start - rng.randint(0, 1), kind.low), kind.high)
    return date.fromordinal(place) if kind.name == "date" else place


def same_kind(kind: Kind, value: Any) -> bool:
    """Whether this is a value of the kind, not a Leaf; the range does not count."""
    if kind.name == "number":
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, {"boolean": bool, "enum": str, "date": date}[kind.name])
