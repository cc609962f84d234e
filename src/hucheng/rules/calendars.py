"""Dates as whole numbers for the solver, in two ways; the logic takes the one that keeps a pack's questions short.

``Ordinals``: days since year 1, as everywhere else. Steps of days are sums; ages and months need the calendar.
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


class Reckoning:
    """What both ways share: year, month and day of a day number."""

    def __init__(self, context: z3.Context, prefix: str, sides: list[Any]) -> None:
        self.context, self.prefix, self.sides = context, prefix, sides
        self._made: dict[int, tuple[Any, ...]] = {}

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

    def length(self, year: Any, month: Any) -> Any:
        """Days of a month."""
        c = self.context
        short = z3.Or(month == 4, month == 6, month == 9, month == 11, c)
        february = z3.If(self.leap(year), z3.IntVal(29, c), z3.IntVal(28, c), c)
        return z3.If(month == 2, february, z3.If(short, z3.IntVal(30, c), z3.IntVal(31, c), c), c)

    def number(self, year: Any, month: Any, day: Any) -> Any:
        """Day number of a date (Hinnant, days_from_civil: years begin in March)."""
        c = self.context
        y = z3.If(month <= 2, year - 1, year, c)
        m = z3.If(month <= 2, month + 9, month - 3, c)
        return 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + day - 306 + 0


class Ordinals(Reckoning):
    """Dates as days since year 1."""

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
        """The date some months later; a day that the month lacks becomes its last day."""
        y, m, d = self.civil(day)
        place = y * 12 + m - 1 + count
        year, month = place / 12, place % 12 + 1
        length = self.length(year, month)
        return self.number(year, month, z3.If(d <= length, d, length, self.context))

    def age(self, born: Any, on: Any) -> Any:
        """Completed years."""
        (y1, m1, d1), (y2, m2, d2) = self.civil(born), self.civil(on)
        return (y2 * 10000 + m2 * 100 + d2 - y1 * 10000 - m1 * 100 - d1) / 10000

    def aged(self, born: Any, on: Any, years: Any) -> Any:
        """Whether so many years are completed."""
        return self.age(born, on) >= years

    def civil(self, day: Any) -> tuple[Any, Any, Any]:
        """Year, month and day of a day number: new variables, tied to it."""
        key = day.get_id()
        if key not in self._made:
            if z3.is_int_value(day):
                known = date.fromordinal(day.as_long())
                parts = tuple(z3.IntVal(n, self.context) for n in (known.year, known.month, known.day))
            else:
                y, m, d = parts = self.new("y", "m", "d")
                self.sides += [y >= 1500, y <= 9100, m >= 1, m <= 12, d >= 1, d <= self.length(y, m)]
                self.sides.append(day == self.number(y, m, d))
            self._made[key] = (*parts, day)  # the expression is kept, so that its id stays its own
        y, m, d, _ = self._made[key]
        return y, m, d


class Codes(Reckoning):
    """Dates as places in a calendar of twelve months with 31 days each, of which some do not exist."""

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
