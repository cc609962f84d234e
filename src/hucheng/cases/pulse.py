"""A number that grows with every change, and a way to wait for it without asking again and again."""

from __future__ import annotations

import asyncio
import threading


class Pulse:
    """Wakes whoever waits, from any thread, as soon as a change is durable."""

    def __init__(self, version: int) -> None:
        self._version = version
        self._lock = threading.Lock()
        self._waiting: dict[asyncio.Future[None], asyncio.AbstractEventLoop] = {}

    @property
    def version(self) -> int:
        """The number as it is now."""
        return self._version

    def beat(self) -> None:
        """Something changed."""
        with self._lock:
            self._version += 1
            waiting, self._waiting = self._waiting, {}
        for future, loop in waiting.items():
            if not loop.is_closed():
                loop.call_soon_threadsafe(_wake, future)

    async def after(self, since: int, timeout_s: float) -> int:
        """The number once it is another than ``since``, or as it is when the time is over."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self._version != since:
                return self._version
            self._waiting[future] = loop
        try:
            await asyncio.wait_for(future, timeout_s)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                self._waiting.pop(future, None)
        return self._version


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)
