"""Sending notices by Apprise (webhook, e-mail, and whatever else an address names), until they are delivered or owed.

A notice is sent at least once: a process killed between the carrier's answer and our commit sends it again. After the
last failure "not delivered" is an event in the case and a task that the desk owes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import apprise
from sqlalchemy import select

from hucheng.base.ledger import Ledger
from hucheng.cases import outbox, owing
from hucheng.cases.clock import micros
from hucheng.cases.handling import Handling
from hucheng.cases.outbox import Waiting
from hucheng.cases.tables import case_file

log = logging.getLogger(__name__)
CARRIERS = 4
TIMEOUT_S = 5
"""For connecting, and again for the answer: a node that stops waits for what is being sent."""


def deliver(address: str, title: str, text: str) -> str | None:
    """Hand a notice to its carrier; None when it was taken, else why not. Never raises for a bad address."""
    carrier = apprise.Apprise()
    try:
        if not carrier.add(_limited(address)):
            return "the address is not one that Apprise knows"
        taken = carrier.notify(body=text, title=title, body_format=apprise.NotifyFormat.TEXT)
    except Exception as error:  # carriers raise whatever they like
        return f"{type(error).__name__}"
    return None if taken else "the carrier did not take it"


def _limited(address: str) -> str:
    """The address with a time limit for connecting and reading, where it says none itself."""
    parts = urlsplit(address)
    query = parts.query
    for name in ("cto", "rto"):
        if f"{name}=" not in query:
            query += f"{'&' if query else ''}{name}={TIMEOUT_S}"
    return urlunsplit(parts._replace(query=query))


class Notices:
    """Sends what is due. ``changed`` is told the case of a notice that was given up or delivered."""

    def __init__(
        self,
        ledger: Ledger,
        handling: Handling,
        clock: Callable[[], datetime],
        own_addresses: Sequence[str] = (),
        send: Callable[[str, str, str], str | None] = deliver,
    ) -> None:
        self._ledger, self._handling, self._clock = ledger, handling, clock
        self._own = tuple(own_addresses)
        self._send = send
        self._pool = ThreadPoolExecutor(CARRIERS, thread_name_prefix="notice")
        self._ending = False

    def due(self) -> float | None:
        """Send everything that is due; returns seconds until the next try (None: nothing waits)."""
        with self._ledger.read() as conn:
            waiting = outbox.due(conn, self._clock())
            left = [one for one in waiting if one.line and self._handling.rosters.left(conn, one.line, self._clock())]
        if left:  # whose mandate is over hears of no case any more, and nobody has to phone them about it
            with self._ledger.begin() as conn:
                outbox.withdraw(conn, [one.id for one in left])
        waiting = [one for one in waiting if one not in left]
        with self._ledger.read() as conn:
            addresses = [self._address(conn, one) for one in waiting]
        if self._ending:
            return None
        tries = [self._pool.submit(self._try, one, address) for one, address in zip(waiting, addresses, strict=True)]
        for one, tried in zip(waiting, tries, strict=True):
            with contextlib.suppress(CancelledError):  # not begun when the node stopped: it waits for the next start
                self._record(one, tried.result())
        with self._ledger.read() as conn:
            following = outbox.next_us(conn)
        return None if following is None else max(0.0, (following - micros(self._clock())) / 1e6)

    def end(self) -> None:
        """Begin nothing more; what is being sent is finished and written down."""
        self._ending = True
        self._pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Wait for what is being sent."""
        self.end()
        self._pool.shutdown(wait=True)

    def _address(self, conn: Any, one: Waiting) -> str | None:
        if one.line is None:
            return self._own[one.channel] if one.channel < len(self._own) else None
        return self._handling.rosters.address(conn, one.line, one.channel)

    def _try(self, one: Waiting, address: str | None) -> str | None:
        if address is None:
            return "the address is no longer on the roster"
        return self._send(address, one.title, one.text)

    def _record(self, one: Waiting, why: str | None) -> None:
        now = self._clock()
        with self._ledger.begin() as conn:
            row = conn.execute(select(case_file).where(case_file.c.id == one.case_id)).first()
            if why is None:
                outbox.sent(conn, one.id, now)
                if row is not None:
                    self._handling.note(conn, row, "delivered", now, tier=one.tier or None, name=one.who)
            elif outbox.failed(conn, one, why, now) and row is not None:
                self._handling.note(conn, row, "not_delivered", now, tier=one.tier or None, name=one.who)
                owing.owe(conn, row, "not_delivered", to=one.who, now=now, turn=one.id, name=one.who)
        if why is None:
            log.info("notice delivered", extra={"fields": {"notice": one.id, "case": one.case_id}})
        else:
            fields = {"notice": one.id, "case": one.case_id, "try": one.tries + 1, "why": why}
            log.warning("notice not taken", extra={"fields": fields})
