"""Every deed that is noted in the journal says under which purpose and law it was done."""

from __future__ import annotations

from hucheng.gate import deeds
from hucheng.gate.policy import DEEDS
from hucheng.gate.purposes import BASE
from hucheng.gate.verify import verify

from .gatekit import City


def test_every_deed_has_a_purpose_of_the_closed_list_and_its_law() -> None:
    known = {one.id: one.legal_basis for one in BASE}
    for action in DEEDS:
        if action.startswith("journal."):
            continue  # goes under the purpose under which the journal is read
        deed = deeds.of(action)
        assert deed.basis == known[deed.purpose] != "", action


def test_what_a_deed_is_about_is_in_the_entry_and_the_chain_stays_whole(city: City) -> None:
    told = {"R1": {"rows": [{"a": "b"}]}, "R-nobody": {"rows": []}}
    operator = city.who("op")
    city.gate.authorise(operator, "registers.write", people=["R1", "R2"], datasets=["city.residents"], told=told)
    [own] = city.lines("chen")  # once, not again among the others
    assert (own.purpose, own.datasets, own.detail) == ("registers.keep", ("city.residents",), {"rows": [{"a": "b"}]})
    city.gate.authorise(operator, "registers.write", people=["R1"], datasets=["city.residents"], noted="registers.end")
    newest = city.lines("chen")[0]
    assert (newest.action, newest.detail, newest.basis) == ("registers.end", {}, own.basis)
    verify(city.journal.ledger, city.keys.node.public, city.file)
