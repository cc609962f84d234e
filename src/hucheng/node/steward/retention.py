"""What the ledger holds goes when its contract's retention is over: cases, decisions, past rows of registers.

Once a day, in small transactions, so that nobody who acts waits. Each of them is in the journal before it is durable:
one that the journal does not take is not done. The journal itself is never shortened: it is the proof.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection

from hucheng.base.contracts import Contract
from hucheng.base.deviceregister import DATASET as DEVICES
from hucheng.cases import expiry as cases
from hucheng.cases.store import DATASET as CASES
from hucheng.decisions import expiry as decisions
from hucheng.decisions.store import DATASET as DECISIONS
from hucheng.gate import Entry, Gate, Journal
from hucheng.node.home.rooms import Rooms
from hucheng.node.retaining import EVERY_S, FIRST_S, SafeTime, expired
from hucheng.node.steward.duty import last_seen

log = logging.getLogger(__name__)
SERVICE: Final = "node.steward"
AGAIN_S: Final = 3_600.0
"""What failed is tried again after so long."""
FOUND: Final = 20_000
"""So many are looked for at once."""
PAUSE_S: Final = 0.05
"""Between two transactions: whoever acts goes first."""


class Kept(NamedTuple):
    """One dataset: how many of it go in one transaction, how to find what is past, and how to drop some of that.

    ``find`` takes how many to look for; ``drop`` gives how much went, by dataset: with a case go its decisions.
    """

    dataset: str
    at_once: int
    find: Callable[[Connection, int], Sequence[Any]]
    drop: Callable[[Connection, Sequence[Any]], dict[str, int]]


class Retention:
    """Looks once a day (`due` is called by a poller). ``seen``: the latest instant known from before this start."""

    def __init__(
        self,
        rooms: Rooms,
        gate: Gate,
        journal: Journal,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
        *,
        seen: datetime | None = None,
        pause_s: float = PAUSE_S,
    ) -> None:
        self._rooms, self._gate, self._journal = rooms, gate, journal
        self._clock, self._monotonic, self._pause_s = clock, monotonic, pause_s
        self._time = SafeTime(clock, monotonic, seen=seen)
        self._next = monotonic() + FIRST_S
        self._waits: dict[str, str] = {}
        self._stale = False
        self._ended = threading.Event()

    @property
    def problems(self) -> list[str]:
        """What is kept longer than its contract says, and why, in words for the status."""
        return [f"{name} is kept longer than allowed: {why}" for name, why in sorted(self._waits.items())]

    def end(self) -> None:
        """Begin no further transaction."""
        self._ended.set()

    def due(self) -> float:
        """Look when it is time; seconds until the next look."""
        if (wait := self._next - self._monotonic()) > 0:
            return wait
        self.once()
        self._next = self._monotonic() + (AGAIN_S if self._waits else EVERY_S)
        return self._next - self._monotonic()

    def once(self) -> dict[str, int]:
        """Delete what is past its time; how much of each dataset went. What fails waits and stops no other."""
        now = self._time.now()
        if now is None:
            return {}
        gone: Counter[str] = Counter()
        self._waits = {}
        for kept in self._all(now):
            try:
                for counts in self._batches(kept):
                    gone.update(counts)
            except Exception as error:  # whatever it is, the others go on, and it is tried again
                self._wait(kept.dataset, error)
        if gone:
            log.info("kept no longer", extra={"fields": dict(gone)})
        self._stale = self._stale or bool(gone.keys() - {CASES, DECISIONS})
        if self._stale:
            try:
                self._gate.renew_copies()
                self._stale = False
            except Exception as error:
                self._wait("a copy of a register in the lake", error)
        return dict(gone)

    def _all(self, now: datetime) -> Iterator[Kept]:
        """Every dataset of the ledger; a case before its decisions, which stay as long as it does."""
        catalogue = self._rooms.catalogue
        closed, decided = (now - catalogue.get(name).retention for name in (CASES, DECISIONS))

        def files(conn: Connection, some: Sequence[str]) -> dict[str, int]:
            count, theirs = cases.drop(conn, some, closed, decided)
            return {CASES: count, DECISIONS: theirs}

        yield Kept(CASES, 50, lambda conn, limit: cases.past(conn, closed, decided, limit), files)
        yield Kept(
            DECISIONS,
            200,
            lambda conn, limit: decisions.past(conn, decided, cases.caseless, limit),
            lambda conn, some: {DECISIONS: decisions.drop(conn, some, decided, cases.caseless)},
        )
        for contract in catalogue:
            if contract.kind == "register":
                yield self._register(contract.id, now - self._span(contract))

    def _register(self, name: str, before: datetime) -> Kept:
        registers = self._rooms.registers
        return Kept(
            name,
            500,
            lambda conn, limit: registers.past(conn, name, before, limit),
            lambda conn, some: {name: registers.drop(conn, name, some, before)},
        )

    def _span(self, contract: Contract) -> timedelta:
        """How long a register's past rows are kept; of devices as long as readings are: they say whose those are."""
        readings = self._rooms.catalogue.observations() if contract.id == DEVICES else []
        return max(one.retention for one in [contract, *readings])

    def _batches(self, kept: Kept) -> Iterator[dict[str, int]]:
        """Delete in small transactions; what went in each, by dataset."""
        while not self._ended.is_set():
            with self._rooms.ledger.read() as conn:
                found = kept.find(conn, FOUND)
            went = False
            for start in range(0, len(found), kept.at_once):
                if self._ended.is_set():
                    return
                with self._rooms.ledger.begin() as conn:
                    some = kept.drop(conn, found[start : start + kept.at_once])
                    counts = {name: count for name, count in some.items() if count}
                    self._journal.append([self._entry(name, count) for name, count in counts.items()])
                went = went or bool(counts)
                yield counts
                self._ended.wait(self._pause_s)
            if not went or len(found) < FOUND:
                return

    def _entry(self, dataset: str, count: int) -> Entry:
        what = {CASES: "cases", DECISIONS: "decisions"}.get(dataset, "registers")
        return expired(self._clock(), SERVICE, f"{what}.expire", dataset, {what: count})

    def _wait(self, name: str, error: Exception) -> None:
        self._waits[name] = f"{type(error).__name__}: it is tried again"
        fields = {"dataset": name, "why": f"{type(error).__name__}: {error}"[:200]}
        log.warning("kept longer than allowed", extra={"fields": fields})


def lived_through(rooms: Rooms, journal: Journal) -> datetime | None:
    """The latest instant that desk or journal know of from before this start; None in a new home."""
    sealed = [datetime.fromisoformat(one.at) for one in journal.checkpoints(1)]
    return max([at for at in (last_seen(rooms.ledger), *sealed) if at is not None], default=None)
