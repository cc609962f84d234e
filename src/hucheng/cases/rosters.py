"""Who is on duty, and who is next: lines of the roster, and who of them answers at an instant.

Tiers follow the reference of telecare: duty officer of the centre, then key holder or family, then mobile responder,
then emergency desk. A line belongs to an organisation or to one resident (her key holder, her daughter); the nearest
scope that has somebody on duty wins: the resident, the community, the street, and so on up to the city.

A carer who is on a resident's roster by that resident's mandate leaves it with the mandate: she is not called, cannot
be handed a case, and hears of none. Whoever never had a mandate (a key holder, an officer) is there in their own right,
and so is whoever's line says so (``own_right``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, delete, select

from hucheng.base.keys import Keys, sealed, unsealed
from hucheng.cases.calendar import SHIFTS, Calendar, ShiftKind
from hucheng.cases.tables import roster_line
from hucheng.errors import BadRequest

TIERS: Final[Mapping[int, dict[str, str]]] = {
    1: {"zh": "值班员", "en": "Duty officer"},
    2: {"zh": "钥匙保管人或家属", "en": "Key holder or family"},
    3: {"zh": "流动响应人", "en": "Mobile responder"},
    4: {"zh": "应急值守", "en": "Emergency desk"},
}
LAST_TIER: Final = 4


class RosterLine(msgspec.Struct, frozen=True):
    """One person's duty. ``scope``: an organisation's id or a resident_id; ``weekdays``: 0 = Monday, empty = all.

    ``who``: the principal's id, None for somebody without an account. ``urls``: Apprise addresses; none means that
    the person is called on the screen only. ``rank``: who is called first within a tier. ``own_right``: the line of a
    carer stays when her mandate ends (she holds the key as well).
    """

    id: str
    scope: str
    tier: int
    name: str
    who: str | None = None
    shifts: tuple[ShiftKind, ...] = SHIFTS
    weekdays: tuple[int, ...] = ()
    rank: int = 0
    phone: str | None = None
    language: str = "zh"
    urls: tuple[str, ...] = ()
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    own_right: bool = False


class Contact(msgspec.Struct, frozen=True):
    """Somebody who is called: who, how, and from which line of the roster."""

    line: str
    who: str | None
    name: str
    tier: int
    phone: str | None
    language: str
    channels: int


def on_duty(
    lines: Iterable[RosterLine], scopes: Sequence[str], tier: int, at: datetime, calendar: Calendar
) -> list[RosterLine]:
    """Who of the lines is on duty in a tier, from the nearest of ``scopes`` (nearest first) that has anybody.

    A line counts on a shift when it names that shift; where nobody in a scope is named for a holiday, those of the
    day stand in. Weekdays are those of the date on which the shift began.
    """
    shift = calendar.shift(at)
    held = [line for line in lines if line.tier == tier and _valid(line, at)]
    for scope in scopes:
        own = [line for line in held if line.scope == scope and _weekday(line, shift.on.weekday())]
        found = [line for line in own if shift.kind in line.shifts]
        if not found and shift.kind == "holiday":
            found = [line for line in own if "day" in line.shifts]
        if found:
            return sorted(found, key=lambda line: (line.rank, line.id))
    return []


def scopes_of(resident_id: str | None, path: Sequence[str]) -> list[str]:
    """Scopes of a place, nearest first: the resident, then the organisations of the path from leaf to root.

    >>> scopes_of("r1", ("cn", "lj", "c7"))
    ['r1', 'c7', 'lj', 'cn']
    """
    return ([resident_id] if resident_id else []) + list(reversed(path))


class Roll:
    """Lines of some scopes at one instant, read once: whom to call for many cases."""

    def __init__(self, lines: Iterable[RosterLine], at: datetime, calendar: Calendar) -> None:
        self._at, self._calendar = at, calendar
        self._lines: dict[tuple[str, int], list[RosterLine]] = {}
        for line in lines:
            self._lines.setdefault((line.scope, line.tier), []).append(line)

    def called(self, scopes: Sequence[str], tier: int) -> list[Contact]:
        """Whom to call, from the nearest of these scopes that has anybody on duty."""
        lines = [line for scope in scopes for line in self._lines.get((scope, tier), ())]
        return [_contact(line) for line in on_duty(lines, scopes, tier, self._at, self._calendar)] if lines else []


Over = Callable[[str, str, datetime], bool]
"""``over(who, scope, at)``: whether this principal answered for this resident by a mandate, and it is over."""


class Rosters:
    """The roster in the ledger."""

    def __init__(self, keys: Keys, calendar: Calendar, over: Over = lambda who, scope, at: False) -> None:
        self.calendar = calendar
        self._over = over
        self._cipher = AESGCM(keys.sub("roster addresses"))

    def put(self, conn: Connection, lines: Iterable[RosterLine]) -> int:
        """Enter lines, a line with a known id replaces it; gives how many said something new.

        Raises BadRequest for a tier or shift that is none.
        """
        given = [(line, self._row(line)) for line in lines]
        held = self._held(conn, [line.id for line, _ in given])
        rows = [row for line, row in given if held.get(line.id) != line]
        for start in range(0, len(rows), 400):
            part = rows[start : start + 400]
            conn.execute(delete(roster_line).where(roster_line.c.id.in_([row["id"] for row in part])))
            conn.execute(roster_line.insert(), part)
        return len(rows)

    def _held(self, conn: Connection, ids: Sequence[str]) -> dict[str, RosterLine]:
        found: dict[str, RosterLine] = {}
        for start in range(0, len(ids), 400):
            query = select(roster_line).where(roster_line.c.id.in_(ids[start : start + 400]))
            found |= {row.id: self._line(row) for row in conn.execute(query)}
        return found

    def scopes(self, conn: Connection, ids: Sequence[str]) -> set[str]:
        """For whom these lines are."""
        return set(conn.execute(select(roster_line.c.scope).where(roster_line.c.id.in_(list(ids)))).scalars())

    def remove(self, conn: Connection, ids: Sequence[str]) -> int:
        """Take lines out; returns how many there were."""
        return int(conn.execute(delete(roster_line).where(roster_line.c.id.in_(list(ids)))).rowcount)

    def erase(self, conn: Connection, resident_id: str, principals: Sequence[str] = ()) -> int:
        """Take out whoever was to be called for this resident, and the resident's own duties as these principals."""
        mine = (roster_line.c.scope == resident_id) | roster_line.c.who.in_([resident_id, *principals])
        return int(conn.execute(delete(roster_line).where(mine)).rowcount)

    def roll(self, conn: Connection, scopes: Sequence[str], at: datetime) -> Roll:
        """The lines of these scopes."""
        rows = conn.execute(select(roster_line).where(roster_line.c.scope.in_(list(scopes))))
        return Roll((line for line in map(self._line, rows) if self._stands(line, at)), at, self.calendar)

    def answers(self, conn: Connection, who: str, scopes: Sequence[str], at: datetime) -> bool:
        """Whether somebody who was called for a resident (the first of ``scopes``) may still answer."""
        if not self._over(who, scopes[0], at):
            return True
        own = roster_line.c.own_right | roster_line.c.scope.in_(list(scopes[1:]))
        mine = (roster_line.c.who == who) & roster_line.c.scope.in_(list(scopes)) & own
        rows = conn.execute(select(roster_line).where(mine))
        return any(_valid(line, at) for line in map(self._line, rows))

    def called(self, conn: Connection, scopes: Sequence[str], tier: int, at: datetime) -> list[Contact]:
        """Whom to call now."""
        return self.roll(conn, scopes, at).called(scopes, tier)

    def colleagues(self, conn: Connection, scopes: Sequence[str], at: datetime) -> list[Contact]:
        """Everybody with an account who is on duty for a place, by tier: to whom a case can be handed."""
        roll = self.roll(conn, scopes, at)
        found = [contact for tier in TIERS for contact in roll.called(scopes, tier)]
        return [contact for contact in found if contact.who is not None]

    def knows(self, conn: Connection, who: str) -> str | None:
        """The name under which this principal stands on the roster; None where they do not."""
        query = select(roster_line.c.name).where(roster_line.c.who == who).limit(1)
        return conn.execute(query).scalar()

    def duties(self, conn: Connection, who: str, at: datetime) -> bool:
        """True when this principal has the duty now in any scope of theirs."""
        rows = conn.execute(select(roster_line).where(roster_line.c.who == who))
        lines = [line for line in map(self._line, rows) if self._stands(line, at)]
        return any(
            line in on_duty(lines, [line.scope], line.tier, at, self.calendar) for line in lines if _valid(line, at)
        )

    def left(self, conn: Connection, line: str, at: datetime) -> bool:
        """Whether whoever this line names is on it no longer, because it was by a mandate that is over."""
        row = conn.execute(select(roster_line).where(roster_line.c.id == line)).first()
        return row is not None and not self._stands(self._line(row), at)

    def address(self, conn: Connection, line: str, channel: int) -> str | None:
        """One Apprise address of a line; None where the line is gone or has no such."""
        body = conn.execute(select(roster_line.c.urls).where(roster_line.c.id == line)).scalar()
        urls = self._open(line, body)
        return urls[channel] if 0 <= channel < len(urls) else None

    def _stands(self, line: RosterLine, at: datetime) -> bool:
        """Whether whoever is named may still be called: not when it was by a mandate only, and that is over."""
        return line.who is None or line.own_right or not self._over(line.who, line.scope, at)

    def _row(self, line: RosterLine) -> dict[str, Any]:
        if line.tier not in TIERS:
            raise BadRequest(f"tier {line.tier}", where=line.id, mend="1 to 4")
        if not line.shifts or not set(line.shifts) <= set(SHIFTS):
            raise BadRequest(f"shifts {list(line.shifts)}", where=line.id, mend="some of " + ", ".join(SHIFTS))
        if not set(line.weekdays) <= set(range(7)):
            raise BadRequest(f"weekdays {list(line.weekdays)}", where=line.id, mend="0 (Monday) to 6")
        row: dict[str, Any] = {name: getattr(line, name) for name in line.__struct_fields__}
        body = sealed(self._cipher, msgspec.json.encode(line.urls), f"roster/{line.id}") if line.urls else None
        return row | {"shifts": list(line.shifts), "weekdays": list(line.weekdays), "urls": body}

    def _line(self, row: Any) -> RosterLine:
        values = dict(row._mapping)
        values["urls"] = self._open(row.id, row.urls)
        values["shifts"], values["weekdays"] = tuple(row.shifts), tuple(row.weekdays)
        return RosterLine(**values)

    def _open(self, line: str, body: bytes | None) -> tuple[str, ...]:
        if body is None:
            return ()
        return msgspec.json.decode(unsealed(self._cipher, body, f"roster/{line}"), type=tuple[str, ...])


def _contact(line: RosterLine) -> Contact:
    return Contact(line.id, line.who, line.name, line.tier, line.phone, line.language, len(line.urls))


def _valid(line: RosterLine, at: datetime) -> bool:
    return (line.valid_from is None or line.valid_from <= at) and (line.valid_to is None or at < line.valid_to)


def _weekday(line: RosterLine, day: int) -> bool:
    return not line.weekdays or day in line.weekdays
