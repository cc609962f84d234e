"""One ear for the whole process at the steward's door; every open screen hears from it by server-sent events."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator

from starlette.responses import Response, StreamingResponse

from hucheng.cases.views import Counts
from hucheng.errors import HuchengError
from hucheng.gate import Principal
from hucheng.portals.services import Desk

WAIT_S = 10.0
"""How long one question may stay open at the steward."""
AGAIN_S = 1.0
"""Pause after the steward did not answer."""


def streamed(events: AsyncIterator[bytes]) -> Response:
    """Server-sent events that no proxy and no cache holds back."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


class Watch:
    """Waits for changes of the queue once, however many screens are open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._version = -1
        self._blind = False
        self._turn = 0
        self._counts: dict[tuple[str, tuple[str, ...]], asyncio.Task[Counts]] = {}
        self._turned = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self._listeners = 0

    async def events(self, who: Principal) -> AsyncGenerator[bytes, None]:
        """Server-sent events for one screen: ``changed`` (version, how many wait, how many are urgent), ``blind``.

        The numbers are those of the officer's own area.
        """
        self._listeners += 1
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())
        seen = self._turn
        try:
            if self._version >= 0 and not self._blind:
                yield await self._event(who)
            while True:
                async with self._turned:
                    await self._turned.wait_for(lambda seen=seen: self._turn != seen)  # type: ignore[misc]
                    seen = self._turn
                yield await self._event(who)
        finally:
            self._listeners -= 1

    async def _event(self, who: Principal) -> bytes:
        counts = None if self._blind else await self._counted(who)
        if counts is None:
            return b"event: blind\ndata: {}\n\n"
        data = {"version": self._version, "calling": counts.calling, "urgent": counts.urgent_calling}
        return f"event: changed\ndata: {json.dumps(data)}\n\n".encode()

    async def _counted(self, who: Principal) -> Counts | None:
        """The counts of a place at this turn, asked once for all who work there; None when nobody answers."""
        place = who.kind, who.org
        if place not in self._counts:
            self._counts[place] = asyncio.create_task(self._desk.counts(who))
        try:
            return await asyncio.shield(self._counts[place])
        except HuchengError:
            self._counts.pop(place, None)
            return None

    async def _run(self) -> None:
        """Ask until nobody listens any more."""
        while self._listeners:
            try:
                self._version = await self._desk.changes(self._version, WAIT_S)
                self._blind = False
            except HuchengError:
                self._blind = True
            async with self._turned:
                self._counts = {}
                self._turn += 1
                self._turned.notify_all()
            await asyncio.sleep(AGAIN_S if self._blind else 0.2)
