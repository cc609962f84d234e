"""Facts as columns come in: SQL that reads each exactly as declared, or leaves it empty and says why.

Out of range, too many decimal places, no value of the enum: the row is reported, not decided. A column whose *type*
cannot carry the fact is an error of the whole table.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from hucheng.errors import RuleError
from hucheng.rules.complaints import DAY, PLACES
from hucheng.rules.kinds import Kind
from hucheng.rules.model import FactDeclared
from hucheng.rules.strict import literal

_WHOLE = {sign + size for sign in ("", "U") for size in ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT")}
DIGITS = 15
"""Decimal digits that a binary float surely carries: it is read with so many before it is rounded as declared."""


def fine(kind: Kind) -> int:
    """Decimal places at which a float of this kind is read, so that it has DIGITS digits at most."""
    top = max(abs(kind.low), abs(kind.high)) // 10**kind.scale + 1
    return max(kind.scale, DIGITS - len(str(top)))


def quoted(name: str) -> str:
    """An identifier in SQL."""
    return '"' + name.replace('"', '""') + '"'


Reading = tuple[str | None, str]
"""SQL of a column ``u_<fact>`` that must stand a layer below, if any, and SQL of the fact itself."""


def reading(fact: FactDeclared, column: str, sql_type: str, text: bool) -> Reading:
    """SQL of the fact in internal units, NULL where unknown or not admissible; RuleError for a wrong type.

    ``text``: the table comes from a CSV file, where every value is text.
    """
    kind = sql_type.upper()
    if kind in ('"NULL"', "NULL"):
        return None, f"CAST(NULL AS {internal(fact)})"
    is_text = kind == "VARCHAR" or kind.startswith("ENUM")
    name = fact.kind.name
    if name == "enum" and is_text:
        allowed = ", ".join(literal(value) for value in fact.kind.values)
        source = f"CAST({column} AS VARCHAR)"
        return None, f"CASE WHEN {source} IN ({allowed}) THEN {source} END"
    if name == "boolean":
        if kind == "BOOLEAN":
            return None, column
        if is_text and text:
            return (
                None,
                f"CASE WHEN lower({column}) IN ('true', '1') THEN TRUE "
                f"WHEN lower({column}) IN ('false', '0') THEN FALSE END",
            )
    if name == "date":
        low, high = (literal(date.fromordinal(end)) for end in (fact.kind.low, fact.kind.high))
        if kind == "DATE":
            return None, f"CASE WHEN {column} BETWEEN {low} AND {high} THEN {column} END"
        if kind.startswith("TIMESTAMP") and "ZONE" not in kind:
            day = f"CAST({column} AS DATE)"
            return None, f"CASE WHEN {day} = {column} AND {day} BETWEEN {low} AND {high} THEN {day} END"
        if is_text and text:
            match = f"regexp_full_match({column}, {literal(DAY)})"
            day = f"TRY_CAST(CASE WHEN {match} THEN {column} END AS DATE)"
            return None, f"CASE WHEN {day} BETWEEN {low} AND {high} THEN {day} END"
    if name == "number":
        if kind in _WHOLE:
            step = 10**fact.kind.scale
            low, high = -(-fact.kind.low // step), fact.kind.high // step
            return None, f"CASE WHEN {column} BETWEEN {low} AND {high} THEN CAST({column} AS BIGINT) * {step} END"
        if found := re.fullmatch(r"DECIMAL\((\d+),\s*(\d+)\)", kind):
            return _exact(fact, column, int(found[2]))
        if kind in ("DOUBLE", "FLOAT"):
            return _binary(fact, column, kind)
        if is_text and text:
            places = PLACES
            fits = f"regexp_full_match({column}, '[+-]?\\d{{1,18}}(\\.\\d{{1,{places}}})?')"
            return _exact(fact, f"CAST(CASE WHEN {fits} THEN {column} END AS DECIMAL(38,{places}))", places)
    raise RuleError(
        f"the column “{fact.name}” is {sql_type.lower()}, the fact is {fact.kind}",
        where=fact.name,
        mend=_wanted(fact),
        column=fact.name,
    )


def internal(fact: FactDeclared) -> str:
    """SQL type of the fact in internal units."""
    return {"boolean": "BOOLEAN", "enum": "VARCHAR", "date": "DATE", "number": "BIGINT"}[fact.kind.name]


_DATES = "a date column, or timestamps without time zone that are all midnight"


def _wanted(fact: FactDeclared) -> str:
    wanted = {"boolean": "a boolean column", "enum": "a text column", "date": _DATES}
    return "give it as " + wanted.get(fact.kind.name, "an integer, decimal or float column")


def _exact(fact: FactDeclared, column: str, places: int) -> Reading:
    """From a decimal with ``places`` decimals; first the range, so that nothing can overflow."""
    step = 10**fact.kind.scale
    low, high = math.floor(fact.kind.low / step) - 1, math.ceil(fact.kind.high / step) + 1
    near = f"CASE WHEN {column} BETWEEN CAST({low} AS DOUBLE) AND CAST({high} AS DOUBLE) THEN {column} END"
    if places <= 9:
        units = f"CAST(CAST({near} AS DECIMAL(28,{places})) * {10**places} AS {_width(fact, places)})"
    else:
        units = f"CAST(replace(CAST({near} AS VARCHAR), '.', '') AS HUGEINT)"
    return _scaled(fact, units, places)


def _width(fact: FactDeclared, places: int) -> str:
    """The integer type that holds twice the fact in units of ``10**-places``."""
    reach = (max(abs(fact.kind.low), abs(fact.kind.high)) // 10**fact.kind.scale + 2) * 10 ** max(
        places, fact.kind.scale
    )
    return "BIGINT" if 3 * reach < 2**62 else "HUGEINT"


def _scaled(fact: FactDeclared, units: str, places: int) -> Reading:
    """From whole units of ``10**-places`` to units of the fact's scale, rounded as declared, within its range."""
    scale, u = fact.kind.scale, f"u_{fact.name}"
    step = 10 ** abs(places - scale)
    if places <= scale:
        value = f"({u} * {step})"
    elif fact.rounding == "half_up":
        value = (
            f"(CASE WHEN {u} >= 0 THEN (2 * {u} + {step}) // {2 * step} ELSE -((2 * -{u} + {step}) // {2 * step}) END)"
        )
    elif fact.rounding == "floor":
        value = f"(({u} - (({u} % {step}) + {step}) % {step}) // {step})"
    elif fact.rounding == "ceil":
        value = f"(-((-{u} - ((-{u} % {step}) + {step}) % {step}) // {step}))"
    else:
        value = f"(CASE WHEN {u} % {step} = 0 THEN {u} // {step} END)"
    return units, f"CASE WHEN {value} BETWEEN {fact.kind.low} AND {fact.kind.high} THEN CAST({value} AS BIGINT) END"


def _binary(fact: FactDeclared, column: str, kind: str) -> Reading:
    """From a binary float: it must be the float nearest to a decimal of the declared scale, or be rounded."""
    step = 10**fact.kind.scale
    low, high = math.floor(fact.kind.low / step) - 1, math.ceil(fact.kind.high / step) + 1
    near = f"CASE WHEN {column} BETWEEN {low} AND {high} THEN {column} END"  # leaves out NaN and infinity too
    if fact.rounding is None:
        units = f"round(CAST({near} AS DOUBLE) * {step})"
        same = f"CAST({units} / {step} AS {kind}) = {column}"
        return None, (
            f"CASE WHEN {same} AND {units} BETWEEN {fact.kind.low} AND {fact.kind.high} "
            f"THEN CAST({units} AS BIGINT) END"
        )
    if kind == "FLOAT":
        near = f"CAST(CAST({near} AS VARCHAR) AS DOUBLE)"
    places = fine(fact.kind)
    return _scaled(fact, f"CAST(round(({near}) * {10**places}) AS {_width(fact, places)})", places)


def given(columns: Sequence[str], facts: Mapping[str, Any], outcomes: Mapping[str, Any]) -> list[str]:
    """Names of the id columns; RuleError where a fact is missing or a name stands twice."""
    import difflib

    doubled = sorted({name for name in columns if list(columns).count(name) > 1})
    if doubled:
        raise RuleError(
            f"the column “{doubled[0]}” is there twice", where=doubled[0], mend="rename one of them", column=doubled[0]
        )
    missing = [name for name in facts if name not in columns]
    ids = [name for name in columns if name not in facts]
    if missing:
        near = difflib.get_close_matches(missing[0], ids, 1)
        raise RuleError(
            f"the fact “{missing[0]}” has no column" + (f" (and {len(missing) - 1} more)" if missing[1:] else ""),
            where=missing[0],
            mend=f"is it “{near[0]}”? rename it" if near else "add the column; leave it empty where unknown",
            column=missing[0],
        )
    for name in ids:
        if name in outcomes or name == "_problem":
            raise RuleError(
                f"the id column “{name}” has the name of a result", where=name, mend="rename it", column=name
            )
    return ids
