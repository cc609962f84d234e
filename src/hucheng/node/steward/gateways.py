"""Gateways as an operator lets them in: a user at the broker for MQTT, tokens for HTTP, and taking both away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec

from hucheng.base import broker
from hucheng.base.credentials import GATEWAY, Credential, Credentials
from hucheng.base.passes import Pass, Passes
from hucheng.base.rpc import exposed
from hucheng.errors import BadRequest, NotFound, StreamError
from hucheng.gate import Gate, Principal
from hucheng.node.home.secret import site_secret
from hucheng.portals.tokens import Tokens
from hucheng.settings import Settings

MOST_DAYS = 730


class Issued(msgspec.Struct, frozen=True):
    """A token, shown once, and the number by which it is revoked."""

    id: str
    gateway: str
    token: str
    expires_at: datetime


@dataclass
class Gateways:
    """Served over the local socket; the first argument is always who asks. Each deed is journaled before it is done."""

    settings: Settings
    gate: Gate
    clock: Callable[[], datetime]

    @exposed
    def add(self, principal: Principal, gateway: str) -> Credential:
        """Give a gateway its user at the broker; the same again gives the same. Raises BadRequest, Refused."""
        if not GATEWAY.fullmatch(gateway):
            raise BadRequest(f"gateway id {gateway!r}", mend="letters, digits, - and _; at most 64")
        self._authorise(principal, "add", gateway)
        broker.grant(self.settings, [gateway])
        return self._users().get(gateway)

    @exposed
    def remove(self, principal: Principal, gateway: str) -> int:
        """Take a gateway's user and tokens away; a connection it has is cut. Gives how many tokens were live."""
        self._known(gateway)
        self._authorise(principal, "remove", gateway)
        broker.withdraw(self.settings, [gateway])
        return len(self._passes().revoke(gateway, self.clock()))

    @exposed
    def issue(self, principal: Principal, gateway: str, days: int = 365) -> Issued:
        """A token with which a gateway pushes over HTTP. Raises NotFound for a gateway nobody added, BadRequest."""
        if not 0 < days <= MOST_DAYS:
            raise BadRequest(f"{days} days", mend=f"1 to {MOST_DAYS}")
        self._known(gateway)
        self._authorise(principal, "issue", gateway, f"for {days} days")
        now, life = self.clock(), timedelta(days=days)
        fresh = self._passes().issue(gateway, now, life)
        token = Tokens(site_secret(self.settings.home)).gateway(gateway, now, fresh.id, life)
        return Issued(fresh.id, gateway, token, fresh.expires_at)

    @exposed
    def revoke(self, principal: Principal, gateway: str, only: str | None = None) -> int:
        """End a gateway's tokens at once, or ``only`` one; gives how many were live."""
        self._authorise(principal, "revoke", gateway, only or "all tokens")
        return len(self._passes().revoke(gateway, self.clock(), only))

    @exposed
    def passes(self, principal: Principal) -> list[Pass]:
        """Every token that was issued, without the token itself."""
        self.gate.authorise(principal, "node.status")
        return self._passes().all()

    def _known(self, gateway: str) -> None:
        try:
            self._users().get(gateway)
        except StreamError as error:
            raise NotFound(f"no gateway {gateway!r}", mend=f"hucheng gateway add {gateway}") from error

    def _authorise(self, principal: Principal, deed: str, gateway: str, more: str = "") -> None:
        plain = {"deed": deed, "gateway": gateway, **({"token": more} if more else {})}
        self.gate.authorise(principal, "gateways.write", plain=plain)

    def _users(self) -> Credentials:
        return Credentials(broker.folder(self.settings))

    def _passes(self) -> Passes:
        return Passes(broker.folder(self.settings))
