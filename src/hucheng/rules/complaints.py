"""What is wrong with a value that a fact cannot take, said the same in every reading: plain text, and SQL for bulk.

A value that is misshaped is told the form that is expected, one that is well formed its range.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from hucheng.rules.kinds import written
from hucheng.rules.model import FactDeclared
from hucheng.rules.strict import literal

NUMBER = "[+-]?[0-9]+(\\.[0-9]+)?"
"""What a number in text looks like; what is read of it, `columns` says."""
DAY = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
PLACES = 12
"""Decimal places of a number in text that is rounded on entry."""
BLANK = "is blank; leave it empty where it is not known"
TIMED = "has a time of day, a date is expected"
_FORMS = {
    "number": "is not a number written as 120 or 120.00",
    "date": "is not a date written as 2026-01-31",
    "boolean": "is not true or false",
}


def said(fact: FactDeclared, value: object) -> str:
    """The complaint about a value that is not admissible."""
    return f"{fact.name}: {_shown(value)} {_fault(fact, value)}"


def complaint(fact: FactDeclared, column: str, sql_type: str) -> str:
    """The same as SQL, for a column of a type that can carry the fact."""
    cases = "".join(
        f" WHEN {when} THEN {literal(' ' + what)}" for when, what in _faults(fact, column, sql_type.upper())
    )
    other = literal(f" {domain(fact)}")
    shown = f"CAST({column} AS VARCHAR)"
    if sql_type.upper().startswith(("VARCHAR", "ENUM")):
        shown = f"CASE WHEN trim({column}) = {column} AND {column} <> '' THEN {shown} ELSE '“' || {shown} || '”' END"
    return f"{literal(fact.name + ': ')} || {shown} || {f'CASE{cases} ELSE {other} END' if cases else other}"


def domain(fact: FactDeclared) -> str:
    """What a well-formed value of the fact is not."""
    kind = fact.kind
    if kind.name == "enum":
        return "is not one of " + ", ".join(kind.values[:12]) + (", …" if len(kind.values) > 12 else "")
    if kind.name == "boolean":
        return _FORMS["boolean"]
    low, high = (written(kind, date.fromordinal(e) if kind.name == "date" else e) for e in (kind.low, kind.high))
    return f"is not within {low} to {high}" + (f" {fact.unit}" if fact.unit else "")


def _places(fact: FactDeclared) -> str:
    """Of a number within the range: it is not admissible for its decimal places alone."""
    scale = PLACES if fact.rounding else fact.kind.scale
    return f"has more than {scale} decimal place{'s' * (scale > 1)}" if scale else "is not a whole number"


def _ends(fact: FactDeclared) -> tuple[str, str]:
    """The range of a number as it is written."""
    return written(fact.kind, fact.kind.low), written(fact.kind, fact.kind.high)


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (value != value.strip(" ") or not value):
        return f"“{value}”"
    return str(value)


def _fault(fact: FactDeclared, value: Any) -> str:
    name = fact.kind.name
    if isinstance(value, str):
        if not value.strip(" "):
            return BLANK
        if (name == "number" and not re.fullmatch(NUMBER, value)) or (name == "date" and not _is_day(value)):
            return _FORMS[name]
    elif name == "number":
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
            return _FORMS[name]
    elif name == "date":
        if not isinstance(value, date):
            return _FORMS[name]
        if isinstance(value, datetime) and value.time() != datetime.min.time():
            return TIMED
    if name == "number":
        low, high = map(float, _ends(fact))
        if low <= _binary(value) <= high:
            return _places(fact)
    return domain(fact)


def _binary(value: Any) -> float:
    try:
        return float(value)
    except (OverflowError, ValueError):
        return math.nan


def _is_day(text: str) -> bool:
    try:
        return bool(re.fullmatch(DAY, text) and date.fromisoformat(text))
    except ValueError:
        return False


def _faults(fact: FactDeclared, column: str, sql_type: str) -> Iterator[tuple[str, str]]:
    name = fact.kind.name
    if sql_type.startswith(("VARCHAR", "ENUM")):
        yield f"trim({column}) = ''", BLANK
        if name == "number":
            yield f"NOT regexp_full_match({column}, {literal(NUMBER)})", _FORMS[name]
        if name == "date":
            yield f"NOT regexp_full_match({column}, {literal(DAY)}) OR TRY_CAST({column} AS DATE) IS NULL", _FORMS[name]
    if name == "date" and sql_type.startswith("TIMESTAMP"):
        yield f"CAST({column} AS DATE) <> {column}", TIMED
    if name == "number" and sql_type.startswith(("VARCHAR", "DECIMAL", "DOUBLE", "FLOAT")):
        low, high = _ends(fact)
        yield f"CAST({column} AS DOUBLE) BETWEEN CAST({low} AS DOUBLE) AND CAST({high} AS DOUBLE)", _places(fact)
