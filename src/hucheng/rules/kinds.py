"""Kinds of values a pack may speak of: boolean, exact number, enum, date.

A number is a whole number of units of ``10**-scale``: 12.50 at scale 2 is 1250. Bounds are in the same units.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Literal

Name = Literal["boolean", "number", "enum", "date"]

LARGEST = 10**36
"""Numbers beyond this (in units of their scale) are refused: no engine of ours carries more than 38 digits."""

FINEST = 9
"""Decimal places a fact, a parameter or a literal may have."""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value may be: bounds are inclusive, dates are bounded by their ordinals."""

    name: Name
    scale: int = 0
    low: int = 0
    high: int = 0
    values: tuple[str, ...] = ()

    def holds(self, value: object) -> bool:
        """Whether an internal value (see ``Value``) lies in this kind's domain."""
        if self.name == "boolean":
            return isinstance(value, bool)
        if self.name == "enum":
            return value in self.values
        if self.name == "date":
            return isinstance(value, date) and self.low <= value.toordinal() <= self.high
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high

    @property
    def size(self) -> int:
        """How many values the domain has."""
        if self.name == "boolean":
            return 2
        if self.name == "enum":
            return len(self.values)
        return self.high - self.low + 1

    def __str__(self) -> str:
        if self.name == "number":
            return "integer" if self.scale == 0 else f"decimal({self.scale})"
        return self.name


BOOLEAN = Kind("boolean")

Value = bool | int | str | date
"""Internal value: numbers as whole units of their scale."""


def number(low: int, high: int, scale: int = 0) -> Kind:
    """Kind of a number between two bounds, in units of ``10**-scale``."""
    return Kind("number", scale=scale, low=low, high=high)


def enum(values: tuple[str, ...]) -> Kind:
    """Kind of one of several named values."""
    return Kind("enum", values=values)


def days(low: date, high: date) -> Kind:
    """Kind of a date between two dates."""
    return Kind("date", low=low.toordinal(), high=high.toordinal())


def plain(kind: Kind, value: Value | None) -> bool | int | Decimal | str | date | None:
    """The value as the outside knows it: numbers with a scale become Decimal."""
    if value is None or kind.name != "number" or kind.scale == 0:
        return value
    return Decimal(int(value)).scaleb(-kind.scale)  # type: ignore[arg-type]


def written(kind: Kind, value: Value | None) -> str:
    """The value as text, with all its decimal places; empty when unknown."""
    if value is None:
        return ""
    if kind.name == "boolean":
        return "true" if value else "false"
    if isinstance(value, date):
        return value.isoformat()
    if kind.name == "number" and kind.scale:
        return f"{plain(kind, value):f}"
    return str(value)


def close(word: str, values: Sequence[str]) -> str | None:
    """The value that a misspelt word is most likely meant for, whatever its case.

    >>> close("Half", ["half", "whole"])
    'half'
    """
    by_case = {value.lower(): value for value in values}
    near = difflib.get_close_matches(word.lower(), by_case, 1)
    return by_case[near[0]] if near else None
