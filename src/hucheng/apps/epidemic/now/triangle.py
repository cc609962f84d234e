"""The reporting triangle: what was known of each event date on each report date, whatever table it comes in.

Three kinds of table are understood: a line list (a row a case), new reports by event and report date, and versions of a
whole history (vintages), in which the count known on each date stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.linelist import duplicates
from hucheng.apps.epidemic.series import WEEK, Note, day
from hucheng.errors import BadRequest, TooLarge
from hucheng.tables import as_arrow

Numbers = NDArray[np.float64]
Days = NDArray[np.datetime64]
EVENT = ("event_date", "date_onset", "onset_date", "onset", "date_event", "发病日期", "发病时间", *columns.DATE)
REPORT = ("report_date", "date_report", "reported", "date_reported", *columns.AS_OF, "报告日期")
NEW = ("new_reports", "new_cases", "increment", "increments", "新增报告", "新增")
"""Names of counts that are new on the report date, whatever they look like."""
RISES, FALLS, AGAIN = 0.8, 0.6, 0.9
"""Share of repeated cells that do not fall, from which a table may hold what was known; below which, new reports; and
share of an event's later reports that must name it again for it to be so."""
MOST_CELLS = 60_000_000


@dataclass(frozen=True)
class Named:
    """Columns that the user names, and what the counts mean; None: found by name, and by looking."""

    event: str | None = None
    report: str | None = None
    place: str | None = None
    value: str | None = None
    target: str | None = None
    known: bool | None = None
    """Whether a count is what was known on the report date (True) or what was new on it (False)."""


@dataclass(frozen=True)
class Triangle:
    """What was known when."""

    versions: Days
    """(V,) dates on which something was known, in order."""
    days: Days
    """(T,) event steps without gaps, each by its last day."""
    places: tuple[str, ...]
    known: Numbers
    """(V, T, P) count of each event step as known on each version's date; NaN: nothing said."""
    step: int
    """Days an event step: 1 or 7."""
    notes: tuple[Note, ...] = ()

    @property
    def ages(self) -> NDArray[np.int64]:
        """(V, T) steps between the end of the event step and the version; below zero: not over yet."""
        apart = (self.versions[:, None] - self.days[None, :]).astype("timedelta64[D]").astype(np.int64)
        return apart // self.step


def triangle(table: Any, named: Named | None = None, as_of: date | None = None, today: date | None = None) -> Triangle:
    """The triangle of a table, up to ``as_of``. Rows that cannot be (reported before they happened, or after
    ``today``) are left out with a note. Raises BadRequest for a table that cannot be understood."""
    named = named or Named()
    arrow = _of_target(as_arrow(table), named.target)
    if not arrow.num_rows:
        raise BadRequest("the table has no rows", mend="give one row a case, or one an event and report date")
    event_name = columns.find(arrow, EVENT, named.event, "date of the event")
    report_name = columns.find(arrow, REPORT, named.report, "date of the report")
    if event_name == report_name:
        raise BadRequest(f"“{event_name}” cannot be both dates", mend="name the two date columns")
    value_name = columns.find(arrow, (*NEW, *columns.VALUE), named.value, "count", needed=named.value is not None)
    place_name = columns.find(arrow, columns.PLACE, named.place, "place", needed=named.place is not None)
    notes: list[Note] = []
    if value_name is None:
        arrow = _firsts(arrow, notes)
    event, report = (columns.dates(arrow.column(name), str(name)) for name in (event_name, report_name))
    many = columns.numbers(arrow.column(value_name), str(value_name)) if value_name else np.ones(arrow.num_rows)
    names, place = _places(arrow, place_name)
    kept = _possible(event, report, many, place, as_of, today, notes)
    event, report, many, place = event[kept], report[kept], many[kept], place[kept]
    if not len(event):
        raise BadRequest(
            "no row has a place, an event date and a later report date",
            where=f"columns {event_name}, {report_name}",
            mend="are the two date columns the right way round?",
        )
    is_known = named.known
    if is_known is None:
        is_known = value_name is not None and value_name.lower() not in NEW and _looks_known(event, report, many, place)
    return _grid(event, report, many, place, names, is_known, notes)


def _firsts(arrow: pa.Table, notes: list[Note]) -> pa.Table:
    """Rows of a line list but for those that `clean` marked as repeating another."""
    kept = duplicates.firsts(arrow)
    if again := arrow.num_rows - kept.num_rows:
        notes.append(Note("duplicates", f"{again} rows are marked as repeating another: not counted"))
    return kept


def _of_target(arrow: pa.Table, target: str | None) -> pa.Table:
    column = columns.find(arrow, columns.TARGET, None, "target", needed=False)
    if column is None:
        return arrow
    there = pc.unique(arrow.column(column)).to_pylist()
    if target is None and len(there) > 1:
        raise BadRequest(f"the table holds {len(there)} targets", mend=f"ask for one of: {', '.join(map(str, there))}")
    return arrow if target is None else arrow.filter(pc.equal(arrow.column(column), target))


def _places(arrow: pa.Table, name: str | None) -> tuple[list[str], NDArray[np.int64]]:
    """Names in order and the place of each row, -1 where empty."""
    if name is None:
        return ["all"], np.zeros(arrow.num_rows, np.int64)
    held = columns.words(arrow.column(name))
    there = held.dictionary.to_pylist()
    names = sorted(one for one in there if one is not None)
    order = {one: at for at, one in enumerate(names)}
    code = np.array([order[one] for one in there] or [0], np.int64)
    at = np.asarray(pc.fill_null(held.indices, -1)).astype(np.int64)
    return names, np.where(at >= 0, code[at], -1)


def _possible(
    event: Days, report: Days, many: Numbers, place: NDArray[np.int64], as_of: date | None, today: date | None,
    notes: list[Note],
) -> NDArray[np.bool_]:  # fmt: skip
    """Rows that can be used; each kind of others gets a note."""
    kept = np.ones(len(event), dtype=bool)

    def drop(which: NDArray[np.bool_], kind: str, what: str) -> None:
        which = which & kept
        if which.any():
            told = tuple(day(one) for one in np.unique(event[which & ~np.isnat(event)])[:10])
            notes.append(Note(kind, f"{int(which.sum())} rows {what}: left out", None, told))
            kept[which] = False

    drop(np.isnat(event) | np.isnat(report) | (place < 0) | np.isnan(many), "blank", "without a date, place or count")
    if today is not None:
        ahead = (report > np.datetime64(today)) | (event > np.datetime64(today))
        drop(ahead, "future", f"have a date after today ({today})")
    if as_of is not None:
        kept &= report <= np.datetime64(as_of)
    early = report < event
    if (early & kept).sum() > 0.5 * max(kept.sum(), 1):
        raise BadRequest(
            f"{int((early & kept).sum())} of {int(kept.sum())} rows were reported before they happened",
            where=columns.rows(np.flatnonzero(early & kept)),
            mend="are the two date columns the right way round?",
        )
    drop(early, "early", "were reported before they happened")
    return kept


def _looks_known(event: Days, report: Days, many: Numbers, place: NDArray[np.int64]) -> bool:
    """Whether counts of one event date stay or grow from report to report: then they are what was known."""
    order = np.lexsort((report, event, place))
    same = (np.diff(place[order]) == 0) & (np.diff(event[order]).astype(int) == 0) & (
        np.diff(report[order]).astype(int) > 0
    )  # fmt: skip
    before, after = many[order][:-1][same], many[order][1:][same]
    moved = (before != 0) | (after != 0)
    if not same.any():
        return False
    share = float((after[moved] >= before[moved]).mean()) if moved.any() else 1.0
    if share < FALLS:
        return False
    again = _named_again(event, report, place)
    if share >= RISES and again >= AGAIN:
        return True
    raise BadRequest(
        f"counts of one event date rise or stay in {share:.0%} of the reports, and {again:.0%} of later reports name "
        "it again: new reports, or what was known?",
        mend="say --increments or --known",
    )


def _named_again(event: Days, report: Days, place: NDArray[np.int64]) -> float:
    """How many of the report dates after its first one name an event date again; versions of a history name all."""
    days = (event - event.min()).astype(np.int64)
    cell = place * (days.max() + 1) + days
    dates, at = np.unique(report, return_inverse=True)
    first = np.full(cell.max() + 1, len(dates))
    np.minimum.at(first, cell, at)
    due = (len(dates) - first[first < len(dates)]).sum()
    return float(len(np.unique(cell * len(dates) + at)) / max(due, 1))


def _grid(
    event: Days, report: Days, many: Numbers, place: NDArray[np.int64], names: list[str], known: bool, notes: list[Note]
) -> Triangle:
    there = np.unique(event)
    gaps = np.diff(there).astype(int)
    step = WEEK if len(there) > 1 and (gaps % WEEK == 0).all() else 1
    one = np.timedelta64(1, "D")
    days = np.arange(there[0], there[-1] + one, np.timedelta64(step, "D"))
    versions = np.unique(report)
    if not known:
        last = np.unique(report)[-1]
        days = np.arange(there[0], max(there[-1], last if step == 1 else there[-1]) + one, np.timedelta64(step, "D"))
        versions = np.arange(versions[0], last + one, np.timedelta64(step, "D"))
        if versions[-1] < last:
            versions = np.append(versions, last)
    if (cells := len(versions) * len(days) * len(names)) > MOST_CELLS:
        raise TooLarge(
            f"{len(versions)} report dates × {len(days)} event dates × {len(names)} places are {cells:,} cells",
            mend=f"keep the recent dates, or fewer places (up to {MOST_CELLS:,} cells)",
        )
    at = (np.searchsorted(versions, report), (event - days[0]).astype(int) // step, place)
    if known:
        found = np.full((len(versions), len(days), len(names)), np.nan)
        found[at] = many
        flat = np.ravel_multi_index(at, found.shape)
        if (found.ravel()[flat] != many).any():
            raise BadRequest(
                "a place, event date and report date have two counts", mend="keep one of them, or name the place column"
            )
    else:
        found = np.zeros((len(versions), len(days), len(names)))
        np.add.at(found, at, many)
        found = np.cumsum(found, axis=0)
        found[versions[:, None] < days[None, :]] = np.nan
    return Triangle(versions, days, tuple(names), found, step, tuple(notes))
