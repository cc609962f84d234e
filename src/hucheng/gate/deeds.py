"""What a deed says in the journal to whomever it is about: under which purpose and law it was done, on which data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from hucheng.gate.purposes import BASE
from hucheng.gate.stores import DEVICES


class Deed(NamedTuple):
    """Under which purpose of the closed list a deed is done, and which datasets it is about wherever it is done."""

    purpose: str
    datasets: tuple[str, ...] = ()

    @property
    def basis(self) -> str:
        """The law under which it is done."""
        return _LAW.get(self.purpose, "")


_LAW: Final = {one.id: one.legal_basis for one in BASE}
_CASE = Deed("cases.work", ("cases.cases",))
_APPEAL = Deed("rights.appeal", ("decisions.decisions",))
_NODE = Deed("node.operate")
DONE: Final[Mapping[str, Deed]] = {
    **dict.fromkeys(
        (f"cases.{name}" for name in ("take", "go", "visit", "hand_over", "note", "answer", "close")), _CASE
    ),
    **dict.fromkeys((f"decisions.{name}" for name in ("appeal", "review", "supersede")), _APPEAL),
    "registers.write": Deed("registers.keep"),
    "principals.write": Deed("registers.keep"),
    "devices.enrol": Deed("registers.keep", (DEVICES,)),
    "people.erase": Deed("rights.erasure"),
    **dict.fromkeys(("gateways.write", "stream.replay", "quarantine.replay", "node.status"), _NODE),
    **dict.fromkeys(("requests.accept", "requests.refuse"), _NODE),
}
"""Every deed there is (`policy.DEEDS`); reading the journal goes under a purpose that is asked for."""


def of(action: str) -> Deed:
    """What is noted of a deed; nothing for one that goes under a purpose of its own."""
    return DONE.get(action, Deed(""))
