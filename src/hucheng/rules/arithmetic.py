"""Exact arithmetic on syntax trees: scales are levelled, bounds are carried along, plain numbers are folded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hucheng.errors import RuleError
from hucheng.rules.kinds import LARGEST, Kind, enum, number
from hucheng.rules.tree import Const, Extreme, Node, Product, Rounded, Sum

Fail = Callable[[str, str | None], RuleError]


def constant(units: int, scale: int) -> Const:
    """A plain number of ``units`` of ``10**-scale``."""
    return Const(number(units, units, scale), units)


def divide(mode: str, numerator: int, divisor: int) -> int:
    """Whole quotient by a positive divisor, rounded: half_up is away from zero at one half."""
    if mode == "floor":
        return numerator // divisor
    if mode == "ceil":
        return -(-numerator // divisor)
    size = (2 * abs(numerator) + divisor) // (2 * divisor)
    return size if numerator >= 0 else -size


def _need(fail: Fail, *nodes: Node) -> None:
    for node in nodes:
        if node.kind.name != "number":
            raise fail(f"{node.kind} cannot be reckoned with", "numbers only")


def _bounded(kind: Kind, fail: Fail) -> Kind:
    if max(abs(kind.low), abs(kind.high)) >= LARGEST:
        raise fail("the result can have more than 36 digits", "narrow the ranges or round in between")
    return kind


def times(left: Node, right: Node, fail: Fail) -> Node:
    """left × right."""
    _need(fail, left, right)
    ends = [a * b for a in (left.kind.low, left.kind.high) for b in (right.kind.low, right.kind.high)]
    kind = _bounded(number(min(ends), max(ends), left.kind.scale + right.kind.scale), fail)
    if isinstance(left, Const) and isinstance(right, Const):
        return constant(kind.low, kind.scale)
    return Product(kind, left, right)


def raised(node: Node, scale: int, fail: Fail) -> Node:
    """The same number at a finer scale."""
    step = scale - node.kind.scale
    if step == 0:
        return node
    return times(node, constant(10**step, step), fail)


def level(left: Node, right: Node, fail: Fail) -> tuple[Node, Node]:
    """Both numbers at the finer of their scales; other kinds as they are."""
    if left.kind.name != "number" or right.kind.name != "number":
        return left, right
    scale = max(left.kind.scale, right.kind.scale)
    return raised(left, scale, fail), raised(right, scale, fail)


def plus(left: Node, right: Node, fail: Fail) -> Node:
    """left + right."""
    _need(fail, left, right)
    left, right = level(left, right, fail)
    kind = number(left.kind.low + right.kind.low, left.kind.high + right.kind.high, left.kind.scale)
    if isinstance(left, Const) and isinstance(right, Const):
        return constant(kind.low, kind.scale)
    return Sum(_bounded(kind, fail), "+", left, right)


def total(terms: Sequence[Node], fail: Fail) -> Node:
    """The sum of several terms, as a balanced tree: long sums do not become deep."""
    if len(terms) == 1:
        return terms[0]
    half = len(terms) // 2
    return plus(total(terms[:half], fail), total(terms[half:], fail), fail)


def minus(left: Node, right: Node, fail: Fail) -> Node:
    """left − right."""
    _need(fail, left, right)
    left, right = level(left, right, fail)
    kind = number(left.kind.low - right.kind.high, left.kind.high - right.kind.low, left.kind.scale)
    if isinstance(left, Const) and isinstance(right, Const):
        return constant(kind.low, kind.scale)
    return Sum(_bounded(kind, fail), "-", left, right)


def extreme(name: str, parts: Sequence[Node], fail: Fail) -> Node:
    """LEAST or GREATEST of numbers or of dates."""
    parts = align(parts, fail)
    if parts[0].kind.name not in ("number", "date"):
        raise fail(f"there is no order on {parts[0].kind} values", "use CASE")
    pick = min if name == "least" else max
    low, high = pick(p.kind.low for p in parts), pick(p.kind.high for p in parts)
    return Extreme(Kind(parts[0].kind.name, parts[0].kind.scale, low, high), name, tuple(parts))  # type: ignore[arg-type]


def rounded(mode: str, top: Node, bottom: Node, places: int, fail: Fail) -> Node:
    """top ÷ bottom to ``places`` decimals; the divisor must be surely positive."""
    _need(fail, top, bottom)
    if bottom.kind.low <= 0:
        raise fail("the divisor can be zero or negative", "narrow its range or test it before")
    shift = places + bottom.kind.scale - top.kind.scale
    factor = 10 ** max(0, shift)
    if shift < 0:
        bottom = times(bottom, constant(10**-shift, 0), fail)
    ends = [
        divide(mode, a * factor, b) for a in (top.kind.low, top.kind.high) for b in (bottom.kind.low, bottom.kind.high)
    ]
    _bounded(number(2 * top.kind.low * factor, 2 * top.kind.high * factor), fail)
    kind = number(min(ends), max(ends), places)
    if isinstance(top, Const) and isinstance(bottom, Const):
        return constant(kind.low, places)
    return Rounded(kind, mode, top, factor, bottom)  # type: ignore[arg-type]


def align(nodes: Sequence[Node], fail: Fail) -> list[Node]:
    """Several values of one kind, numbers at the finest of their scales."""
    kinds = {node.kind.name for node in nodes}
    if len(kinds) > 1:
        raise fail(f"the values are of different kinds: {', '.join(sorted(kinds))}", "give them one kind")
    if kinds != {"number"}:
        return list(nodes)
    scale = max(node.kind.scale for node in nodes)
    return [raised(node, scale, fail) for node in nodes]


def span(nodes: Sequence[Node]) -> Kind:
    """The kind that holds all of them."""
    first = nodes[0].kind
    if first.name == "enum":
        return enum(tuple(dict.fromkeys(value for node in nodes for value in node.kind.values)))
    if first.name == "boolean":
        return first
    return Kind(first.name, first.scale, min(node.kind.low for node in nodes), max(node.kind.high for node in nodes))
