"""What opens a door without a password: bearer tokens of people, tokens of gateways, and help links of paired devices.

Each is signed with a key of its own, derived from the node's secret, and is good for one thing only.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
from itsdangerous import BadSignature, URLSafeSerializer
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import OctKey

from hucheng.errors import NotFound, Refused
from hucheng.gate import Principal
from hucheng.portals.session import derive

PERSON_LIFE = timedelta(hours=1)
DEVICE_LIFE = timedelta(days=365)


HOLDER_ROLE = "help"


def holder(device_id: str) -> str:
    """Id of the principal as whom the holder of a device's help link asks."""
    return f"help:{device_id}"


class HelpLink(msgspec.Struct, frozen=True):
    """Whom a help link calls help for, the paired device it stands for, and the principal as whom it may ask."""

    principal_id: str
    resident_id: str
    device_id: str
    gateway_id: str

    @property
    def principal(self) -> Principal:
        """The holder of the link; the page asks as this principal whether help is coming, and nothing else."""
        return Principal(self.principal_id, "resident", "", (), (HOLDER_ROLE,), self.resident_id)


class Tokens:
    """Issues and reads tokens. ``secret``: the node's key for the site."""

    def __init__(self, secret: bytes) -> None:
        self._key = OctKey.import_key(derive(secret, "tokens"))
        self._help = URLSafeSerializer(derive(secret, "help").hex(), salt="hucheng.help")

    def person(self, principal: Principal, now: datetime, *, demo: bool) -> str:
        """A bearer token with which a program asks as this person, for an hour."""
        claims = {"aud": "api", "demo": demo, "principal": msgspec.to_builtins(principal)}
        return self._sign(claims, now, PERSON_LIFE)

    def read_person(self, token: str, now: datetime, *, demo_allowed: bool) -> Principal:
        """The person behind a bearer token. Raises Refused for a forged, expired or foreign token."""
        claims = self._read(token, "api", now)
        if claims.get("demo") and not demo_allowed:
            raise Refused("demo identities are not known here", policy="sign-in", needed="an OpenID Connect sign-in")
        return msgspec.convert(claims["principal"], Principal)

    def gateway(self, gateway_id: str, now: datetime, number: str = "", life: timedelta = DEVICE_LIFE) -> str:
        """A token with which a gateway pushes readings, for a year; ``number``: by which it can be revoked."""
        return self._sign({"aud": "readings", "sub": gateway_id, "jti": number}, now, life)

    def read_gateway(self, token: str, now: datetime) -> tuple[str, str]:
        """The gateway behind a token, and the token's number. Raises Refused; ``gateway`` where we signed it once."""
        claims = self._read(token, "readings", now)
        return str(claims["sub"]), str(claims.get("jti", ""))

    def help_link(self, resident_id: str, device_id: str, gateway_id: str, principal_id: str | None = None) -> str:
        """The last part of a help link's address. It does not run out; it ends with the device's registration.

        ``principal_id``: the resident's own, where she has one; otherwise the device's (`holder`), who is entered as a
        principal when the device is paired.
        """
        return str(self._help.dumps([principal_id or holder(device_id), resident_id, device_id, gateway_id]))

    def read_help(self, token: str) -> HelpLink:
        """Whom this link calls help for. Raises NotFound for anything we did not sign."""
        try:
            return HelpLink(*(str(part) for part in self._help.loads(token)))
        except (BadSignature, ValueError, TypeError) as error:
            raise NotFound("this help link is not valid", mend="ask the community centre to pair it again") from error

    def _sign(self, claims: dict[str, Any], now: datetime, life: timedelta) -> str:
        times = {"iat": int(now.timestamp()), "exp": int((now + life).timestamp())}
        return jwt.encode({"alg": "HS256"}, {**claims, **times}, self._key)

    def _read(self, token: str, audience: str, now: datetime) -> dict[str, Any]:
        rules = jwt.JWTClaimsRegistry(
            now=int(now.timestamp()),
            aud={"essential": True, "value": audience},
            exp={"essential": True},
        )
        known: dict[str, str] = {}
        try:
            read = jwt.decode(token, self._key, algorithms=["HS256"])
            known = {"gateway": str(read.claims["sub"])} if read.claims.get("aud") == "readings" else {}
            rules.validate(read.claims)
        except (JoseError, ValueError) as error:
            raise Refused(
                "the token is not valid here, or has run out",
                policy="token",
                needed="a new token",
                **known,
            ) from error
        return dict(read.claims)
