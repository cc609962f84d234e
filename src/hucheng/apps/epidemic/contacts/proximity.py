"""Contacts from proximity sensors: records that two people were near each other at a time.

A record (t, i, j) lasts the file's smallest time step; a pair's records add up, with or without breaks. Work grows with
the cases' own records: every record lies under both its people, sorted by time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.apps.epidemic import columns
from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.contacts import cases as given
from hucheng.apps.epidemic.contacts import clock, ids
from hucheng.apps.epidemic.contacts.cases import Cases
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.apps.epidemic.contacts.exposure import Exposures
from hucheng.apps.epidemic.contacts.found import RINGS, seconds_of
from hucheng.apps.epidemic.contacts.ids import Dictionary
from hucheng.errors import BadRequest
from hucheng.tables import as_arrow

TIME = ("t", "time", "timestamp", "时间")
ONE = ("i", "person", "person_i", "id1", "p1", "source")
OTHER = ("j", "contact", "person_j", "id2", "p2", "target")
AT_ONCE = 200_000
"""Rows of a result given at one time."""


@dataclass(frozen=True)
class Records:
    """Records under each of their two people, by person and time."""

    people: Dictionary
    offsets: NDArray[np.int64]
    other: NDArray[np.int32]
    t: NDArray[np.int64]
    step: int
    """Seconds that one record lasts."""
    form: Form
    many: int
    notes: tuple[str, ...]

    @classmethod
    def of(cls, table: Any, step: int | None = None) -> Records:
        """Records of a table of any kind: t, i, j. ``step``: seconds a record lasts, where the times cannot tell.

        Raises BadRequest for missing columns, and where all records are of one time and no step is given.
        """
        arrow = as_arrow(table)
        names = [str(columns.find(arrow, one, None, what)) for one, what in (
            (TIME, "time"), (ONE, "first person"), (OTHER, "second person"))]  # fmt: skip
        read = clock.read(arrow.column(names[0]), names[0])
        both = [arrow.column(name) for name in names[1:]]
        kind = ids.NUMBERS if all(ids.kind_of(one) == ids.NUMBERS for one in both) else ids.WORDS
        pair = [ids.plain(one, kind) for one in both]
        good = (read.seconds != clock.NOTHING) & ~np.asarray(pair[0].is_null()) & ~np.asarray(pair[1].is_null())
        notes = []
        if blank := int((~good).sum()):
            what = columns.rows(np.flatnonzero(~good))
            notes.append(
                f"{some(blank, 'record')} left out: without a person, or without a time that can be read ({what})"
            )
        if read.cut:
            notes.append(f"{some(read.cut, 'time')} with a fraction of a second: left off")
        coder = ids.Coder(Dictionary(kind, []))
        rows = pa.array(np.flatnonzero(good))
        code = [coder.codes(one.take(rows)) for one in pair]
        segment, final = coder.finish()
        i, j, t = final[code[0]], final[code[1]], read.seconds[good]
        if alone := int((i == j).sum()):
            notes.append(f"{some(alone, 'record')} left out: of one person with themselves")
        i, j, t = i[i != j], j[i != j], t[i != j]
        if not len(t) or read.form is None:
            raise BadRequest(
                "no record has a time and two people", where="; ".join(notes) or None, mend="mend the file"
            )
        order = np.lexsort((t, np.maximum(i, j), np.minimum(i, j)))
        i, j, t = np.minimum(i, j)[order], np.maximum(i, j)[order], t[order]
        again = (np.diff(i, prepend=-1) == 0) & (np.diff(j, prepend=-1) == 0) & (np.diff(t, prepend=t[0] - 1) == 0)
        if again.any():
            notes.append(f"{some(int(again.sum()), 'record')} of a pair and time that is there already: counted once")
            i, j, t = i[~again], j[~again], t[~again]
        who, whom, when = np.concatenate([i, j]), np.concatenate([j, i]), np.concatenate([t, t])
        order = np.lexsort((when, who))
        offsets = np.searchsorted(who[order], np.arange(len(final) + 1))
        return cls(
            Dictionary(kind, [segment]), offsets, whom[order], when[order], step or _step(t), read.form, len(t),
            tuple(notes),
        )  # fmt: skip


class ProximityContacts:
    """Contacts of cases by sensor: the same tables as of visits, with one row a pair and case, and no place.

    ``from`` and ``until`` are the times of the pair's first and last record within the period.
    """

    def __init__(self, records: Records, cases: Cases, minutes: float = 15, ring: int = 1) -> None:
        if ring not in RINGS:
            raise BadRequest(f"there is no ring {ring}", mend="ring 1: contacts; ring 2: their contacts, too")
        self.records, self.cases, self.ring = records, cases, ring
        self.need = seconds_of(minutes)
        self.codes = records.people.codes(cases.person)

    @property
    def overlaps(self) -> pa.Table:
        """All rows: person, case, place (empty), from, until, minutes; of two rings also ring and via."""
        return pa.concat_tables([self._table([]), *self.pieces(self.exposures())])

    @property
    def persons(self) -> pa.Table:
        """Everybody met: person, minutes, overlaps, cases, first, last. Of the first ring."""
        exposures = self.exposures()
        for _ in self.pieces(exposures):
            pass
        return self.ranked(exposures)

    @property
    def people(self) -> pa.Array:
        """Ids of everybody met."""
        return self.persons.column("person").combine_chunks()

    def exposures(self) -> Exposures:
        """Empty sums, to be given to `pieces`."""
        return Exposures(len(self.records.people))

    def ranked(self, exposures: Exposures) -> pa.Table:
        """Sums as a table, the longest exposed first."""
        return exposures.table(self.records.people, self.records.form)

    def schema(self) -> pa.Schema:
        """The columns of `overlaps`."""
        return self._table([]).schema

    def notes(self) -> list[str]:
        """What a person should know of the records and of the cases."""
        found = [*self.records.notes, *self.cases.notes]
        silent = [not self._between(code, begin, end)[0].size for code, begin, end in self._periods()]
        if any(silent):
            names = pa.array(self.cases.person).filter(pa.array(silent)).unique().to_pylist()
            found.append(f"{some(len(names), 'case')} without a record in a period: {given.named(names)}")
        found.append(f"a record lasts {self.records.step} s")
        return found

    def pieces(self, exposures: Exposures, at_once: int = AT_ONCE) -> Iterator[pa.Table]:
        """Tables of rows; each person's sums are brought up to date, records of two periods of a case counted once."""
        held: list[tuple[Any, ...]] = []
        many = 0
        for at, (code, begin, end) in enumerate(self._periods()):
            row = self._met(code, begin, end, self.need)
            held.append((*row, code, 1, -1))
            if self.ring == 2:
                held += self._second(code, *row)
            many = sum(len(one[0]) for one in held)
            if many > at_once:
                yield self._table(held)
                held = []
            if at + 1 == len(self.codes) or self.codes[at + 1] != code:
                self._expose(exposures, code)
        if held:
            yield self._table(held)

    def _periods(self) -> Iterator[tuple[int, int, int]]:
        return zip(self.codes.tolist(), self.cases.begin.tolist(), self.cases.end.tolist(), strict=True)

    def _between(self, code: int, begin: int, end: int) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
        """Whom a person was near and when, begin ≤ t ≤ end."""
        if code < 0:
            return np.zeros(0, np.int32), np.zeros(0, np.int64)
        low, high = self.records.offsets[code], self.records.offsets[code + 1]
        t = self.records.t[low:high]
        low, high = low + np.searchsorted(t, begin), low + np.searchsorted(t, end, side="right")
        return self.records.other[low:high], self.records.t[low:high]

    def _met(self, code: int, begin: int, end: int, need: int) -> tuple[NDArray[Any], ...]:
        """People near whom somebody was long enough: who, first record, last record, seconds."""
        return _added_up(*self._between(code, begin, end), self.records.step, need)

    def _second(self, code: int, who: Any, first: Any, last: Any, seconds: Any) -> list[tuple[Any, ...]]:
        """What contacts met from their own first record with the case on, until the case's last period ends."""
        until = int(self.cases.end[self.codes == code].max())
        inner = np.append(who, code)
        rows = []
        for via, since in zip(who.tolist(), first.tolist(), strict=True):
            found = self._met(via, since, until, self.need)
            outer = ~np.isin(found[0], inner)
            rows.append((*(one[outer] for one in found), code, 2, via))
        return rows

    def _expose(self, exposures: Exposures, code: int) -> None:
        """Sums of one case's contacts: pairs that count in some period, and their records in all such periods."""
        parts = []
        for row in np.flatnonzero(self.codes == code):
            begin, end = int(self.cases.begin[row]), int(self.cases.end[row])
            other, t = self._between(code, begin, end)
            kept = np.isin(other, self._met(code, begin, end, self.need)[0])
            parts.append(np.stack([other[kept].astype(np.int64), t[kept]]))
        pairs = np.unique(np.concatenate(parts, axis=1), axis=1)
        who, first, last, seconds = _added_up(pairs[0].astype(np.int32), pairs[1], self.records.step, 1)
        exposures.add(who, np.full(len(who), code, np.int32), first, last, seconds)

    def _table(self, rows: list[tuple[Any, ...]]) -> pa.Table:
        none = np.zeros(0, np.int64)
        rows = [(none.astype(np.int32), none, none, none, -1, 1, -1), *rows]
        who, first, last, seconds = (np.concatenate([one[at] for one in rows]) for at in range(4))
        case, ring, via = (
            np.repeat(np.array([one[at] for one in rows], np.int32), [len(one[0]) for one in rows]) for at in (4, 5, 6)
        )
        people, form = self.records.people, self.records.form
        columns = {
            "person": people.take(who),
            "case": people.take(case),
            "place": pa.nulls(len(who), pa.string()),
            "from": clock.write(first, form),
            "until": clock.write(last, form),
            "minutes": pa.array(seconds / 60.0),
        }
        if self.ring == 2:
            columns |= {"ring": pa.array(ring.astype(np.int8)), "via": people.take(via)}
        return pa.table(columns)


def contacts(table: Any, cases: Any, minutes: float = 15, ring: int = 1, step: int | None = None) -> ProximityContacts:
    """Contacts of cases from records of proximity; both tables of any kind. Raises BadRequest."""
    records = Records.of(table, step)
    return ProximityContacts(records, given.read(as_arrow(cases), records.form), minutes, ring)


def _added_up(other: NDArray[Any], t: NDArray[np.int64], step: int, need: int) -> tuple[NDArray[Any], ...]:
    """Records by person: who, first, last, seconds; of those whose seconds suffice."""
    order = np.argsort(other, kind="stable")
    other, t = other[order], t[order]
    starts = np.flatnonzero(np.diff(other, prepend=-1))
    ends = np.append(starts, len(other))[1:]
    seconds = (ends - starts) * step
    kept = seconds >= need
    return other[starts][kept], t[starts][kept], t[ends - 1][kept], seconds[kept]


def _step(t: NDArray[np.int64]) -> int:
    """The smallest time between two records of different times."""
    times = np.unique(t)
    if len(times) < 2:
        raise BadRequest(
            "all records are of one time: how long one lasts cannot be seen", mend="say it in seconds: --step 20"
        )
    return int(np.diff(times).min())
