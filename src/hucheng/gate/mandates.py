"""Mandates as the gate takes them: what holds between a carer and a resident now, and whether she answers by it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from hucheng.base.registers import Registers
from hucheng.errors import NotFound
from hucheng.gate.principals import Principals
from hucheng.gate.stores import MANDATES


class Span(Struct, frozen=True):
    """A mandate and how long it holds: as it says itself, and as long as the register does."""

    data: Mapping[str, Any]
    begin: datetime
    end: datetime | None

    def holds(self, at: datetime) -> bool:
        """Whether it is in force."""
        return self.begin <= at and (self.end is None or self.end > at)


class Mandates:
    """Looks them up at their source each time, so that one that ends is over at once."""

    def __init__(self, registers: Registers, principals: Principals, clock: Callable[[], datetime]) -> None:
        self._registers, self._principals, self._clock = registers, principals, clock

    def between(self, carer: str, resident_id: str) -> list[Span]:
        """Every mandate that this resident gave this carer, past and future ones too."""
        known = self._registers.known_of_person(MANDATES, resident_id)
        return [_span(row.data, row.valid_from, row.valid_to) for row in known if row.data["carer"] == carer]

    def held(self, carer: str) -> list[Span]:
        """What the register holds now for this carer."""
        now = self._clock()
        return [_span(data, now, None) for data in self._registers.find(MANDATES, {"carer": carer})]

    def over(self, who: str, scope: str, at: datetime | None = None) -> bool:
        """Whether this is a carer who had a mandate from this resident and has none any more.

        Not so of whoever never had one: an officer, a neighbour who holds a key, and everybody where ``scope`` is a
        place of the organisation tree.
        """
        if self._principals.kind_of(who) != "carer" or self._is_place(scope):
            return False
        spans = self.between(who, scope)
        now = at or self._clock()
        return bool(spans) and not any(span.holds(now) for span in spans)

    def _is_place(self, scope: str) -> bool:
        try:
            self._principals.org(scope)
        except NotFound:
            return False
        return True


def _span(data: Mapping[str, Any], begin: datetime, end: datetime | None) -> Span:
    return Span(data, max(begin, data["valid_from"]), _earlier(end, data["valid_to"]))


def _earlier(one: datetime | None, other: datetime | None) -> datetime | None:
    """The earlier of two ends, None being without end."""
    return min((end for end in (one, other) if end is not None), default=None)
