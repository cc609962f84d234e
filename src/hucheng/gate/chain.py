"""Follow the journal's chain of hashes, and name the first entry that does not follow the one before."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection

from hucheng.base.ledger.failures import Unreadable, reading
from hucheng.errors import JournalBroken
from hucheng.gate import merkle
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.tables import PLACE, START

_PAGE = 20_000


def chain(
    conn: Connection, sealed: Sequence[Checkpoint], last: int, *, before: int = 0, link: bytes = START
) -> tuple[int, bytes]:
    """Follow the chain behind entry ``before``, whose hash is ``link``, up to ``last``; gives the last and its hash.

    Each sealed stretch is compared with its checkpoint. Raises JournalBroken.
    """
    seq = before
    pack = PLACE.pack
    stretches = iter(sealed)
    stretch = next(stretches, None)
    leaves: list[bytes] = []
    for page in _pages(conn, before, last):
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


def _pages(conn: Connection, before: int, last: int) -> Iterator[Sequence[Any]]:
    """The rows of the journal in their order, straight from the driver: a million of them in about a second."""
    behind = before
    try:
        with reading(), _cursor(conn) as cursor:
            cursor.execute(_asking(before, last))
            while page := cursor.fetchmany(_PAGE):
                yield page
                behind += len(page)
    except Unreadable as error:
        yield from _one_by_one(conn, behind, last, str(error))


def _one_by_one(conn: Connection, behind: int, last: int, said: str) -> Iterator[Sequence[Any]]:
    """The rows that can be read before the first that cannot. Raises JournalBroken for that one, always."""
    with contextlib.suppress(Unreadable), reading(), _cursor(conn) as cursor:
        cursor.execute(_asking(behind, last))
        while row := cursor.fetchone():
            yield [row]
            behind += 1
    raise JournalBroken(f"the entry cannot be read: {said}", where=f"entry {behind + 1}", seq=behind + 1)


def _asking(before: int, last: int) -> str:
    behind = f"seq > {int(before)} AND " if before else ""  # from the start: whatever number a row bears
    return f"SELECT seq, person, body, hash FROM journal WHERE {behind}seq <= {int(last)} ORDER BY seq"


@contextmanager
def _cursor(conn: Connection) -> Iterator[Any]:
    raw: Any = conn.connection.dbapi_connection
    cursor = raw.cursor() if conn.dialect.name == "sqlite" else raw.cursor(name="journal_verify", binary=True)
    try:
        yield cursor
    finally:
        cursor.close()
