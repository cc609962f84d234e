"""Who somebody is, for those who ask over the local socket: at the keyboard, from a sign-in, or in a demo."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from hucheng.base.rpc import exposed
from hucheng.errors import Refused
from hucheng.gate import Principal, Principals
from hucheng.portals.services import Persona
from hucheng.settings import Settings

PERSONAS = "personas.json"
LOCAL = "operator:local"
SERVICE = "node.intake"
"""The principal under which detection stands in the stream."""


def personas_file(home: Path) -> Path:
    """Where a demo city writes who one can be in it."""
    return home / PERSONAS


class People:
    """Principals as other processes ask for them."""

    def __init__(self, principals: Principals, settings: Settings) -> None:
        self._principals = principals
        self._settings = settings

    @exposed
    def at_keyboard(self, user: str, principal_id: str | None = None) -> Principal:
        """The principal for a command at this machine: the one named, or the node's own operator.

        Whoever may open the node's socket may act as its operator, under any name entered here: the journal holds the
        principal, not the user of the machine, whose name is only what the caller says. Raises Refused for a name
        nobody bears.
        """
        found = self._principals.get(principal_id or LOCAL)
        return msgspec.structs.replace(found, name=f"{found.name} ({user})")

    @exposed
    def personas(self) -> list[Persona]:
        """Demo identities; none outside a demo city."""
        path = personas_file(self._settings.home)
        if not self._settings.demo or not path.exists():
            return []
        return msgspec.json.decode(path.read_bytes(), type=list[Persona])

    @exposed
    def places(self) -> dict[str, dict[str, str]]:
        """What every place and department is called, by its id."""
        return {org.id: dict(org.title) for org in self._principals.orgs()}

    @exposed
    def of_claims(self, claims: dict[str, Any]) -> Principal:
        """The principal behind verified OpenID Connect claims. Raises Refused for nobody we know."""
        found = self._principals.by_subject(f"{claims.get('iss', '')}|{claims.get('sub', '')}")
        if found is None:
            raise Refused(
                "this sign-in belongs to nobody here", policy="principal.known", needed="an entry by the operator"
            )
        return found
