"""The exact reading by cells: every fact's domain cut where a rule can notice, every outcome a diagram over the cells.

What it cannot cut (a comparison of two facts with large domains, an outcome that is an amount itself) it says:
``Unable``, with the reason; logic takes over there.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import numpy as np

from hucheng.rules import evaluate, quick
from hucheng.rules.arithmetic import divide
from hucheng.rules.diagram import Diagrams, Leaf, TooLarge
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

FEW = 64
"""A fact with so few values may stand in sums value by value."""
GRID = 20_000
"""Values along which one comparison may be tried out."""
PAIRS = 600
"""Combinations of the smaller facts of one comparison."""


class Unable(Exception):
    """This reading cannot handle an expression; the text says why."""


class Cells:
    """All outcomes of a version on a date, exact under unknown facts."""

    def __init__(self, version: Version, on: date | None) -> None:
        self.version = version
        self.on = on
        self.names = tuple(version.facts)
        self._place = {name: i for i, name in enumerate(self.names)}
        self._kinds = {name: fact.kind for name, fact in version.facts.items()}
        self._trees = {name: outcome.tree for name, outcome in version.outcomes.items()}
        self._facts: dict[Node, frozenset[str]] = {}
        self._used: dict[Node, list[str]] = {}
        self._fits = quick.fits(version)
        self._cuts: dict[str, set[int]] = {
            name: {kind.low} if kind.name in ("number", "date") else set(range(kind.size))
            for name, kind in self._kinds.items()
        }
        self.unable: dict[str, str] = {}
        """Outcomes this reading cannot give, with the reason."""
        self._cut_all()
        self.starts = {name: sorted(cuts) for name, cuts in self._cuts.items()}
        self.diagrams = Diagrams([len(self.starts[name]) for name in self.names])
        self._built: dict[Node, int] = {}
        self.roots: dict[str, int] = {}
        """Outcome to diagram without unknowns, impossible people included as a value."""
        self.exact: dict[str, int] = {}
        """Outcome to diagram with unknowns."""
        self._build_all()

    def _cut_all(self) -> None:
        for constraint in self.version.constraints:
            try:
                self._cut(constraint.tree)
            except Unable as why:
                self.unable = dict.fromkeys(self._trees, f"{constraint.text}: {why}")
                return
        for name, tree in self._trees.items():
            try:
                self._cut(tree)
            except Unable as why:
                self.unable[name] = str(why)

    def _build_all(self) -> None:
        store = self.diagrams
        try:
            possible = store.leaf(True)
            if not (self.unable and len(self.unable) == len(self._trees)):
                for constraint in self.version.constraints:
                    possible = store.choose(possible, self._build(constraint.tree), store.leaf(False))
        except (Unable, TooLarge) as why:
            self.unable = dict.fromkeys(self._trees, str(why) or "too many cells")
        for name, tree in self._trees.items():
            if name in self.unable:
                continue
            try:
                root = store.choose(possible, self._build(tree), store.leaf(Leaf.IMPOSSIBLE))
                self.exact[name] = store.with_unknown(root)
                self.roots[name] = root
            except (Unable, TooLarge, RecursionError) as why:
                self.unable[name] = str(why) or "too many cells"

    def code(self, name: str, value: Value | None) -> int:
        """The cell of a value; the number of cells for unknown."""
        starts = self.starts[name]
        if value is None:
            return len(starts)
        kind = self._kinds[name]
        if kind.name == "boolean":
            return int(value)  # type: ignore[arg-type]
        if kind.name == "enum":
            return kind.values.index(str(value))
        number = value.toordinal() if isinstance(value, date) else int(value)
        return int(np.searchsorted(starts, number, side="right")) - 1 if len(starts) > 1 else 0

    def codes(self, known: Mapping[str, Value | None]) -> list[int]:
        """The cells of one person's facts."""
        return [self.code(name, known.get(name)) for name in self.names]

    def sample(self, name: str, code: int) -> Value:
        """The first value of a cell."""
        kind = self._kinds[name]
        if kind.name == "enum":
            return kind.values[code]
        if kind.name == "boolean":
            return bool(code)
        return _inside(kind, self.starts[name][code])

    def outcome(self, name: str, codes: list[int]) -> Any:
        """Value of an outcome for one person, or a Leaf. KeyError where this reading is unable."""
        return self.diagrams.walk(self.exact[name], codes)

    # ---- cutting -------------------------------------------------------------------------------------------------

    def facts_of(self, node: Node) -> frozenset[str]:
        """Facts a node depends on, those behind earlier outcomes included."""
        found = self._facts.get(node)
        if found is None:
            if isinstance(node, Fact):
                found = frozenset((node.name,))
            elif isinstance(node, Earlier):
                found = self.facts_of(self._trees[node.name])
            else:
                found = frozenset().union(*(self.facts_of(child) for child in children(node)))
            self._facts[node] = found
        return found

    def _cut(self, node: Node) -> None:
        """Find every place where a comparison below this node changes its answer."""
        todo, seen = [node], set()
        while todo:
            node = todo.pop()
            if node in seen:
                continue
            seen.add(node)
            if isinstance(node, Earlier):
                if node.name in self.unable:
                    raise Unable(self.unable[node.name])
            elif isinstance(node, Compare | Among) and self._bare(node):
                self._cut_atom(node)
            elif isinstance(node, Fact) and node.kind.name in ("number", "date"):
                raise Unable(f"the amount “{node.name}” itself is (a part of) the result")
            else:
                todo.extend(children(node))

    def _bare(self, node: Node) -> bool:
        """Whether a fact stands in the node's own sums, not only in conditions inside it."""
        todo = list(children(node))
        while todo:
            part = todo.pop()
            if isinstance(part, Fact) and part.kind.name in ("number", "date"):
                return True
            if isinstance(part, Earlier):
                todo.append(self._trees[part.name])
            elif isinstance(part, Case):
                todo.extend(value for _, value in part.branches)
                todo.extend(() if part.other is None else (part.other,))
            elif not isinstance(part, Compare | Among | Every | Some | Not):
                todo.extend(children(part))
        return False

    def _cut_atom(self, node: Node) -> None:
        names = sorted(self.facts_of(node), key=lambda name: (self._kinds[name].size, self._place[name]))
        *small, pivot = names
        points = math.prod(self._kinds[name].size for name in small)
        if points > PAIRS:
            raise Unable(f"one comparison of facts with large domains: {', '.join(names)}")
        domains = [list(_domain(self._kinds[name])) for name in small]
        for name in small:
            kind = self._kinds[name]
            if kind.name in ("number", "date"):
                self._cuts[name].update(range(kind.low, kind.high + 1))
        kind = self._kinds[pivot]
        if kind.name not in ("number", "date"):
            return
        way = self._direction(node, pivot)
        for values in itertools.product(*domains):
            known = dict(zip(small, values, strict=True))
            self._cuts[pivot].update(self._changes(node, pivot, known, way))

    def _changes(self, node: Node, pivot: str, known: dict[str, Value], way: int | None) -> set[int]:
        """Where the node's answer changes along the pivot, everything else being known."""
        kind = self._kinds[pivot]

        def at(place: int) -> Any:
            return self._value(node, {**known, pivot: _inside(kind, place)})

        if way is not None and isinstance(node, Compare):
            found = set()
            for op in ("<", "<="):
                test = Compare(op, node.left, node.right)

                def holds(place: int, test: Node = test) -> bool:
                    return bool(self._value(test, {**known, pivot: _inside(kind, place)}))

                first, (low, high) = holds(kind.low), (kind.low, kind.high)
                if holds(high) == first:
                    continue
                while high - low > 1:
                    middle = (low + high) // 2
                    low, high = (middle, high) if holds(middle) == first else (low, middle)
                found.add(high)
            return found
        if isinstance(node, Among) and isinstance(node.part, Fact):
            places = {v.toordinal() if isinstance(v, date) else int(v) for v in node.values}
            return {p for v in places for p in (v, v + 1) if kind.low < p <= kind.high}
        if kind.size > GRID:
            raise Unable(f"“{pivot}” has a large domain and the comparison goes up and down along it")
        found, before = set(), at(kind.low)
        for place in range(kind.low + 1, kind.high + 1):
            now = at(place)
            if now != before:
                found.add(place)
            before = now
        return found

    def _direction(self, node: Node, pivot: str) -> int | None:
        """Of a comparison: whether left − right surely rises (1), falls (−1) or stays (0) along the pivot."""
        if not isinstance(node, Compare):
            return None
        left, right = self._slope(node.left, pivot), self._slope(node.right, pivot)
        if left is None or right is None:
            return None
        return left if right == 0 else -right if left == 0 else left if left == -right else None

    def _slope(self, node: Node, pivot: str) -> int | None:
        if pivot not in self.facts_of(node):
            return 0
        match node:
            case Fact():
                return 1
            case Earlier(_, name):
                return self._slope(self._trees[name], pivot)
            case Sum(_, op, left, right):
                a, b = self._slope(left, pivot), self._slope(right, pivot)
                if a is None or b is None:
                    return None
                b = b if op == "+" else -b
                return a if b in (0, a) else b if a == 0 else None
            case Product(_, left, right):
                for one, other in ((left, right), (right, left)):
                    slope = self._slope(other, pivot)
                    if pivot not in self.facts_of(one) and slope is not None:
                        return slope if one.kind.low >= 0 else -slope if one.kind.high <= 0 else None
            case Rounded(_, _, top, _, bottom):
                return self._slope(top, pivot) if pivot not in self.facts_of(bottom) else None
            case Extreme(_, _, parts):
                slopes = {self._slope(part, pivot) for part in parts} - {0}
                return slopes.pop() if len(slopes) == 1 else None
            case Shift(_, day, _, count):
                return self._slope(day, pivot) if pivot not in self.facts_of(count) else None
            case Age(_, born, at):
                a, b = self._slope(born, pivot), self._slope(at, pivot)
                return None if a is None or b is None else -a if b == 0 else b if a == 0 else None
        return None

    # ---- building ------------------------------------------------------------------------------------------------

    def _value(self, node: Node, known: Mapping[str, Value]) -> Any:
        """Value of a node where all its facts are known."""
        earlier: dict[str, Value | None] = {}
        for name in self._uses(node):
            earlier[name] = evaluate.value(self._trees[name], known, earlier, self.on)
        return evaluate.value(node, known, earlier, self.on)

    def _uses(self, node: Node) -> list[str]:
        """Earlier outcomes a node depends on, in their order."""
        found = self._used.get(node)
        if found is None:
            seen: set[str] = set()
            todo = [node]
            while todo:
                for part in walk(todo.pop()):
                    if isinstance(part, Earlier) and part.name not in seen:
                        seen.add(part.name)
                        todo.append(self._trees[part.name])
            found = self._used[node] = [name for name in self._trees if name in seen]
        return found

    def _plain(self, node: Node) -> bool:
        """Whether a node is defined for everybody: no unordered choice in it."""
        trees = [node, *(self._trees[name] for name in self._uses(node))]
        return not any(isinstance(part, Case) and part.unordered for tree in trees for part in walk(tree))

    def _build(self, node: Node) -> int:
        found = self._built.get(node)
        if found is None:
            alone = self._fits and children(node) and len(self.facts_of(node)) == 1 and self._plain(node)
            found = self._built[node] = self._tried(node) if alone else self._make(node)
        return found

    def _make(self, node: Node) -> int:
        store = self.diagrams
        match node:
            case Const(_, value):
                return store.leaf(value)
            case Today():
                return store.leaf(self.on)
            case Fact(kind, name):
                if kind.name in ("number", "date"):
                    raise Unable(f"the amount “{name}” itself is (a part of) the result")
                level = self._place[name]
                return store.node(level, tuple(store.leaf(self.sample(name, i)) for i in range(store.sizes[level])))
            case Earlier(_, name):
                if name in self.unable:
                    raise Unable(self.unable[name])
                return self._build(self._trees[name])
            case Every(parts):
                done = store.leaf(True)
                for part in reversed(parts):
                    done = store.choose(self._build(part), done, store.leaf(False))
                return done
            case Some(parts):
                done = store.leaf(False)
                for part in reversed(parts):
                    done = store.choose(self._build(part), store.leaf(True), done)
                return done
            case Not(part):
                return store.choose(self._build(part), store.leaf(False), store.leaf(True))
            case Case():
                return self._choice(node)
            case Compare() | Among() if self._bare(node):
                return self._tried(node)
            case Compare(op, left, right):
                return self._applied(op, lambda a, b: evaluate.compared(op, a, b), left, right)
            case Among(part, values):
                return self._applied(f"in {values}", lambda a: a in values, part)
            case Sum(_, op, left, right):
                return self._applied(op, (lambda a, b: a + b) if op == "+" else (lambda a, b: a - b), left, right)
            case Product(_, left, right):
                return self._applied("*", lambda a, b: a * b, left, right)
            case Rounded(_, mode, top, factor, bottom):
                return self._applied(f"{mode} {factor}", lambda a, b: divide(mode, a * factor, b), top, bottom)
            case Extreme(_, name, parts):
                pick = min if name == "least" else max
                done = self._build(parts[0])
                for part in parts[1:]:
                    done = store.combine(name, _defined(pick), done, self._build(part))
                return done
            case Shift(_, day, unit, count):
                known = Const(count.kind, 0)
                return self._applied(
                    f"shift {unit}",
                    lambda a, b: evaluate.value(
                        Shift(node.kind, Const(day.kind, a), unit, Const(known.kind, b)), {}, {}, None
                    ),
                    day,
                    count,
                )
            case Age(_, born, at):
                return self._applied("age", evaluate.years_between, born, at)
        raise AssertionError(node)

    def _applied(self, name: str, function: Callable[..., Any], *parts: Node) -> int:
        return self.diagrams.combine(name, _defined(function), *(self._build(part) for part in parts))

    def _choice(self, node: Case) -> int:
        store = self.diagrams
        if not node.unordered:
            assert node.other is not None
            done = self._build(node.other)
            for when, value in reversed(node.branches):
                done = store.choose(self._build(when), self._build(value), done)
            return done
        done = store.leaf(Leaf.GAP)
        for when, value in reversed(node.branches):
            taken = store.combine("first", lambda d, v: v if d is Leaf.GAP else Leaf.OVERLAP, done, self._build(value))
            done = store.choose(self._build(when), taken, done)
        return done

    def _tried(self, node: Node) -> int:
        """A comparison, by trying it out on one value of each cell of its facts."""
        names = sorted(self.facts_of(node), key=self._place.__getitem__)
        store = self.diagrams
        if math.prod(len(self.starts[name]) for name in names) > 10 * GRID:
            raise Unable(f"too many cells in one comparison: {', '.join(names)}")

        values = iter(self._grid(node, names))

        def below(depth: int) -> int:
            if depth == len(names):
                return store.leaf(next(values))
            return store.node(self._place[names[depth]], tuple(below(depth + 1) for _ in self.starts[names[depth]]))

        return below(0)

    def _grid(self, node: Node, names: list[str]) -> Iterable[Any]:
        """Values of a node on one value of each combination of cells, the last fact changing fastest."""
        samples = [[self.sample(name, code) for code in range(len(self.starts[name]))] for name in names]
        if not (self._fits and self._plain(node)):
            return (self._value(node, dict(zip(names, values, strict=True))) for values in itertools.product(*samples))
        points = math.prod(map(len, samples))
        columns, after = {}, points
        for name, column in zip(names, samples, strict=True):
            kind = self._kinds[name]
            after //= len(column)
            inner: Any = np.arange(len(column)) if kind.name == "enum" else np.array(column)
            if kind.name == "date":
                inner = np.array([day.toordinal() for day in column])  # type: ignore[union-attr]
            tiled = np.tile(np.repeat(inner, after), points // (after * len(column)))
            columns[name] = quick.Column(tiled, None, kind.values)
        strict = quick.Strict(quick.Facts(columns, points), self.on)
        for name in self._uses(node):
            strict.earlier[name] = strict.of(self._trees[name])
        found = strict.of(node)
        values = np.broadcast_to(found.values, points).tolist()
        if node.kind.name == "enum":
            return [found.words[value] for value in values]
        return [date.fromordinal(value) for value in values] if node.kind.name == "date" else values


def _defined(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, passing on what is undefined."""

    def applied(*values: Any) -> Any:
        for value in values:
            if isinstance(value, Leaf):
                return value
        return function(*values)

    return applied


def _inside(kind: Kind, place: int) -> Value:
    return date.fromordinal(place) if kind.name == "date" else place


def _domain(kind: Kind) -> Any:
    if kind.name == "boolean":
        return (False, True)
    if kind.name == "enum":
        return kind.values
    return (_inside(kind, place) for place in range(kind.low, kind.high + 1))
