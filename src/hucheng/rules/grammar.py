"""From the text of an expression to the syntax tree: what is not listed here is refused, with line and reason.

sqlglot (DuckDB dialect) parses; each of its nodes is admitted by name and by the arguments it may carry.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from typing import Any

import sqlglot
from sqlglot import exp

from hucheng.errors import RuleError
from hucheng.rules import arithmetic as sums
from hucheng.rules.kinds import BOOLEAN, FINEST, LARGEST, Kind, enum, number
from hucheng.rules.tree import Age, Among, Case, Compare, Const, Every, Node, Not, Shift, Some, Today

Fail = Callable[[str, str | None], RuleError]

LONGEST = 200_000
MOST_BRANCHES = 2_000
DEEPEST = 120
CALENDAR = Kind("date", low=date(1800, 1, 1).toordinal(), high=date(2200, 12, 31).toordinal())
TODAY = "decision_date"

_COMPARE: dict[Any, str] = {exp.EQ: "=", exp.NEQ: "<>", exp.LT: "<", exp.LTE: "<=", exp.GT: ">", exp.GTE: ">="}
_UNITS = {"DAY": ("day", 1), "DAYS": ("day", 1), "WEEK": ("day", 7), "WEEKS": ("day", 7), "MONTH": ("month", 1),
          "MONTHS": ("month", 1), "YEAR": ("month", 12), "YEARS": ("month", 12)}  # fmt: skip
_ALLOWED = (
    "allowed: comparisons, AND OR NOT, IN, BETWEEN, CASE, + - *, round/floor/ceil(a / b), LEAST, GREATEST, "
    "date + INTERVAL n DAY|MONTH|YEAR, age(born, on), DATE '2026-01-31', decision_date"
)
_REASONS: dict[Any, tuple[str, str]] = {
    exp.Is: ("IS is not allowed: unknown is not “known to be none”", "give the fact an explicit value for “none”"),
    exp.Null: ("NULL is not allowed: a rule cannot decide to know nothing", "give a value"),
    exp.Coalesce: ("coalesce is not allowed: it would decide while a fact is unknown", "remove it"),
    exp.CurrentDate: ("current_date is not allowed: the date is given from outside", f"write {TODAY}"),
    exp.Div: ("“/” needs a declared rounding", "write round(a / b, 2), floor(a / b) or ceil(a / b)"),
    exp.IntDiv: ("“//” needs a declared rounding", "write floor(a / b)"),
    exp.Mod: ("“%” is not allowed: there is no remainder in a rule", f"write a - b * floor(a / b); {_ALLOWED}"),
    exp.DPipe: ("“||” is not allowed: a rule writes no text", f"compare words with = or IN; {_ALLOWED}"),
    exp.Subquery: ("a subquery is not allowed: a pack sees one person's facts", "make its result a fact"),
    exp.Select: ("a query is not allowed: a pack sees one person's facts", "make its result a fact"),
    exp.NullSafeEQ: ("<=> is not allowed: unknown equals nothing", "write ="),
    exp.NullSafeNEQ: ("IS DISTINCT FROM is not allowed: unknown equals nothing", "write <>"),
}
_ARGS: dict[Any, set[str]] = {
    exp.Paren: {"this"}, exp.Not: {"this"}, exp.Neg: {"this"}, exp.Column: {"this"}, exp.Boolean: {"this"},
    exp.Literal: {"this", "is_string"}, exp.And: {"this", "expression"}, exp.Or: {"this", "expression"},
    exp.Between: {"this", "low", "high"}, exp.In: {"this", "expressions"}, exp.Case: {"this", "ifs", "default"},
    exp.If: {"this", "true"}, exp.Add: {"this", "expression"}, exp.Sub: {"this", "expression"},
    exp.Mul: {"this", "expression"}, exp.Div: {"this", "expression"}, exp.Interval: {"this", "unit"},
    exp.Round: {"this", "decimals"}, exp.Floor: {"this"}, exp.Ceil: {"this"},
    exp.Least: {"this", "expressions", "ignore_nulls"}, exp.Greatest: {"this", "expressions", "ignore_nulls"},
    exp.Cast: {"this", "to"}, exp.Anonymous: {"this", "expressions"},
    **{kind: {"this", "expression"} for kind in _COMPARE},
}  # fmt: skip


def parse(text: str, names: Mapping[str, Node], fail: Fail) -> Node:
    """The tree of an expression over ``names``; raises what ``fail(reason, mend)`` makes."""
    if len(text) > LONGEST:
        raise fail(f"the expression has {len(text)} characters, at most {LONGEST}", "use earlier outcomes")
    try:
        found = sqlglot.parse(text, dialect="duckdb")
    except (sqlglot.errors.ParseError, sqlglot.errors.TokenError) as error:
        raise fail(f"not an expression: {_unread(error)}", _ALLOWED) from None
    except RecursionError:
        raise fail("the expression is nested too deeply", "split it into outcomes") from None
    if len(found) != 1 or found[0] is None:
        raise fail("one expression is expected, and no “;”", None)
    try:
        return Translation(names, fail).node(found[0], 0)
    except RecursionError:
        raise fail("the expression is nested too deeply", "split it into outcomes") from None


class Names(dict[str, Node]):
    """What an expression may name; remembers what was."""

    def __init__(self) -> None:
        super().__init__()
        self.used: set[str] = set()

    def __getitem__(self, name: str) -> Node:
        self.used.add(name)
        return super().__getitem__(name)


def _unread(error: sqlglot.errors.ParseError | sqlglot.errors.TokenError) -> str:
    """Where the parser stopped, in words of ours."""
    first = error.errors[0] if isinstance(error, sqlglot.errors.ParseError) and error.errors else {}
    if not first.get("highlight"):
        return "a quotation mark or a bracket is not closed"
    before = str(first.get("start_context") or "")[-30:]
    return f"it cannot be read near “{first['highlight']}”" + (f", after “{before.strip()}”" if before.strip() else "")


class Translation:
    """One pass from sqlglot's tree to ours."""

    def __init__(self, names: Mapping[str, Node], fail: Fail) -> None:
        self.names = names
        self.fail = fail

    def node(self, e: Any, depth: int) -> Node:
        """The tree of one admitted node."""
        if depth > DEEPEST:
            raise self.fail(f"nested more than {DEEPEST} deep", "split it into outcomes")
        self._admit(e)
        inner = depth + 1
        match e:
            case exp.Paren():
                return self.node(e.this, inner)
            case exp.Boolean():
                return Const(BOOLEAN, bool(e.this))
            case exp.Literal():
                return self._literal(e)
            case exp.Column():
                return self._name(e)
            case exp.Cast():
                return self._date(e)
            case exp.And() | exp.Or():
                parts = tuple(self._boolean(p, inner) for p in _flat(e, type(e)))
                return Every(parts) if isinstance(e, exp.And) else Some(parts)
            case exp.Not():
                return Not(self._boolean(e.this, inner))
            case exp.Between():
                value = self.node(e.this, inner)
                low, high = self.node(e.args["low"], inner), self.node(e.args["high"], inner)
                return Every((self.compare(">=", value, low), self.compare("<=", value, high)))
            case exp.In():
                return self._among(e, inner)
            case exp.Case():
                return self._case(e, inner)
            case exp.Neg():
                return sums.minus(Const(number(0, 0), 0), self.node(e.this, inner), self.fail)
            case exp.Mul():
                return sums.times(self.node(e.this, inner), self.node(e.expression, inner), self.fail)
            case exp.Add() | exp.Sub():
                return self._sum(e, inner)
            case exp.Round() | exp.Floor() | exp.Ceil():
                return self._rounded(e, inner)
            case exp.Least() | exp.Greatest():
                parts = tuple(self.node(p, inner) for p in (e.this, *e.expressions))
                return sums.extreme("least" if isinstance(e, exp.Least) else "greatest", parts, self.fail)
            case exp.Anonymous():
                return self._age(e, inner)
        op = _COMPARE.get(type(e))
        if type(e) in _REASONS:
            raise self.fail(*_REASONS[type(e)])
        if op is None:
            raise self.fail(f"{e.sql(dialect='duckdb')[:60]} is not allowed here", _ALLOWED)
        return self.compare(op, self.node(e.this, inner), self.node(e.expression, inner))

    def compare(self, op: str, left: Node, right: Node) -> Node:
        """A comparison of two values of one kind."""
        if left.kind.name != right.kind.name:
            raise self.fail(f"{left.kind} cannot be compared with {right.kind}", "compare values of one kind")
        if left.kind.name in ("enum", "boolean") and op not in ("=", "<>"):
            raise self.fail(f"there is no order on {left.kind} values", "use = or <> or IN")
        if left.kind.name == "enum":
            for side, other in ((left, right), (right, left)):
                if isinstance(side, Const) and side.value not in other.kind.values:
                    raise self._foreign(str(side.value), other.kind)
        if left.kind.name == "number":
            left, right = sums.level(left, right, self.fail)
        return Compare(op, left, right)  # type: ignore[arg-type]

    def _admit(self, e: Any) -> None:
        if type(e) in _REASONS and not isinstance(e, exp.Div):
            raise self.fail(*_REASONS[type(e)])
        if type(e) not in _ARGS:
            raise self.fail(f"“{e.sql(dialect='duckdb')[:60]}” is not allowed", _ALLOWED)
        for name, value in e.args.items():
            if name not in _ARGS[type(e)] and value not in (None, False, []):
                if hasattr(value, "args"):
                    self._admit(value)
                if not isinstance(e, exp.Div):  # a Div carries only the dialect's own flags
                    raise self.fail(f"“{e.sql(dialect='duckdb')[:60]}” is not allowed in this form", _ALLOWED)

    def _foreign(self, value: str, kind: Kind) -> RuleError:
        near = [known for known in kind.values if known.lower() == value.lower()]
        return self.fail(
            f"'{value}' is not a value here", f"write '{near[0]}'" if near else f"known: {', '.join(kind.values)}"
        )

    def _boolean(self, e: Any, depth: int) -> Node:
        node = self.node(e, depth)
        if node.kind.name != "boolean":
            raise self.fail(f"“{e.sql(dialect='duckdb')[:60]}” is {node.kind}, a condition is needed", None)
        return node

    def _literal(self, e: exp.Literal) -> Node:
        text = str(e.this)
        if e.is_string:
            return Const(enum((text,)), text)
        if not all(c.isdigit() or c == "." for c in text):
            raise self.fail(f"{text} is a floating-point number", "write it with digits and a decimal point")
        value = Decimal(text)
        scale = max(0, -int(value.as_tuple().exponent))
        if scale > FINEST or value >= LARGEST:
            raise self.fail(f"{text} has too many digits", f"at most {FINEST} decimal places")
        return sums.constant(int(value.scaleb(scale)), scale)

    def _name(self, e: exp.Column) -> Node:
        if not isinstance(e.this, exp.Identifier):
            raise self.fail(f"“{e.sql()[:40]}” is not a name", None)
        name = str(e.this.this)
        if name in self.names:
            return self.names[name]
        if name == TODAY:
            return Today(CALENDAR)
        near = difflib.get_close_matches(name, [*self.names, TODAY], 1)
        raise self.fail(
            f"the name “{name}” is not defined",
            f"did you mean “{near[0]}”?" if near else "declare it as a fact, a parameter or an earlier outcome",
        )

    def _date(self, e: exp.Cast) -> Node:
        if not (isinstance(e.this, exp.Literal) and e.this.is_string and e.to.this == exp.DataType.Type.DATE):
            raise self.fail(f"“{e.sql(dialect='duckdb')[:60]}”: casts are not allowed", _ALLOWED)
        try:
            day = date.fromisoformat(e.this.this)
        except ValueError:
            raise self.fail(f"'{e.this.this}' is not a date", "write DATE '2026-01-31'") from None
        if not CALENDAR.low <= day.toordinal() <= CALENDAR.high:
            raise self.fail(f"{day} is outside 1800–2200", None)
        return Const(Kind("date", low=day.toordinal(), high=day.toordinal()), day)

    def _among(self, e: exp.In, depth: int) -> Node:
        part = self.node(e.this, depth)
        values = []
        for each in e.expressions:
            value = self.node(each, depth)
            if not isinstance(value, Const):
                raise self.fail("IN takes a list of plain values", "write a = b OR a = c")
            if value.kind.name != part.kind.name:
                raise self.fail(f"{part.kind} cannot be compared with {value.kind}", None)
            if part.kind.name == "enum" and value.value not in part.kind.values:
                raise self._foreign(str(value.value), part.kind)
            values.append(value)
        if part.kind.name == "number":
            for place, value in enumerate(values):
                part, values[place] = sums.level(part, value, self.fail)  # type: ignore[assignment]
            values = [sums.level(part, value, self.fail)[1] for value in values]  # type: ignore[misc]
        return Among(part, tuple(value.value for value in values))

    def _case(self, e: exp.Case, depth: int) -> Node:
        if len(e.args["ifs"]) > MOST_BRANCHES:
            raise self.fail(f"CASE has {len(e.args['ifs'])} branches, at most {MOST_BRANCHES}", "make it a register")
        if e.args.get("default") is None:
            raise self.fail("CASE without ELSE: some people would get no answer", "add ELSE")
        subject = self.node(e.this, depth) if e.this is not None else None
        branches = []
        for each in e.args["ifs"]:
            self._admit(each)
            when = (
                self._boolean(each.this, depth)
                if subject is None
                else self.compare("=", subject, self.node(each.this, depth))
            )
            branches.append((when, self.node(each.args["true"], depth)))
        return self.choose(branches, self.node(e.args["default"], depth))

    def choose(self, branches: list[tuple[Node, Node]], other: Node | None, unordered: bool = False) -> Case:
        """A CASE whose branches are brought to one kind and scale."""
        values = sums.align([*(value for _, value in branches), *([] if other is None else [other])], self.fail)
        whens = tuple((when, value) for (when, _), value in zip(branches, values, strict=False))
        return Case(sums.span(values), whens, None if other is None else values[-1], unordered)

    def _sum(self, e: exp.Add | exp.Sub, depth: int) -> Node:
        if isinstance(e.expression, exp.Interval):
            return self._shift(self.node(e.this, depth), e.expression, -1 if isinstance(e, exp.Sub) else 1, depth)
        plus: list[Node] = []
        minus: list[Node] = []
        while isinstance(e, exp.Add | exp.Sub) and not isinstance(e.expression, exp.Interval):
            self._admit(e)
            (minus if isinstance(e, exp.Sub) else plus).append(self.node(e.expression, depth))
            e = e.this
        plus.append(self.node(e, depth))
        if any(term.kind.name == "date" for term in (*plus, *minus)):
            raise self.fail("a date takes a step with a unit", "write date + INTERVAL 3 DAY")
        total = sums.total(plus[::-1], self.fail)
        return sums.minus(total, sums.total(minus[::-1], self.fail), self.fail) if minus else total

    def _shift(self, day: Node, e: exp.Interval, sign: int, depth: int) -> Node:
        self._admit(e)
        unit = _UNITS.get(str(e.args.get("unit")).upper())
        if unit is None:
            raise self.fail(f"INTERVAL in {e.args.get('unit')} is not allowed", "use DAY, WEEK, MONTH or YEAR")
        if day.kind.name != "date":
            raise self.fail(f"an interval cannot be added to {day.kind}", None)
        if isinstance(e.this, exp.Literal):
            if not str(e.this.this).isdigit():
                raise self.fail(f"INTERVAL '{e.this.this}' is not a whole number of units", None)
            count: Node = sums.constant(int(e.this.this), 0)
        else:
            count = self.node(e.this, depth)
        count = sums.times(count, sums.constant(sign * unit[1], 0), self.fail)
        if count.kind.name != "number" or count.kind.scale:
            raise self.fail("an interval needs a whole number", "round it first")
        step = 1 if unit[0] == "day" else 31
        low, high = (day.kind.low + step * min(0, count.kind.low), day.kind.high + step * max(0, count.kind.high))
        if low < date(1600, 1, 1).toordinal() or high > date(9000, 1, 1).toordinal():
            raise self.fail("the step leaves the calendar", "narrow the range of the fact")
        return Shift(Kind("date", low=low, high=high), day, unit[0], count)  # type: ignore[arg-type]

    def _rounded(self, e: exp.Round | exp.Floor | exp.Ceil, depth: int) -> Node:
        places = 0
        if isinstance(e, exp.Round) and e.args.get("decimals") is not None:
            digits = e.args["decimals"]
            if not (isinstance(digits, exp.Literal) and str(digits.this).isdigit() and int(digits.this) <= FINEST):
                raise self.fail("round takes a plain number of decimal places", "write round(a / b, 2)")
            places = int(digits.this)
        inner: Any = e.this
        while isinstance(inner, exp.Paren):
            inner = inner.this
        if isinstance(inner, exp.Div):
            self._admit(inner)
            top, bottom = self.node(inner.this, depth), self.node(inner.expression, depth)
        else:
            top, bottom = self.node(inner, depth), sums.constant(1, 0)
        mode = "half_up" if isinstance(e, exp.Round) else "floor" if isinstance(e, exp.Floor) else "ceil"
        return sums.rounded(mode, top, bottom, places, self.fail)

    def _age(self, e: exp.Anonymous, depth: int) -> Node:
        if str(e.this).lower() != "age" or len(e.expressions) != 2:
            raise self.fail(f"the function “{e.this}” is not allowed", _ALLOWED)
        born, on = (self.node(part, depth) for part in e.expressions)
        if born.kind.name != "date" or on.kind.name != "date":
            raise self.fail("age takes two dates", f"write age(born, {TODAY})")
        years = (on.kind.low - born.kind.high) // 365 - 1, (on.kind.high - born.kind.low) // 365 + 1
        return Age(number(*years), born, on)


def _flat(e: Any, kind: Any) -> list[Any]:
    """Operands of a chain of one connective, left to right, without recursion."""
    found, todo = [], [e]
    while todo:
        part = todo.pop()
        if type(part) is kind:
            todo.extend((part.expression, part.this))
        else:
            found.append(part)
    return found
