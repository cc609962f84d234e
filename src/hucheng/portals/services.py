"""What the site asks of the node: one object for each room of the steward, and the broker's door for readings.

The protocols say no more than the site uses. The node fills them with proxies over the local socket; every method may
raise `hucheng.errors.Unavailable` (the steward is down) and `Refused` (the gate says no).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec

from hucheng.base.catalogue import Catalogue
from hucheng.cases.rosters import Contact
from hucheng.cases.views import CasePage, CaseRow, CaseView, Counts, Owed
from hucheng.decisions.record import Appeal, Decision, Result
from hucheng.gate import Principal, Purpose, Read, Request
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.rights import Line
from hucheng.gate.verify import Verified


class Desk(Protocol):
    """Cases: the queue, one case, deeds (`hucheng.cases.desk.Desk`)."""

    async def queue(
        self,
        principal: Principal,
        *,
        kind: str | None = None,
        open_only: bool = True,
        limit: int = 50,
        offset: int = 0,
        order: str = "due",
    ) -> CasePage: ...
    async def case(self, principal: Principal, case_id: str) -> CaseView: ...
    async def act(
        self,
        principal: Principal,
        case_id: str,
        action: str,
        note: str | None = None,
        to: str | None = None,
        outcome: str | None = None,
        eta_minutes: int | None = None,
    ) -> CaseView | None: ...
    async def owed(self, principal: Principal, limit: int = 50, offset: int = 0) -> list[Owed]: ...
    async def owed_count(self, principal: Principal) -> int: ...
    async def changes(self, since: int, timeout_s: float) -> int: ...
    async def of_person(self, principal: Principal, resident_id: str) -> list[CaseRow]: ...
    async def colleagues(self, principal: Principal, case_id: str) -> list[Contact]: ...
    async def counts(self, principal: Principal | None = None) -> Counts: ...


class Decisions(Protocol):
    """What was decided about a person, why, and the appeal (`hucheng.decisions`)."""

    async def of_person(self, principal: Principal, resident_id: str, case: str | None = None) -> list[Decision]: ...
    async def get(self, principal: Principal, decision_id: str, case: str | None = None) -> Decision: ...
    async def appeal(self, principal: Principal, decision_id: str, text: str) -> Appeal: ...
    async def answer(self, principal: Principal, decision_id: str, text: str, result: Result) -> Appeal: ...


class Gate(Protocol):
    """The one door to data (`hucheng.gate`)."""

    async def look(
        self,
        principal: Principal,
        purpose: str,
        reads: list[Read],
        *,
        case: str | None = None,
        person: str | None = None,
    ) -> list[list[dict[str, Any]]]: ...
    async def purposes(self) -> list[Purpose]: ...
    async def requests(self, principal: Principal) -> list[Request]: ...


class Journal(Protocol):
    """The record of every use, sealed (`hucheng.gate.journal`)."""

    async def of_person(self, principal: Principal, resident_id: str, limit: int = 200) -> list[Line]: ...
    async def heads(self, principal: Principal, limit: int = 100, before: int | None = None) -> list[Line]: ...
    async def verify(self, principal: Principal) -> Verified: ...
    async def checkpoints(self, principal: Principal, limit: int = 20) -> list[Checkpoint]: ...


class Persona(msgspec.Struct, frozen=True):
    """A demo identity: who one can be in a demo city, and what there is to see."""

    principal: Principal
    title: dict[str, str]
    hint: dict[str, str]


class People(Protocol):
    """Who somebody is: demo identities, and the principal behind an OpenID Connect subject."""

    async def personas(self) -> list[Persona]: ...
    async def places(self) -> dict[str, dict[str, str]]:
        """What every place and department is called, by its id."""
        ...

    async def of_claims(self, claims: dict[str, Any]) -> Principal:
        """The principal whom these verified claims name. Raises Refused for nobody we know."""
        ...


class Entering(Protocol):
    """Rows of registers, as holding from now or no longer (`hucheng.node.steward.entering`)."""

    async def register(self, principal: Principal, dataset: str, rows: list[dict[str, Any]], first: int = 1) -> int: ...
    async def end(self, principal: Principal, what: str, rows: list[dict[str, Any]], first: int = 1) -> int: ...


class Status(Protocol):
    """How the node is (`hucheng status --json`)."""

    async def status(self) -> dict[str, Any]:
        """At least ``status`` ("ready" or why not), ``readings``, ``cases``, ``parts``."""
        ...


Push = Callable[[str, bytes], Any]
"""``await push(gateway, payload)`` publishes readings on ``readings/<gateway>/batch`` and returns the broker's sequence
once it has acknowledged; raises Unavailable when it has not, TooLarge, BadRequest."""


class AppLike(Protocol):
    """What the site needs to know of an app (`hucheng.apps.App` is one)."""

    @property
    def name(self) -> str: ...
    @property
    def titles(self) -> Mapping[str, str]: ...
    @property
    def folder(self) -> Path: ...
    @property
    def panels(self) -> Mapping[str, Any]: ...
    @property
    def pages(self) -> Callable[..., Any] | None: ...
    @property
    def packs(self) -> Sequence[Path]: ...
    @property
    def help(self) -> tuple[str, str] | None: ...
    @property
    def shown_first(self) -> str | None: ...


@dataclass(frozen=True)
class Services:
    """All the site may ask. ``secret``: 32 bytes, the same in every web process of the node."""

    desk: Desk
    decisions: Decisions
    gate: Gate
    journal: Journal
    people: People
    entering: Entering
    status: Status
    push: Push
    catalogue: Catalogue
    secret: bytes = field(repr=False)
    city: Mapping[str, str] = field(default_factory=lambda: {"zh": "临江市", "en": "Linjiang"})
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    pass_live: Callable[[str, str, datetime], bool] = lambda number, gateway, now: True
    """Whether a gateway's token of this number was issued and not revoked."""
    turned_away: Callable[[str, str | None, str | None], None] = lambda door, who, what: None
    """Has it journaled that somebody was turned away: by which check, as whom as far as known, what was wrong."""
