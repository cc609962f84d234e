"""What the steward does by itself: findings become decisions and cases, timers fire, decisions expire.

Needs no broker and no socket, so that it is the same in the process, in tests and in benches.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, select, update

from hucheng.base.ledger import Ledger, insert
from hucheng.cases import deeds
from hucheng.cases.clock import SteadyClock, instant, micros, monotonic_s, wall_clock
from hucheng.cases.handling import Handling, due_timers, next_due, shift_due
from hucheng.cases.tables import case_event, case_timer, desk_clock
from hucheng.decisions import record
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import Finding, decode

log = logging.getLogger(__name__)
CHORES_S = 30.0
POSTPONE_S = 30.0
AT_ONCE = 64
"""Timers in one transaction: few enough that nobody who acts waits long behind them."""
YIELD_S = 0.02
"""Pause between two such transactions: a new finding, or somebody who acts, goes first."""


def last_seen(ledger: Ledger) -> datetime | None:
    """The latest instant the desk has lived through, by the clock it goes by now; None for a new desk."""
    with ledger.read() as conn:
        row = conn.execute(select(desk_clock).where(desk_clock.c.id == 1)).first()
        query = select(func.max(case_event.c.at)).where(case_event.c.seq > (row.event_seq if row else 0))
        event = conn.execute(query).scalar()
    known = [at for at in (instant(row.seen_us) if row else None, event) if at is not None]
    return max(known, default=None)


class Duty:
    """The steward's own work. ``woken`` is called when a timer or a notice may be due earlier than thought."""

    def __init__(
        self,
        ledger: Ledger,
        handling: Handling,
        bodies: Bodies,
        *,
        wall: Callable[[], datetime] = wall_clock,
        monotonic: Callable[[], float] = monotonic_s,
        woken: Callable[[], None] = lambda: None,
    ) -> None:
        self._ledger, self._handling, self._bodies = ledger, handling, bodies
        self.clock = SteadyClock(last_seen(ledger), wall, monotonic)
        self.woken = woken
        self.erased: Callable[[str], bool] = lambda _: False
        self.jumps = 0
        self.opened = 0
        self._failing: dict[str, str] = {}
        self._chores_at = 0.0

    @property
    def problems(self) -> list[str]:
        """What is wrong now, in words for the status."""
        return [f"the timers of {len(self._failing)} cases fail: see the log"] if self._failing else []

    def take(self, messages: Sequence[bytes]) -> None:
        """Take findings from the stream: durable when it returns, all or none. Raises what stands in the way."""
        findings = [decode(message) for message in messages]
        started = time.perf_counter()
        with self._ledger.begin() as conn:
            for finding in findings:
                if not self.erased(finding.resident_id):
                    self._take_in(conn, finding)
        self.woken()
        fields = {"findings": len(findings), "ms": round((time.perf_counter() - started) * 1000, 1)}
        log.info("findings taken", extra={"fields": fields})

    def mandates_changed(self) -> None:
        """Somebody's mandate began or ended: who holds a case by one is looked at with the next turn, which is now."""
        self._chores_at = float("-inf")
        self.woken()

    def due(self) -> float | None:
        """Do what is due; seconds until the next timer (None: nothing waits)."""
        self._follow_clock()
        fired = self._fire()
        if time.monotonic() - self._chores_at > CHORES_S:
            self._chores_at = time.monotonic()
            self._chores()
        if fired:
            self.woken()
        with self._ledger.read() as conn:
            following = next_due(conn)
        return None if following is None else (following - self.clock()).total_seconds()

    def _take_in(self, conn: Connection, finding: Finding) -> None:
        now = self.clock()
        decision, new = record.record(conn, self._bodies, finding, now)
        _, opened = self._handling.open_or_join(conn, finding, decision, now, new=new)
        self.opened += opened

    def _fire(self) -> int:
        fired = 0
        while True:
            with self._ledger.read() as conn:
                timers = due_timers(conn, self.clock(), AT_ONCE)
            if not timers:
                return fired
            try:
                with self._ledger.begin() as conn:
                    self._handling.fire(conn, timers, self.clock())
                for case_id, _ in timers:
                    self._failing.pop(case_id, None)
            except Exception:
                log.exception("timers failed together, trying one by one")
                for case_id, task in timers:
                    self._fire_one(case_id, task)
            fired += len(timers)
            time.sleep(YIELD_S)

    def _fire_one(self, case_id: str, task: str) -> None:
        """One timer alone; where it fails it is due again in a while, so that it holds nobody else up."""
        try:
            with self._ledger.begin() as conn:
                self._handling.fire(conn, [(case_id, task)], self.clock())
            self._failing.pop(case_id, None)
        except Exception as error:
            self._failing[case_id] = type(error).__name__
            log.exception("timer failed, will be tried again", extra={"fields": {"case": case_id}})
            later = micros(self.clock() + timedelta(seconds=POSTPONE_S))
            mine = (case_timer.c.case_id == case_id) & (case_timer.c.task == task)
            with self._ledger.begin() as conn:
                conn.execute(update(case_timer).where(mine).values(due_us=later))

    def _follow_clock(self) -> None:
        """Where the wall clock has jumped, move every due time by as much and go by the new time."""
        apart = self.clock.jump()
        if apart is None:
            return
        with self._ledger.begin() as conn:
            moved = shift_due(conn, apart)
            self._note_seen(conn, self.clock() + apart, apart)
        self.clock.follow(apart)
        self.jumps += 1
        log.warning("clock jumped", extra={"fields": {"seconds": apart.total_seconds(), "timers": moved}})

    def _chores(self) -> None:
        with self._ledger.read() as conn:
            waits = next_due(conn) is not None
        self._take_back()
        with self._ledger.begin() as conn:
            record.expire(conn, self.clock())
            if waits:
                self._note_seen(conn, self.clock(), None)

    def _take_back(self) -> None:
        """Cases of carers whose mandate is over go back to the roster; what fails stops no other chore."""
        try:
            with self._ledger.begin() as conn:
                found = deeds.take_back(conn, self._handling, self.clock())
        except Exception:
            log.exception("cases of an ended mandate not taken back, will be tried again")
            return
        if found:
            log.info("cases taken back: the mandate is over", extra={"fields": {"cases": found}})
            self.woken()

    @staticmethod
    def _note_seen(conn: Connection, at: datetime, jump: timedelta | None) -> None:
        """Write down how far the desk has come; after a jump, what was told by the older clock counts no more."""
        seq = conn.execute(select(func.max(case_event.c.seq))).scalar() or 0
        values: dict[str, object] = {"seen_us": micros(at), "event_seq": seq}
        if jump is not None:
            values["last_jump_s"] = jump.total_seconds()
        fresh = insert(conn, desk_clock).values(id=1, jumps=int(jump is not None), **values)
        again = values | ({"jumps": desk_clock.c.jumps + 1} if jump is not None else {})
        conn.execute(fresh.on_conflict_do_update(index_elements=["id"], set_=again))
