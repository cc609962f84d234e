"""The strict reading: SQL for bulk that never answers while an unknown fact could still matter to it.

Sound and quick, but not complete: after each ``WHEN c`` stands ``WHEN c IS NULL THEN NULL``, so that it leaves some
cases open that are determined; those go to the exact reading. Numbers are integers in units of their scale.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

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
    facts,
    walk,
)  # fmt: skip

SMALL = 2**62


def literal(value: Value) -> str:
    """A value as SQL."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, date):
        return f"DATE '{value.isoformat()}'"
    if isinstance(value, int):
        return f"CAST({value} AS {'BIGINT' if abs(value) < SMALL else 'HUGEINT'})"
    return "'" + value.replace("'", "''") + "'"


class Layers:
    """Columns by layer; a column uses only columns of lower layers. Facts are ``f_<name>``, outcomes ``o_<name>``."""

    def __init__(self, version: Version, on: date | None) -> None:
        self.on = on
        self.columns: list[dict[str, str]] = []
        self._at: dict[str, int] = {}
        self._known: dict[str, str] = {}
        self.broken: list[tuple[str, str]] = []
        """(condition, what it means): rows of which one is TRUE are reported, not decided."""
        for place, constraint in enumerate(version.constraints):
            self._put(f"k_{place}", *self._sql(constraint.tree))
            said = f"constraint: {constraint.text}"
            if said not in (text for _, text in self.broken):  # one that stands twice is broken once
                self.broken.append((f"k_{place} = FALSE", said))
        for name, outcome in version.outcomes.items():
            tree = outcome.tree
            self._put(f"o_{name}", *self._sql(tree))
            if isinstance(tree, Case) and tree.unordered:
                self._watch(name, tree)
            if outcome.kind.name in ("number", "date") and not (
                outcome.kind.low <= tree.kind.low and tree.kind.high <= outcome.kind.high
            ):
                low, high = self._end(outcome.kind.low, outcome.tree), self._end(outcome.kind.high, outcome.tree)
                self.broken.append((f"o_{name} NOT BETWEEN {low} AND {high}", f"{name}: outside its declared range"))

    def _end(self, bound: int, tree: Node) -> str:
        return literal(date.fromordinal(bound) if tree.kind.name == "date" else bound)

    def _watch(self, name: str, tree: Case) -> None:
        """A gap or an overlap of an unordered choice is reported with the row."""
        conditions = [self._column(when)[0] for when, _ in tree.branches]
        held = " + ".join(f"CAST(coalesce({c}, FALSE) AS INTEGER)" for c in conditions)
        self.broken.append((f"({held}) > 1", f"{name}: two branches hold"))
        self.broken.append((" AND ".join(f"{c} = FALSE" for c in conditions), f"{name}: no branch holds"))

    def _put(self, alias: str, sql: str, level: int) -> tuple[str, int]:
        while len(self.columns) <= level:
            self.columns.append({})
        self.columns[level][alias] = sql
        self._at[alias] = level + 1
        return alias, level + 1

    def _column(self, node: Node) -> tuple[str, int]:
        """The node as a column of its own, made once."""
        sql, level = self._sql(node)
        if sql in self._at or sql in ("TRUE", "FALSE") or (sql.startswith("f_") and " " not in sql):
            return sql, level
        if sql not in self._known:
            self._known[sql] = self._put(f"c_{len(self._known)}", sql, level)[0]
        alias = self._known[sql]
        return alias, self._at[alias]

    def _join(self, word: str, parts: Iterable[Node]) -> tuple[str, int]:
        done = [self._sql(part) for part in parts]
        return "(" + f" {word} ".join(sql for sql, _ in done) + ")", max(level for _, level in done)

    def _pair(self, left: Node, right: Node, op: str, wide: bool) -> tuple[str, int]:
        (a, first), (b, second) = self._sql(left), self._sql(right)
        if wide:
            a = f"CAST({a} AS HUGEINT)"
        return f"({a} {op} {b})", max(first, second)

    def _sql(self, node: Node) -> tuple[str, int]:
        """SQL of a node and the layer it may stand in."""
        match node:
            case Const(_, value):
                return literal(value), 0
            case Today():
                assert self.on is not None
                return literal(self.on), 0
            case Fact(_, name):
                return f"f_{name}", 0
            case Earlier(_, name):
                return f"o_{name}", self._at[f"o_{name}"]
            case Compare(op, left, right):
                return self._pair(left, right, op, False)
            case Every(parts):
                return self._join("AND", parts)
            case Some(parts):
                return self._join("OR", parts)
            case Not(part):
                sql, level = self._sql(part)
                return f"(NOT {sql})", level
            case Among(part, values):
                sql, level = self._sql(part)
                return f"({sql} IN ({', '.join(literal(value) for value in values)}))", level
            case Case():
                return self._case(node)
            case Sum(kind, op, left, right):
                return self._pair(left, right, op, max(abs(kind.low), abs(kind.high)) >= SMALL)
            case Product(kind, left, right):
                return self._pair(left, right, "*", max(abs(kind.low), abs(kind.high)) >= SMALL)
            case Rounded():
                return self._rounded(node)
            case Extreme(_, name, parts):
                done = [self._column(part) for part in parts]
                unknown = " OR ".join(f"{sql} IS NULL" for sql, _ in done)
                picked = f"{name}({', '.join(sql for sql, _ in done)})"
                return f"(CASE WHEN {unknown} THEN NULL ELSE {picked} END)", max(level for _, level in done)
            case Shift(_, day, unit, count):
                (a, first), (b, second) = self._sql(day), self._sql(count)
                step = f"to_{unit}s(CAST({b} AS INTEGER))"
                return f"CAST({a} + {step} AS DATE)", max(first, second)
            case Age(_, born, on):
                (a, first), (b, second) = self._column(born), self._column(on)
                key = "(year({0}) * 10000 + month({0}) * 100 + day({0}))"
                sql = f"(CAST({key.format(b)} - {key.format(a)} + 100000000 AS BIGINT) // 10000 - 10000)"
                return sql, max(first, second)
        raise AssertionError(node)

    def _case(self, node: Case) -> tuple[str, int]:
        values = [self._sql(value) for _, value in node.branches]
        other = ("NULL", 0) if node.other is None else self._sql(node.other)
        top = max(level for _, level in (*values, other))
        used = {name for when, _ in node.branches for name in facts(when)}
        plain = not any(isinstance(part, Earlier) for when, _ in node.branches for part in walk(when))
        if len(used) == 1 and plain:
            # all conditions hang on one fact: they are unknown together, so that one test is enough
            parts = [f"WHEN f_{used.pop()} IS NULL THEN NULL"]
            for (when, _), (value, _) in zip(node.branches, values, strict=True):
                sql, level = self._sql(when)
                top = max(top, level)
                parts.append(f"WHEN {sql} THEN {value}")
        else:
            parts = []
            for (when, _), (value, _) in zip(node.branches, values, strict=True):
                sql, level = self._column(when)
                top = max(top, level)
                parts.append(f"WHEN {sql} THEN {value}")
                if not node.unordered:
                    parts.append(f"WHEN {sql} IS NULL THEN NULL")
        return f"(CASE {' '.join(parts)} ELSE {other[0]} END)", top

    def _rounded(self, node: Rounded) -> tuple[str, int]:
        (n, first), (d, second) = self._sql(node.numerator), self._sql(node.divisor)
        reach = 2 * max(abs(node.numerator.kind.low), abs(node.numerator.kind.high)) * node.factor
        kind = "BIGINT" if reach + node.divisor.kind.high < SMALL else "HUGEINT"
        level = max(first, second)
        top = self._memo(f"CAST({n} AS {kind}) * CAST({node.factor} AS {kind})", level)
        if node.mode == "ceil":
            top = f"(-{top})"
        bottom = self._memo(f"CAST({d} AS {kind})", level)
        if node.mode == "half_up":
            sql = (
                f"(CASE WHEN {top} >= 0 THEN (2 * {top} + {bottom}) // (2 * {bottom}) "
                f"ELSE -((2 * -{top} + {bottom}) // (2 * {bottom})) END)"
            )
        else:
            sql = f"(({top} - (({top} % {bottom}) + {bottom}) % {bottom}) // {bottom})"
            sql = f"(-{sql})" if node.mode == "ceil" else sql
        return sql, level + 1

    def _memo(self, sql: str, level: int) -> str:
        if sql not in self._known:
            self._known[sql] = self._put(f"c_{len(self._known)}", sql, level)[0]
        return self._known[sql]
