"""Conditions of a process: a handful of words, read by our own evaluator, so that a model can never run code.

Allowed are names that the process carries, literals, comparisons, `and`, `or`, `not`, `+` and `-`. Everything else
(calls, attributes, subscripts, comprehensions, lambdas, formatted strings, walrus) is refused when the model is loaded.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Any

from hucheng.errors import ProcessError

NAMES = frozenset({"deed", "tier", "urgent", "joined"})
"""What a process carries: the deed that completed the last step, the tier that was called last, whether it is urgent,
how many findings joined."""

MAX_LENGTH = 400

_COMPARE: dict[type[ast.cmpop], Callable[[Any, Any], bool]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_LITERALS = (str, int, float, bool, type(None))


def check(text: str | None, where: str) -> ast.expr:
    """The syntax tree of a condition, or ProcessError that names the place and what is not allowed."""
    if text is None or not text.strip():
        raise ProcessError("an empty condition", where=where, mend="write one, or make this flow the default")
    if len(text) > MAX_LENGTH:
        raise ProcessError(f"a condition of {len(text)} characters", where=where, mend=f"at most {MAX_LENGTH}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ProcessError("the condition cannot be read", where=where, mend="e.g. deed == 'close'") from error
    _walk(tree, where)
    return tree


def evaluate(tree: ast.expr, values: Mapping[str, Any]) -> Any:
    """The value of a checked tree. A name without a value is None; ordering None or mixed kinds is false."""
    match tree:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return values.get(name)
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return not evaluate(inner, values)
        case ast.UnaryOp(op=ast.USub(), operand=inner):
            return -evaluate(inner, values)
        case ast.BoolOp(op=op, values=parts):
            return _first(parts, values, until=isinstance(op, ast.Or))
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return _number(evaluate(left, values)) + _number(evaluate(right, values))
        case ast.BinOp(left=left, op=ast.Sub(), right=right):
            return _number(evaluate(left, values)) - _number(evaluate(right, values))
        case ast.Compare(left=left, ops=ops, comparators=rights):
            return _chain(evaluate(left, values), ops, [evaluate(right, values) for right in rights])
    raise ProcessError(f"{type(tree).__name__} is not allowed in a condition")


def _walk(node: ast.expr, where: str) -> None:
    match node:
        case ast.Constant(value=value) if isinstance(value, _LITERALS):
            return
        case ast.Name(id=name):
            if name not in NAMES:
                raise ProcessError(
                    f"the condition names {name!r}", where=where, mend="known: " + ", ".join(sorted(NAMES))
                )
            return
        case ast.UnaryOp(op=ast.Not() | ast.USub(), operand=inner):
            return _walk(inner, where)
        case ast.BoolOp(values=parts):
            for part in parts:
                _walk(part, where)
            return
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=right):
            _walk(left, where)
            return _walk(right, where)
        case ast.Compare(left=left, ops=ops, comparators=rights) if all(type(op) in _COMPARE for op in ops):
            for part in (left, *rights):
                _walk(part, where)
            return
    raise ProcessError(
        f"{type(node).__name__} is not allowed in a condition",
        where=where,
        mend="only names, literals, comparisons, and/or/not, + and -",
    )


def _first(parts: list[ast.expr], values: Mapping[str, Any], until: bool) -> Any:
    """The first part that settles an `or` (``until`` True) or an `and` (False), else the last: as in Python."""
    found: Any = None
    for part in parts:
        found = evaluate(part, values)
        if bool(found) is until:
            break
    return found


def _chain(left: Any, ops: list[ast.cmpop], rights: list[Any]) -> bool:
    for op, right in zip(ops, rights, strict=True):
        try:
            if not _COMPARE[type(op)](left, right):
                return False
        except TypeError:
            return False
        left = right
    return True


def _number(value: Any) -> Any:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise ProcessError(f"+ and - need numbers, not {type(value).__name__}")
