"""Observed counts of many places at equal steps, from whatever table they come in, and what was found in it.

What harms nothing is done and said in a `Note`; what would change the meaning is refused.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow

WEEK = 7
SUMS_RISE = 0.98
"""Share of steps that rise or stay from which counts are taken for running totals."""
SUMS_AT_LEAST = 60
"""Changes from which that alone decides."""
SUMS_SHORT = 10
"""Changes that none of fewer than those must fall in, and that must flatten or stand still as new counts do not."""
FLAT = 0.15
"""Share of the rise in the last third of the steps, below which the counts have flattened: a wave of new counts on its
way to the peak has twice that, and falls after it."""
HEIGHT, STILL = 20, 0.1
"""Count from which new ones are seldom twice the same, and the share of steps at such a height that are."""


@dataclass(frozen=True)
class Note:
    """Something found in the data, and what was done about it: kind, place (or None), days, and in words."""

    kind: str
    what: str
    place: str | None = None
    days: tuple[date, ...] = ()


@dataclass(frozen=True)
class Series:
    """Counts by step and place. A step is a day or a week, named by its last day."""

    days: NDArray[np.datetime64]
    """(T,) last day of each step, without gaps."""
    places: tuple[str, ...]
    """(P,) in the order of their names."""
    values: NDArray[np.float64]
    """(T, P) new events in the step; NaN where nothing was reported."""
    step: int
    """Days a step: 1 or 7."""
    notes: tuple[Note, ...] = ()

    @property
    def last(self) -> date:
        """Last day of the last step with any report."""
        told = np.flatnonzero(~np.isnan(self.values).all(axis=1))
        return day(self.days[told[-1] if len(told) else -1])

    def until(self, end: date) -> Series:
        """What had happened by the end of a day."""
        kept = self.days <= np.datetime64(end)
        return Series(self.days[kept], self.places, self.values[kept], self.step, self.notes)


@dataclass(frozen=True)
class Columns:
    """Columns that the user names, and how the values are meant; None: found by name, and by looking."""

    date: str | None = None
    place: str | None = None
    value: str | None = None
    as_of: str | None = None
    target: str | None = None
    """Of a file with several targets, the one that is meant."""
    cumulative: bool | None = None
    known: Mapping[str, float] = field(default_factory=dict)


def observed(table: Any, named: Columns | None = None) -> Series:
    """The counts of a table of one row a place and date. Raises BadRequest for what cannot be understood."""
    named = named or Columns()
    arrow = _of_target(as_arrow(table), named)
    as_of = columns.find(arrow, columns.AS_OF, named.as_of, "version", needed=named.as_of is not None)
    if as_of is not None and len(versions := pc.unique(arrow.column(as_of))) > 1:
        raise BadRequest(
            f"“{as_of}” has {len(versions)} values: the table holds several versions of the same history",
            mend="keep the rows of one version (forecast takes all of them as --vintages)",
        )
    return _series(arrow, named)


def vintages(table: Any, named: Columns | None = None) -> Iterator[tuple[date, Series]]:
    """Each version of the history with the date on which it stood so, in order; each read from its own rows only.

    Raises BadRequest where a version knows of a later day than its own.
    """
    named = named or Columns()
    arrow = _of_target(as_arrow(table), named)
    as_of = columns.find(arrow, columns.AS_OF, named.as_of, "date of the version")
    stood = columns.dates(arrow.column(as_of), str(as_of))
    if np.isnat(stood).any():
        raise BadRequest(
            f"“{as_of}” is empty", where=columns.rows(np.flatnonzero(np.isnat(stood))), mend="say which version it is"
        )
    for one in np.unique(stood):
        series = _series(arrow.filter(pa.array(stood == one)), named)
        if series.last > day(one):
            raise BadRequest(
                f"the version of {one} knows of {series.last}: a version from the future",
                where=f"{as_of} = {one}",
                mend="give each version what was known on its date, and nothing later",
            )
        yield day(one), series


def population(table: Any) -> dict[str, float]:
    """People by place; places without a number are left out."""
    arrow = as_arrow(table)
    place = columns.find(arrow, columns.PLACE, None, "place")
    number = columns.find(arrow, columns.POPULATION, None, "population")
    names = columns.words(arrow.column(place)).to_pylist()
    people = columns.numbers(arrow.column(number), str(number))
    return {name: float(many) for name, many in zip(names, people, strict=True) if name is not None and many > 0}


def day(moment: np.datetime64) -> date:
    """A day of NumPy as a date."""
    found: date = moment.astype("datetime64[D]").item()
    return found


def _of_target(arrow: pa.Table, named: Columns) -> pa.Table:
    """Rows of the target that is meant, where the table has more than one."""
    column = columns.find(arrow, columns.TARGET, None, "target", needed=False)
    if column is None:
        return arrow
    there = pc.unique(arrow.column(column)).to_pylist()
    if named.target in there:
        return arrow.filter(pc.equal(arrow.column(column), named.target))
    if len(there) <= 1:
        return arrow
    raise BadRequest(
        f"the table holds {len(there)} targets, none of them {named.target!r}",
        mend=f"ask for one of: {', '.join(map(str, there))}",
    )


def _series(arrow: pa.Table, named: Columns) -> Series:
    """Rows as a grid of steps and places, with the notes of what was found."""
    if not arrow.num_rows:
        raise BadRequest("the table has no rows", mend="give one row a place and date")
    date_name = columns.find(arrow, columns.DATE, named.date, "date")
    value_name = columns.find(arrow, columns.VALUE, named.value, "count")
    place_name = columns.find(arrow, columns.PLACE, named.place, "place", needed=named.place is not None)
    when = columns.dates(arrow.column(date_name), str(date_name))
    many = columns.numbers(arrow.column(value_name), str(value_name))
    notes: list[Note] = []
    if place_name is None:
        coded, names = np.zeros(len(when), np.int64), ["all"]
    else:
        held = columns.words(arrow.column(place_name))
        names = sorted(name for name in held.dictionary.to_pylist() if name is not None)
        order = {name: place for place, name in enumerate(names)}
        code = np.array([order[name] for name in held.dictionary.to_pylist()] or [0], np.int64)
        at = np.asarray(pc.fill_null(held.indices, -1))
        coded = np.where(at >= 0, code[at], -1)
    blank = (coded < 0) | np.isnat(when)
    if blank.any():
        notes.append(Note("blank", f"{int(blank.sum())} rows without a place or a date were left out"))
        when, many, coded = when[~blank], many[~blank], coded[~blank]
    if not len(when):
        raise BadRequest("no row has a place and a date", mend=f"fill “{place_name}” and “{date_name}”")
    step, days = _steps(when)
    at_day = (when - days[0]).astype(int) // step
    _refuse_conflicts(at_day, coded, many, days, names)
    grid = np.full((len(days), len(names)), np.nan)
    grid[at_day, coded] = many
    said = value_name is not None and any(word in value_name.lower() for word in columns.TOTALS)
    totals = (said or _looks_cumulative(grid)) if named.cumulative is None else named.cumulative
    if named.cumulative is None and totals:
        why = f"“{value_name}” says so" if said else "the counts hardly ever fall"
        what = f"{why}: they were read as running totals (--new, cumulative=False if not)"
        notes.append(Note("cumulative", what))
    elif totals is None:
        what = "the counts never fall: they were read as new ones (--cumulative, cumulative=True if not)"
        notes.append(Note("rising", what))
    if totals:
        grid = _increments(grid, days, names, notes)
    for place in np.flatnonzero((grid < 0).any(axis=0)):
        wrong = np.flatnonzero(grid[:, place] < 0)
        told = tuple(day(days[one]) for one in wrong)
        notes.append(Note("negative", "counts below zero are taken for missing", names[place], told))
        grid[wrong, place] = np.nan
    return Series(days, tuple(names), grid, step, tuple(notes))


def _steps(when: NDArray[np.datetime64]) -> tuple[int, NDArray[np.datetime64]]:
    """Days a step, and the steps from the first to the last: weeks where all dates fall on one weekday."""
    there = np.unique(when)
    gaps = np.diff(there).astype(int)
    step = WEEK if len(there) > 1 and (gaps % WEEK == 0).all() else 1
    if step == 1 and len(gaps) and np.median(gaps) > 1:
        raise BadRequest(
            f"dates are neither daily nor on one weekday: {there[0]}, {there[1]}, …",
            mend="give one row a day, or one a week with the week's last day",
        )
    return step, np.arange(there[0], there[-1] + np.timedelta64(1, "D"), np.timedelta64(step, "D"))


def _refuse_conflicts(
    at_day: NDArray[Any], place: NDArray[Any], many: NDArray[np.float64], days: NDArray[np.datetime64], names: list[str]
) -> None:
    """The same row again counts once; two values for one place and day are nobody's to choose between."""
    order = np.lexsort((at_day, place))
    same = (np.diff(place[order]) == 0) & (np.diff(at_day[order]) == 0)
    first, second = many[order][:-1], many[order][1:]
    differ = same & ~((first == second) | (np.isnan(first) & np.isnan(second)))
    if differ.any():
        one = order[:-1][differ][0]
        raise BadRequest(
            f"{int(differ.sum())} places and days have two values, first {names[place[one]]} on {days[at_day[one]]}",
            mend="keep one of them; or name the column that tells the rows apart as the place",
        )


def _looks_cumulative(grid: NDArray[np.float64]) -> bool | None:
    """Whether counts are running totals; None where they may as well be new ones that have only risen yet.

    Many changes of which hardly any falls are totals. Few of them are where none falls and they flatten, or stand still
    at a height at which new counts would not.
    """
    moved = fell = still = high = 0
    late, whole = 0.0, 0.0
    for one in grid.T:
        told = one[~np.isnan(one)]
        change = np.diff(told)
        moved += int((change != 0).sum())
        fell += int((change < 0).sum())
        at_height = told[:-1] >= HEIGHT
        still, high = still + int((at_height & (change == 0)).sum()), high + int(at_height.sum())
        if len(change) >= SUMS_SHORT:
            late, whole = late + float(told[-1] - told[-1 - len(change) // 3]), whole + float(told[-1] - told[0])
    if moved >= SUMS_AT_LEAST:
        return fell <= (1 - SUMS_RISE) * moved
    if moved < SUMS_SHORT or fell:
        return False
    return True if late < FLAT * whole or still > STILL * high else None


def _increments(
    grid: NDArray[np.float64], days: NDArray[np.datetime64], names: list[str], notes: list[Note]
) -> NDArray[np.float64]:
    """New events of running totals. What a total later takes back was counted too early: it is taken from the days
    before (the total of a day is the least of its own and all later ones); days without a report share what the next
    report adds."""
    found = np.full_like(grid, np.nan)
    for place, name in enumerate(names):
        told = np.flatnonzero(~np.isnan(grid[:, place]))
        if not len(told):
            continue
        totals = grid[told, place]
        if (falls := np.flatnonzero(np.diff(totals) < 0) + 1).size:
            by = float((totals[falls - 1] - totals[falls]).sum())
            often = "once" if len(falls) == 1 else f"{len(falls)} times"
            what = f"the running total falls {often} (by {by:g}): what it takes back is taken from the days before"
            notes.append(Note("fall", what, name, tuple(day(days[told[one]]) for one in falls)))
            totals = np.minimum.accumulate(totals[::-1])[::-1]
        if (missing := np.setdiff1d(np.arange(told[0], told[-1]), told)).size:
            what = f"days without a report ({len(missing)}) share what the next report adds"
            notes.append(Note("gap", what, name, tuple(day(days[one]) for one in missing)))
        steps = np.arange(told[0], told[-1] + 1)
        found[steps, place] = np.diff(np.interp(steps, told, totals), prepend=0.0)
    return found
