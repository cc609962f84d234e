"""Dates as people write them. What a whole column says decides between day and month first, or nobody."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Literal

from hucheng.errors import BadRequest

Order = Literal["day", "month"]
NAMES = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october", "november",
         "december")  # fmt: skip
MONTHS = {short: at for at, name in enumerate(NAMES, 1) for short in (name, name[:3])} | {"sept": 9}
EMPTY = {"", "na", "n/a", "nan", "nat", "null", "none", "unknown", "-", "--", "/", "不详", "未知", "无", "空"}
SERIAL_ZERO = date(1899, 12, 30)
SERIALS = (18264, 73050)
"""Days of a spreadsheet's calendar from 1950 to 2099."""
ISO = re.compile(r"^(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*[日号]?$")
COMPACT = re.compile(r"^(19|20)(\d{2})(\d{2})(\d{2})$")
MONTH_DAY = re.compile(r"^(\d{1,2})\s*月\s*(\d{1,2})\s*[日号]?$")
NUMBERS = re.compile(r"^(\d{1,2})\s*([-/.])\s*(\d{1,2})\s*[-/.]\s*(\d{4}|\d{2})$")
DAY_NAME = re.compile(r"^(\d{1,2})(?:st|nd|rd|th)?[\s\-/.,]*([a-z]{3,9})\.?[\s\-/.,]*(\d{4}|\d{2})?$")
NAME_DAY = re.compile(r"^([a-z]{3,9})\.?[\s\-/.,]*(\d{1,2})(?:st|nd|rd|th)?(?:[\s\-/.,]+(\d{4}|\d{2}))?$")
TIME = re.compile(r"[\sT]+\d{1,2}:\d{2}(:\d{2}(\.\d+)?)?\s*(z|[ap]m|[+-]\d{2}:?\d{2})?$", re.IGNORECASE)
SERIAL = re.compile(r"^\d{5}(\.\d+)?$")


@dataclass(frozen=True)
class Read:
    """Dates of a column and how each was written."""

    days: list[date | None]
    forms: Counter[str] = field(default_factory=Counter)
    """Form → how many values."""
    bad: dict[int, str] = field(default_factory=dict)
    """Row → why its value is no date."""
    yearless: list[int] = field(default_factory=list)
    """Rows whose year was taken from elsewhere."""
    order: str | None = None
    """“day” or “month” first, where the column has such dates, and who said so."""


def read(
    values: Sequence[str | None], name: str, order: Order | None, years: Sequence[int | None], latest: int
) -> Read:
    """Dates of a column as text. ``years``: for each row the year to take where none is written (None: unknown).
    ``latest``: the last year that two figures may mean.

    Raises BadRequest where nothing tells 3/4/2020 from 4/3/2020.
    """
    cleaned = [tidy(value) for value in values]
    decided, who = _orders(cleaned, name, order)
    days: list[date | None] = []
    found = Read(days, order="; ".join(who) or None)
    for row, text in enumerate(cleaned):
        day: date | None = None
        if text is not None:
            try:
                day, form = _one(text, decided, years[row], latest)
                found.forms[form] += 1
                if form.endswith("without a year"):
                    found.yearless.append(row)
            except ValueError as error:
                found.bad[row] = str(error)
        days.append(day)
    return found


def tidy(value: str | None) -> str | None:
    """A value without width, case and time of day; None where it says nothing."""
    if value is None:
        return None
    text = TIME.sub("", unicodedata.normalize("NFKC", value).strip().lower()).strip()
    return None if text in EMPTY else text


def full_year(values: Sequence[str | None], latest: int) -> list[int | None]:
    """The year that each value itself writes, whatever the order of day and month."""
    found: list[int | None] = []
    for value in values:
        text = tidy(value)
        year = None
        if text is not None:
            with suppress(ValueError):
                year = _one(text, {}, None, latest)[0].year
        found.append(year)
    return found


def _orders(values: Sequence[str | None], name: str, told: Order | None) -> tuple[dict[str, Order], list[str]]:
    """For each sign between the figures whether day or month comes first in this column, and who said so.

    Each sign is judged by itself: who writes 5.1.2020 is seldom who writes 1/5/2020.
    """
    pairs = [(int(m[1]), int(m[3]), m[2]) for value in values if value is not None and (m := NUMBERS.match(value))]
    decided: dict[str, Order] = {}
    who = []
    for mark in sorted({mark for _, _, mark in pairs}):
        decided[mark], why = _order([(a, b) for a, b, one in pairs if one == mark], mark, name, told)
        who.append(f"{decided[mark]} first in dates with “{mark}” ({why})")
    return decided, who


def _order(pairs: Sequence[tuple[int, int]], mark: str, name: str, told: Order | None) -> tuple[Order, str]:
    days, months = sum(first > 12 for first, _ in pairs), sum(second > 12 for _, second in pairs)
    if days and not months:
        if told == "month":
            raise BadRequest(
                f"“{name}” has {days} dates in which the day stands first", mend="leave --month-first away"
            )
        return "day", f"{days} dates can be read no other way"
    if months and not days:
        if told == "day":
            raise BadRequest(
                f"“{name}” has {months} dates in which the month stands first", mend="leave --day-first away"
            )
        return "month", f"{months} dates can be read no other way"
    if mark == ".":
        return "day", "written with points"
    if told is not None:
        return told, "as told"
    unclear = [(a, b) for a, b in pairs if a <= 12 and b <= 12 and a != b]
    if not unclear:
        return "day", "no date depends on it"
    why = "nothing in it tells" if not days else f"{days} dates have the day first and {months} the month"
    raise BadRequest(
        f"in “{name}” {len(unclear)} dates such as {unclear[0][0]}{mark}{unclear[0][1]} can be read two ways: {why}",
        mend="say --day-first or --month-first",
    )


def _one(text: str, order: Mapping[str, Order], year: int | None, latest: int) -> tuple[date, str]:
    """A date and the name of its form; ValueError says why there is none."""
    if match := ISO.match(text):
        return _day(int(match[1]), int(match[2]), int(match[3]), text), "year first"
    if match := COMPACT.match(text):
        return _day(int(match[1] + match[2]), int(match[3]), int(match[4]), text), "eight figures"
    if SERIAL.match(text):
        serial = int(float(text))
        if SERIALS[0] <= serial <= SERIALS[1]:
            return SERIAL_ZERO + timedelta(serial), "spreadsheet number"
    if match := NUMBERS.match(text):
        first, second, written = int(match[1]), int(match[3]), _year(match[4], latest)
        if first > 12 or second > 12:
            day, month = (first, second) if first > 12 else (second, first)
        else:
            day, month = (first, second) if order.get(match[2], "day") == "day" else (second, first)
        return _day(written, month, day, text), "day first" if (day, month) == (first, second) else "month first"
    if match := MONTH_DAY.match(text):
        return _day(_needed(year, text), int(match[1]), int(match[2]), text), "month and day without a year"
    for pattern, day_at, month_at in ((DAY_NAME, 1, 2), (NAME_DAY, 2, 1)):
        match = pattern.match(text)
        if match and match[month_at] in MONTHS:
            written = _year(match[3], latest) if match[3] else _needed(year, text)
            form = "name of the month" if match[3] else "name of the month without a year"
            return _day(written, MONTHS[match[month_at]], int(match[day_at]), text), form
    raise ValueError(f"“{text}” is no date")


def _day(year: int, month: int, day: int, text: str) -> date:
    try:
        return date(year, month, day)
    except ValueError:
        raise ValueError(f"“{text}” is a day that does not exist") from None


def _year(text: str, latest: int) -> int:
    if len(text) == 4:
        return int(text)
    century = latest // 100 * 100
    found = century + int(text)
    return found if found <= latest else found - 100


def _needed(year: int | None, text: str) -> int:
    if year is None:
        raise ValueError(f"“{text}” has no year, and nothing else in the file says one")
    return year
