"""Expressions as people read them, in Chinese and English: the rule itself, not a paraphrase of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from hucheng.rules.kinds import Kind, Value
from hucheng.rules.model import Version
from hucheng.rules.texts import said
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

_OPPOSITE: dict[str, Literal["=", "<>", "<", "<=", ">", ">="]] = {
    "=": "<>",
    "<>": "=",
    "<": ">=",
    "<=": ">",
    ">": "<=",
    ">=": "<",
}
_OPS = {"=": "=", "<>": "≠", "<": "<", "<=": "≤", ">": ">", ">=": "≥"}
_WORDS = {
    "zh": {
        "and": "且", "or": "或", "not": "不是", "today": "决定之日", "age": "{0}至{1}的周岁", "if": "若{0}，则{1}",
        "else": "否则{0}", "only": "{0}时，为{1}", "day": "日", "month": "个月", "least": "{0}中最小的",
        "least_2": "{0}与{1}中较小的", "greatest": "{0}中最大的", "greatest_2": "{0}与{1}中较大的", "is_not": "{0}：否",
        "none_of": "不是其中之一：", "half_up": "四舍五入", "floor": "舍去", "ceil": "进位", "among": "是其中之一：",
        "yes": "是", "no": "否", "sep": "、", "later": "之后", "earlier": "之前",
    },
    "en": {
        "and": "and", "or": "or", "not": "not", "today": "the date of the decision",
        "age": "completed years from {0} to {1}", "if": "If {0}, then {1}", "else": "Otherwise {0}",
        "only": "{1} where {0}", "day": "days", "month": "months", "least": "the least of {0}",
        "least_2": "the smaller of {0} and {1}", "greatest": "the greatest of {0}",
        "greatest_2": "the larger of {0} and {1}", "is_not": "{0}: no", "none_of": "is none of",
        "half_up": "rounded half up", "floor": "rounded down", "ceil": "rounded up", "among": "is one of",
        "yes": "yes", "no": "no", "sep": ", ", "later": "after", "earlier": "before",
    },
}  # fmt: skip


class Wording:
    """Words of one version in one language."""

    def __init__(self, version: Version, language: str) -> None:
        self.version = version
        self.language = language
        self.words = _WORDS[language]

    def value(self, kind: Kind, value: Value | None, near: Node | None = None) -> str:
        """A value; with the labels of the fact or outcome it is compared with."""
        if isinstance(value, bool):
            return self.words["yes" if value else "no"]
        labels = {}
        if isinstance(near, Fact):
            labels = dict(self.version.facts[near.name].labels)
        elif isinstance(near, Earlier):
            labels = dict(self.version.outcomes[near.name].labels)
        return said(kind, value, None, labels, self.language)

    def of(self, node: Node, inside: bool = False) -> str:
        """A tree as text; ``inside`` a larger one it is put in brackets where it needs them."""
        text = self._of(node)
        return f"({text})" if inside and isinstance(node, Every | Some | Sum | Case | Rounded | Extreme) else text

    def _of(self, node: Node) -> str:
        w = self.words
        match node:
            case Const(kind, value):
                return self.value(kind, value)
            case Fact(_, name):
                return self.version.facts[name].title[self.language]
            case Earlier(_, name):
                return self.version.outcomes[name].title[self.language]
            case Today():
                return w["today"]
            case Compare(op, left, right):
                sides = []
                for side, other in ((left, right), (right, left)):
                    sides.append(
                        self.value(side.kind, side.value, other)
                        if isinstance(side, Const)
                        else self.of(_unscaled(side), True)
                    )
                return f"{sides[0]} {_OPS[op]} {sides[1]}"
            case Every(parts) | Some(parts):
                joint = f" {w['and' if isinstance(node, Every) else 'or']} "
                return joint.join(self.of(part, True) for part in parts)
            case Not(Compare(op, left, right)):
                return self._of(Compare(_OPPOSITE[op], left, right))
            case Not(Among(part, values)):
                return f"{self.of(part, True)} {w['none_of']} {self._listed(part, values)}"
            case Not(Fact() | Earlier() as part):
                return w["is_not"].format(self.of(part))
            case Not(part):
                gap = "" if self.language == "zh" else " "
                return f"{w['not']}{gap}{self.of(part, True)}"
            case Among(part, values):
                return f"{self.of(part, True)} {w['among']} {self._listed(part, values)}"
            case Case(_, branches, other, unordered):
                form = w["only"] if unordered else w["if"]
                joint = "；" if self.language == "zh" else "; "
                told = [form.format(self.of(when), self.of(value)) for when, value in branches]
                return joint.join(told + ([] if other is None else [w["else"].format(self.of(other))]))
            case Sum(_, op, left, right):
                return f"{self.of(_unscaled(left))} {'+' if op == '+' else '−'} {self.of(_unscaled(right), True)}"
            case Product(_, left, right):
                return (
                    self.of(_unscaled(node))
                    if _unscaled(node) is not node
                    else f"{self.of(left, True)} × {self.of(right, True)}"
                )
            case Rounded(kind, mode, top, _, bottom):
                over = "" if isinstance(bottom, Const) and bottom.value == 1 else f" ÷ {self.of(bottom, True)}"
                places = f", {kind.scale}" if kind.scale else ""
                return f"{self.of(top, True)}{over} ({w[mode]}{places})"
            case Extreme(_, name, parts):
                told = [self.of(_unscaled(part), True) for part in parts]
                return w[f"{name}_2"].format(*told) if len(told) == 2 else w[name].format(w["sep"].join(told))
            case Shift(_, day, unit, count):
                return self._shift(day, unit, count)
            case Age(_, born, on):
                return w["age"].format(self.of(born), self.of(on))
        raise AssertionError(node)

    def _listed(self, part: Node, values: Iterable[Value]) -> str:
        return self.words["sep"].join(self.value(part.kind, value, part) for value in values)

    def _shift(self, day: Node, unit: str, count: Node) -> str:
        w = self.words
        if isinstance(count, Const):
            number = int(count.value)  # type: ignore[arg-type]
            side = w["later"] if number >= 0 else w["earlier"]
            if self.language == "zh":
                return f"{self.of(day)}{side}{abs(number)}{w[unit]}"
            return f"{abs(number)} {w[unit]} {side} {self.of(day)}"
        return f"{self.of(day)} + {self.of(count, True)} {w[unit]}"


def _unscaled(node: Node) -> Node:
    """Without the multiplication by one that only brings a number to a finer scale."""
    while isinstance(node, Product) and isinstance(node.right, Const) and node.right.value == 10**node.right.kind.scale:
        node = node.left
    return node
