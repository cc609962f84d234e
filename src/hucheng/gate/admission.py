"""Who is let in, and to which datasets: what must be known before a policy is asked, and what the policies say."""

from __future__ import annotations

from collections.abc import Sequence

from hucheng.base.catalogue import Catalogue
from hucheng.errors import Refused
from hucheng.gate.facts import FactFinder, Found
from hucheng.gate.judge import Judge
from hucheng.gate.principals import Principal, Principals
from hucheng.gate.purposes import Purpose, Purposes
from hucheng.gate.shaping import control, use_of
from hucheng.gate.views import Part
from hucheng.gate.witness import Witness

OWN = ("self.access", "rights.journal")
"""Purposes under which residents ask about themselves, named or not."""


class Admission:
    """Lets a principal in for a purpose, and hands on one dataset after another; what it refuses is in the journal."""

    def __init__(
        self,
        principals: Principals,
        purposes: Purposes,
        catalogue: Catalogue,
        finder: FactFinder,
        judge: Judge,
        witness: Witness,
    ) -> None:
        self._principals, self._purposes, self._catalogue = principals, purposes, catalogue
        self._finder, self._judge, self._witness = finder, judge, witness

    def known(
        self, principal: Principal, purpose: str, datasets: Sequence[str], case: str | None, person: str | None
    ) -> tuple[Principal, Purpose, Found, str | None]:
        """Everything that must be known before a policy is asked. Refusals here are journaled as well."""
        who = self._principals.get(principal.id)
        if person is None and purpose in OWN and who.kind == "resident":
            person = who.resident_id
        found = self._finder.find(who, purpose, person, case)
        try:
            why = self._purposes.get(purpose)
            if who.kind not in why.kinds:
                raise Refused(
                    f"{purpose} is not for a {who.kind}",
                    policy="purpose.kinds",
                    needed=f"to be {' or '.join(why.kinds)}",
                )
            if why.needs_case and not found.facts.case:
                raise Refused(
                    f"{purpose} needs an open case", policy="purpose.case", needed="an open case about the person"
                )
        except Refused as refusal:
            raise self._witness.refused(who, purpose, "read", found, person, datasets, refusal) from refusal
        if why.needs_case and person is None and found.case is not None:
            person = found.case.resident_id
            found = self._finder.find(who, purpose, person, case)
        return who, why, found, person

    def part(
        self, who: Principal, why: Purpose, found: Found, dataset: str, action: str, soft: bool = False
    ) -> Part | None:
        """A dataset of a view, if contract and policies permit it; with ``soft``, None where they do not."""
        contract = self._catalogue.get(dataset)
        person = found.facts.person or None
        try:
            use = use_of(contract, why.id)
            self._purposes.granted(dataset, why.id)
            policy = self._judge.decide(who, action, dataset, found.facts, self._purposes.owner(why.id))
            control(contract, use)
        except Refused as refusal:
            if soft:
                return None
            raise self._witness.refused(who, why.id, action, found, person, [dataset], refusal) from refusal
        return Part(contract, use, policy)
