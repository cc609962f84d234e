"""Around every request: a limit on its body, the headers that keep a browser safe, and how long it took."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hucheng.errors import TooLarge

Measured = Callable[[str, str, int, float], None]
"""``measured(method, route, status, seconds)``"""

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = (
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=(), payment=()"),
)
HSTS = (b"strict-transport-security", b"max-age=31536000")


class Armour:
    """ASGI middleware. ``max_body``: bytes of a request's body, counted also where no length was announced.

    ``too_large`` is told of each that was refused.
    """

    def __init__(
        self, app: ASGIApp, max_body: int, measured: Measured, too_large: Callable[[], None] = lambda: None
    ) -> None:
        self._app = app
        self._max = max_body
        self._measured = measured
        self._too_large = too_large

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started, status, begun, size = time.perf_counter(), 500, False, 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._max:
                self._too_large()
                raise TooLarge(
                    f"the body is over the limit of {self._max} bytes", mend="send smaller batches", limit=self._max
                )
            return message

        async def armoured(message: Message) -> None:
            nonlocal status, begun
            if message["type"] == "http.response.start":
                status, begun = message["status"], True
                message["headers"] = _with_headers(scope, list(message["headers"]))
            await send(message)

        try:
            announced = dict(scope["headers"]).get(b"content-length", b"0")
            if announced.isdigit() and int(announced) > self._max:
                self._too_large()
                raise TooLarge(
                    f"the body of {int(announced)} bytes is over the limit of {self._max}",
                    mend="send smaller batches",
                    limit=self._max,
                )
            await self._app(scope, counted, armoured)
        except TooLarge as error:
            if begun:
                raise
            await _refuse(error, armoured)
        finally:
            route = getattr(scope.get("endpoint"), "path", "static" if "/static/" in scope["path"] else "other")
            self._measured(scope["method"], route, status, time.perf_counter() - started)


def _with_headers(scope: Scope, headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The safe headers added; nothing personal is kept by caches; static files with a hash in their name for a year."""
    given = {name for name, _ in headers}
    headers += [pair for pair in HEADERS if pair[0] not in given]
    if scope["scheme"] == "https":
        headers.append(HSTS)
    if b"cache-control" not in given:
        kept = scope["path"].startswith("/static/dist/")
        headers.append((b"cache-control", b"public, max-age=31536000, immutable" if kept else b"no-store"))
    return headers


async def _refuse(error: TooLarge, send: Any) -> None:
    body = json.dumps(error.as_problem()).encode()
    headers = [(b"content-type", b"application/problem+json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})
