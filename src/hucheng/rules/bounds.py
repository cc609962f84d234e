"""Between what and what a tree's value lies when facts are known only to lie between bounds: for many rows at once.

Sound: no completion lies outside. Numbers and dates have a lowest and a highest value, conditions are 0 and 1, words
are the set of those that may be (one bit each).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.rules.arrays import rounded
from hucheng.rules.kinds import Value
from hucheng.rules.model import Version
from hucheng.rules.quick import months_later, years_between
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

MOST_WORDS = 62
BELOW, ABOVE = np.int64(-(2**63)), np.int64(2**63 - 1)
"""Where nothing may be: the empty span."""
Array = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Span:
    """Lowest and highest value, or, for words, the set of those that may be (``low`` is ``high``); ``unsure`` where
    the value may be undefined (a gap or an overlap of a ``one_of`` is not excluded)."""

    low: Array
    high: Array
    words: tuple[str, ...] = ()
    unsure: Array | None = None


def able(version: Version) -> bool:
    """Whether every set of words fits into one number."""
    trees = [c.tree for c in version.constraints] + [o.tree for o in version.outcomes.values()]
    return all(len(node.kind.values) <= MOST_WORDS for tree in trees for node in walk(tree) if node.kind.name == "enum")


class Bounds:
    """Spans of trees over boxes; ``facts`` have a span each."""

    def __init__(self, facts: Mapping[str, Span], on: date | None) -> None:
        self.facts = facts
        self.on = on
        self.earlier: dict[str, Span] = {}
        self._done: dict[int, Span] = {}

    def of(self, node: Node) -> Span:
        """The span of a node."""
        found = self._done.get(id(node))
        if found is None:
            found = self._done[id(node)] = self._of(node)
        return found

    def _of(self, node: Node) -> Span:
        match node:
            case Const(kind, value):
                one = np.asarray(1 if kind.name == "enum" else _number(value))
                return Span(one, one, kind.values)
            case Today():
                assert self.on is not None
                today = np.asarray(self.on.toordinal())
                return Span(today, today)
            case Fact(_, name):
                return self.facts[name]
            case Earlier(_, name):
                return self.earlier[name]
            case Case():
                return self._case(node)
            case Among(part, values):
                return self._among(self.of(part), values)
            case Compare(op, left, right):
                a, b = self.of(left), self.of(right)
                return _noting(self._compared(op, a, b), a, b)
        parts = [self.of(part) for part in children(node)]
        return _noting(self._reckoned(node, parts), *parts)

    def _reckoned(self, node: Node, parts: list[Span]) -> Span:
        match node:
            case Every():
                return _folded(np.minimum, parts)
            case Some():
                return _folded(np.maximum, parts)
            case Extreme(_, name, _):
                return _folded(np.minimum if name == "least" else np.maximum, parts)
            case Not():
                return Span(1 - parts[0].high, 1 - parts[0].low)
        a, b = parts
        match node:
            case Sum(_, "+", _, _):
                return Span(a.low + b.low, a.high + b.high)
            case Sum():
                return Span(a.low - b.high, a.high - b.low)
            case Product():
                return _corners(np.multiply, a, b)
            case Rounded(_, mode, _, factor, _):
                return _corners(lambda top, below: rounded(mode, top * factor, below), a, b)
            case Shift(_, _, "day", _):
                return Span(a.low + b.low, a.high + b.high)
            case Shift():
                return Span(months_later(a.low, b.low), months_later(a.high, b.high))
            case Age():
                return Span(years_between(a.high, b.low), years_between(a.low, b.high))
        raise AssertionError(node)

    def _compared(self, op: str, a: Span, b: Span) -> Span:
        if a.words:
            words = tuple(dict.fromkeys((*a.words, *b.words)))
            left, right = as_sets(a, words), as_sets(b, words)
            both = left & right
            same = Span(((left == right) & (left & (left - 1) == 0)).astype(np.int8), (both != 0).astype(np.int8))
            return same if op == "=" else Span(1 - same.high, 1 - same.low)
        match op:
            case "<":
                return Span((a.high < b.low).astype(np.int8), (a.low < b.high).astype(np.int8))
            case "<=":
                return Span((a.high <= b.low).astype(np.int8), (a.low <= b.high).astype(np.int8))
            case ">" | ">=":
                return self._compared("<" if op == ">" else "<=", b, a)
        sure = (a.low == a.high) & (b.low == b.high) & (a.low == b.low)
        same = Span(sure.astype(np.int8), ((a.low <= b.high) & (b.low <= a.high)).astype(np.int8))
        return same if op == "=" else Span(1 - same.high, 1 - same.low)

    def _among(self, part: Span, values: tuple[Value, ...]) -> Span:
        if part.words:
            wanted = sum(1 << part.words.index(str(v)) for v in set(values) if v in part.words)
            sure, maybe = (part.low & ~np.int64(wanted)) == 0, (part.low & np.int64(wanted)) != 0
        else:
            numbers = [_number(value) for value in values]
            sure = (part.low == part.high) & np.isin(part.low, numbers)
            maybe = np.logical_or.reduce([(part.low <= n) & (n <= part.high) for n in numbers])
        return _noting(Span(sure.astype(np.int8), np.asarray(maybe).astype(np.int8)), part)

    def _case(self, node: Case) -> Span:
        """All values of branches that may be taken; a branch may be, unless an earlier one surely is."""
        words = node.kind.values
        taken: list[tuple[Array, Span]] = []
        left: Array = np.asarray(True)
        unsure: Array = np.asarray(False)
        held: Array = np.asarray(0)
        some: Array = np.asarray(0)
        for when, value in node.branches:
            condition = self.of(when)
            if condition.unsure is not None:
                unsure = unsure | condition.unsure
            taken.append((left & (condition.high > 0), self.of(value)))
            held, some = held + condition.low, some + condition.high
            if not node.unordered:
                left = left & (condition.low == 0)
        if node.other is not None:
            taken.append((left, self.of(node.other)))
        if node.unordered:
            unsure = unsure | (held != 1) | (some != 1)
        low: Any = None
        high: Any = None
        for where, span in taken:
            if span.unsure is not None:
                unsure = unsure | (where & span.unsure)
            if words:
                part = np.where(where, as_sets(span, words), 0)
                low = part if low is None else low | part
            else:
                below = np.where(where, span.low, ABOVE)
                above = np.where(where, span.high, BELOW)
                low, high = (below, above) if low is None else (np.minimum(low, below), np.maximum(high, above))
        nothing = ~np.logical_or.reduce(np.broadcast_arrays(*(where for where, _ in taken)))
        unsure = unsure | nothing
        if words:
            return Span(low, low, words, unsure if unsure.any() else None)
        low, high = np.where(nothing, 0, low), np.where(nothing, 0, high)
        return Span(low, high, (), unsure if unsure.any() else None)


def _number(value: Value) -> int:
    return value.toordinal() if isinstance(value, date) else int(value)


def _noting(span: Span, *parts: Span) -> Span:
    """The span, unsure where a part is."""
    unsure: Any = span.unsure
    for part in parts:
        if part.unsure is not None:
            unsure = part.unsure if unsure is None else unsure | part.unsure
    return Span(span.low, span.high, span.words, unsure)


def _folded(pick: Any, parts: list[Span]) -> Span:
    low, high = parts[0].low, parts[0].high
    for part in parts[1:]:
        low, high = pick(low, part.low), pick(high, part.high)
    return Span(low, high)


def _corners(function: Any, a: Span, b: Span) -> Span:
    """Of a function that goes one way along each of its parts."""
    found = [function(x, y) for x, y in itertools.product((a.low, a.high), (b.low, b.high))]
    low, high = found[0], found[0]
    for each in found[1:]:
        low, high = np.minimum(low, each), np.maximum(high, each)
    return Span(low, high)


def as_sets(span: Span, words: tuple[str, ...]) -> Array:
    """Sets of words with the bits as in ``words``; words that are not there are left out."""
    if span.words == words:
        return span.low
    found: Any = np.zeros_like(span.low)
    for place, word in enumerate(span.words):
        if word in words:
            found = found | (((span.low >> place) & 1) << words.index(word))
    return np.asarray(found)
