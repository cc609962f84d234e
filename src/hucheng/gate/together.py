"""Short work of many threads, done by one of them for all who wait, and made durable in one go.

Sixteen threads that fight for the interpreter finish fewer reads than one that does the work of all, and the unlucky
among them wait many times longer than the median. Whoever comes first works off what waits and has it written down;
then the next one begins (not before: those who are let go would have to fight for the interpreter again). Not for
work that waits for another process or for much data: nobody would get past it.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Generic, TypeVar

T = TypeVar("T")
E = TypeVar("E")
MOST = 64
"""So many are worked off before the next one takes over."""


class _Ticket:
    """One caller's work, and the lock the caller waits on."""

    __slots__ = ("error", "leads", "result", "turn", "work")

    def __init__(self, work: Callable[[Callable[[Any], None]], Any]) -> None:
        self.work = work
        self.result: Any = None
        self.error: BaseException | None = None
        self.leads = False
        self.turn = threading.Lock()
        self.turn.acquire()


class Together(Generic[E]):
    """Callers' work, first come first served. ``settle`` makes durable what it left behind, for many at once."""

    def __init__(self, settle: Callable[[Sequence[E]], object]) -> None:
        self._settle = settle
        self._mutex = threading.Lock()
        self._waiting: deque[_Ticket] = deque()
        self._busy = False

    def do(self, work: Callable[[Callable[[E], None]], T]) -> T:
        """Have it done; it gets what takes the entries to be made durable before anything is handed out.

        Raises what the work raises, or what ``settle`` raised for all it was done with.
        """
        mine = _Ticket(work)
        with self._mutex:
            self._waiting.append(mine)
            leads, self._busy = not self._busy, True
        if not leads:
            mine.turn.acquire()
            leads = mine.leads
        if leads:
            self._lead()
        if mine.error is not None:
            raise mine.error
        result: T = mine.result
        return result

    def _lead(self) -> None:
        """Work off what waits (the first is one's own), settle, let the others go, and hand over."""
        with self._mutex:
            group = [self._waiting.popleft() for _ in range(min(MOST, len(self._waiting)))]
        entries: list[E] = []
        try:
            for ticket in group:
                mark = len(entries)
                try:
                    ticket.result = ticket.work(entries.append)
                except BaseException as error:
                    ticket.error = error
                    del entries[mark:]  # nothing is handed out, so nothing was
            if entries:
                self._settle(entries)
        except BaseException as error:
            for ticket in group:
                ticket.error, ticket.result = ticket.error or error, None
        finally:
            for ticket in group[1:]:
                ticket.turn.release()
            self._hand_over()

    def _hand_over(self) -> None:
        with self._mutex:
            if self._waiting:
                self._waiting[0].leads = True
                self._waiting[0].turn.release()
            else:
                self._busy = False
