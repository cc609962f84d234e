"""Cases: who was infectious from when until when. One row a period; a person may have several."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.contacts import clock
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.errors import BadRequest

PERSON = ("person", "person_id", "resident_id", "case", "case_id", "id", "人员", "人员编号", "病例")
FROM = ("from", "since", "start", "begin", "起", "开始", "开始时间")
UNTIL = ("until", "to", "end", "止", "结束", "结束时间")
SHOWN = 5


@dataclass(frozen=True)
class Cases:
    """Periods, those of one person side by side, in the order in which the people first come."""

    person: Any
    """Ids, as they came (Arrow)."""
    begin: NDArray[np.int64]
    end: NDArray[np.int64]
    form: Form | None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.begin)


def read(table: pa.Table, form: Form | None) -> Cases:
    """The cases of a table; ``form``: how the visits write times.

    Rows without a person or a readable period, and periods that end before they begin, are left out and noted. Raises
    BadRequest for missing columns and for times in another form than the visits'.
    """
    person = columns.find(table, PERSON, None, "person")
    found, notes, reason = [], [], np.zeros(table.num_rows, np.int8)
    for names, what in ((FROM, "beginning of the period"), (UNTIL, "end of the period")):
        name = str(columns.find(table, names, None, what))
        column = table.column(name)
        one = clock.read(column, name)
        if one.form is not None and form is not None:
            form.refuse_other(one.form, f"cases: “{name}”, and the visits")
        form = form or one.form
        reason[one.seconds == clock.NOTHING] = 2
        found.append(one)
        if names is UNTIL and _dates(column, one.form):
            notes.append(f"“{name}” holds dates: a period ends as that day begins; write the next day to include it")
    begin, end = (np.clip(one.seconds, -(2**61), 2**61) for one in found)
    reason[(reason == 0) & (end < begin)] = 3
    ids = table.column(person)
    ids = pc.cast(ids, ids.type.value_type) if pa.types.is_dictionary(ids.type) else ids
    blank = pc.fill_null(pc.equal(pc.utf8_trim_whitespace(pc.cast(ids, pa.string())), ""), True)
    reason[np.asarray(blank)] = 1
    for code, why in enumerate(("no person", "a time is empty or cannot be read", "ends before it begins"), 1):
        if len(bad := np.flatnonzero(reason == code)):
            notes.append(f"{columns.some(len(bad), 'case')} left out: {why} ({columns.rows(bad)})")
    good = np.flatnonzero(reason == 0)
    if not len(good):
        raise BadRequest(
            "no case has a person and a period",
            where="; ".join(notes) or "the table is empty",
            mend="write times as 2026-01-31 08:00:00, or in whole seconds",
        )
    ids = ids.take(pa.array(good)).combine_chunks()
    held = pc.dictionary_encode(ids).indices
    order = np.argsort(np.asarray(held), kind="stable")
    good = good[order]
    return Cases(ids.take(pa.array(order)), begin[good], end[good], form, tuple(notes))


def named(ids: list[Any]) -> str:
    """Some ids in words."""
    more = len(ids) - SHOWN
    return ", ".join(str(one) for one in ids[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")


def _dates(column: pa.ChunkedArray, form: Form | None) -> bool:
    """Whether times are days without an hour."""
    if form is None or form.kind == "seconds":
        return False
    if pa.types.is_date(column.type):
        return True
    return form.text and bool(pc.any(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(column)), 10)).as_py())
