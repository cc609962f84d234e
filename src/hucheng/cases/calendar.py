"""Which shift an instant belongs to: day, night or holiday, in the city's own time.

Day runs from 08:00 to 20:00; night from 20:00 to 08:00 and belongs to the date on which it began. The day shift of a
weekend or public holiday is a holiday shift, but for the working days that the State Council makes up. A night is a
night on every date. Holidays are data (``calendars/cn.yaml``), a year that is not in it has weekends only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from importlib import resources
from typing import Any, Literal
from zoneinfo import ZoneInfo

import yaml

ShiftKind = Literal["day", "night", "holiday"]
SHIFTS: tuple[ShiftKind, ...] = ("day", "night", "holiday")


@dataclass(frozen=True)
class Shift:
    """One shift: its kind, the date on which it began, and its bounds (aware, the end excluded)."""

    kind: ShiftKind
    on: date
    start: datetime
    end: datetime


@dataclass(frozen=True)
class Calendar:
    """Days off, made-up working days, and the hours of the day shift."""

    zone: ZoneInfo
    off: frozenset[date] = field(default_factory=frozenset)
    working: frozenset[date] = field(default_factory=frozenset)
    day_from: time = time(8)
    day_to: time = time(20)

    def rests(self, on: date) -> bool:
        """True on a weekend or public holiday that is not made up."""
        return on in self.off or (on.weekday() >= 5 and on not in self.working)

    def shift(self, at: datetime) -> Shift:
        """The shift that holds this aware instant."""
        local = at.astimezone(self.zone)
        if local.time() < self.day_from:
            return self._night(local.date() - timedelta(days=1))
        if local.time() >= self.day_to:
            return self._night(local.date())
        on = local.date()
        kind: ShiftKind = "holiday" if self.rests(on) else "day"
        return Shift(kind, on, self._at(on, self.day_from), self._at(on, self.day_to))

    def _night(self, on: date) -> Shift:
        return Shift("night", on, self._at(on, self.day_to), self._at(on + timedelta(days=1), self.day_from))

    def _at(self, on: date, hour: time) -> datetime:
        return datetime.combine(on, hour, self.zone)


def calendar(zone: str, text: str | None = None) -> Calendar:
    """The calendar of a time zone, from YAML text (None: the one that is shipped)."""
    if text is None:
        text = resources.files("hucheng.cases").joinpath("calendars/cn.yaml").read_text(encoding="utf-8")
    years: Mapping[int, Mapping[str, Any]] = yaml.safe_load(text) or {}
    off: set[date] = set()
    working: set[date] = set()
    for year in years.values():
        for first, last in year.get("holidays", ()):
            off |= set(_days(first, last))
        working |= set(year.get("working", ()))
    return Calendar(ZoneInfo(zone), frozenset(off), frozenset(working))


def _days(first: date, last: date) -> Iterable[date]:
    return (first + timedelta(days=n) for n in range((last - first).days + 1))
