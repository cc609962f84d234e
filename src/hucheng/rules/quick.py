"""The strict reading again, on NumPy arrays: for small tables, where planning a query would take longest.

It gives what the SQL gives, or says nothing at all (None): then the SQL is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.rules.arrays import EPOCH, Column, Facts, rounded
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
    walk,
)  # fmt: skip

SAFE = 2**62
SMALL = 10_000
"""Rows up to which complete facts are decided without cutting them into cells first."""


def fits(version: Version) -> bool:
    """Whether every number of the version stays within 64 bits."""
    trees = [c.tree for c in version.constraints] + [o.tree for o in version.outcomes.values()]
    for tree in trees:
        for node in walk(tree):
            kind = node.kind
            if max(abs(kind.low), abs(kind.high)) >= SAFE:
                return False
            if isinstance(node, Rounded):
                top = node.numerator.kind
                if 2 * max(abs(top.low), abs(top.high)) * node.factor + node.divisor.kind.high >= SAFE:
                    return False
    return True


class Strict:
    """Values of trees over one table; every node is reckoned once."""

    def __init__(self, facts: Facts, on: date | None) -> None:
        self.rows = facts.rows
        self.on = on
        self.facts = facts.columns
        self.earlier: dict[str, Column] = {}
        self.done: dict[int, Column] = {}
        self.words: list[str] = []

    def of(self, node: Node) -> Column:
        """The column of a node."""
        found = self.done.get(id(node))
        if found is None:
            found = self.done[id(node)] = self._of(node)
        return found

    def _of(self, node: Node) -> Column:
        match node:
            case Const(kind, value):
                return Column(np.asarray(_inner(value)), None, (str(value),) if kind.name == "enum" else ())
            case Today():
                assert self.on is not None
                return Column(np.asarray(self.on.toordinal()))
            case Fact(_, name):
                return self.facts[name]
            case Earlier(_, name):
                return self.earlier[name]
            case Compare(op, left, right):
                return self._compare(op, self.of(left), self.of(right))
            case Among(part, values):
                whole = self.of(part)
                inner = [_inner(v) if not whole.words else _word(whole.words, str(v)) for v in values]
                return Column(np.isin(whole.values, inner), whole.unknown)
            case Every(parts):
                return self._every([self.of(part) for part in parts])
            case Some(parts):
                inverse = self._every([_inverted(self.of(part)) for part in parts])
                return _inverted(inverse)
            case Not(part):
                return _inverted(self.of(part))
            case Case():
                return self._case(node)
            case Sum(_, op, left, right):
                a, b = self.of(left), self.of(right)
                return Column(a.values + b.values if op == "+" else a.values - b.values, _either(a, b))
            case Product(_, left, right):
                a, b = self.of(left), self.of(right)
                return Column(a.values * b.values, _either(a, b))
            case Rounded(_, mode, top, factor, bottom):
                a, b = self.of(top), self.of(bottom)
                below = np.where(b.values > 0, b.values, 1)  # an unknown divisor is stored as 0
                return Column(rounded(mode, a.values * factor, below), _either(a, b))
            case Extreme(_, name, parts):
                done = [self.of(part) for part in parts]
                pick = np.minimum if name == "least" else np.maximum
                picked = done[0].values
                for each in done[1:]:
                    picked = pick(picked, each.values)
                return Column(picked, _either(*done))
            case Shift(_, day, unit, count):
                a, b = self.of(day), self.of(count)
                moved = a.values + b.values if unit == "day" else months_later(a.values, b.values)
                return Column(moved, _either(a, b))
            case Age(_, born, at):
                a, b = self.of(born), self.of(at)
                return Column(years_between(a.values, b.values), _either(a, b))
        raise AssertionError(node)

    def _compare(self, op: str, a: Column, b: Column) -> Column:
        left, right = a.values, b.values
        if a.words or b.words:
            words = tuple(dict.fromkeys((*a.words, *b.words)))
            left, right = recoded(a, words), recoded(b, words)
        function = {"=": np.equal, "<>": np.not_equal, "<": np.less, "<=": np.less_equal, ">": np.greater}.get(
            op, np.greater_equal
        )
        return Column(function(left, right), _either(a, b))

    def _every(self, parts: list[Column]) -> Column:
        values: Any = True
        unknown: Any = None
        refuted: Any = None
        for part in parts:
            if part.unknown is None:
                values = values & part.values
            else:
                values = values & (part.values | part.unknown)
                unknown = part.unknown if unknown is None else unknown | part.unknown
        if unknown is not None:
            refuted = ~values
            unknown = unknown & ~refuted
            values = values & ~unknown
        return Column(np.asarray(values), unknown)

    def _case(self, node: Case) -> Column:
        words = node.kind.values
        kind = bool if node.kind.name == "boolean" else np.int64
        values = np.zeros(self.rows, kind)
        unknown = np.zeros(self.rows, bool)
        left = np.ones(self.rows, bool)
        if node.unordered:
            return self._unordered(node, values, words)
        for when, value in node.branches:
            condition = self.of(when)
            held = np.broadcast_to(condition.values, self.rows)
            if condition.unknown is not None:
                unknown |= left & condition.unknown
                left = left & ~condition.unknown
            take = left & held
            if take.any():
                self._put(values, unknown, take, self.of(value), words)
            left = left & ~held
        assert node.other is not None
        if left.any():
            self._put(values, unknown, left, self.of(node.other), words)
        return Column(values, unknown if unknown.any() else None, words)

    def _unordered(self, node: Case, values: NDArray[Any], words: tuple[str, ...]) -> Column:
        unknown = np.zeros(self.rows, bool)
        left = np.ones(self.rows, bool)
        for when, value in node.branches:
            condition = self.of(when)
            held = np.broadcast_to(condition.values, self.rows)
            take = left & (held if condition.unknown is None else held & ~condition.unknown)
            self._put(values, unknown, take, self.of(value), words)
            left = left & ~take
        return Column(values, unknown | left, words)

    def _put(self, values: Any, unknown: Any, rows: NDArray[np.bool_], part: Column, words: tuple[str, ...]) -> None:
        new = recoded(part, words) if part.words else part.values
        np.copyto(values, new, where=rows)
        if part.unknown is not None:
            unknown |= rows & part.unknown


def _inner(value: Value) -> Any:
    if isinstance(value, str):
        return 0
    return value.toordinal() if isinstance(value, date) else value


def _word(words: tuple[str, ...], value: str) -> int:
    return words.index(value) if value in words else -1


def recoded(column: Column, words: tuple[str, ...]) -> NDArray[Any]:
    """The column with its words numbered as in ``words``; -1 where one is not there."""
    if column.words == words:
        return column.values
    table: NDArray[Any] = np.array([_word(words, word) for word in column.words], np.int64)
    found: NDArray[Any] = table[column.values]
    return found


def _inverted(column: Column) -> Column:
    if column.unknown is None:
        return Column(~np.asarray(column.values))
    return Column(~column.values & ~column.unknown, column.unknown)


def _either(*columns: Column) -> NDArray[np.bool_] | None:
    found: Any = None
    for column in columns:
        if column.unknown is not None:
            found = column.unknown if found is None else found | column.unknown
    return found  # type: ignore[no-any-return]


def _calendar(ordinals: NDArray[np.int64]) -> tuple[Any, Any, Any]:
    """Months since 1970, day of the month, and day itself of ordinals."""
    day = (np.asarray(ordinals) - EPOCH).astype("datetime64[D]")
    month = day.astype("datetime64[M]")
    return month.astype(np.int64), (day - month.astype("datetime64[D]")).astype(np.int64) + 1, day


def _key(ordinals: NDArray[np.int64]) -> Any:
    month, day, _ = _calendar(ordinals)
    return (1970 + month // 12) * 10000 + (month % 12 + 1) * 100 + day


def years_between(born: NDArray[np.int64], on: NDArray[np.int64]) -> Any:
    """Completed years between ordinals; born on 29 February: completed on 1 March."""
    return (_key(on) - _key(born)) // 10000


def months_later(ordinals: NDArray[np.int64], months: NDArray[np.int64]) -> Any:
    """The same day some months later; a day that the month lacks becomes its last day."""
    month, day, _ = _calendar(ordinals)
    start = (month + months).astype("datetime64[M]")
    length = ((start + 1).astype("datetime64[D]") - start.astype("datetime64[D]")).astype(np.int64)
    return start.astype("datetime64[D]").astype(np.int64) + np.minimum(day, length) - 1 + EPOCH


def answers(version: Version, facts: Facts, on: date | None) -> tuple[dict[str, Column], Mapping[str, Any]]:
    """Strict outcomes, and per complaint the rows it concerns (facts out of domain, constraints, gaps, overlaps)."""
    strict = Strict(facts, on)
    broken: dict[str, Any] = {}
    for constraint in version.constraints:
        column = strict.of(constraint.tree)
        bad = ~column.values if column.unknown is None else ~column.values & ~column.unknown
        broken[f"constraint: {constraint.text}"] = np.broadcast_to(bad, facts.rows)
    for name, outcome in version.outcomes.items():
        tree = outcome.tree
        found = strict.of(tree)
        strict.earlier[name] = found
        if isinstance(tree, Case) and tree.unordered:
            whens = [strict.of(when) for when, _ in tree.branches]
            sure = [np.where(w.unknown, False, w.values) if w.unknown is not None else w.values for w in whens]
            none = [~w.values if w.unknown is None else ~w.values & ~w.unknown for w in whens]
            several = np.broadcast_to(sum(np.asarray(s).astype(np.int64) for s in sure) > 1, facts.rows)
            broken[f"{name}: two branches hold"] = several
            broken[f"{name}: no branch holds"] = np.broadcast_to(
                np.logical_and.reduce(np.broadcast_arrays(*none)), facts.rows
            )
        kind = outcome.kind
        if kind.name in ("number", "date") and not (kind.low <= tree.kind.low and tree.kind.high <= kind.high):
            out = (found.values < kind.low) | (found.values > kind.high)
            out = out if found.unknown is None else out & ~found.unknown
            broken[f"{name}: outside its declared range"] = np.broadcast_to(out, facts.rows)
    return strict.earlier, broken
