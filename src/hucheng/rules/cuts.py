"""Where a rule can notice a change: the places at which a comparison along one fact changes its answer."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from datetime import date
from typing import Any

from hucheng.rules import evaluate
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
    children,
    walk,
)  # fmt: skip

GRID = 20_000
"""Values along which one comparison may be tried out."""
PAIRS = 600
"""Combinations of the smaller facts of one comparison."""
LISTED = 200
"""Values that may be listed, for a fact to be compared with each."""


class Unable(Exception):
    """This reading cannot handle an expression; the text says why."""


class Cuts:
    """Where each fact's domain is cut; ``unable`` says which outcomes need another reading, and why."""

    def __init__(self, version: Version, on: date | None) -> None:
        self.version = version
        self.on = on
        self.names = tuple(version.facts)
        self.place = {name: i for i, name in enumerate(self.names)}
        self.kinds = {name: fact.kind for name, fact in version.facts.items()}
        self.trees = {name: outcome.tree for name, outcome in version.outcomes.items()}
        self._facts: dict[Node, frozenset[str]] = {}
        self._used: dict[Node, list[str]] = {}
        self._cuts: dict[str, set[int]] = {
            name: {kind.low} if kind.name in ("number", "date") else set(range(kind.size))
            for name, kind in self.kinds.items()
        }
        self.unable: dict[str, str] = {}
        """Outcomes that cells cannot give, with the reason."""
        self._cut_all()
        self.starts = {name: sorted(cuts) for name, cuts in self._cuts.items()}
        """First value of each cell, for each fact."""

    def _cut_all(self) -> None:
        for constraint in self.version.constraints:
            try:
                self._cut(constraint.tree)
            except Unable as why:
                self.unable = dict.fromkeys(self.trees, f"{constraint.text}: {why}")
                return
        for name, tree in self.trees.items():
            try:
                self._cut(tree)
            except Unable as why:
                self.unable[name] = str(why)

    def facts_of(self, node: Node) -> frozenset[str]:
        """Facts a node depends on, those behind earlier outcomes included."""
        found = self._facts.get(node)
        if found is None:
            if isinstance(node, Fact):
                found = frozenset((node.name,))
            elif isinstance(node, Earlier):
                found = self.facts_of(self.trees[node.name])
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
            elif isinstance(node, Compare | Among) and self.bare(node):
                try:
                    self._cut_atom(node)
                except Unable:
                    other = self._cut_by_values(node)
                    if other is None:
                        raise
                    todo.append(other)
            elif isinstance(node, Fact) and node.kind.name in ("number", "date"):
                raise Unable(f"the amount “{node.name}” itself is (a part of) the result")
            else:
                todo.extend(children(node))

    def bare(self, node: Node) -> bool:
        """Whether a fact stands in the node's own sums, not only in conditions inside it."""
        todo = list(children(node))
        while todo:
            part = todo.pop()
            if isinstance(part, Fact) and part.kind.name in ("number", "date"):
                return True
            if isinstance(part, Earlier):
                todo.append(self.trees[part.name])
            elif isinstance(part, Case):
                todo.extend(value for _, value in part.branches)
                todo.extend(() if part.other is None else (part.other,))
            elif not isinstance(part, Compare | Among | Every | Some | Not):
                todo.extend(children(part))
        return False

    def _cut_atom(self, node: Node) -> None:
        names = sorted(self.facts_of(node), key=lambda name: (self.kinds[name].size, self.place[name]))
        *small, pivot = names
        points = math.prod(self.kinds[name].size for name in small)
        if points > PAIRS:
            raise Unable(f"one comparison of facts with large domains: {', '.join(names)}")
        domains = [list(domain(self.kinds[name])) for name in small]
        for name in small:
            kind = self.kinds[name]
            if kind.name in ("number", "date"):
                self._cuts[name].update(range(kind.low, kind.high + 1))
        kind = self.kinds[pivot]
        if kind.name not in ("number", "date"):
            return
        way = self._direction(node, pivot)
        for values in itertools.product(*domains):
            known = dict(zip(small, values, strict=True))
            self._cuts[pivot].update(self._changes(node, pivot, known, way))

    def _cut_by_values(self, node: Node) -> Node | None:
        """One fact against something of which all values can be listed: cut at each; gives the other side, or None."""
        if not isinstance(node, Compare):
            return None
        for side, other in ((node.left, node.right), (node.right, node.left)):
            names, values = self.facts_of(side), self._listed(other)
            if len(names) != 1 or values is None:
                continue
            (pivot,) = names
            tests = [Compare(node.op, side, Const(other.kind, value)) for value in values]
            if any(self._direction(test, pivot) is None for test in tests):
                continue
            for test in tests:
                self._cuts[pivot].update(self._changes(test, pivot, {}, self._direction(test, pivot)))
            return other
        return None

    def _listed(self, node: Node) -> frozenset[Value] | None:
        """All values that a node may have, where they are few and no amount is among them; else None."""
        match node:
            case Const(_, value):
                return frozenset((value,))
            case Earlier(_, name):
                return self._listed(self.trees[name])
            case Case(_, branches, other, _):
                ends = [self._listed(value) for _, value in branches]
                ends += [] if other is None else [self._listed(other)]
                found: frozenset[Value] = frozenset()
                for each in ends:
                    if each is None:
                        return None
                    found |= each
                return found if len(found) <= LISTED else None
        return None

    def _changes(self, node: Node, pivot: str, known: dict[str, Value], way: int | None) -> set[int]:
        """Where the node's answer changes along the pivot, everything else being known."""
        kind = self.kinds[pivot]

        def at(place: int) -> Any:
            return self.value(node, {**known, pivot: inside(kind, place)})

        if way is not None and isinstance(node, Compare):
            found = set()
            for op in ("<", "<="):
                test = Compare(op, node.left, node.right)

                def holds(place: int, test: Node = test) -> bool:
                    return bool(self.value(test, {**known, pivot: inside(kind, place)}))

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
                return self._slope(self.trees[name], pivot)
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

    def value(self, node: Node, known: Mapping[str, Value]) -> Any:
        """Value of a node where all its facts are known."""
        earlier: dict[str, Value | None] = {}
        for name in self.uses(node):
            earlier[name] = evaluate.value(self.trees[name], known, earlier, self.on)
        return evaluate.value(node, known, earlier, self.on)

    def uses(self, node: Node) -> list[str]:
        """Earlier outcomes a node depends on, in their order."""
        found = self._used.get(node)
        if found is None:
            seen: set[str] = set()
            todo = [node]
            while todo:
                for part in walk(todo.pop()):
                    if isinstance(part, Earlier) and part.name not in seen:
                        seen.add(part.name)
                        todo.append(self.trees[part.name])
            found = self._used[node] = [name for name in self.trees if name in seen]
        return found

    def plain(self, node: Node) -> bool:
        """Whether a node is defined for everybody: no unordered choice in it."""
        trees = [node, *(self.trees[name] for name in self.uses(node))]
        return not any(isinstance(part, Case) and part.unordered for tree in trees for part in walk(tree))

    def sample(self, name: str, code: int) -> Value:
        """The first value of a cell."""
        kind = self.kinds[name]
        if kind.name == "enum":
            return kind.values[code]
        if kind.name == "boolean":
            return bool(code)
        return inside(kind, self.starts[name][code])


def inside(kind: Kind, place: int) -> Value:
    return date.fromordinal(place) if kind.name == "date" else place


def domain(kind: Kind) -> Any:
    if kind.name == "boolean":
        return (False, True)
    if kind.name == "enum":
        return kind.values
    return (inside(kind, place) for place in range(kind.low, kind.high + 1))
