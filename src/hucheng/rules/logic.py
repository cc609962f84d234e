"""The reading in logic: the same tree as Z3 formulas, for what cells cannot cut and for proofs over everyone.

Numbers are integers in units of their scale, dates are day numbers (with year, month and day where the calendar
matters), enums are places in their list. A question that the solver cannot settle in time is said, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import z3

from hucheng.rules import evaluate, quick
from hucheng.rules.calendars import Calendar, Codes, Ordinals
from hucheng.rules.diagram import Leaf
from hucheng.rules.kinds import Kind, Value
from hucheng.rules.model import Version
from hucheng.rules.tree import (
    Age,
    Among,
    Case,
    Compare,
    Const,
    Earlier,
    Every,
    Extreme,
    Fact,
    Node,
    Not,
    Product,
    Rounded,
    Shift,
    Some,
    Sum,
    Today,
    children,
    walk,
)  # fmt: skip

PATIENCE_MS = 10_000
REMEMBERED = 20_000


def calendared(version: Version) -> bool:
    """Whether ages or steps of months are reckoned with."""
    trees = [*(c.tree for c in version.constraints), *(outcome.tree for outcome in version.outcomes.values())]
    nodes = (node for tree in trees for node in walk(tree))
    return any(isinstance(node, Age) or (isinstance(node, Shift) and node.unit == "month") for node in nodes)


def _steps(node: Node) -> bool:
    """Whether a date is so many days after another."""
    return isinstance(node, Shift) and node.unit == "day"


class Undecided(Exception):
    """The solver did not settle a question in time."""


class Logic:
    """Facts as variables, outcomes as formulas; belongs to one thread."""

    def __init__(
        self,
        version: Version,
        on: date | None,
        context: z3.Context | None = None,
        prefix: str = "",
        codes: bool | None = None,
    ) -> None:
        """``codes``: which calendar; None: the one that suits the version."""
        self.version = version
        self.on = on
        self.context = context or z3.Context()
        self.prefix = prefix
        self._fits = quick.fits(version)
        self.sides: list[Any] = []
        """What holds for the variables by themselves: domains and calendars."""
        self.coded = calendared(version) if codes is None else codes
        self.calendar, self.facts = self._variables()
        self.kinds: dict[str, Kind] = {name: outcome.kind for name, outcome in version.outcomes.items()}
        self._words: dict[str, tuple[str, ...]] = {}
        self._done: dict[int, tuple[Any, Any, Node]] = {}
        self._memo: dict[tuple[Any, ...], Any] = {}
        self.outcomes: dict[str, Any] = {}
        self.defined: dict[str, Any] = {}
        self.constraints = [self.of(constraint.tree)[0] for constraint in version.constraints]
        for name, outcome in version.outcomes.items():
            self.outcomes[name], self.defined[name] = self._as(outcome.kind, outcome.tree)
        self._solver: z3.Solver | None = None

    def _variables(self) -> tuple[Calendar, dict[str, Any]]:
        calendar: Calendar = Codes(self.context, self.prefix, self.sides) if self.coded else Ordinals()
        facts = self.version.facts.items()
        return calendar, {name: self.variable(fact.kind, f"{self.prefix}{name}", calendar) for name, fact in facts}

    def variable(self, kind: Kind, name: str, calendar: Calendar) -> Any:
        """A variable of a kind, its domain among ``sides``."""
        if kind.name == "boolean":
            return z3.Bool(name, self.context)
        found = z3.Int(name, self.context)
        low, high = (0, len(kind.values) - 1) if kind.name == "enum" else (kind.low, kind.high)
        if kind.name == "date":
            low, high = (calendar.of(date.fromordinal(end)) for end in (low, high))
            calendar.domain(found)
        self.sides += [found >= low, found <= high]
        return found

    def solver(self) -> z3.Solver:
        """A solver that knows domains and constraints."""
        if self._solver is None:
            self._solver = z3.Solver(ctx=self.context)
            self._solver.set("timeout", PATIENCE_MS)
            self._solver.add(*self.sides, *self.constraints)
        return self._solver

    def facts_of(self, name: str) -> tuple[str, ...]:
        """Facts that an outcome, or a constraint, mentions."""
        return self._mentioned(self.version.outcomes[name].tree, *(c.tree for c in self.version.constraints))

    def mentioned(self, name: str) -> tuple[str, ...]:
        """Facts that an outcome mentions."""
        return self._mentioned(self.version.outcomes[name].tree)

    def _mentioned(self, *trees: Node) -> tuple[str, ...]:
        seen: set[str] = set()
        todo = list(trees)
        while todo:
            node = todo.pop()
            if isinstance(node, Fact):
                seen.add(node.name)
            elif isinstance(node, Earlier):
                todo.append(self.version.outcomes[node.name].tree)
            todo.extend(children(node))
        return tuple(fact for fact in self.version.facts if fact in seen)

    # ---- questions -----------------------------------------------------------------------------------------------

    def is_(self, name: str, value: Value) -> Any:
        """The formula: this fact has this value."""
        kind, variable = self.version.facts[name].kind, self.facts[name]
        return variable == self.inner(kind, value)

    def inner(self, kind: Kind, value: Value) -> Any:
        """A value as the formulas have it."""
        if kind.name == "boolean":
            return z3.BoolVal(bool(value), self.context)
        if kind.name == "enum":
            return kind.values.index(str(value))
        return self.calendar.of(value) if isinstance(value, date) else int(value)

    def outer(self, kind: Kind, found: Any) -> Value:
        """A value of a model as the rules have it."""
        if kind.name == "boolean":
            return bool(z3.is_true(found))
        number = int(found.as_long())
        if kind.name == "enum":
            return kind.values[number]
        return self.calendar.date(number) if kind.name == "date" else number

    def check(self, solver: z3.Solver, *assumptions: Any) -> bool:
        """Whether it can be; Undecided where the solver gives up."""
        answer = solver.check(*assumptions)
        if answer == z3.unknown:
            raise Undecided(solver.reason_unknown())
        return bool(answer == z3.sat)

    def outcome(self, name: str, known: Mapping[str, Value | None]) -> Any:
        """Value of an outcome that every completion gives, or a Leaf. Undecided where the solver gives up."""
        key = (name, tuple(known.get(fact) for fact in self.version.facts))
        if key not in self._memo:
            if len(self._memo) > REMEMBERED:
                self._memo.clear()
            self._memo[key] = self._outcome(name, known)
        return self._memo[key]

    def _outcome(self, name: str, known: Mapping[str, Value | None]) -> Any:
        if not self.version.constraints and (strict := self._strict(name, known)) is not None:
            return strict
        return self.solved(name, known)

    def solved(self, name: str, known: Mapping[str, Value | None]) -> Any:
        """The same by the solver alone, without asking the strict reading first."""
        solver = self.solver()
        given = [self.is_(fact, value) for fact, value in known.items() if value is not None]
        if not self.check(solver, *given):
            return Leaf.IMPOSSIBLE
        model = solver.model()
        if not z3.is_true(model.eval(self.defined[name], True)):
            return Leaf.OPEN if self._some(known) else Leaf.GAP
        value = self.outer(self.kinds[name], model.eval(self.outcomes[name], True))
        other = z3.Or(
            self.outcomes[name] != self.inner(self.kinds[name], value), z3.Not(self.defined[name]), self.context
        )
        return Leaf.OPEN if self.check(solver, *given, other) else value

    def _some(self, known: Mapping[str, Value | None]) -> bool:
        return any(known.get(fact) is None for fact in self.version.facts)

    def _strict(self, name: str, known: Mapping[str, Value | None]) -> Value | None:
        earlier: dict[str, Value | None] = {}
        for each, outcome in self.version.outcomes.items():
            earlier[each] = evaluate.value(outcome.tree, known, earlier, self.on)
            if each == name:
                break
        return earlier[name]

    # ---- formulas ------------------------------------------------------------------------------------------------

    def _as(self, kind: Kind, node: Node) -> tuple[Any, Any]:
        """A tree whose words are numbered as in ``kind``."""
        value, defined = self.of(node)
        if kind.name == "enum" and node.kind.values != kind.values:
            value = self._renumbered(value, node.kind.values, kind.values)
        return value, defined

    def _renumbered(self, value: Any, old: tuple[str, ...], new: tuple[str, ...]) -> Any:
        done: Any = z3.IntVal(-1, self.context)
        for place, word in enumerate(old):
            if word in new:
                done = z3.If(value == place, z3.IntVal(new.index(word), self.context), done, self.context)
        return done

    def of(self, node: Node) -> tuple[Any, Any]:
        """Formula of a node, and the formula that says where it is defined."""
        found = self._done.get(id(node))
        if found is None:
            found = self._done[id(node)] = (*self._of(node), node)  # the node is kept, so that its id stays its own
        return found[0], found[1]

    def _all(self, parts: list[Any]) -> Any:
        parts = [part for part in parts if not z3.is_true(part)]
        return z3.And(*parts, self.context) if parts else z3.BoolVal(True, self.context)

    def _of(self, node: Node) -> tuple[Any, Any]:
        c = self.context
        if isinstance(node, Case):
            return self._case(node)
        if self.coded and isinstance(node, Compare) and (_steps(node.left) or _steps(node.right)):
            (a, known), (b, other) = self._ordinal(node.left), self._ordinal(node.right)
            return self._compared(node.op, a, b), self._all([known, other])
        parts = [self.of(child) for child in children(node)]
        defined = self._all([d for _, d in parts])
        v = [value for value, _ in parts]
        match node:
            case Const(kind, value):
                found = self.inner(kind, value)
                return (z3.IntVal(found, c) if isinstance(found, int) else found), defined
            case Today():
                assert self.on is not None
                return z3.IntVal(self.calendar.of(self.on), c), defined
            case Fact(_, name):
                return self.facts[name], defined
            case Earlier(_, name):
                return self.outcomes[name], self.defined[name]
            case Compare(op, Age(_, born, on), Const(_, years)):
                (b, _), (o, _) = self.of(born), self.of(on)
                return self._aged(op, b, o, int(years)), defined  # type: ignore[arg-type]
            case Compare(op, left, right):
                a, b = v
                if left.kind.name == "enum" and left.kind.values != right.kind.values:
                    words = tuple(dict.fromkeys((*left.kind.values, *right.kind.values)))
                    a, b = self._renumbered(a, left.kind.values, words), self._renumbered(b, right.kind.values, words)
                return self._compared(op, a, b), defined
            case Every():
                return z3.And(*v, c), defined
            case Some():
                return z3.Or(*v, c), defined
            case Not():
                return z3.Not(v[0], c), defined
            case Among(part, values):
                return z3.Or(*(v[0] == self.inner(part.kind, value) for value in values), c), defined
            case Sum(_, op, _, _):
                return (v[0] + v[1] if op == "+" else v[0] - v[1]), defined
            case Product():
                return v[0] * v[1], defined
            case Rounded(_, mode, _, factor, _):
                return self._rounded(mode, v[0] * factor, v[1]), defined
            case Extreme(_, name, _):
                done = v[0]
                for each in v[1:]:
                    done = z3.If(each < done if name == "least" else each > done, each, done, c)
                return done, defined
            case Shift(_, _, unit, _):
                later = self.calendar.days_later if unit == "day" else self.calendar.months_later
                return later(v[0], v[1]), defined
            case Age():
                return self.calendar.age(v[0], v[1]), defined
        raise AssertionError(node)

    def _ordinal(self, node: Node) -> tuple[Any, Any]:
        """Day number of a date, where steps of days are sums, and where it is defined."""
        if isinstance(node, Shift) and node.unit == "day":
            (day, known), (count, counted) = self._ordinal(node.date), self.of(node.count)
            return day + count, self._all([known, counted])
        day, known = self.of(node)
        return self.calendar.ordinal(day), known

    def _aged(self, op: str, born: Any, on: Any, years: int) -> Any:
        """An age compared with a number, as a difference of two dates."""
        c, least = self.context, self.calendar.aged
        match op:
            case ">=":
                return least(born, on, years)
            case ">":
                return least(born, on, years + 1)
            case "<":
                return z3.Not(least(born, on, years), c)
            case "<=":
                return z3.Not(least(born, on, years + 1), c)
        same = z3.And(least(born, on, years), z3.Not(least(born, on, years + 1), c), c)
        return same if op == "=" else z3.Not(same, c)

    def _compared(self, op: str, a: Any, b: Any) -> Any:
        match op:
            case "=":
                return a == b
            case "<>":
                return a != b
            case "<":
                return a < b
            case "<=":
                return a <= b
            case ">":
                return a > b
        return a >= b

    def _case(self, node: Case) -> tuple[Any, Any]:
        c = self.context
        whens = [self.of(when) for when, _ in node.branches]
        values = [self._as(node.kind, value) for _, value in node.branches]
        if node.other is not None:
            done, defined = self._as(node.kind, node.other)
        else:
            done, defined = values[-1][0], z3.BoolVal(False, c)
        for (when, _), (value, known) in zip(reversed(whens), reversed(values), strict=True):
            done, defined = z3.If(when, value, done, c), z3.If(when, known, defined, c)
        parts = [defined, *(d for _, d in whens)]
        if node.unordered:
            parts.append(z3.AtMost(*(when for when, _ in whens), 1) if len(whens) > 1 else z3.BoolVal(True, c))
        return done, self._all(parts)

    def _rounded(self, mode: str, top: Any, bottom: Any) -> Any:
        if mode == "floor":
            return top / bottom
        if mode == "ceil":
            return -((-top) / bottom)
        up, down = (2 * top + bottom) / (2 * bottom), -((-2 * top + bottom) / (2 * bottom))
        return z3.If(top >= 0, up, down, self.context)


class Varied(Logic):
    """The logic of somebody who differs from the first in one fact; what does not depend on it is the same formula.

    ``sides`` and ``constraints`` stand beside those of the first.
    """

    def __init__(self, one: Logic, fact: str) -> None:
        self.one, self.fact = one, fact
        self._behind: dict[int, bool] = {}
        super().__init__(one.version, one.on, one.context, f"{one.prefix}other {fact} ", one.coded)

    def _variables(self) -> tuple[Calendar, dict[str, Any]]:
        calendar = self.one.calendar.beside(self.prefix, self.sides)
        kind = self.version.facts[self.fact].kind
        return calendar, {**self.one.facts, self.fact: self.variable(kind, f"{self.prefix}{self.fact}", calendar)}

    def of(self, node: Node) -> tuple[Any, Any]:
        """Formula of a node, and the formula that says where it is defined."""
        return super().of(node) if self.depends(node) else self.one.of(node)

    def depends(self, node: Node) -> bool:
        """Whether the fact stands in a node, or behind an earlier outcome in it."""
        found = self._behind.get(id(node))
        if found is None:
            if isinstance(node, Fact):
                found = node.name == self.fact
            elif isinstance(node, Earlier):
                found = self.depends(self.version.outcomes[node.name].tree)
            else:
                found = any(self.depends(child) for child in children(node))
            self._behind[id(node)] = found
        return found
