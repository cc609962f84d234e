"""What is wrong with a pack before anybody is decided by it: gaps, overlaps, unreachable branches, needless facts.

Every finding comes with an example person. What the solver cannot settle in time is a finding, too.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any, Literal

import z3

from hucheng.rules import evaluate
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import Exact, exact
from hucheng.rules.kinds import Kind, Value, plain, written
from hucheng.rules.logic import Logic, Undecided
from hucheng.rules.model import OutcomeDeclared, Version
from hucheng.rules.relevance import matters
from hucheng.rules.tree import Case, Node, children

SAMPLES = 60
"""People on whom the readings are compared; fewer where a pack has more than a dozen outcomes."""
ANSWERS = 720
"""Answers that are compared in all."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One complaint; ``where`` is file and line, ``example`` a person (fact to value) or None."""

    kind: str
    severity: Literal["error", "warning"]
    where: str
    message: str
    example: dict[str, Any] | None

    def as_dict(self) -> dict[str, Any]:
        """The finding as JSON has it."""
        return asdict(self)


class Checker:
    """All checks of one version on one date."""

    def __init__(self, version: Version, on: date | None) -> None:
        self.version = version
        self.readings: Exact = exact(version, on)
        self.logic = self.readings.logic
        self.solver = self.logic.solver()

    def findings(self) -> list[Finding]:
        """Everything found, in the order of the file."""
        if not self.logic.check(self.solver):
            line = self.version.constraints[0].line
            return [Finding("impossible", "error", self.at(line), "the constraints exclude everybody", None)]
        found: list[Finding] = []
        for part in (self.branches, self.domains, self.constants, self.useless, self.cliffs, self.examples, self.agree):
            found += part()
        return sorted(found, key=lambda finding: (int(finding.where.rpartition(":")[2]), finding.kind))

    def at(self, line: int) -> str:
        """File and line."""
        return f"{self.version.file}:{line}"

    def person(self, model: Any, logic: Logic | None = None) -> dict[str, Any]:
        """The example person of a model."""
        logic = logic or self.logic
        found = {}
        for name, fact in self.version.facts.items():
            value = logic.outer(fact.kind, model.eval(logic.facts[name], True))
            found[name] = plain(fact.kind, value)
        return found

    def asked(self, kind: str, line: int, message: str, *conditions: Any) -> Iterator[Finding]:
        """An error with an example, if the conditions can hold together."""
        try:
            if self.logic.check(self.solver, *conditions):
                yield Finding(kind, "error", self.at(line), message, self.person(self.solver.model()))
        except Undecided as why:
            yield self.unsettled(line, message, why)

    def unsettled(self, line: int, message: str, why: object) -> Finding:
        """The solver gave up: a human must look."""
        return Finding("unsettled", "warning", self.at(line), f"not settled in time ({why}): {message}", None)

    def branches(self) -> list[Finding]:
        """Gaps and overlaps of one_of, branches of ordered choices that nothing reaches."""
        found: list[Finding] = []
        for name, outcome in self.version.outcomes.items():
            for case in cases(outcome.tree):
                whens = [self.logic.of(when)[0] for when, _ in case.branches]
                lines = outcome.lines if case is outcome.tree and len(outcome.lines) == len(whens) else ()
                if case.unordered:
                    found += self.unordered(name, outcome, whens, lines)
                else:
                    found += self.ordered(name, outcome, whens, lines)
        return found

    def unordered(self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]) -> list[Finding]:
        """Everybody must be in just one branch."""
        c = self.logic.context
        found = list(
            self.asked("gap", outcome.line, f"{name}: no branch holds for some people", z3.Not(z3.Or(*whens, c)))
        )
        try:
            if len(whens) > 1 and self.logic.check(self.solver, z3.Not(z3.AtMost(*whens, 1))):
                model = self.solver.model()
                both = [i for i, when in enumerate(whens) if z3.is_true(model.eval(when, True))]
                line = lines[both[1]] if lines else outcome.line
                message = f"{name}: branches {' and '.join(str(i + 1) for i in both)} hold together for some people"
                found.append(Finding("overlap", "error", self.at(line), message, self.person(model)))
        except Undecided as why:
            found.append(self.unsettled(outcome.line, f"{name}: overlaps", why))
        return found + list(self.reached(name, outcome, whens, lines))

    def ordered(self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]) -> list[Finding]:
        """Each branch, and the else, must be reached by somebody."""
        c = self.logic.context
        found = list(self.reached(name, outcome, whens, lines))
        if not any(finding.kind == "unreachable" for finding in found):
            try:
                if not self.logic.check(self.solver, z3.Not(z3.Or(*whens, c))):
                    message = f"{name}: nobody reaches the else"
                    found.append(Finding("unreachable", "error", self.at(outcome.line), message, None))
            except Undecided as why:
                found.append(self.unsettled(outcome.line, f"{name}: the else", why))
        return found

    def reached(
        self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]
    ) -> Iterator[Finding]:
        """Branches that nobody reaches, with those before them (as an example: who they would be for)."""
        self.solver.push()
        try:
            for place, when in enumerate(whens):
                line = lines[place] if lines else outcome.line
                try:
                    if not self.logic.check(self.solver, when):
                        message = f"{name}: nobody reaches branch {place + 1}; those before it take all its people"
                        yield Finding("unreachable", "error", self.at(line), message, None)
                except Undecided as why:
                    yield self.unsettled(line, f"{name}: branch {place + 1}", why)
                self.solver.add(z3.Not(when))
        finally:
            self.solver.pop()

    def domains(self) -> list[Finding]:
        """Outcomes that can leave their declared range."""
        found: list[Finding] = []
        for name, outcome in self.version.outcomes.items():
            kind = outcome.kind
            if outcome.bounded and kind.name in ("number", "date"):
                value = self.logic.outcomes[name]
                outside = z3.Or(value < kind.low, value > kind.high, self.logic.context)
                found += self.asked(
                    "domain", outcome.line, f"{name}: leaves its declared range for some people", outside
                )
        return found

    def constants(self) -> list[Finding]:
        """Outcomes that are the same for everybody."""
        found = []
        for name, outcome in self.version.outcomes.items():
            try:
                value = self.readings.outcome(name, {})
            except Undecided as why:
                found.append(self.unsettled(outcome.line, f"{name}: is it the same for everybody", why))
                continue
            if outcome.kind.holds(value) or isinstance(value, bool):
                said = written(outcome.kind, value)
                message = f"{name}: is {said} for everybody"
                found.append(Finding("constant", "error", self.at(outcome.line), message, None))
        return found

    def useless(self) -> list[Finding]:
        """Facts that can change no outcome: they may not be collected."""
        found = []
        for name, fact in self.version.facts.items():
            try:
                with self.readings.cells.diagrams.lock:
                    used = any(matters(self.readings, outcome, name, {}) for outcome in self.version.outcomes)
                if not used:
                    message = f"{name}: can change no outcome and may not be collected"
                    found.append(Finding("useless", "error", self.at(fact.line), message, None))
            except Undecided as why:
                found.append(self.unsettled(fact.line, f"{name}: can it change an outcome", why))
        return found

    def cliffs(self) -> list[Finding]:
        """Amounts of which one step more loses more than the step."""
        found: list[Finding] = []
        for name, outcome in self.version.outcomes.items():
            for fact, declared in self.version.facts.items():
                if not comparable(outcome.kind, outcome.unit, declared.kind, declared.unit):
                    continue
                key = f"cliff.{name}.{fact}"
                if key in self.version.acknowledged:
                    continue
                try:
                    example = self.cliff(name, fact)
                except Undecided as why:
                    found.append(self.unsettled(outcome.line, f"{key}", why))
                    continue
                if example:
                    message = (
                        f"{name}: one step more of {fact} loses more than the step; "
                        f"if it is meant, write  acknowledge: {{{key}: why}}"
                    )
                    found.append(Finding("cliff", "warning", self.at(outcome.line), message, example))
        return found

    def cliff(self, name: str, fact: str) -> dict[str, Any] | None:
        """Somebody who loses by earning one unit more, if there is one."""
        one = self.logic
        other = Logic(self.version, one.on, one.context, "more ")
        out, kind = self.version.outcomes[name].kind, self.version.facts[fact].kind
        scale = max(out.scale, kind.scale)
        lost = (one.outcomes[name] - other.outcomes[name]) * 10 ** (scale - out.scale)
        gained = 10 ** (scale - kind.scale)
        same = [one.facts[f] == other.facts[f] for f in self.version.facts if f != fact]
        solver = z3.Solver(ctx=one.context)
        solver.set("timeout", 10_000)
        solver.add(*one.sides, *one.constraints, *other.sides, *other.constraints, *same)
        solver.add(other.facts[fact] == one.facts[fact] + 1, lost > gained)
        return self.person(solver.model()) if one.check(solver) else None

    def examples(self) -> list[Finding]:
        """Worked examples that do not come out."""
        found = []
        for example in self.version.examples:
            try:
                got = exact(self.version, example.on).outcomes(example.facts)
            except Undecided as why:
                found.append(self.unsettled(example.line, "the worked example", why))
                continue
            for name, wanted in example.outcomes.items():
                kind = self.version.outcomes[name].kind
                value = got[name] if same_kind(kind, got[name]) else None
                if value != wanted or (value is None) != (wanted is None):
                    message = f"the example says {name} = {said(kind, wanted)}, the rules give {said(kind, value)}"
                    people = {f: plain(self.version.facts[f].kind, v) for f, v in example.facts.items()}
                    found.append(Finding("example", "error", self.at(example.line), message, people))
        return found

    def agree(self) -> list[Finding]:
        """The readings against each other, on random people and on both sides of every place where a rule notices."""
        rng = random.Random(0)  # noqa: S311 - reproducible, no secret
        cells = self.readings.cells
        found: list[Finding] = []
        for _ in range(max(5, min(SAMPLES, ANSWERS // len(self.version.outcomes)))):
            known = {name: None if rng.random() < 0.2 else pick(rng, cells, name) for name in self.version.facts}
            strict: dict[str, Value | None] = {}
            for name, outcome in self.version.outcomes.items():
                strict[name] = evaluate.value(outcome.tree, known, strict, self.readings.on)
                answers = [self.readings.outcome(name, known)]
                if name in cells.exact:
                    answers.append(self.logic.solved(name, known))
                exactly = [answer if same_kind(outcome.kind, answer) else None for answer in answers]
                broken = exactly[0] != exactly[-1] or (
                    strict[name] is not None and answers[0] is not Leaf.IMPOSSIBLE and strict[name] != exactly[0]
                )
                if broken:
                    message = f"{name}: the readings disagree ({strict[name]}, {', '.join(map(str, answers))})"
                    people = {f: plain(self.version.facts[f].kind, v) for f, v in known.items()}
                    found.append(Finding("disagreement", "error", self.at(outcome.line), message, people))
                    return found
        return found


def pick(rng: random.Random, cells: Any, name: str) -> Value:
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
    types: dict[str, Callable[[Any], bool]] = {
        "boolean": lambda v: isinstance(v, bool),
        "enum": lambda v: isinstance(v, str),
        "date": lambda v: isinstance(v, date),
        "number": lambda v: isinstance(v, int) and not isinstance(v, bool),
    }
    return types[kind.name](value)


def said(kind: Kind, value: Value | None) -> str:
    """A value, or “unknown”."""
    return "unknown" if value is None else written(kind, value)


_CURRENCY = re.compile(r"[A-Z]{3}")


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


def cases(tree: Node) -> Iterator[Case]:
    """Every choice in a tree."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, Case):
            yield node
        todo.extend(children(node))


def check(version: Version, on: date | None) -> list[Finding]:
    """All findings of a version on a date."""
    return Checker(version, on).findings()
