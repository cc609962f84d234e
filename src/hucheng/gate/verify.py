"""Check the whole journal: chain, head, checkpoints in table and file; name the first thing that was changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from pathlib import Path
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, select

from hucheng.base.keys import NodeKey, derived, master_key, signed
from hucheng.base.ledger import Ledger
from hucheng.errors import JournalBroken
from hucheng.gate import checkpoints, merkle
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.journal import FILE, PLACE, START, head_message, journal_checkpoint, journal_head, metadata
from hucheng.settings import Settings

_PAGE = 20_000


class Verified(Struct, frozen=True):
    """A journal found whole: how many entries, the chain hash of the last one (hex), how many checkpoints."""

    count: int
    root: str
    checkpoints: int


def verify(ledger: Ledger, public: bytes, file: Path, *, checkpointing: threading.Lock | None = None) -> Verified:
    """Check everything, or raise JournalBroken naming the first bad entry (``details["seq"]``) and what is wrong.

    ``public`` is the node's public key, ``file`` its checkpoints' file. Found are: any change to any column of an
    entry, an entry taken out, put in or swapped, entries cut off at the end, a changed, missing or foreign
    checkpoint in the table or in the file, a changed head. Needs no secret key.
    """
    with checkpointing or nullcontext():
        sealed = _sealed_so_far(ledger, public, file, patience=0 if checkpointing else 5)
    with ledger.read() as conn:
        # A new snapshot, so that checkpoints are not held up while a long chain is read: it may have grown.
        newest = _head(conn, public)
        seq, link = _chain(conn, sealed)
    if seq != newest[0]:
        what = f"the head stands at entry {newest[0]}, the last entry is {seq}"
        raise JournalBroken(what, where=f"entry {min(seq, newest[0]) + 1}", seq=min(seq, newest[0]) + 1)
    if link != newest[1]:
        raise JournalBroken("the head holds another hash than the last entry", where=f"entry {seq}", seq=seq)
    return Verified(seq, link.hex(), len(sealed))


def verify_home(settings: Settings) -> Verified:
    """Check the journal of a home, beside a running node or without one; writes nothing. Raises as `verify`."""
    public = NodeKey(derived(master_key(settings.home / "keys" / "master.key"), "node signature")).public
    ledger = Ledger(settings.journal, migrate=False, metadata=metadata)
    try:
        return verify(ledger, public, settings.home / FILE)
    finally:
        ledger.close()


def _chain(conn: Connection, sealed: Sequence[Checkpoint]) -> tuple[int, bytes]:
    """Follow the chain; compare each sealed stretch with its checkpoint. Returns the last seq and its hash."""
    link, seq = START, 0
    pack = PLACE.pack
    stretches = iter(sealed)
    stretch = next(stretches, None)
    leaves: list[bytes] = []
    for page in _pages(conn):
        for number, person, body, stored in page:
            seq += 1
            try:
                link = sha256(link + pack(number, person) + body).digest()
            except Exception as error:
                raise JournalBroken("the entry holds values of another kind", where=f"entry {seq}", seq=seq) from error
            if number != seq or link != stored:
                what = "the entry does not follow the one before" if number == seq else f"entry {seq} is not there"
                raise JournalBroken(what, where=f"entry {seq}", seq=seq)
            if stretch is not None:
                leaves.append(link)
                if seq == stretch.last:
                    _sealed(stretch, leaves, link)
                    leaves = []
                    stretch = next(stretches, None)
    if stretch is not None:
        raise JournalBroken(
            f"entry {seq + 1} is not there, checkpoint {stretch.number} covers up to {stretch.last}",
            where=f"entry {seq + 1}",
            seq=seq + 1,
        )
    return seq, link


def _sealed(stretch: Checkpoint, leaves: Sequence[bytes], link: bytes) -> None:
    if merkle.root(leaves).hex() != stretch.root or link.hex() != stretch.head:
        raise JournalBroken(
            f"entries {stretch.first} to {stretch.last} are not those that were sealed",
            where=f"checkpoint {stretch.number}",
            seq=stretch.first,
        )


def _sealed_so_far(ledger: Ledger, public: bytes, file: Path, patience: int) -> list[Checkpoint]:
    """The checkpoints, where table, file and head agree. Beside a running writer they may differ for a moment."""
    for left in range(patience, -1, -1):
        try:
            with ledger.read() as conn:
                sealed = _checkpoints(conn, public, file)
                head = _head(conn, public)
            if head[2] != len(sealed):
                what = f"the head counts {head[2]} checkpoints, there are {len(sealed)}"
                raise JournalBroken(what, where="checkpoints", seq=sealed[-1].last + 1 if sealed else 1)
            return sealed
        except JournalBroken:
            if not left:
                raise
            time.sleep(0.1)
    raise AssertionError


def _checkpoints(conn: Connection, public: bytes, file: Path) -> list[Checkpoint]:
    rows = conn.execute(select(journal_checkpoint).order_by(journal_checkpoint.c.number)).all()
    sealed = [checkpoints.from_row(row) for row in rows]
    lines = checkpoints.read(file)
    before: Checkpoint | None = None
    for one in sealed:
        checkpoints.check(one, before, public)
        before = one
    for one, line in zip(sealed, lines, strict=False):
        if one != line:
            where = f"{file.name} line {one.number}"
            raise JournalBroken("table and file of checkpoints differ", where=where, seq=one.first)
    if len(lines) != len(sealed):
        first = min(len(lines), len(sealed))
        known = [*sealed, *lines[len(sealed) :]]
        what = f"the file has {len(lines)} checkpoints, the table {len(sealed)}"
        raise JournalBroken(what, where=f"checkpoint {first + 1}", seq=known[first].first)
    return sealed


def _head(conn: Connection, public: bytes) -> tuple[int, bytes, int]:
    row = conn.execute(select(journal_head)).all()
    if len(row) != 1 or row[0].id != 1:
        raise JournalBroken("the head is missing or doubled", where="head", seq=0)
    try:
        seq, link, count = row[0].seq, bytes(row[0].hash), row[0].checkpoints
        good = signed(public, head_message(seq, link, count), bytes(row[0].signature))
    except Exception:
        good, seq, link, count = False, 0, START, 0
    if not good:
        raise JournalBroken("the head's signature is not the node's", where="head", seq=seq)
    return seq, link, count


def _pages(conn: Connection) -> Iterator[Sequence[Any]]:
    """The rows of the journal in their order, straight from the driver: a million of them in about a second."""
    with _cursor(conn) as cursor:
        cursor.execute("SELECT seq, person, body, hash FROM journal ORDER BY seq")
        while page := cursor.fetchmany(_PAGE):
            yield page


@contextmanager
def _cursor(conn: Connection) -> Iterator[Any]:
    raw: Any = conn.connection.dbapi_connection
    cursor = raw.cursor() if conn.dialect.name == "sqlite" else raw.cursor(name="journal_verify", binary=True)
    try:
        yield cursor
    finally:
        cursor.close()
