"""What a search gives: overlaps as a table, people as a table, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.contacts import cases as given
from hucheng.apps.epidemic.contacts import clock, kernels
from hucheng.apps.epidemic.contacts.cases import Cases
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.apps.epidemic.contacts.exposure import Exposures, counted_once
from hucheng.apps.epidemic.contacts.ids import Dictionary
from hucheng.apps.epidemic.contacts.search import AT_ONCE, Overlaps, Search, Stays, stays_of
from hucheng.errors import BadRequest

RINGS = (1, 2)
EVERYTHING = 1 << 62


class City(Protocol):
    """Where a search looks: days with the dictionaries of their codes."""

    people: Dictionary
    places: Dictionary
    form: Form

    @property
    def search(self) -> Search: ...


def seconds_of(minutes: float) -> int:
    """The least whole seconds that an overlap must last. Raises BadRequest for what is no bound."""
    if not 0 <= minutes <= 60 * 24 * 366:
        raise BadRequest(f"{minutes:g} minutes are no bound for an overlap", mend="give a number from 0 on")
    return max(1, int(np.ceil(round(minutes * 60, 6))))


class Contacts:
    """Contacts of cases: `overlaps`, one row an overlap; `people`, everybody met; `persons`, what it adds up to.

    Each is found when it is asked for. `pieces` gives the overlaps some cases at a time, for results that are larger
    than memory.
    """

    def __init__(self, city: City, cases: Cases, minutes: float = 15, ring: int = 1) -> None:
        if ring not in RINGS:
            raise BadRequest(f"there is no ring {ring}", mend="ring 1: contacts; ring 2: their contacts, too")
        self.city, self.cases, self.ring = city, cases, ring
        self.need = seconds_of(minutes)
        self.codes = city.people.codes(cases.person)
        self.stays = stays_of(city.search.days, self.codes, cases.begin, cases.end)
        self._once = _periods_overlap(self.codes, cases)

    @cached_property
    def overlaps(self) -> pa.Table:
        """All overlaps: person, case, place, from, until, minutes; of two rings also ring and via."""
        parts = [piece for found in self._found for piece in self._tables(found, EVERYTHING)]
        return pa.concat_tables(parts) if parts else self._empty()

    @cached_property
    def people(self) -> pa.Array:
        """Ids of everybody met, each once, in the order of the dictionary. Of the first ring."""
        marks = np.zeros(len(self.city.people), np.bool_)
        for found in self._found:
            kernels.mark(found.person, marks)
        return self.city.people.take(np.flatnonzero(marks).astype(np.int32))

    @cached_property
    def persons(self) -> pa.Table:
        """Everybody met: person, minutes, overlaps, cases, first, last. Of the first ring."""
        exposures = self.exposures()
        for found in self._found:
            self._expose(exposures, found)
        return self.ranked(exposures)

    def exposures(self) -> Exposures:
        """Empty sums, to be given to `pieces`."""
        return Exposures(len(self.city.people))

    def ranked(self, exposures: Exposures) -> pa.Table:
        """Sums as a table, the longest exposed first."""
        return exposures.table(self.city.people, self.city.form)

    def pieces(self, exposures: Exposures, at_once: int = AT_ONCE) -> Iterator[pa.Table]:
        """Tables of overlaps of some cases at a time; each person's sums are brought up to date."""
        for found in self.city.search.overlaps(self.stays, self.need, at_once):
            self._expose(exposures, found)
            yield from self._tables(found, at_once)

    def notes(self) -> list[str]:
        """What a person should know of the cases: left out, unknown, or nowhere within their period."""
        found = list(self.cases.notes)
        ids = self.cases.person
        unknown = self.codes < 0
        if unknown.any():
            names = pc.unique(ids.filter(pa.array(unknown))).to_pylist()
            found.append(f"{some(len(names), 'case')} without any visit: {given.named(names)}")
        here = np.zeros(len(self.codes), np.bool_)
        here[self.stays.period] = True
        absent = ~unknown & ~here
        if absent.any():
            names = pc.unique(ids.filter(pa.array(absent))).to_pylist()
            found.append(f"{some(len(names), 'case')} without a visit in a period: {given.named(names)}")
        if self._once.any():
            many = some(len(np.unique(self.codes[self._once])), "case")
            what = "each lists its own overlaps; a person's minutes with that case count once"
            found.append(f"{many} with periods that overlap: {what}")
        return found

    @cached_property
    def _found(self) -> list[Overlaps]:
        return list(self.city.search.overlaps(self.stays, self.need, EVERYTHING))

    def _tables(self, found: Overlaps, at_once: int) -> Iterator[pa.Table]:
        from hucheng.apps.epidemic.contacts.rings import second

        yield self._table(found)
        if self.ring == 2:
            yield from second(self, found, at_once)

    def _expose(self, exposures: Exposures, found: Overlaps) -> None:
        """Add overlaps to the sums; what two periods of a case list is counted once."""
        period = found.period
        case, begin, end = self.codes[period], found.begin, found.end
        if not self._once[found.stays.period].any():
            exposures.add(found.person, case, begin, end)
            return
        place = np.repeat(found.stays.place, found.counts)
        exposures.add(*counted_once(found.person, case, place, begin, end))

    def _table(self, found: Overlaps, ring: int = 1, case: Any = None, via: Any = None) -> pa.Table:
        """Overlaps with ids and times as they came in."""
        city, form = self.city, self.city.form
        if case is None:
            case = self.codes[found.stays.period]
        columns = {
            "person": city.people.take(found.person),
            "case": _each(city.people.take(case), found.counts),
            "place": _each(city.places.take(found.stays.place), found.counts),
            "from": clock.write(found.begin, form),
            "until": clock.write(found.end, form),
            "minutes": pa.array((found.end - found.begin) / 60.0),
        }
        if self.ring == 2:
            none = np.full(len(found.stays), -1, np.int32)
            columns["ring"] = pa.array(np.full(len(found.person), ring, np.int8))
            columns["via"] = _each(city.people.take(none if via is None else via), found.counts)
        return pa.table(columns)

    def _empty(self) -> pa.Table:
        no, none = np.zeros(0, np.int64), np.zeros(0, np.int32)
        return self._table(Overlaps(Stays(no, none, none, no, no), no, none, no, no))

    def schema(self) -> pa.Schema:
        """The columns of `overlaps`."""
        return self._empty().schema


def _each(ids: pa.Array, counts: NDArray[np.int64]) -> pa.Array:
    """Every id as often as is said."""
    if pa.types.is_int64(ids.type) and not ids.null_count:
        return pa.array(np.repeat(np.asarray(ids), counts))
    return ids.take(pa.array(np.repeat(np.arange(len(ids)), counts)))


def _periods_overlap(codes: NDArray[np.int32], cases: Cases) -> NDArray[np.bool_]:
    """Periods of people some of whose periods share time."""
    order = np.lexsort((cases.begin, codes))
    end = cases.end[order]
    same = (np.diff(codes[order]) == 0) & (codes[order][1:] >= 0)
    overlap = same & (cases.begin[order][1:] < end[:-1])
    return np.isin(codes, codes[order][1:][overlap])
