"""Visits as they come, cleaned: what cannot be a stay is left out with its reason, what is odd is counted and kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.contacts import clock
from hucheng.apps.epidemic.contacts.clock import SECONDS_A_DAY, Form
from hucheng.errors import BadRequest
from hucheng.files import tables

PERSON = ("person", "person_id", "resident_id", "user_id", "id", "人员", "人员编号")
PLACE = ("place", "place_id", "location", "location_id", "venue", "场所", "地点", "场所编号")
ARRIVE = ("arrive", "arrival", "arrived_at", "check_in", "start", "到达", "到达时间", "进入时间")
LEAVE = ("leave", "departure", "left_at", "check_out", "end", "离开", "离开时间")

LONG_S = SECONDS_A_DAY
"""Stays that last longer are kept, and reported."""
LATEST_S = 7_258_118_400
"""2200-01-01. A time from here on, or below zero, is none of a visit."""
LONGEST_S = 60 * 366 * SECONDS_A_DAY
SHOWN = 5

REASONS = (
    "",
    "no person",
    "no place",
    "arrival is empty or no time",
    "departure is empty or no time",
    "a time is before 1970 or after 2199",
    "leaves before it arrives",
    "lasts no time",
    "lasts longer than 60 years",
)


@dataclass
class Report:
    """What was found in the visits. Rows read = kept + left out; of the kept, what is odd."""

    rows: int = 0
    kept: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    samples: list[str] = field(default_factory=list)
    """The first rows that were left out, in words."""
    long: int = 0
    longest_s: int = 0
    merged: int = 0
    """Stays that touch or overlap one of the same person and place on the same day, and were joined to it."""
    at_two_places: int = 0
    """Stays that begin while the same person is still at another place. Both are kept."""
    fractions: int = 0
    """Times with a fraction of a second, which was left off."""

    def words(self) -> list[str]:
        """The findings, a line each."""
        found = [f"{some(many, 'visit')} left out: {why}" for why, many in self.left_out.most_common()]
        found += [f"  {one}" for one in self.samples]
        more = sum(self.left_out.values()) - len(self.samples)
        if self.samples and more:
            found.append(f"  … and {more:,} more")
        if self.long:
            longest = f"{self.longest_s / 3600:,.1f} h"
            found.append(f"{some(self.long, 'visit')} longer than 24 hours (the longest {longest}): kept")
        if self.at_two_places:
            found.append(
                f"{some(self.at_two_places, 'visit')} begun while the same person is at another place: both kept"
            )
        if self.merged:
            found.append(
                f"{some(self.merged, 'visit')} touching or overlapping one of the same person and place: joined"
            )
        if self.fractions:
            found.append(f"{some(self.fractions, 'time')} with a fraction of a second: left off")
        return found

    def as_json(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__} | {"left_out": dict(self.left_out)}


@dataclass(frozen=True)
class Piece:
    """Visits that can be stays: ids as they came, times in seconds, the day (of their own clock) they begin on."""

    person: pa.ChunkedArray
    place: pa.ChunkedArray
    arrive: NDArray[np.int64]
    leave: NDArray[np.int64]
    day: NDArray[np.int64]
    rejects: pa.Table
    """Rows left out: file, row (the first is 1), the four columns as they came, reason."""


@dataclass
class Source:
    """Tables of visits and the name by which a person knows where they come from."""

    name: str
    tables: Iterable[pa.Table]

    @classmethod
    def of_file(cls, path: Path) -> Source:
        return cls(str(path), (table for table, _, _ in tables(path)))


class Reader:
    """Cleans tables of visits, one after another; remembers the form of their times, and what it found."""

    def __init__(self, form: Form | None = None) -> None:
        self.begin(form)

    def begin(self, form: Form | None) -> None:
        """Forget what was read; ``form``: how times must be written, if that is known."""
        self.form = form
        self.report = Report()

    def read(self, source: Source) -> Iterator[Piece]:
        """The visits of a source, table by table. Raises BadRequest for missing columns and for times in two forms."""
        row = 0
        for table in source.tables:
            if row == 0:
                self._columns(table, source.name)
            yield self._piece(table, source.name, row)
            row += table.num_rows

    def _columns(self, table: pa.Table, where: str) -> list[str]:
        found = []
        for names, what in ((PERSON, "person"), (PLACE, "place"), (ARRIVE, "arrival"), (LEAVE, "departure")):
            try:
                found.append(str(columns.find(table, names, None, what)))
            except BadRequest as error:
                raise BadRequest(error.what, where=f"{where}: {error.where}", mend=f"name it {names[0]}") from None
        return found

    def _piece(self, table: pa.Table, where: str, before: int) -> Piece:
        names = self._columns(table, where)
        person, place, arrive, leave = (table.column(name) for name in names)
        times = []
        for column, name in ((arrive, names[2]), (leave, names[3])):
            read = clock.read(column, name)
            if read.form is not None:
                self.form = self.form or read.form
                self.form.refuse_other(read.form, f"{where}: “{name}”")
            self.report.fractions += read.cut
            times.append(read)
        begin, end = times[0].seconds, times[1].seconds
        reason = np.zeros(table.num_rows, np.int8)
        length = end - begin
        for code, wrong in (
            (8, length > LONGEST_S),
            (7, length == 0),
            (6, length < 0),
            (5, (begin < 0) | (end < 0) | (begin >= LATEST_S) | (end >= LATEST_S)),
            (4, end == clock.NOTHING),
            (3, begin == clock.NOTHING),
            (2, _empty(place)),
            (1, _empty(person)),
        ):
            reason[wrong] = code
        bad = np.flatnonzero(reason)
        report = self.report
        report.rows += table.num_rows
        report.kept += table.num_rows - len(bad)
        rejects = self._rejects(table.select(names), bad, reason, where, before) if len(bad) else _none()
        if len(bad):
            good = np.flatnonzero(reason == 0)
            rows = pa.array(good)
            person, place = person.take(rows), place.take(rows)
            begin, end, length = begin[good], end[good], length[good]
            local = times[0].local if isinstance(times[0].local, int) else times[0].local[good]
        else:
            local = times[0].local
        if len(length):
            report.long += int((length > LONG_S).sum())
            report.longest_s = max(report.longest_s, int(length.max()))
        return Piece(person, place, begin, end, (begin + local) // SECONDS_A_DAY, rejects)

    def _rejects(self, table: pa.Table, bad: NDArray[Any], reason: NDArray[Any], where: str, before: int) -> pa.Table:
        some = table.take(pa.array(bad))
        texts = [pc.cast(one, pa.string()) for one in some.columns]
        why = [REASONS[one] for one in reason[bad]]
        self.report.left_out.update(why)
        for at in range(min(SHOWN - len(self.report.samples), len(bad))):
            held = ", ".join("" if (one := text[at].as_py()) is None else one for text in texts)
            self.report.samples.append(f"{where}, row {before + int(bad[at]) + 1}: {held} ({why[at]})")
        numbers = pa.array(before + bad + 1, pa.int64())
        return pa.table([pa.array([where] * len(bad)), numbers, *texts, pa.array(why)], schema=REJECTS)


REJECTS = pa.schema(
    [("file", pa.string()), ("row", pa.int64())]
    + [(name, pa.string()) for name in ("person", "place", "arrive", "leave", "reason")]
)


def _none() -> pa.Table:
    return REJECTS.empty_table()


def _empty(column: pa.ChunkedArray) -> NDArray[np.bool_]:
    """Where an id is null or blank."""
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        blank = pc.equal(pc.utf8_trim_whitespace(column), "")
        return np.asarray(pc.fill_null(blank, True))
    if pa.types.is_dictionary(kind):
        return _empty(pc.cast(column, kind.value_type))
    found: NDArray[np.bool_] = np.asarray(pc.is_null(column, nan_is_null=True))
    return found
