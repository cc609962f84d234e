"""What a search gives: overlaps as a table, people as a table, and what was noticed on the way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from hucheng.apps.epidemic.contacts import cases as given
from hucheng.apps.epidemic.contacts import clock
from hucheng.apps.epidemic.contacts.cases import Cases
from hucheng.apps.epidemic.contacts.clock import Form
from hucheng.apps.epidemic.contacts.exposure import Exposures, counted_once
from hucheng.apps.epidemic.contacts.ids import Dictionary
from hucheng.apps.epidemic.contacts.search import AT_ONCE, Overlaps, Search, Stays, stays_of
from hucheng.errors import BadRequest

RINGS = (1, 2)


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
    """Contacts of cases: `overlaps` is one row an overlap, `persons` one row a person; both are found when asked for.

    `pieces` gives the overlaps some cases at a time, for results that are larger than memory; `persons` afterwards
    stands for all of them.
    """

    def __init__(self, city: City, cases: Cases, minutes: float = 15, ring: int = 1) -> None:
        if ring not in RINGS:
            raise BadRequest(f"there is no ring {ring}", mend="ring 1: contacts; ring 2: their contacts, too")
        self.city, self.cases, self.ring = city, cases, ring
        self.need = seconds_of(minutes)
        self.codes = city.people.codes(cases.person)
        self.stays = stays_of(city.search.days, self.codes, cases.begin, cases.end)
        self._exposures: Exposures | None = None
        self._once = _periods_overlap(self.codes, cases)

    @cached_property
    def overlaps(self) -> pa.Table:
        """All overlaps: person, case, place, from, until, minutes; of two rings also ring and via."""
        parts = list(self.pieces(1 << 62))
        return pa.concat_tables(parts) if parts else self._empty()

    @cached_property
    def persons(self) -> pa.Table:
        """Everybody met: person, minutes, overlaps, cases, first, last. Of the first ring only."""
        if self._exposures is None:
            for _ in self._blocks(1 << 62):
                pass
        assert self._exposures is not None
        return self._exposures.table(self.city.people, self.city.form)

    @property
    def many(self) -> int:
        """How many people were met."""
        return self.persons.num_rows if self._exposures is None else len(self._exposures)

    def pieces(self, at_once: int = AT_ONCE) -> Iterator[pa.Table]:
        """Tables of overlaps of some cases at a time."""
        from hucheng.apps.epidemic.contacts.rings import second

        for found in self._blocks(at_once):
            yield self._table(found)
            if self.ring == 2:
                yield from second(self, found, at_once)

    def notes(self) -> list[str]:
        """What a person should know of the cases: left out, unknown, or nowhere within their period."""
        found = list(self.cases.notes)
        ids = self.cases.person
        unknown = self.codes < 0
        if unknown.any():
            names = pc.unique(ids.filter(pa.array(unknown))).to_pylist()
            found.append(f"{len(names):,} cases have no visit at all: {given.named(names)}")
        here = np.zeros(len(self.codes), np.bool_)
        here[self.stays.period] = True
        absent = ~unknown & ~here
        if absent.any():
            names = pc.unique(ids.filter(pa.array(absent))).to_pylist()
            found.append(f"{len(names):,} cases have a period without a visit: {given.named(names)}")
        if self._once.any():
            found.append(
                f"{len(np.unique(self.codes[self._once])):,} cases have periods that overlap: each lists its own "
                "overlaps; minutes of people count once"
            )
        return found

    def _blocks(self, at_once: int) -> Iterator[Overlaps]:
        exposures = Exposures(len(self.city.people))
        for found in self.city.search.overlaps(self.stays, self.need, at_once):
            period = found.period
            case = self.codes[period]
            twice = self._once[period] if self._once.any() else None
            if twice is not None and twice.any():
                place = np.repeat(found.stays.place, found.counts)
                exposures.add(
                    *counted_once(found.person[twice], case[twice], place[twice], found.begin[twice], found.end[twice])
                )
                found_once = (found.person[~twice], case[~twice], found.begin[~twice], found.end[~twice])
                exposures.add(*found_once)
            else:
                exposures.add(found.person, case, found.begin, found.end)
            yield found
        self._exposures = exposures

    def _table(self, found: Overlaps, ring: int = 1, case: Any = None, via: Any = None) -> pa.Table:
        """Overlaps with ids and times as they came in."""
        city, form = self.city, self.city.form
        if case is None:
            case = self.codes[found.stays.period]
        columns = {
            "person": city.people.take(found.person),
            "case": city.people.take(np.repeat(case, found.counts)),
            "place": city.places.take(np.repeat(found.stays.place, found.counts)),
            "from": clock.write(found.begin, form),
            "until": clock.write(found.end, form),
            "minutes": pa.array((found.end - found.begin) / 60.0),
        }
        if self.ring == 2:
            none = np.full(len(found.stays), -1, np.int32)
            columns["ring"] = pa.array(np.full(len(found.person), ring, np.int8))
            columns["via"] = city.people.take(np.repeat(none if via is None else via, found.counts))
        return pa.table(columns)

    def _empty(self) -> pa.Table:
        no, none = np.zeros(0, np.int64), np.zeros(0, np.int32)
        return self._table(Overlaps(Stays(no, none, none, no, no), no, none, no, no))

    def schema(self) -> pa.Schema:
        """The columns of `overlaps`."""
        return self._empty().schema


def _periods_overlap(codes: NDArray[np.int32], cases: Cases) -> NDArray[np.bool_]:
    """Periods of people some of whose periods share time."""
    order = np.lexsort((cases.begin, codes))
    end = cases.end[order]
    same = (np.diff(codes[order]) == 0) & (codes[order][1:] >= 0)
    overlap = same & (cases.begin[order][1:] < end[:-1])
    return np.isin(codes, codes[order][1:][overlap])


@dataclass(frozen=True)
class Summary:
    """Counts of a run, for the terminal and for programs."""

    cases: int
    overlaps: int
    people: int
    notes: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {"cases": self.cases, "overlaps": self.overlaps, "people": self.people, "notes": list(self.notes)}
