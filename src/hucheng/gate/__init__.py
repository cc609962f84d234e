"""The one door to data: who may see what, for which purpose, under which law; and the journal of every use.

Touches the ledger, the lake and the journal. Hands nothing out before the journal entry is durable. Never decides
what follows from data (that is `rules`), and knows no case or decision but by the port they register.
"""

from __future__ import annotations

from hucheng.gate.policy import Policies
from hucheng.gate.principals import Org, Principal, Principals
from hucheng.gate.purposes import Purpose, Purposes, Request

__all__ = ["Org", "Policies", "Principal", "Principals", "Purpose", "Purposes", "Request"]
