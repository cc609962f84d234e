"""What is true about a request: the facts policies decide on, each looked up at its source, never taken on trust."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from hucheng.base.registers import Registers
from hucheng.gate.mandates import Mandates
from hucheng.gate.policy import Facts
from hucheng.gate.principals import Principal, Principals
from hucheng.gate.stores import Scope, community_of


class CaseFacts(Struct, frozen=True):
    """What the gate must know of a case. ``org``: the community it belongs to.

    ``called``: whom it was sent to, and ``assigned_to``: who took it, as long as they may still answer for it.
    """

    id: str
    kind: str
    resident_id: str
    open: bool
    assigned_to: str | None
    org: str
    called: tuple[str, ...] = ()


class CaseLookup(Protocol):
    """The room of cases, as the gate sees it."""

    def people(self, residents: Collection[str] | None, communities: Collection[str] | None) -> frozenset[str]:
        """Which of these residents (None: of all) have or had a case in one of these communities (None: anywhere)."""
        ...

    def is_open(self, case_id: str) -> CaseFacts | None:
        """The case (``open`` says whether it still is); None when there is none of this id."""
        ...


OF_CASES = "cases.work"
"""The purpose under which a register shows people with a case, and nobody else."""
WithCase = Callable[[Collection[str] | None], frozenset[str]]


class Found(Struct, frozen=True):
    """Facts, the scope that follows from them, and a mandate that ended (for the refusal), by id and end."""

    facts: Facts
    scope: Scope
    case: CaseFacts | None
    ended: tuple[str, datetime] | None


class FactFinder:
    """Looks up facts in registers, the organisation tree and the room of cases."""

    def __init__(
        self,
        registers: Registers,
        principals: Principals,
        clock: Callable[[], datetime],
        cases: CaseLookup | None = None,
    ) -> None:
        self._registers = registers
        self._held = Mandates(registers, principals, clock)
        self._principals = principals
        self._clock = clock
        self.cases = cases

    def find(self, who: Principal, purpose: str, person: str | None, case_id: str | None) -> Found:
        """The facts of one request. A case or person that does not exist gives the same as one out of reach."""
        case = self.case(case_id)
        live = case if case is not None and case.open else None
        area = self._principals.area(who)
        home = community_of(self._registers, person) if person else None
        place = home if person else case.org if case is not None else None
        about = live is not None and (person is None or live.resident_id == person)
        scopes, people, ended = self._mandates(who, person)
        facts = Facts(
            purpose=purpose,
            person=person or "",
            single=person is not None,
            own=person is not None and who.resident_id == person and who.kind == "resident",
            in_area=place is not None and place in area,
            mandate=scopes is not None,
            scopes=tuple(sorted(scopes or ())),
            case=live is not None,
            case_kind=live.kind if live is not None else "",
            case_about=about,
            case_mine=live is not None and live.assigned_to == who.id,
            case_called=live is not None and who.id in live.called,
            case_known=purpose == OF_CASES and person is not None and person in self._with_case([person], area),
        )
        bounded = who.kind in ("officer", "auditor", "operator", "service")
        scope = Scope(
            person=person,
            people=people if person is None and who.kind == "carer" else None,
            communities=area if person is None and bounded else None,
        )
        if person is None and who.kind == "resident":
            scope = Scope(person=who.resident_id or "")
        return Found(facts, scope, case, ended)

    def case(self, case_id: str | None) -> CaseFacts | None:
        """The case of this id, open or not; None where there is none."""
        return self.cases.is_open(case_id) if case_id and self.cases is not None else None

    def with_case(self, who: Principal, purpose: str, found: Found) -> WithCase | None:
        """Which residents of those asked for a register may show, where a purpose is about people with a case."""
        if purpose != OF_CASES:
            return None
        area = self._principals.area(who)
        named = {found.case.resident_id} if found.case is not None and found.facts.case_about else set()
        return lambda asked: self._with_case(asked, area) | (named if asked is None else named & set(asked))

    def _with_case(self, residents: Collection[str] | None, area: Collection[str]) -> frozenset[str]:
        return self.cases.people(residents, area) if self.cases is not None else frozenset()

    def _mandates(
        self, who: Principal, person: str | None
    ) -> tuple[set[str] | None, frozenset[str] | None, tuple[str, datetime] | None]:
        """What mandates in force cover (None: there is none), for whom, and one that ended."""
        if who.kind != "carer":
            return None, None, None
        spans = self._held.between(who.id, person) if person is not None else self._held.held(who.id)
        now = self._clock()
        held = [span.data for span in spans if span.holds(now)]
        over = [(str(span.data["mandate_id"]), span.end) for span in spans if span.end is not None and span.end <= now]
        past = max(over, key=lambda one: one[1], default=None)
        people = frozenset(r["resident_id"] for r in held)
        return ({s for r in held for s in r["scopes"]} if held else None), people, past
