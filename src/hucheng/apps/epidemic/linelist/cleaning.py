"""Cleaning a line list: columns found, dates read, values mapped, duplicates and impossible orders marked, all told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from statistics import median_low
from typing import Any

import pyarrow as pa

from hucheng.apps.epidemic.linelist import datereading, duplicates, headings, meanings
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow, like

WANTED = ("date_onset", "date_report", "date_diagnosis")
"""A row without any of these dates cannot be worked with."""
ORDERS = (
    ("date_birth", "date_onset"), ("date_exposure", "date_onset"), ("date_onset", "date_report"),
    ("date_onset", "date_diagnosis"), ("date_onset", "date_outcome"), ("date_onset", "date_death"),
    ("date_diagnosis", "date_death"),
)  # fmt: skip
"""Pairs of which the first cannot come later."""
SHOWN = 60
"""Different values of a column that the report lists."""


@dataclass(frozen=True)
class Cleaned:
    """A cleaned line list; tables are of the kind that was given."""

    table: Any
    """Standard columns first, then the others as they came; row, problems, duplicate_of, duplicate_kind."""
    rejected: Any
    """Rows that cannot be worked with, as they came, with their row and reason."""
    report: dict[str, Any]
    """What was done, column by column and value by value."""


@dataclass
class _Work:
    """A line list on its way."""

    rows: int
    columns: dict[str, list[Any]] = field(default_factory=dict)
    problems: list[list[str]] = field(default_factory=list)
    told: dict[str, dict[str, Any]] = field(default_factory=dict)


def clean(
    linelist: Any, *, today: date | None = None, order: datereading.Order | None = None, year: int | None = None,
    told: Mapping[str, str] | None = None,
) -> Cleaned:  # fmt: skip
    """A line list made fit for work; nothing is dropped silently, nothing is guessed where it is ambiguous.

    ``order``: “day” or “month” first in dates like 3/4/2020 (default: what the column shows). ``year``: of dates
    written without one (default: that of the row's other dates, else of most dates). ``told``: standard name → column.
    ``today``: dates after it are told as problems. Raises BadRequest for an empty table and for ambiguous dates.
    """
    arrow = _text(as_arrow(linelist))
    if not arrow.num_rows:
        raise BadRequest("the line list has no rows", mend="give one row a case, under a row of headings")
    names = headings.mapping(arrow.column_names, told)
    if not set(WANTED) & set(names.values()):
        raise BadRequest(
            f"no column says when a case fell ill, was diagnosed or was reported ({', '.join(WANTED)})",
            where=f"columns: {', '.join(arrow.column_names)}",
            mend="say which one does: --map date_onset=COLUMN",
        )
    raw = {column: arrow.column(column).to_pylist() for column in arrow.column_names}
    work = _Work(arrow.num_rows, problems=[[] for _ in range(arrow.num_rows)])
    latest = today.year if today is not None else _latest(raw, names)
    _dates(work, raw, names, order, year, latest, today)
    for column, name in names.items():
        if name in meanings.LISTS:
            _meanings(work, raw[column], column, name)
        elif name == "age_years":
            _ages(work, raw[column], column)
        elif not name.startswith("date_"):
            _plain(work, raw[column], column, name)
    _age_from_birth(work)
    _impossible(work)
    written = list(zip(*raw.values(), strict=True))
    reason = [_reason(work, row, values, arrow.column_names) for row, values in enumerate(written)]
    kept = [row for row, why in enumerate(reason) if why is None]
    repeats = duplicates.mark(
        [written[row] for row in kept], {name: [values[row] for row in kept] for name, values in work.columns.items()}
    )
    table = _answer(work, raw, names, kept, repeats)
    away = [row for row, why in enumerate(reason) if why is not None]
    rejected = pa.table(
        {
            "row": pa.array([row + 1 for row in away], pa.int64()),
            "reason": pa.array([reason[row] for row in away], pa.string()),
            **{column: pa.array([values[row] for row in away], pa.string()) for column, values in raw.items()},
        }
    )
    report = _report(work, names, arrow.column_names, kept, repeats, [str(reason[row]) for row in away])
    return Cleaned(like(linelist, table), like(linelist, rejected), report)


def _text(arrow: pa.Table) -> pa.Table:
    """Every value as text, as a CSV file would have it; empty is null."""
    found = {}
    for name in arrow.column_names:
        values: list[str | None] = []
        for value in arrow.column(name).to_pylist():
            if value is None or value != value:
                values.append(None)
            elif isinstance(value, datetime):
                values.append(value.date().isoformat())
            elif isinstance(value, float) and value.is_integer():
                values.append(str(int(value)))
            else:
                values.append(str(value).strip() or None)
        found[name] = pa.array(values, pa.string())
    return pa.table(found)


def _latest(raw: dict[str, list[str | None]], names: Mapping[str, str]) -> int:
    """The last year that some date of the list writes in four figures."""
    years = [int(value[:4]) for column, name in names.items() if name.startswith("date_") for value in raw[column]
             if value is not None and value[:2] in ("19", "20") and value[:4].isdigit()]  # fmt: skip
    return max(years, default=2099)


def _dates(
    work: _Work, raw: dict[str, list[str | None]], names: Mapping[str, str], order: datereading.Order | None,
    year: int | None, latest: int, today: date | None,
) -> None:  # fmt: skip
    """Every date column; a date without a year takes that of the row's other dates, else of most dates of the list."""
    columns = {column: name for column, name in names.items() if name.startswith("date_")}
    written = {c: datereading.full_year(raw[c], latest) for c, name in columns.items() if name != "date_birth"}
    every = [one for years in written.values() for one in years if one is not None]
    usual = year if year is not None else (median_low(every) if every else None)
    for column, name in columns.items():
        years: list[int | None] = [usual] * work.rows
        if year is None:
            for row in range(work.rows):
                beside = [years_of[row] for years_of in written.values() if years_of[row] is not None]
                years[row] = beside[0] if beside else usual
        found = datereading.read(raw[column], column, order, years, latest)
        days = found.days
        for row, why in found.bad.items():
            work.problems[row].append(f"{name}: {why}")
        if today is not None:
            for row, day in enumerate(days):
                if day is not None and day > today:
                    work.problems[row].append(f"{name}: {day} lies in the future")
        work.columns[name] = list(days)
        work.told[name] = {
            "column": column, "read": sum(day is not None for day in days), "forms": dict(found.forms),
            "order": found.order, "year_taken_from_elsewhere": len(found.yearless), "not_read": len(found.bad),
            "such_as": [raw[column][row] for row in list(found.bad)[:5]],
        }  # fmt: skip


def _meanings(work: _Work, values: list[str | None], column: str, name: str) -> None:
    known = meanings.meaning(name, {value for value in values if value is not None})
    found: list[str | None] = []
    for row, value in enumerate(values):
        means = None if value is None else known[value]
        if value is not None and means is None and meanings.tidy(value) not in datereading.EMPTY:
            work.problems[row].append(f"{name}: “{value}” is not known")
        found.append(means)
    work.columns[name] = found
    counts = Counter(value for value in values if value is not None)
    work.told[name] = {
        "column": column,
        "values": [{"value": value, "means": known[value], "rows": many} for value, many in counts.most_common(SHOWN)],
        "not_known": sum(many for value, many in counts.items() if known[value] is None),
    }


def _ages(work: _Work, values: list[str | None], column: str) -> None:
    found: list[float | None] = []
    changed: Counter[str] = Counter()
    for row, value in enumerate(values):
        age = None
        if value is not None:
            try:
                age = meanings.years(value)
                if age is not None and value != f"{age:g}":
                    changed[value] += 1
            except ValueError as error:
                work.problems[row].append(f"age_years: {error}")
        found.append(age)
    work.columns["age_years"] = found
    work.told["age_years"] = {
        "column": column,
        "read": sum(age is not None for age in found),
        "values": [{"value": v, "means": meanings.years(v), "rows": many} for v, many in changed.most_common(SHOWN)],
    }


def _plain(work: _Work, values: list[str | None], column: str, name: str) -> None:
    work.columns[name] = list(values)
    work.told[name] = {"column": column, "read": sum(value is not None for value in values)}


def _age_from_birth(work: _Work) -> None:
    """The age at onset (or report), where only the birth is written."""
    birth = work.columns.get("date_birth")
    if birth is None:
        return
    ages = work.columns.setdefault("age_years", [None] * work.rows)
    made = 0
    for row in range(work.rows):
        when = next(
            (work.columns[name][row] for name in WANTED if name in work.columns and work.columns[name][row]), None
        )
        if ages[row] is None and birth[row] is not None and when is not None and birth[row] <= when:
            ages[row] = round((when - birth[row]).days / 365.25, 2)
            made += 1
    work.told.setdefault("age_years", {"column": None})["from_date_of_birth"] = made


def _impossible(work: _Work) -> None:
    for first, second in ORDERS:
        if first in work.columns and second in work.columns:
            for row, (one, other) in enumerate(zip(work.columns[first], work.columns[second], strict=True)):
                if one is not None and other is not None and one > other:
                    work.problems[row].append(f"{first} {one} lies after {second} {other}")


def _reason(work: _Work, row: int, values: tuple[Any, ...], heads: list[str]) -> str | None:
    """Why a row cannot be worked with; None where it can."""
    if all(value is None for value in values):
        return "empty"
    if list(values) == heads:
        return "the headings again"
    there = [name for name in WANTED if name in work.columns]
    if there and all(work.columns[name][row] is None for name in there):
        unread = [problem for problem in work.problems[row] if problem.startswith("date_")]
        return "; ".join(unread) if unread else f"none of {', '.join(there)} is filled"
    return None


def _answer(
    work: _Work, raw: dict[str, list[str | None]], names: Mapping[str, str], kept: list[int],
    repeats: list[tuple[int, str] | None],
) -> pa.Table:  # fmt: skip
    found: dict[str, pa.Array] = {"row": pa.array([row + 1 for row in kept], pa.int64())}
    for name in headings.STANDARD:
        if name in work.columns:
            kind = pa.date32() if name.startswith("date_") else pa.float64() if name == "age_years" else pa.string()
            found[name] = pa.array([work.columns[name][row] for row in kept], kind)
    for column, values in raw.items():
        if column not in names:
            free = column
            while free in found or free in headings.OURS or free in headings.STANDARD:
                free = f"{free} (as it came)"
            found[free] = pa.array([values[row] for row in kept], pa.string())
    found["problems"] = pa.array(["; ".join(work.problems[row]) or None for row in kept], pa.string())
    found[duplicates.REPEATS] = pa.array([None if one is None else kept[one[0]] + 1 for one in repeats], pa.int64())
    found["duplicate_kind"] = pa.array([None if one is None else one[1] for one in repeats], pa.string())
    return pa.table(found)


def _report(
    work: _Work, names: Mapping[str, str], heads: list[str], kept: list[int], repeats: list[tuple[int, str] | None],
    reasons: list[str],
) -> dict[str, Any]:  # fmt: skip
    kinds: Counter[str] = Counter()
    for row in kept:
        for problem in work.problems[row]:
            head, _, _ = problem.partition(":") if ":" in problem.split(" ")[0] else (problem, "", "")
            kinds[_kind(problem, head)] += 1
    return {
        "rows": {"came": work.rows, "kept": len(kept), "rejected": len(reasons)},
        "rejected": dict(Counter(reason.partition(":")[0] for reason in reasons).most_common()),
        "columns": {name: work.told[name] for name in headings.STANDARD if name in work.told},
        "passed_through": [column for column in heads if column not in names],
        "duplicates": dict(Counter(one[1] for one in repeats if one is not None).most_common()),
        "rows_with_problems": sum(bool(work.problems[row]) for row in kept),
        "problems": dict(kinds.most_common()),
    }


def _kind(problem: str, head: str) -> str:
    """A problem without its dates and values, to count by."""
    if "lies in the future" in problem:
        return f"{head}: in the future"
    if "lies after" in problem:
        words = problem.split()
        return f"{words[0]} after {words[4]}"
    return f"{head}: not read"
