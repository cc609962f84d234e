"""The policies in force: those of the house and those of apps as accepted; each question is decided once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from msgspec import structs

from hucheng.base.catalogue import Catalogue
from hucheng.errors import HuchengError, Refused
from hucheng.gate.policy import Facts, Policies, check
from hucheng.gate.principals import Principal
from hucheng.gate.purposes import Purposes

_DECISIONS = 50_000


@dataclass(frozen=True)
class _Force:
    """One state of the policies, what is wrong with the unsound ones by app, and what was decided under it."""

    changes: int
    policies: Policies
    broken: dict[str, HuchengError]
    decided: dict[tuple[Any, ...], str]


class Judge:
    """Decides by the policies that are accepted now. Facts and policies given, a decision never changes: it is kept.

    Where no policy can tell people apart, it is kept for all who stand in the same relation; refusals never are.
    """

    def __init__(self, purposes: Purposes, catalogue: Catalogue) -> None:
        self._purposes = purposes
        self._catalogue = catalogue
        self._force: _Force | None = None

    def decide(self, who: Principal, action: str, dataset: str | None, facts: Facts, owner: str) -> str:
        """The id of the policy that permits it. Raises Refused; an app whose policies do not validate opens nothing."""
        force = self.current()
        broken = force.broken
        if owner in broken:
            raise Refused(
                f"the policies of {owner} cannot be applied: {broken[owner].what}",
                policy="policies.valid",
                needed="policies that validate",
            )
        key: tuple[Any, ...] = (who, action, dataset, facts, owner)
        if force.policies.impersonal:
            key = (who.kind, who.org, who.roles, action, dataset, structs.replace(facts, person=""), owner)
        known = force.decided.get(key)
        if known is None:
            known = force.policies.decide(who, action, dataset, facts, owner=owner)
            if len(force.decided) >= _DECISIONS:
                force.decided.clear()
            force.decided[key] = known
        return known

    def nearest(self, actions: Sequence[str], purpose: str) -> str:
        """The first of the actions that some policy permits for a purpose; the first of all where none does."""
        policies = self.current().policies
        return next((action for action in actions if policies.speaks(action, purpose)), actions[0])

    def current(self) -> _Force:
        """What is in force now; made anew when a request was accepted or refused."""
        changes = self._purposes.changes
        if self._force is None or self._force.changes != changes:
            accepted = self._purposes.policies()
            broken: dict[str, HuchengError] = {}
            for app, text in accepted.items():
                try:
                    check(app, text, self._catalogue)
                except HuchengError as error:
                    broken[app] = error
            sound = {app: text for app, text in accepted.items() if app not in broken}
            self._force = _Force(changes, Policies(self._catalogue, sound), broken, {})
        return self._force
