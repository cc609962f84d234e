"""Decision diagrams over facts cut into cells: hash-consed, exact, with one more child for “unknown”.

A node asks for the cell of one fact; its last child is where one goes when the fact is unknown. That child is the
*agreement* of all others, so that one walk from the root gives the outcome if and only if every completion of the
unknown facts gives it. (Multi-valued decision diagrams: Kam, Villa, Brayton, Sangiovanni-Vincentelli 1998.)
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

import numpy as np
from numpy.typing import NDArray

MOST_NODES = 300_000
MOST_EDGES = 6_000_000
"""Children of all nodes: what bounds the memory of a diagram (8 bytes each)."""


class Leaf(Enum):
    """What a walk can end in besides a value."""

    OPEN = "open"
    """completions differ"""
    IMPOSSIBLE = "impossible"
    """no completion satisfies the constraints"""
    GAP = "gap"
    """no branch of a one_of holds"""
    OVERLAP = "overlap"
    """several branches of a one_of hold"""


class TooLarge(Exception):
    """The diagram would need more nodes than allowed: another reading must take over."""


class Diagrams:
    """A store of diagrams over the same facts; ``sizes`` are the numbers of cells of each fact, in order."""

    def __init__(self, sizes: Sequence[int]) -> None:
        self.sizes = tuple(sizes)
        self.depth = len(self.sizes)
        self.level: list[int] = []
        self.kids: list[tuple[int, ...]] = []
        self.values: dict[int, Any] = {}
        self._leaves: dict[Any, int] = {}
        self._unique: dict[tuple[int, tuple[int, ...]], int] = {}
        self._done: dict[tuple[Any, ...], int] = {}
        self._width = 0
        self.lock = threading.RLock()
        """To be held by whoever makes new nodes after the diagrams were built."""
        self.answers: dict[tuple[Any, ...], Any] = {}
        """What others worked out about nodes and want to keep with them."""

    def leaf(self, value: Any) -> int:
        """The node that is just a value; True and 1 are different values."""
        key = (type(value), value)
        if key not in self._leaves:
            self._leaves[key] = self._new(self.depth, ())
            self.values[self._leaves[key]] = value
        return self._leaves[key]

    def node(self, level: int, kids: tuple[int, ...]) -> int:
        """The node with these children; where they are all one, that one."""
        if kids.count(kids[0]) == len(kids):
            return kids[0]
        key = (level, kids)
        found = self._unique.get(key)
        if found is None:
            found = self._unique[key] = self._new(level, kids)
        return found

    def _new(self, level: int, kids: tuple[int, ...]) -> int:
        self._width += len(kids)
        if len(self.level) >= MOST_NODES or self._width > MOST_EDGES:
            raise TooLarge
        self.level.append(level)
        self.kids.append(kids)
        return len(self.level) - 1

    def combine(self, name: str, function: Callable[..., Any], *nodes: int) -> int:
        """The function applied at every point of all diagrams; ``name`` stands for the function in the memo."""
        if all(node in self.values for node in nodes):
            return self.leaf(function(*(self.values[node] for node in nodes)))
        key = (name, *nodes)
        found = self._done.get(key)
        if found is None:
            level = min(self.level[node] for node in nodes)
            parts = [self.kids[n] if self.level[n] == level else None for n in nodes]
            width = next(len(kids) for kids in parts if kids is not None)
            kids = tuple(
                self.combine(name, function, *(n if k is None else k[i] for n, k in zip(nodes, parts, strict=True)))
                for i in range(width)
            )
            found = self._done[key] = self.node(level, kids)
        return found

    def choose(self, condition: int, yes: int, no: int) -> int:
        """yes where the condition is true, no where it is false; an undefined condition stays undefined."""
        if condition in self.values:
            value = self.values[condition]
            return yes if value is True else no if value is False else condition
        if yes == no:
            return yes
        key = ("choose", condition, yes, no)
        found = self._done.get(key)
        if found is None:
            nodes = (condition, yes, no)
            level = min(self.level[node] for node in nodes)
            parts = [self.kids[n] if self.level[n] == level else None for n in nodes]
            width = next(len(kids) for kids in parts if kids is not None)
            kids = tuple(
                self.choose(*(n if k is None else k[i] for n, k in zip(nodes, parts, strict=True)))
                for i in range(width)
            )
            found = self._done[key] = self.node(level, kids)
        return found

    def fix(self, node: int, level: int, code: int) -> int:
        """The diagram where one fact is known."""
        if self.level[node] > level:
            return node
        if self.level[node] == level:
            return self.kids[node][code]
        key = ("fix", node, level, code)
        found = self._done.get(key)
        if found is None:
            kids = tuple(self.fix(kid, level, code) for kid in self.kids[node])
            found = self._done[key] = self.node(self.level[node], kids)
        return found

    def with_unknown(self, node: int) -> int:
        """The same diagram with a last child for “unknown” on every node."""
        if node in self.values:
            return node
        key = ("unknown", node)
        found = self._done.get(key)
        if found is None:
            kids = [self.with_unknown(kid) for kid in self.kids[node]]
            both = kids[0]
            for kid in dict.fromkeys(kids[1:]):
                both = self.combine("agree", _agree, both, kid)
            found = self._done[key] = self.node(self.level[node], (*kids, both))
        return found

    def walk(self, node: int, codes: Sequence[int]) -> Any:
        """The value at the end for one person; ``codes`` are cells, the number of cells standing for unknown."""
        level, kids = self.level, self.kids
        depth = self.depth
        while (at := level[node]) < depth:
            node = kids[node][codes[at]]
        return self.values[node]

    def frozen(self, node: int) -> Walker:
        """The diagram as arrays, for whole tables."""
        return Walker(self, node)

    def reachable(self, node: int) -> list[int]:
        """Every node below and including this one."""
        seen, todo = {node}, [node]
        while todo:
            for kid in self.kids[todo.pop()]:
                if kid not in seen:
                    seen.add(kid)
                    todo.append(kid)
        return sorted(seen)


class Walker:
    """A diagram with unknowns as flat arrays."""

    def __init__(self, diagrams: Diagrams, root: int) -> None:
        nodes = diagrams.reachable(root)
        place = {node: i for i, node in enumerate(nodes)}
        self.root = place[root]
        self.values = [diagrams.values.get(node) for node in nodes]
        self.level = np.array([diagrams.level[node] for node in nodes], np.int32)
        widths = [len(diagrams.kids[node]) for node in nodes]
        self.start = np.concatenate(([0], np.cumsum(widths)[:-1])).astype(np.int64)
        self.flat = np.array([place[kid] for node in nodes for kid in diagrams.kids[node]], np.int32)
        self.levels = sorted({diagrams.level[node] for node in nodes} - {diagrams.depth})

    def ends(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """Places in ``values`` where each row ends; ``codes`` has one line a fact and one column a row."""
        at = np.full(codes.shape[1], self.root, np.int32)
        for level in self.levels:
            here = self.level[at] == level
            if here.all():
                at = self.flat[self.start[at] + codes[level]]
            elif here.any():
                rows = np.flatnonzero(here)
                at[rows] = self.flat[self.start[at[rows]] + codes[level, rows]]
        return at


def _agree(a: Any, b: Any) -> Any:
    if a is Leaf.IMPOSSIBLE:
        return b
    if b is Leaf.IMPOSSIBLE or (type(a) is type(b) and a == b):
        return a
    return Leaf.OPEN
