"""The journal: every use of data, durable before data is handed out, in one chain that nobody can change unseen.

hash = SHA-256(previous hash ‖ seq (8 bytes) ‖ person (8 bytes) ‖ body). One thread writes, many entries a commit.
A head row, signed in the same transaction, says where the chain ends; checkpoints sign stretches of it; `verify`
checks all of it. Erasing a person destroys a key: the chain stays whole.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from pyroaring import BitMap
from sqlalchemy import select

from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.errors import JournalBroken, LedgerError
from hucheng.gate import checkpoints, merkle
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.entries import Entry, encode, named
from hucheng.gate.fitness import fit
from hucheng.gate.tables import PLACE, START, head_message, journal, journal_checkpoint, journal_head, metadata

log = logging.getLogger(__name__)
VERSIONS = Path(__file__).parent / "versions"
_GROUP = 4096
_LINGER_S = 0.0003
_MANY = 128  # rows in one INSERT: each statement gives up the interpreter's lock once
_CHECKPOINT_ENTRIES = 8192
_CHECKPOINT_S = 600.0


class _Ticket:
    """One caller's entries on their way, and the lock the caller waits on."""

    __slots__ = ("done", "error", "first", "rows")

    def __init__(self, rows: list[tuple[int, bytes]]) -> None:
        self.rows = rows
        self.first = 0
        self.error: BaseException | None = None
        self.done = threading.Lock()
        self.done.acquire()


class Journal:
    """The one writer of a journal. ``file`` takes the checkpoints; ``clock`` their time.

    Raises LedgerError when the database cannot be opened, JournalBroken and Unavailable as `fit` does: a journal that
    is gone is not begun anew. One found damaged is continued, never rewritten: ``damage`` says what was found, and an
    entry of kind ``damage`` keeps it in the chain.
    """

    def __init__(
        self,
        url: str,
        keys: Keys,
        file: Path,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        every: int = _CHECKPOINT_ENTRIES,
    ) -> None:
        fit(url, file, keys.node.public)
        self.ledger = Ledger(url, metadata=metadata, versions=VERSIONS)
        self.keys = keys
        self.file = file
        self._clock = clock
        self._every = every
        self._waiting: deque[_Ticket] = deque()
        self._wake = threading.Condition()
        self._closing = False
        self._enough = 1
        self.checkpointing = threading.Lock()
        """Held while table and file of checkpoints differ."""
        self.damage: str | None = None
        self._last: Checkpoint | None = None
        self._links: list[bytes] = []
        self._count = 0
        self.seq = 0
        self._link = START
        mark = "?" if self.ledger.embedded else "%s"
        self._insert = "INSERT INTO journal (seq, person, body, hash) VALUES "
        self._row = f"({mark}, {mark}, {mark}, {mark})"
        self._head = f"UPDATE journal_head SET seq={mark}, hash={mark}, checkpoints={mark}, signature={mark} WHERE id=1"
        self._stale = False
        self._raw: Any = None
        self._find_end()
        self._sealed_at = self._clock()
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()
        if self.damage:
            self.damaged(self.damage)

    def damaged(self, found: str) -> None:
        """Keep in the chain what was found; `damage` says it until the next start."""
        self.damage = found
        self.append([Entry(self._clock(), "damage", "journal", "service", "", "", "", detail={"found": found})])

    def append(self, entries: Iterable[Entry], *, numbers: BitMap | None = None) -> list[int]:
        """Append entries; durable when it returns their sequence numbers.

        ``numbers``: the people of a single entry, as person numbers, where they are at hand. Raises LedgerError when
        the entries are not durable: then nothing may be handed out.
        """
        given = list(entries)
        wanted: dict[str, None] = {}
        for entry in given:
            wanted.update(dict.fromkeys(named(entry)))
        people = self.keys.people(wanted) if wanted else {}
        return self._append([encode(entry, people, numbers) for entry in given])

    def _append(self, rows: list[tuple[int, bytes]]) -> list[int]:
        if not rows:
            return []
        ticket = _Ticket(rows)
        with self._wake:
            if self._closing:
                raise LedgerError("the journal is closed", mend="start the node")
            self._waiting.append(ticket)
            if len(self._waiting) >= self._enough:
                self._wake.notify()
        ticket.done.acquire()
        if ticket.error is not None:
            raise LedgerError(
                f"the journal did not take the entry: {ticket.error}", mend="is the disk full or the server away?"
            ) from ticket.error
        return list(range(ticket.first, ticket.first + len(rows)))

    def checkpoints(self, limit: int = 20) -> list[Checkpoint]:
        """The newest checkpoints, newest first."""
        query = select(journal_checkpoint).order_by(journal_checkpoint.c.number.desc()).limit(limit)
        with self.ledger.read() as conn:
            return [checkpoints.from_row(row) for row in conn.execute(query)]

    def seal(self) -> Checkpoint | None:
        """Make a checkpoint over what has none yet; None when there is nothing."""
        self._append_seal()
        return self._last

    def close(self) -> None:
        """Write what waits, seal it with a checkpoint, and stop."""
        with self._wake:
            self._closing = True
            self._wake.notify()
        self._thread.join()
        self._disconnect()
        self.ledger.close()

    def _append_seal(self) -> None:
        ticket = _Ticket([])
        with self._wake:
            if self._closing:
                raise LedgerError("the journal is closed", mend="start the node")
            self._waiting.append(ticket)
            self._wake.notify()
        ticket.done.acquire()
        if ticket.error is not None:
            raise LedgerError(f"the journal could not be sealed: {ticket.error}") from ticket.error

    def _run(self) -> None:
        before = 0
        while True:
            with self._wake:
                while not self._waiting and not self._closing:
                    if not self._wake.wait(timeout=30) and self._links and self._due():
                        break
                # Callers who were just answered come back within microseconds: with them, one commit serves all.
                self._enough = before + len(self._waiting) if before > 1 else 1
                if 0 < len(self._waiting) < self._enough and not self._closing:
                    self._wake.wait(timeout=_LINGER_S)
                self._enough = 1
                closing = self._closing and not self._waiting
                group: list[_Ticket] = []
                size = 0
                while self._waiting and size < _GROUP:
                    group.append(self._waiting.popleft())
                    size += len(group[-1].rows)
            before = len(group)
            error = self._tried(self._write, group) if size else None
            for ticket in group:
                if ticket.rows:
                    ticket.error = error
                    ticket.done.release()
            sealing = [ticket for ticket in group if not ticket.rows]
            if self._links and (closing or sealing or self._due()):
                error = self._tried(self._checkpoint)
                self._sealed_at = self._clock()  # also after a failure: the next try comes with the next interval
            for ticket in sealing:
                ticket.error = error
                ticket.done.release()
            if closing:
                return

    def _tried(self, act: Callable[..., None], *given: Any) -> BaseException | None:
        """Do it; what goes wrong is for those who wait, and the end of the chain is found anew before the next try."""
        try:
            if self._stale:
                self._find_end()
                self._stale = False
            act(*given)
        except Exception as problem:
            self._stale = True
            self._disconnect()  # at once: a transaction left open would keep everybody else out
            return problem
        return None

    def _due(self) -> bool:
        return len(self._links) >= self._every or (self._clock() - self._sealed_at).total_seconds() >= _CHECKPOINT_S

    def _write(self, group: Sequence[_Ticket]) -> None:
        seq, link = self.seq, self._link
        rows: list[tuple[int, int, bytes, bytes]] = []
        firsts: list[int] = []
        pack = PLACE.pack
        for ticket in group:
            firsts.append(seq + 1)
            for person, body in ticket.rows:
                seq += 1
                link = sha256(link + pack(seq, person) + body).digest()
                rows.append((seq, person, body, link))
        signature = self.keys.node.sign(head_message(seq, link, self._count))
        raw = self._raw or self._connect()
        cursor = raw.cursor()
        cursor.execute("BEGIN IMMEDIATE" if self.ledger.embedded else "BEGIN")
        for n in range(0, len(rows), _MANY):
            some = rows[n : n + _MANY]
            cursor.execute(self._insert + ", ".join([self._row] * len(some)), [cell for row in some for cell in row])
        cursor.execute(self._head, (seq, link, self._count, signature))
        cursor.execute("COMMIT")
        cursor.close()
        self.seq, self._link = seq, link
        self._links.extend(row[3] for row in rows)
        for ticket, first in zip(group, firsts, strict=True):
            ticket.first = first

    def _connect(self) -> Any:
        """The driver's own connection, kept open: SQLAlchemy's work a statement would halve the rate."""
        pooled = self.ledger.engine.raw_connection()
        self._raw = pooled.dbapi_connection
        pooled.detach()
        if not self.ledger.embedded:
            self._raw.autocommit = True  # we say BEGIN and COMMIT ourselves
        return self._raw

    def _disconnect(self) -> None:
        if self._raw is not None:
            raw, self._raw = self._raw, None
            with contextlib.suppress(Exception):  # the server may be away: then it rolls back by itself
                raw.rollback()
            raw.close()

    def _checkpoint(self) -> None:
        fresh = checkpoints.make(
            self._last, self.seq, merkle.root(self._links), self._link, self._clock().isoformat(), self.keys.node
        )
        with self.checkpointing:
            # The file first: after a crash in between it has one line more than the signed head counts, see _catch_up.
            checkpoints.append(self.file, fresh)
            self._note(fresh)
        self._links = []

    def _note(self, fresh: Checkpoint) -> None:
        signature = self.keys.node.sign(head_message(self.seq, self._link, self._count + 1))
        with self.ledger.begin() as conn:
            conn.execute(journal_checkpoint.insert().values({n: getattr(fresh, n) for n in fresh.__struct_fields__}))
            conn.exec_driver_sql(self._head, (self.seq, self._link, self._count + 1, signature))
        self._count += 1
        self._last = fresh

    def _find_end(self) -> None:
        """Find the end of the chain; a chain that lost its tail goes on behind the gap, so that the gap stays."""
        with self.ledger.begin() as conn:
            last = conn.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
            head = conn.execute(select(journal_head).where(journal_head.c.id == 1)).first()
            rows = conn.execute(select(journal_checkpoint).order_by(journal_checkpoint.c.number)).all()
            if head is None:
                if last is not None or rows:
                    self.damage = "the head is missing"
                seq, link = (int(last.seq), bytes(last.hash)) if last else (0, START)
                signature = self.keys.node.sign(head_message(seq, link, len(rows)))
                values = {"id": 1, "seq": seq, "hash": link, "checkpoints": len(rows), "signature": signature}
                conn.execute(journal_head.insert().values(values))
                count = len(rows)
            else:
                seq, link, count = int(head.seq), bytes(head.hash), int(head.checkpoints)
                end = (int(last.seq), bytes(last.hash)) if last else (0, START)
                if (seq, link) != end:
                    self.damage = f"the head stands at entry {seq}, the last entry is {end[0]}"
                    if end[0] > seq:
                        seq, link = end
            self.seq, self._link, self._count = seq, link, count
            self._last = checkpoints.from_row(rows[-1]) if rows else None
            since = self._last.last if self._last else 0
            query = select(journal.c.hash).where(journal.c.seq > since).order_by(journal.c.seq)
            self._links = [bytes(one) for one in conn.execute(query).scalars()]
        self._catch_up(count)

    def _catch_up(self, count: int) -> None:
        """Note in the table the one checkpoint that a crash left in the file alone; a half-written one is cut off."""
        if cut := checkpoints.mend(self.file, count):
            log.warning("half a line was cut off", extra={"fields": {"file": self.file.name, "bytes": cut}})
        if self.damage is not None:
            return
        try:
            lines = checkpoints.read(self.file)
            fresh = lines[-1] if len(lines) == count + 1 and (self._last.number if self._last else 0) == count else None
            if fresh is not None:
                checkpoints.check(fresh, self._last, self.keys.node.public)
        except JournalBroken as problem:  # whoever changed the file does not stop the writing: `verify` names it
            self.damage = str(problem)
            return
        if fresh is not None:
            covered = fresh.last - fresh.first + 1
            if fresh.last <= self.seq and fresh.root == merkle.root(self._links[:covered]).hex():
                self._note(fresh)
                self._links = self._links[covered:]
