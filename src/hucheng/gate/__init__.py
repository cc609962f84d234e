"""The one door to data: who may see what, for which purpose, under which law; and the journal of every use.

Touches the ledger, the lake and the journal. Hands nothing out before the journal entry is durable. Never decides
what follows from data (that is `rules`), and knows no case or decision but by the port they register.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hucheng.gate.entries import Entry
    from hucheng.gate.facts import CaseFacts, CaseLookup
    from hucheng.gate.gate import Gate
    from hucheng.gate.journal import Journal
    from hucheng.gate.policy import Policies
    from hucheng.gate.principals import Org, Principal, Principals
    from hucheng.gate.purposes import Purpose, Purposes, Request
    from hucheng.gate.rights import JournalDesk, Line
    from hucheng.gate.standing import StandingView
    from hucheng.gate.stores import Read, Scope, Store
    from hucheng.gate.views import View

__all__ = [
    "CaseFacts", "CaseLookup", "Entry", "Gate", "Journal", "JournalDesk", "Line", "Org", "Policies", "Principal",
    "Principals", "Purpose", "Purposes", "Read", "Request", "Scope", "StandingView", "Store", "View",
]  # fmt: skip

_FROM = {
    "Entry": "entries",
    "CaseFacts": "facts",
    "CaseLookup": "facts",
    "Gate": "gate",
    "Journal": "journal",
    "Policies": "policy",
    "Org": "principals",
    "Principal": "principals",
    "Principals": "principals",
    "Purpose": "purposes",
    "Purposes": "purposes",
    "Request": "purposes",
    "JournalDesk": "rights",
    "Line": "rights",
    "StandingView": "standing",
    "Read": "stores",
    "Scope": "stores",
    "Store": "stores",
    "View": "views",
}


def __getattr__(name: str) -> Any:
    """Imported when first asked for: a process that only follows the journal's chain need not load the policies."""
    if name not in _FROM:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_FROM[name]}"), name)
    return found
