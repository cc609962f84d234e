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

from hucheng.rules import arrays, evaluate, quick
from hucheng.rules.arithmetic import divide
from hucheng.rules.cuts import GRID, Cuts, Unable
from hucheng.rules.diagram import Diagrams, Leaf, TooLarge
from hucheng.rules.kinds import Value
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
)  # fmt: skip


class Cells(Cuts):
    """All outcomes of a version on a date, exact under unknown facts."""

    def __init__(self, version: Version, on: date | None) -> None:
        super().__init__(version, on)
        self._fits = quick.fits(version)
        self.diagrams = Diagrams([len(self.starts[name]) for name in self.names])
        self._built: dict[Node, int] = {}
        self.roots: dict[str, int] = {}
        """Outcome to diagram without unknowns, impossible people included as a value."""
        self.exact: dict[str, int] = {}
        """Outcome to diagram with unknowns."""
        self._build_all()

    def _build_all(self) -> None:
        store = self.diagrams
        try:
            possible = store.leaf(True)
            if not (self.unable and len(self.unable) == len(self.trees)):
                for constraint in self.version.constraints:
                    possible = store.choose(possible, self._build(constraint.tree), store.leaf(False))
        except (Unable, TooLarge) as why:
            self.unable = dict.fromkeys(self.trees, str(why) or "too many cells")
        for name, tree in self.trees.items():
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
        kind = self.kinds[name]
        if kind.name == "boolean":
            return int(value)  # type: ignore[arg-type]
        if kind.name == "enum":
            return kind.values.index(str(value))
        number = value.toordinal() if isinstance(value, date) else int(value)
        return int(np.searchsorted(starts, number, side="right")) - 1 if len(starts) > 1 else 0

    def codes(self, known: Mapping[str, Value | None]) -> list[int]:
        """The cells of one person's facts."""
        return [self.code(name, known.get(name)) for name in self.names]

    def outcome(self, name: str, codes: list[int]) -> Any:
        """Value of an outcome for one person, or a Leaf. KeyError where this reading is unable."""
        return self.diagrams.walk(self.exact[name], codes)

    def _build(self, node: Node) -> int:
        found = self._built.get(node)
        if found is None:
            alone = self._fits and children(node) and len(self.facts_of(node)) == 1 and self.plain(node)
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
                level = self.place[name]
                return store.node(level, tuple(store.leaf(self.sample(name, i)) for i in range(store.sizes[level])))
            case Earlier(_, name):
                if name in self.unable:
                    raise Unable(self.unable[name])
                return self._build(self.trees[name])
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
            case Compare() | Among() if self.bare(node):
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
        names = sorted(self.facts_of(node), key=self.place.__getitem__)
        store = self.diagrams
        if math.prod(len(self.starts[name]) for name in names) > 10 * GRID:
            raise Unable(f"too many cells in one comparison: {', '.join(names)}")

        values = iter(self._grid(node, names))

        def below(depth: int) -> int:
            if depth == len(names):
                return store.leaf(next(values))
            return store.node(self.place[names[depth]], tuple(below(depth + 1) for _ in self.starts[names[depth]]))

        return below(0)

    def _grid(self, node: Node, names: list[str]) -> Iterable[Any]:
        """Values of a node on one value of each combination of cells, the last fact changing fastest."""
        samples = [[self.sample(name, code) for code in range(len(self.starts[name]))] for name in names]
        if not (self._fits and self.plain(node)):
            return (self.value(node, dict(zip(names, values, strict=True))) for values in itertools.product(*samples))
        points = math.prod(map(len, samples))
        columns, after = {}, points
        for name, column in zip(names, samples, strict=True):
            kind = self.kinds[name]
            after //= len(column)
            inner: Any = np.arange(len(column)) if kind.name == "enum" else np.array(column)
            if kind.name == "date":
                inner = np.array([day.toordinal() for day in column])  # type: ignore[union-attr]
            tiled = np.tile(np.repeat(inner, after), points // (after * len(column)))
            columns[name] = arrays.Column(tiled, None, kind.values)
        strict = quick.Strict(arrays.Facts(columns, points), self.on)
        for name in self.uses(node):
            strict.earlier[name] = strict.of(self.trees[name])
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
