"""Time for the desk: it never runs backwards, and a jump of the machine's clock neither loses nor doubles a tier.

The machine's clock may be set wrong and right again. Between two looks time is therefore measured on the monotonic
clock (with suspend included where the system knows it), and only anchored to the wall clock. When the two part by
more than a tolerance, all due times are moved by the difference: what was 40 seconds away is still 40 seconds away.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

log = logging.getLogger(__name__)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
TOLERANCE_S = 2.0


def micros(at: datetime) -> int:
    """Microseconds since 1970.

    >>> micros(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC))
    1000000
    """
    return (at - EPOCH) // timedelta(microseconds=1)


def instant(us: int) -> datetime:
    """The instant that is so many microseconds after 1970."""
    return EPOCH + timedelta(microseconds=us)


def wall_clock() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)


def monotonic_s() -> float:
    """Seconds that only run forward, time asleep included where the system counts it."""
    boottime = getattr(time, "CLOCK_BOOTTIME", None)
    return time.clock_gettime(boottime) if boottime is not None else time.monotonic()


class SteadyClock:
    """Now, by the monotonic clock anchored to the wall clock.

    ``last``: the latest instant the desk has lived through before (from the ledger); a wall clock behind it is a
    jump that happened while the desk was down.
    """

    def __init__(
        self,
        last: datetime | None = None,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = monotonic_s,
    ) -> None:
        self._wall, self._monotonic = wall, monotonic
        self._lock = threading.Lock()
        at = wall()
        self._anchor = max(at, last) if last else at
        self._zero = monotonic()

    def __call__(self) -> datetime:
        """The instant now; never before one that was given already."""
        return self._anchor + timedelta(seconds=self._monotonic() - self._zero)

    def jump(self) -> timedelta | None:
        """How far the wall clock has jumped since the last look, past the tolerance; the anchor follows it."""
        with self._lock:
            apart = self._wall() - self()
            if abs(apart.total_seconds()) <= TOLERANCE_S:
                return None
            return apart

    def follow(self, apart: timedelta) -> None:
        """Take the wall clock's new time as ours; the caller has moved every due time by as much."""
        with self._lock:
            self._anchor += apart


class Poller:
    """One thread that calls ``due`` when the next thing is due, at the latest every ``idle_s`` seconds.

    ``due()`` does what is due and returns seconds until the next thing (None: nothing waits).
    """

    def __init__(self, name: str, due: Callable[[], float | None], idle_s: float = 1.0) -> None:
        self.name, self._due, self._idle_s = name, due, idle_s
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self.failures = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look again now: something new may be due."""
        self._wake.set()

    def end(self) -> None:
        """Begin nothing more; does not wait."""
        self._stop = True
        self._wake.set()

    def stop(self) -> None:
        """Finish what is being done and end."""
        self.end()
        with contextlib.suppress(RuntimeError):
            self._thread.join(timeout=15)

    def _run(self) -> None:
        while not self._stop:
            self._wake.clear()
            try:
                wait = self._due()
                self.failures = 0
            except Exception:
                self.failures += 1
                wait = min(5.0, 0.2 * 2 ** min(self.failures, 5))
                log.exception("poller failed, will try again", extra={"fields": {"poller": self.name}})
            self._wake.wait(self._idle_s if wait is None else min(self._idle_s, max(0.0, wait)))
