"""Refusals that reach a caller past the gate's own: somebody nobody knows, a deed that is not done here at all.

The gate journals what it refuses itself. Whatever else is refused on the socket is journaled here, once, on its way
out: at the one place by which every caller comes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from hucheng.base.rpc import Server
from hucheng.errors import Refused
from hucheng.gate import Gate, Principal
from hucheng.node.home.people import LOCAL

AT_THE_DOOR: Final = frozenset({"people.of_claims"})
"""Refused sign-ins: the site journals them itself, however many come, as one entry a minute (`hucheng.node.doors`)."""


def noting(gate: Gate) -> Callable[[str, Mapping[str, Any], Refused], Refused]:
    """What the socket's server asks before it gives a refusal on."""

    def note(call: str, arguments: Mapping[str, Any], refusal: Refused) -> Refused:
        if call in AT_THE_DOOR:
            return refusal
        principal = arguments.get("principal")
        asking = principal.id if isinstance(principal, Principal) else arguments.get("principal_id") or LOCAL
        person = arguments.get("person") or arguments.get("resident_id")
        case = arguments.get("case") or arguments.get("case_id")
        return gate.noted(asking, refusal, call, person=person, case=case)

    return note


def door(path: Path, served: Mapping[str, object], gate: Gate) -> Server:
    """The steward's socket, where no refusal goes out unwritten."""
    return Server(path, served, refused=noting(gate))
