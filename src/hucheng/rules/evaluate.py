"""One person, in plain Python: the strict reading of a tree, and facts read as exactly as in a table."""

from __future__ import annotations

import calendar
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import date, datetime, time, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from hucheng.errors import RuleError
from hucheng.rules.arithmetic import divide
from hucheng.rules.columns import fine
from hucheng.rules.complaints import said
from hucheng.rules.kinds import Value
from hucheng.rules.model import FactDeclared
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
)  # fmt: skip

Known = Mapping[str, Value | None]
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq, "<>": operator.ne, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge
}  # fmt: skip
_TEXT_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,12})?")


def months_later(day: date, months: int) -> date:
    """The same day some months later; a day that the month lacks becomes its last day."""
    place = day.year * 12 + day.month - 1 + months
    year, month = place // 12, place % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def years_between(born: date, on: date) -> int:
    """Completed years; born on 29 February: completed on 1 March."""
    return (on.year * 10000 + on.month * 100 + on.day - born.year * 10000 - born.month * 100 - born.day) // 10000


def value(node: Node, known: Known, earlier: Known, on: date | None) -> Value | None:
    """Value of a tree; None where the strict reading leaves it open (or no branch of a ``one_of`` holds)."""

    def of(node: Node) -> Any:
        match node:
            case Const(_, constant):
                return constant
            case Fact(_, name):
                return known.get(name)
            case Earlier(_, name):
                return earlier.get(name)
            case Today():
                return on
            case Every(parts):
                return _joined((of(part) for part in parts), False)
            case Some(parts):
                return _joined((of(part) for part in parts), True)
            case Case(_, branches, other, unordered):
                return _case(branches, other, unordered)
            case Not(part):
                got = of(part)
                return None if got is None else not got
            case Among(part, values):
                got = of(part)
                return None if got is None else got in values
            case Compare(op, left, right):
                return compared(op, of(left), of(right))
            case Sum(_, op, left, right):
                a, b = of(left), of(right)
                return None if a is None or b is None else a + b if op == "+" else a - b
            case Product(_, left, right):
                a, b = of(left), of(right)
                return None if a is None or b is None else a * b
            case Rounded(_, mode, numerator, factor, divisor):
                a, b = of(numerator), of(divisor)
                return None if a is None or b is None else divide(mode, a * factor, b)
            case Extreme(_, name, parts):
                got = [of(part) for part in parts]
                return None if None in got else min(got) if name == "least" else max(got)
            case Shift(_, day, unit, count):
                a, b = of(day), of(count)
                if a is None or b is None:
                    return None
                return a + timedelta(days=b) if unit == "day" else months_later(a, b)
            case Age(_, born, at):
                a, b = of(born), of(at)
                return None if a is None or b is None else years_between(a, b)
        raise AssertionError(node)

    def _case(branches: tuple[tuple[Node, Node], ...], other: Node | None, unordered: bool) -> Any:
        if unordered:
            held = [result for when, result in branches if of(when) is True]
            return of(held[0]) if len(held) == 1 else None
        for when, result in branches:
            got = of(when)
            if got is None:
                return None
            if got:
                return of(result)
        return None if other is None else of(other)

    found: Value | None = of(node)
    return found


def _joined(parts: Iterable[Any], stop: bool) -> bool | None:
    unknown = False
    for part in parts:
        if part is stop:
            return bool(stop)
        unknown = unknown or part is None
    return None if unknown else not stop


def compared(op: str, a: Any, b: Any) -> bool | None:
    """A comparison; unknown if either side is."""
    if a is None or b is None:
        return None
    return bool(_OPERATORS[op](a, b))


def admit(fact: FactDeclared, given: Any) -> Value | None:
    """A fact as given by JSON or Python, in internal units; RuleError where it is not admissible.

    Dates may be ISO text, numbers may be text; None is unknown, NaN is an error.
    """
    if given is None:
        return None
    kind = fact.kind
    if type(given).__module__ == "numpy":
        given = given.item()
    found: Value | None = None
    if (kind.name == "boolean" and isinstance(given, bool)) or (kind.name == "enum" and isinstance(given, str)):
        found = given
    elif kind.name == "date":
        if isinstance(given, str) and len(given) == 10:
            try:
                found = date.fromisoformat(given)
            except ValueError:
                found = None
        elif isinstance(given, datetime):
            found = given.date() if given.time() == time.min and given.tzinfo is None else None
        elif isinstance(given, date):
            found = given
    elif kind.name == "number" and not isinstance(given, bool):
        found = _number(fact, given)
    if found is None or not kind.holds(found):
        raise RuleError(said(fact, given), where=fact.name, mend="correct the fact at its source")
    return found


def _number(fact: FactDeclared, given: Any) -> int | None:
    scale, step = fact.kind.scale, 10**fact.kind.scale
    if isinstance(given, float):
        if not abs(given) <= 1e18:  # NaN too
            return None
        if fact.rounding is None:
            near = _nearest(given * step)
            return near if near / step == given else None
        places = fine(fact.kind)
        return divide(fact.rounding, _nearest(given * 10**places), 10 ** (places - scale))
    if isinstance(given, str):
        if not _TEXT_NUMBER.fullmatch(given):
            return None
        given = Decimal(given)
    if isinstance(given, int):
        return int(given * step)
    if not isinstance(given, Decimal):
        return None
    try:
        top, bottom = given.as_integer_ratio()
    except (InvalidOperation, OverflowError, ValueError):
        return None
    if fact.rounding is None:
        return int(top * step // bottom) if top * step % bottom == 0 else None
    return divide(fact.rounding, top * step, bottom)


def _nearest(x: float) -> int:
    return int(Decimal(x).quantize(Decimal(1), rounding=ROUND_HALF_UP))
