"""Who may do what: deeds and purposes permitted by policy or refused with the reason, each of them in the journal."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from msgspec import structs

from hucheng.base.catalogue import Catalogue
from hucheng.base.keys import Keys
from hucheng.base.registers import Registers
from hucheng.base.rpc import exposed
from hucheng.errors import Refused
from hucheng.gate import deeds
from hucheng.gate.admission import Admission
from hucheng.gate.entries import Entry, asked_by
from hucheng.gate.facts import CaseLookup, FactFinder
from hucheng.gate.journal import Journal
from hucheng.gate.judge import Judge
from hucheng.gate.policy import check
from hucheng.gate.principals import Principal, Principals
from hucheng.gate.purposes import Purpose, Purposes, Request
from hucheng.gate.standing import Sink
from hucheng.gate.witness import STRANGER, Witness


class Authority:
    """Permits and refuses; hands out no data. See `hucheng.gate.Gate` for what it is given."""

    def __init__(
        self,
        *,
        catalogue: Catalogue,
        registers: Registers,
        keys: Keys,
        principals: Principals,
        purposes: Purposes,
        journal: Journal | None = None,
        sink: Sink | None = None,
        cases: CaseLookup | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.catalogue = catalogue
        self.principals = principals
        self.journal = journal
        self._keys = keys
        self._purposes = purposes
        self._clock = clock
        self._finder = FactFinder(registers, principals, clock, cases)
        self._judge = Judge(purposes, catalogue)
        self._witness = Witness(journal, sink, keys, purposes, catalogue, clock)
        self._admission = Admission(principals, purposes, catalogue, self._finder, self._judge, self._witness)

    def register_cases(self, cases: CaseLookup) -> None:
        """Let the room of cases say which are open."""
        self._finder.cases = cases

    def authorise(
        self,
        principal: Principal,
        action: str,
        *,
        person: str | None = None,
        case: str | None = None,
        context: dict[str, Any] | None = None,
        plain: dict[str, Any] | None = None,
        people: Iterable[str] = (),
        datasets: Iterable[str] = (),
        noted: str | None = None,
        told: Mapping[str, dict[str, Any]] | None = None,
    ) -> None:
        """Permit a deed, or raise Refused. Noted in the journal; call it before a write transaction is opened.

        ``context`` goes into the entry, sealed under the person's key; ``plain`` lies open in an
        entry about nobody, so nothing that a person typed or that belongs to one may be in it. ``people``: whom the
        deed shows; of these names, those of residents we know are in the entry, and they see it. ``told``: what it says
        to each of some of them, in an entry of their own, sealed under their key. ``datasets``: what it is about;
        ``noted``: what it is called in the entry, where that says more than the action.
        """
        who = self.principals.get(principal.id)
        found = self._finder.find(who, "", person, case)
        if person is None and found.case is not None:
            person = found.case.resident_id
        try:
            policy = self._judge.decide(who, action, None, found.facts, "base")
        except Refused as refusal:
            raise self._witness.refused(who, "", action, found, person, datasets, refusal) from refusal
        deed = deeds.of(action)
        recorded = self._witness.recorded(person)
        entry = Entry(
            at=self._clock(),
            kind="deed",
            purpose=deed.purpose,
            basis=deed.basis,
            datasets=tuple(datasets) or deed.datasets,
            action=noted or action,
            case=case,
            policy=policy,
            person=recorded,
            people=frozenset(self._keys.people(people, make=False)),
            detail=dict(context or {}) if recorded else dict(plain or {}),
            **asked_by(who),
        )
        each = {one: detail for one, detail in (told or {}).items() if self._witness.recorded(one)}
        own = [structs.replace(entry, person=one, people=(), detail=detail) for one, detail in each.items()]
        self._witness.append([structs.replace(entry, people=frozenset(entry.people) - each.keys()), *own])

    def permit(self, principal: Principal, purpose: str, action: str, *, person: str | None = None) -> Principal:
        """Permit what is done for a purpose without a dataset, or raise Refused; the caller notes what came of it."""
        who, why, found, person = self._admission.known(principal, purpose, (), None, person)
        try:
            self._judge.decide(who, action, None, found.facts, self._purposes.owner(why.id))
        except Refused as refusal:
            raise self._witness.refused(who, purpose, action, found, person, (), refusal) from refusal
        return who

    def noted(
        self,
        asking: str,
        refusal: Refused,
        action: str,
        *,
        person: str | None = None,
        case: str | None = None,
        datasets: Iterable[str] = (),
    ) -> Refused:
        """A refusal that another room says, or that came before any policy was asked, after it is in the journal.

        ``asking``: whoever it was said to, by the id they gave; a name nobody bears is not written down.
        """
        who = self.principals.known(asking)
        asked = asked_by(who) if who is not None else STRANGER
        about = self._finder.case(case)
        person = about.resident_id if person is None and about is not None else person
        known = about.id if about is not None else None
        return self._witness.noted(asked, refusal, action, person=person, case=known, datasets=datasets)

    @exposed
    def purposes(self) -> list[Purpose]:
        """The closed list of what data may be used for: what is accepted as it stands, and nothing else."""
        return self._purposes.accepted()

    @exposed
    def requests(self, principal: Principal) -> list[Request]:
        """What apps ask for, and what became of it."""
        self.principals.get(principal.id)
        return self._purposes.requests()

    @exposed
    def accept(self, principal: Principal, kind: str, name: str, assessment: str) -> Request:
        """Accept an app's request, with an impact assessment. Raises Refused, BadRequest, NotFound."""
        self.authorise(principal, "requests.accept", plain=self._purposes.named(kind, name))
        if kind == "policies":
            check(name, self._purposes.asked(name), self.catalogue)
        return self._purposes.accept(kind, name, by=principal.id, assessment=assessment)

    @exposed
    def refuse(self, principal: Principal, kind: str, name: str, reason: str) -> Request:
        """Refuse an app's request, or take an acceptance back. Raises Refused, NotFound."""
        self.authorise(principal, "requests.refuse", plain=self._purposes.named(kind, name))
        return self._purposes.refuse(kind, name, by=principal.id, reason=reason)
