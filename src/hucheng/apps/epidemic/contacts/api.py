"""Contacts for a notebook: tables of any kind in, the same kind out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from hucheng.apps.epidemic.contacts import proximity
from hucheng.apps.epidemic.contacts.index import Index
from hucheng.tables import like


@dataclass(frozen=True)
class Answer:
    """What was found, in the kind of table that was given.

    ``overlaps``: person, case, place, from, until, minutes (of two rings also ring, via), one row an overlap.
    ``persons``: person, minutes, overlaps, cases, first, last, the longest exposed first. ``notes``: what was left out
    and what is odd, a sentence each.
    """

    overlaps: Any
    persons: Any
    notes: tuple[str, ...]


def find_contacts(visits: Any, cases: Any, minutes: float = 15, ring: int = 1) -> Answer:
    """Who shared a place with a case within the case's period for at least ``minutes`` without a break.

    ``visits``: a table of person, place, arrive, leave, or an `Index`; ``cases``: a table of person, from, until. Times
    are seconds, or ISO 8601 with or without a zone, of one form. Raises BadRequest for what cannot be understood.
    """
    index = visits if isinstance(visits, Index) else Index.of(visits)
    found = index.contacts(cases, minutes, ring)
    kind = cases if isinstance(visits, Index) else visits
    return Answer(like(kind, found.overlaps), like(kind, found.persons), (*index.report.words(), *found.notes()))


def find_proximity_contacts(
    records: Any, cases: Any, minutes: float = 15, ring: int = 1, step: int | None = None
) -> Answer:
    """Who was near a case for at least ``minutes`` in all, by records t, i, j of a sensor; place is empty.

    ``step``: seconds a record lasts, where it is not the smallest time between two. Raises BadRequest.
    """
    found = proximity.contacts(records, cases, minutes, ring, step)
    return Answer(like(records, found.overlaps), like(records, found.persons), tuple(found.notes()))
