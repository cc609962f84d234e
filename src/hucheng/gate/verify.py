"""Check the whole journal: chain, head, checkpoints in table and file; name the first thing that was changed."""

from __future__ import annotations

import struct
import threading
import time
from contextlib import nullcontext
from pathlib import Path

from msgspec import Struct
from sqlalchemy import Connection, func, select

from hucheng.base.keys import NodeKey, derived, master_key, signed
from hucheng.base.ledger import Ledger
from hucheng.base.ledger.failures import Away, Unreadable, reading
from hucheng.errors import BadRequest, JournalBroken
from hucheng.gate import checkpoints
from hucheng.gate.chain import chain
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.ends import from_both_ends
from hucheng.gate.fitness import beside, place, silent
from hucheng.gate.tables import FILE, START, head_message, journal, journal_checkpoint, journal_head
from hucheng.settings import Settings

LONG = 200_000
"""Entries from which a second process is worth its start."""


class Verified(Struct, frozen=True):
    """A journal found whole: how many entries, the chain hash of the last one (hex), how many checkpoints."""

    count: int
    root: str
    checkpoints: int


def verify(ledger: Ledger, public: bytes, file: Path, *, checkpointing: threading.Lock | None = None) -> Verified:
    """Check everything, or raise JournalBroken naming the first bad entry (``details["seq"]``) and what is wrong.

    ``public`` is the node's public key, ``file`` its checkpoints' file. Found are: any change to any column of an
    entry, an entry taken out, put in or swapped, entries cut off at the end, a changed, missing or foreign
    checkpoint in the table or in the file, a changed head, and whatever of it cannot be read. Needs no secret key.
    Raises Unavailable where the database does not answer: that says nothing of the journal.
    """
    try:
        with reading():
            return _verify(ledger, public, file, checkpointing)
    except Away as error:
        raise silent(ledger.url, error) from error
    except Unreadable as error:
        raise JournalBroken(
            f"the journal cannot be read: {error}", where=place(ledger.url), seq=_first_doubtful(ledger, public, file)
        ) from error


def _verify(ledger: Ledger, public: bytes, file: Path, checkpointing: threading.Lock | None) -> Verified:
    with checkpointing or nullcontext():
        sealed = _sealed_so_far(ledger, public, file, patience=0 if checkpointing else 5)
    with ledger.read() as conn:
        # A new snapshot, so that checkpoints are not held up while a long chain is read: it may have grown.
        newest = _head(conn, public)
        last = int(conn.execute(select(func.max(journal.c.seq))).scalar() or 0)
        if last >= LONG and len(sealed) > 1:
            seq, link = from_both_ends(ledger, conn, sealed, last)
        else:
            seq, link = chain(conn, sealed, last)
    if seq != newest[0]:
        what = f"the head stands at entry {newest[0]}, the last entry is {seq}"
        raise JournalBroken(what, where=f"entry {min(seq, newest[0]) + 1}", seq=min(seq, newest[0]) + 1)
    if link != newest[1]:
        raise JournalBroken("the head holds another hash than the last entry", where=f"entry {seq}", seq=seq)
    return Verified(seq, link.hex(), len(sealed))


def _first_doubtful(ledger: Ledger, public: bytes, file: Path) -> int:
    """The first entry of which nothing proves any more what it was, where head or checkpoints cannot be read.

    That is the first that cannot be read or does not follow, or the one behind the last line of the file that holds.
    """
    try:
        sealed = checkpoints.proven(file, public)
        with reading(), ledger.read() as conn:
            last = int(conn.execute(select(func.max(journal.c.seq))).scalar() or 0)
            chain(conn, sealed, last)
    except (Away, Unreadable):
        return 1
    except JournalBroken as error:
        return int(error.details["seq"])
    return sealed[-1].last + 1 if sealed else 1


def public_key(settings: Settings) -> bytes:
    """The public half of a home's signing key, which is derived from its master key."""
    return NodeKey(derived(master_key(settings.home / "keys" / "master.key"), "node signature")).public


def verify_home(settings: Settings, *, public: bytes | None = None, held: Path | None = None) -> Verified:
    """Check the journal of a home, beside a running node or without one; writes nothing. Raises as `verify`.

    ``public``: the node's public key, where the master key is not at hand. ``held``: checkpoint lines kept by somebody
    who does not run the node; each must stand in the journal word for word, or it was written anew.
    """
    key = public if public is not None else public_key(settings)
    kept = _held(held) if held is not None else []
    ledger = beside(settings.journal)
    try:
        found = verify(ledger, key, settings.home / FILE)
        with ledger.read() as conn:
            rows = conn.execute(select(journal_checkpoint)).all()
        sealed = {one.number: one for one in map(checkpoints.from_row, rows)}
    finally:
        ledger.close()
    for one in kept:
        if sealed.get(one.number) != one:
            what = (
                "another checkpoint than the one held" if one.number in sealed else "a checkpoint that is held is gone"
            )
            raise JournalBroken(what, where=f"checkpoint {one.number}", seq=one.first)
    return found


def _held(file: Path) -> list[Checkpoint]:
    """Lines that were kept elsewhere. Raises BadRequest where there are none."""
    found = checkpoints.read(file)
    if not found:
        raise BadRequest("no checkpoints in this file", where=str(file), mend="lines of journal-checkpoints.jsonl")
    return found


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
    except (TypeError, ValueError, struct.error):
        good, seq, link, count = False, 0, START, 0
    if not good:
        raise JournalBroken("the head's signature is not the node's", where="head", seq=seq)
    return seq, link, count
