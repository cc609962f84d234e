"""What a city tells its node about itself: places, people, rosters, registers. Every deed goes by the gate first.

Rows come as a file has them: texts that mean a number, a date or several values are read as such, a row that is wrong
is named by its number, and then nothing of that call is entered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar, get_origin, get_type_hints

import msgspec

from hucheng.base.misfits import told
from hucheng.base.rpc import exposed
from hucheng.cases.rosters import RosterLine, Rosters
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Gate, Org, Principal
from hucheng.gate.principals import Kind, Level
from hucheng.gate.stores import MANDATES, RESIDENTS
from hucheng.node.home.pairing import DEVICES, Pairing
from hucheng.node.home.rooms import Rooms
from hucheng.node.steward.telling import telling

MAX_ROWS = 100_000
Rows = list[dict[str, Any]]
T = TypeVar("T")


class Place(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A place of the organisation tree; without ``parent`` it is the root."""

    id: str
    level: Level
    zh: str
    en: str
    parent: str | None = None


class Person(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Somebody who may sign in. ``place``: id of the place; ``subject``: issuer|subject at the identity provider."""

    id: str
    kind: Kind
    name: str
    place: str
    roles: tuple[str, ...] = ()
    resident_id: str | None = None
    subject: str | None = None


class Entered(msgspec.Struct, frozen=True):
    """How many of the people in a call were entered or changed, and whose time had ended: they stay as they are."""

    changed: int
    ended: list[str]


@dataclass
class Entering:
    """Served over the local socket; the first argument is always who asks. ``first``: number of the first row."""

    rooms: Rooms
    gate: Gate
    rosters: Rosters
    clock: Callable[[], datetime]
    mandates_changed: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.pairing = Pairing(self.rooms, self.gate, self.clock)

    @exposed(within_s=300)
    def register(self, principal: Principal, dataset: str, rows: Rows, first: int = 1) -> int:
        """Enter rows of a register as holding from now; returns how many changed something. Raises BadRequest.

        Whoever the rows are about is in the journal's entry, and sees what was changed.
        """
        few(rows)
        about = telling(self.rooms.catalogue.get(dataset), rows)
        plain = {"dataset": dataset, "rows": len(rows)}
        self.gate.authorise(
            principal, "registers.write", plain=plain, people=about.people, datasets=[dataset], told=about.each
        )
        if dataset == MANDATES:
            self._both_known(rows, first)
        changed = self.rooms.registers.put(dataset, rows, first=first)
        if dataset == DEVICES:
            self.pairing.entered(rows)
        if dataset == MANDATES and changed:
            self.mandates_changed()
        return changed

    @exposed(within_s=300)
    def places(self, principal: Principal, rows: Rows, first: int = 1) -> int:
        """Enter or change places; a parent may stand in the same call."""
        found = made(Place, rows, "places", first)
        self.gate.authorise(principal, "principals.write", plain={"rows": len(rows)})
        known = {org.id: org for org in self.rooms.principals.orgs()}
        known_or_given = {*known, *(one.id for one in found)}
        for number, one in enumerate(found, first):
            if one.parent is not None and one.parent not in known_or_given:
                raise BadRequest(
                    f"parent {one.parent!r} is not in the tree",
                    where=f"places row {number}, parent",
                    mend="enter the parent first or in the same file",
                )
        orgs = [Org(one.id, one.parent, one.level, {"zh": one.zh, "en": one.en}) for one in found]
        self.rooms.principals.put_orgs(orgs)
        return sum(known.get(org.id) != org for org in orgs)

    @exposed(within_s=300)
    def people(self, principal: Principal, rows: Rows, first: int = 1, again: bool = False) -> Entered:
        """Enter or change principals. Whose time ended stays as they are: a file of last year lets nobody in again.

        ``again``: they are meant, and may ask from now on as before.
        """
        found = made(Person, rows, "people", first)
        theirs = {one.resident_id for one in found if one.resident_id}
        self.gate.authorise(principal, "principals.write", plain={"rows": len(rows)}, people=theirs)
        places = {org.id for org in self.rooms.principals.orgs()}
        for number, one in enumerate(found, first):
            if one.place not in places:
                raise BadRequest(
                    f"place {one.place!r} is not in the tree",
                    where=f"people row {number}, place",
                    mend="enter the places first",
                )
        entered = [
            Principal(p.id, p.kind, p.name, self.rooms.principals.path(p.place), p.roles, p.resident_id) for p in found
        ]
        held = self.rooms.principals.held([one.id for one in entered])
        over = [one.id for one in entered if one.id in held and held[one.id][2]]
        subjects = {one.id: one.subject for one in found if one.subject}

        def known(one: Principal) -> bool:
            who, subject, ended = held.get(one.id, (None, None, False))
            return who == one and subjects.get(one.id, subject) == subject and not ended

        fresh = [one for one in entered if not known(one) and (again or one.id not in over)]
        with self.rooms.ledger.begin() as conn:
            self.rooms.principals.put(fresh, subjects=subjects, conn=conn)
            if again:
                self.rooms.principals.revive(over, conn=conn)
        return Entered(len(fresh), [] if again else over)

    @exposed(within_s=300)
    def roster(self, principal: Principal, rows: Rows, first: int = 1) -> int:
        """Enter or change lines of the roster. Raises BadRequest for a scope that is neither a place nor a resident."""
        lines = made(RosterLine, rows, "roster", first)
        places = {org.id for org in self.rooms.principals.orgs()}
        theirs = {line.scope for line in lines} - places
        self.gate.authorise(
            principal, "principals.write", plain={"rows": len(rows)}, people=theirs, noted="roster.write"
        )
        for number, line in enumerate(lines, first):
            known = line.scope in places or self.rooms.registers.live("city.residents", line.scope, sealed=False)
            if not known:
                raise BadRequest(
                    f"scope {line.scope!r} is neither a place nor a resident",
                    where=f"roster row {number}, scope",
                    mend="enter it first",
                )
        with self.rooms.ledger.begin() as conn:
            return self.rosters.put(conn, lines)

    @exposed(within_s=300)
    def end(self, principal: Principal, what: str, rows: Rows, first: int = 1) -> int:
        """What these rows name by their keys holds no longer from now on; returns how much there was of it.

        ``what``: people, roster, or a register. Raises BadRequest for places: they stay, for what happened in them.
        """
        few(rows)
        if what == "places":
            raise BadRequest(
                "places are not ended", mend="what happened there keeps its place; enter new ones beside it"
            )
        register = what not in ("people", "roster")
        names = self.rooms.catalogue.get(what).key if register else ("id",)
        keys = [_key(row, names, f"{what} row {number}") for number, row in enumerate(rows, first)]
        plain = {"dataset": what, "rows": len(rows)}
        if register:
            held = [self.rooms.registers.live(what, key, sealed=False) for key in keys]
            about = telling(self.rooms.catalogue.get(what), [row for row in held if row is not None])
            self.gate.authorise(
                principal,
                "registers.write",
                plain=plain,
                people=about.people,
                datasets=[what],
                told=about.each,
                noted="registers.end",
            )
        else:
            self.gate.authorise(
                principal, "principals.write", plain=plain, people=self._theirs(what, [key[0] for key in keys])
            )
        if what == "roster":
            with self.rooms.ledger.begin() as conn:
                return self.rosters.remove(conn, [key[0] for key in keys])
        if what == "people":
            with self.rooms.ledger.begin() as conn:
                for number, key in enumerate(keys, first):
                    try:
                        self.rooms.principals.end(key[0], conn=conn)
                    except NotFound as error:
                        where, mend = f"people row {number}, id", "leave the row out; no row of this call was ended"
                        raise NotFound(error.what, where=where, mend=mend) from None
            return len(keys)
        ended = sum(self.rooms.registers.end(what, key) for key in keys)
        if what == DEVICES:
            for key in keys:
                self.pairing.ended(key[0])
        if what == MANDATES and ended:
            self.mandates_changed()
        return ended

    def _theirs(self, what: str, ids: Sequence[str]) -> set[str]:
        """The residents whom people or lines of the roster are about."""
        if what == "roster":
            with self.rooms.ledger.read() as conn:
                return self.rosters.scopes(conn, ids)
        found = (self.rooms.principals.known(one) for one in ids)
        return {one.resident_id for one in found if one is not None and one.resident_id}

    def _both_known(self, rows: Rows, first: int) -> None:
        """Raise BadRequest for a mandate from or to somebody nobody has entered; a field left out is found later.

        Who moved away since, or may ask no longer, is no reason: a file may be entered again as it is.
        """
        for number, row in enumerate(rows, first):
            where, resident, carer = f"{MANDATES} row {number}", row.get("resident_id"), row.get("carer")
            if resident and not self._lived_here(str(resident)):
                raise BadRequest(
                    "nobody has entered this resident", where=f"{where}, resident_id", mend="enter the residents first"
                )
            if carer and not self._is_or_was(str(carer), "carer"):
                raise BadRequest(
                    "nobody has entered this principal as a carer", where=f"{where}, carer", mend="enter people first"
                )

    def _lived_here(self, resident_id: str) -> bool:
        registers = self.rooms.registers
        held = registers.live(RESIDENTS, resident_id, sealed=False)
        return held is not None or bool(registers.known_of_person(RESIDENTS, resident_id))

    def _is_or_was(self, principal_id: str, kind: Kind) -> bool:
        try:
            return self.rooms.principals.get(principal_id).kind == kind
        except Refused as refusal:
            return refusal.details.get("policy") == "principal.in-force"


def few(rows: Sequence[Any]) -> None:
    """Raise BadRequest for more than one call takes."""
    if len(rows) > MAX_ROWS:
        raise BadRequest(f"{len(rows)} rows at once", mend=f"at most {MAX_ROWS}")


def made(kind: type[T], rows: Rows, what: str, first: int) -> list[T]:
    """Rows of a file as ``kind``; several values in one text are parted by spaces. Raises BadRequest naming the row."""
    few(rows)
    several = {name for name, hint in get_type_hints(kind).items() if get_origin(hint) is tuple}
    found: list[T] = []
    for number, row in enumerate(rows, first):
        parted = {n: v.split() if n in several and isinstance(v, str) else v for n, v in row.items()}
        try:
            found.append(msgspec.convert(parted, kind, strict=False))
        except msgspec.ValidationError as error:
            columns = ", ".join(get_type_hints(kind))
            said, place = told(error)
            where = f"{what} row {number}" + (f", {place}" if place else "")
            raise BadRequest(said, where=where, mend=f"columns: {columns}") from None
    return found


def _key(row: Mapping[str, Any], names: Sequence[str], where: str) -> tuple[str, ...]:
    missing = [name for name in names if row.get(name) in (None, "")]
    if missing:
        raise BadRequest(f"{missing[0]} is missing", where=where, mend=f"the key is {', '.join(names)}")
    return tuple(str(row[name]) for name in names)
