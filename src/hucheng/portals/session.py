"""Who is signed in: a signed cookie with the principal, and the word against forged forms."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlsplit

import msgspec
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.requests import Request
from starlette.responses import Response

from hucheng.gate import Principal

NAME = "hucheng_session"
VISIT = "hucheng_visit"
LIFE_S = 8 * 3600


class Session(msgspec.Struct, frozen=True):
    """A sign-in: ``demo`` tells demo identities, which a production start refuses."""

    principal: Principal
    demo: bool


class Sessions:
    """Writes and reads the cookies. ``secret``: the node's key for the site."""

    def __init__(self, secret: bytes, *, demo_allowed: bool) -> None:
        self._signer = URLSafeTimedSerializer(derive(secret, "session").hex(), salt="hucheng.session")
        self._forms = derive(secret, "forms")
        self._demo_allowed = demo_allowed

    def read(self, request: Request) -> Session | None:
        """The sign-in of this request; None for nobody, a forged or expired cookie, or a demo identity elsewhere."""
        try:
            data = self._signer.loads(request.cookies.get(NAME, ""), max_age=LIFE_S)
            session = msgspec.convert(data, Session)
        except (BadSignature, msgspec.ValidationError):
            return None
        return None if session.demo and not self._demo_allowed else session

    def write(self, request: Request, response: Response, session: Session) -> None:
        """Sign in; a new visit word goes with it, so that a form from before is not valid after."""
        value = self._signer.dumps(msgspec.to_builtins(session))
        set_cookie(request, response, NAME, str(value), LIFE_S)
        set_cookie(request, response, VISIT, secrets.token_urlsafe(24), LIFE_S)

    def clear(self, response: Response) -> None:
        """Sign out."""
        response.delete_cookie(NAME)
        response.delete_cookie(VISIT)

    def visit(self, request: Request) -> str:
        """The visit word of this browser; a new one where it has none (the answer must set it)."""
        return request.cookies.get(VISIT) or secrets.token_urlsafe(24)

    def form_word(self, visit: str) -> str:
        """What a form must carry: bound to the visit word by the node's key."""
        return hmac.new(self._forms, visit.encode(), hashlib.sha256).hexdigest()

    def form_is_ours(self, request: Request, given: str) -> bool:
        """Whether a form came from a page of ours in this browser."""
        visit = request.cookies.get(VISIT, "")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return False
        return bool(visit) and hmac.compare_digest(self.form_word(visit), given)


def derive(secret: bytes, use: str) -> bytes:
    """A key for one use only."""
    return hmac.new(secret, f"hucheng.portals.{use}".encode(), hashlib.sha256).digest()


def set_cookie(request: Request, response: Response, name: str, value: str, life_s: int, **more: Any) -> None:
    """A cookie that scripts cannot read and other sites cannot send; over TLS only where the site is on TLS."""
    response.set_cookie(
        name,
        value,
        max_age=life_s,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
        **more,
    )


def safe_back(target: str | None, default: str = "/") -> str:
    """An address inside this site, or the default: never a way out.

    >>> safe_back("/desk?kind=care.alarm")
    '/desk?kind=care.alarm'
    >>> [safe_back(bad) for bad in ("//evil.example", "https://evil.example", "javascript:1", None)]
    ['/', '/', '/', '/']
    """
    if not target or not target.startswith("/") or target.startswith(("//", "/\\")):
        return default
    if any(ord(char) < 32 for char in target) or "\\" in target:
        return default
    parts = urlsplit(target)
    return default if parts.scheme or parts.netloc else target
