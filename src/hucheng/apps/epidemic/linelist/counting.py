"""From a cleaned line list to counts: by day and place, and by day of the event, day of the report and place."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps.epidemic.linelist.duplicates import firsts
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow, like

EVENTS = ("date_onset", "date_diagnosis", "date_report")
ALL = "all"
LONGEST = 3660
"""Days that counts may span."""


def counts(cleaned: Any, by: str | None = None, duplicates: bool = False, today: date | None = None) -> Any:
    """New cases by date and place, days without a case included: date, location, value.

    Dates after ``today`` are no cases yet.
    ``by``: the date column [onset, else diagnosis, else report]; rows without it are not counted. ``duplicates``:
    whether rows that are marked as repeating another count, too. Raises BadRequest where there is no such date.
    """
    arrow = as_arrow(cleaned) if duplicates else firsts(as_arrow(cleaned))
    name = by or next(
        (one for one in EVENTS if one in arrow.column_names and arrow.column(one).null_count < len(arrow)), None
    )
    if name is None or name not in arrow.column_names:
        raise BadRequest(f"there is no date column {by or 'to count by'}", mend=f"count by one of {', '.join(EVENTS)}")
    known = _by_place(arrow, [name], today)
    tally = known.group_by([name, "place"]).aggregate([([], "count_all")])
    seen = dict(
        zip(zip(tally.column("place").to_pylist(), tally.column(name).to_pylist(), strict=True),
            tally.column("count_all").to_pylist(), strict=True)
    )  # fmt: skip
    if not seen:
        raise BadRequest(f"no row has a {name}", mend="count by another date")
    first, last = min(day for _, day in seen), max(day for _, day in seen)
    if (last - first).days > LONGEST:
        raise BadRequest(
            f"{name} runs from {first} to {last}: more than ten years", mend="mend the date that is out of place"
        )
    days = [first + timedelta(at) for at in range((last - first).days + 1)]
    places = sorted({place for place, _ in seen})
    rows = [(day, place, seen.get((place, day), 0)) for place in places for day in days]
    when, where, many = zip(*rows, strict=True)
    table = pa.table(
        {"date": pa.array(when, pa.date32()), "location": pa.array(where), "value": pa.array(many, pa.int64())}
    )
    return like(cleaned, table)


def triangle(
    cleaned: Any, event: str = "date_onset", report: str = "date_report", duplicates: bool = False,
    today: date | None = None,
) -> Any:  # fmt: skip
    """New reports by event date, report date and place: event_date, report_date, location, new_reports; for `nowcast`.

    Rows without both dates, reported before the event, or after ``today``, are not counted.
    Raises BadRequest where none has both.
    """
    arrow = as_arrow(cleaned) if duplicates else firsts(as_arrow(cleaned))
    for name in (event, report):
        if name not in arrow.column_names:
            raise BadRequest(
                f"there is no {name}: a triangle needs the event's and the report's date", mend="name others"
            )
    known = _by_place(arrow, [event, report], today)
    known = known.filter(pc.less_equal(known.column(event), known.column(report)))
    if not known.num_rows:
        raise BadRequest(f"no row has a {event} and a later {report}", mend="count by one date instead")
    tally = known.group_by([event, report, "place"]).aggregate([([], "count_all")])
    tally = tally.sort_by([("place", "ascending"), (event, "ascending"), (report, "ascending")])
    table = pa.table(
        {
            "event_date": tally.column(event), "report_date": tally.column(report), "location": tally.column("place"),
            "new_reports": tally.column("count_all"),
        }
    )  # fmt: skip
    return like(cleaned, table)


def _by_place(arrow: pa.Table, dates: list[str], today: date | None) -> pa.Table:
    """Rows with all those dates, none after today, and a place for each (one for all where the list has none)."""
    for name in dates:
        arrow = arrow.filter(pc.is_valid(arrow.column(name)))
        if today is not None:
            arrow = arrow.filter(pc.less_equal(pc.cast(arrow.column(name), pa.date32()), pa.scalar(today, pa.date32())))
    place = (
        pc.fill_null(arrow.column("place"), ALL)
        if "place" in arrow.column_names
        else pa.chunked_array([pa.array([ALL] * arrow.num_rows, pa.string())])
    )
    kept = {name: pc.cast(arrow.column(name), pa.date32()) for name in dates}
    return pa.table({**kept, "place": place})
