"""Dates as whole numbers for the solver, in two ways; the logic takes the one that keeps a pack's questions short.

``Ordinals``: days since year 1, as everywhere else; for packs without ages and steps of months.
``Codes``: ``(year × 12 + month - 1) × 31 + day - 1``, in the order of the dates. Ages are differences divided by 372
and months are steps of 31, so that no calendar stands between two dates of which neither is fixed; steps of days need
it.
"""

from __future__ import annotations

from datetime import date
from typing import Any, Protocol, Self

import z3

YEAR, MONTH = 372, 31
FEBRUARY_29 = 59
LACKING = {60: 2, 61: 3, 123: 1, 185: 1, 278: 1, 340: 1}
"""Places in the year that no year has (30 and 31 February, 31 of April, June, September, November), and how many days
each lies behind the last day of its month (of February: in common years)."""

LOST = {2 * MONTH: 3, 4 * MONTH: 1, 6 * MONTH: 1, 9 * MONTH: 1, 11 * MONTH: 1}
"""From which place in the year on how many places more stand for no day (in common years)."""


class Calendar(Protocol):
    """How dates are reckoned with; ``sides`` of the logic take what holds for new variables by themselves."""

    def beside(self, prefix: str, sides: list[Any]) -> Calendar:
        """The same for more variables; what is known of those so far stays so."""

    def of(self, day: date) -> int:
        """The number of a date."""

    def date(self, number: int) -> date:
        """The date of a number."""

    def domain(self, day: Any) -> None:
        """Say of a variable that it is a date."""

    def ordinal(self, day: Any) -> Any:
        """Day number (since year 1) of a date."""

    def days_later(self, day: Any, count: Any) -> Any:
        """The date some days later."""

    def months_later(self, day: Any, count: Any) -> Any:
        """The date some months later; a day that the month lacks becomes its last day."""

    def age(self, born: Any, on: Any) -> Any:
        """Completed years."""

    def aged(self, born: Any, on: Any, years: Any) -> Any:
        """Whether so many years are completed."""


class Ordinals:
    """Dates as days since year 1."""

    def beside(self, prefix: str, sides: list[Any]) -> Self:
        """The same: nothing is known of variables."""
        return self

    def of(self, day: date) -> int:
        """The number of a date."""
        return day.toordinal()

    def date(self, number: int) -> date:
        """The date of a number."""
        return date.fromordinal(number)

    def domain(self, day: Any) -> None:
        """Every number is a date."""

    def ordinal(self, day: Any) -> Any:
        """The number itself."""
        return day

    def days_later(self, day: Any, count: Any) -> Any:
        """The date some days later."""
        return day + count

    def months_later(self, day: Any, count: Any) -> Any:
        """Not reckoned with."""
        raise AssertionError

    def age(self, born: Any, on: Any) -> Any:
        """Not reckoned with."""
        raise AssertionError

    def aged(self, born: Any, on: Any, years: Any) -> Any:
        """Not reckoned with."""
        raise AssertionError


class Codes:
    """Dates as places in a calendar of twelve months with 31 days each, of which some do not exist.

    ``sides`` takes what holds for new variables by themselves.
    """

    def __init__(self, context: z3.Context, prefix: str, sides: list[Any]) -> None:
        self.context, self.prefix, self.sides = context, prefix, sides
        self._made: dict[int, tuple[Any, Any, Any]] = {}

    def beside(self, prefix: str, sides: list[Any]) -> Self:
        """The same for more variables; what is known of those so far stays so."""
        found = type(self)(self.context, prefix, sides)
        found._made = dict(self._made)
        return found

    def new(self, *names: str) -> tuple[Any, ...]:
        """New variables."""
        return tuple(z3.Int(f"{self.prefix}!{name}{len(self._made)}", self.context) for name in names)

    def leap(self, year: Any) -> Any:
        """Whether a year is a leap year."""
        c = self.context
        return z3.And(year % 4 == 0, z3.Or(year % 100 != 0, year % 400 == 0, c), c)

    def of(self, day: date) -> int:
        """The number of a date."""
        return (day.year * 12 + day.month - 1) * MONTH + day.day - 1

    def date(self, number: int) -> date:
        """The date of a number."""
        months, day = divmod(number, MONTH)
        return date(months // 12, months % 12 + 1, day + 1)

    def domain(self, day: Any) -> None:
        """Leave out the days that do not exist."""
        c, (year, place) = self.context, self.parts(day)
        self.sides += [place != lacking for lacking in LACKING]
        self.sides.append(z3.Or(place != FEBRUARY_29, self.leap(year), c))

    def parts(self, day: Any) -> tuple[Any, Any]:
        """Year and place in the year: new variables, tied to the number."""
        key = day.get_id()
        if key not in self._made:
            year, place = self.new("y", "p")
            self.sides += [day == YEAR * year + place, place >= 0, place < YEAR, year >= 1500, year <= 9100]
            self._made[key] = (year, place, day)  # the expression is kept, so that its id stays its own
        year, place, _ = self._made[key]
        return year, place

    def ordinal(self, day: Any) -> Any:
        """Day number (since year 1) of a date."""
        if z3.is_int_value(day):
            return z3.IntVal(self.date(day.as_long()).toordinal(), self.context)
        c, (year, place), before = self.context, self.parts(day), self.parts(day)[0] - 1
        found = 365 * before + before / 4 - before / 100 + before / 400 + place + 1
        for end, lost in LOST.items():
            less: Any = z3.IntVal(lost, c)
            if lost > 1:  # February, one day longer in leap years
                less = z3.If(self.leap(year), z3.IntVal(lost - 1, c), less, c)
            found = found - z3.If(place >= end, less, z3.IntVal(0, c), c)
        return found

    def days_later(self, day: Any, count: Any) -> Any:
        """The date some days later: the one whose day number is so much larger."""
        (found,) = self.new("later")
        self.domain(found)
        self.sides.append(self.ordinal(found) == self.ordinal(day) + count)
        return found

    def months_later(self, day: Any, count: Any) -> Any:
        """The date some months later; a day that the month lacks becomes its last day."""
        c = self.context
        found = day + MONTH * count
        year, place = self.parts(found)
        common = z3.If(self.leap(year), z3.IntVal(0, c), z3.IntVal(1, c), c)
        back: Any = z3.If(place == FEBRUARY_29, common, z3.IntVal(0, c), c)
        for lacking, by in LACKING.items():
            less = by - 1 + common if by > 1 else z3.IntVal(by, c)  # behind February: one day less in leap years
            back = z3.If(place == lacking, less, back, c)
        return found - back

    def age(self, born: Any, on: Any) -> Any:
        """Completed years."""
        return (on - born) / YEAR

    def aged(self, born: Any, on: Any, years: Any) -> Any:
        """Whether so many years are completed."""
        return on - born >= YEAR * years
