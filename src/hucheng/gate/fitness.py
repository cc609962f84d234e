"""Whether a journal may be gone on with: it is there, can be read, and is not older than what was sealed of it.

A node that began a new journal where the old one is gone would look like one that never did anything.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, Connection, inspect, make_url, select

from hucheng.base.ledger import Ledger
from hucheng.base.ledger.failures import Away, Unreadable, reading
from hucheng.errors import JournalBroken, Unavailable
from hucheng.gate import checkpoints
from hucheng.gate.tables import journal, journal_checkpoint, journal_head, metadata

ASIDE = "put it back from a backup, with the checkpoints of the same backup; where there is none, move what is left of \
it and {file} aside (keep both: they prove what is missing), and a new journal begins"


def fit(url: str, file: Path, public: bytes) -> None:
    """Raise unless the journal may be opened for writing: there, or never begun. Looks, and writes nothing.

    JournalBroken: it is gone, it is another or an older one than the checkpoints in ``file`` seal, or what a writer
    needs of it cannot be read. Unavailable: its database does not answer.
    """
    address = make_url(url)
    sealed = checkpoints.newest(file, public)
    mend = ASIDE.format(file=file.name)
    if gone(address):
        if sealed is not None:
            raise JournalBroken(
                f"the journal is gone: {sealed.last} entries of it were sealed", where=place(address), mend=mend, seq=1
            )
        return
    ledger = Ledger(url, metadata=metadata, readonly=True)
    try:
        with reading(), ledger.read() as conn:
            last, count = _end(conn)
    except Away as error:
        raise silent(address, error) from error
    except Unreadable as error:
        raise JournalBroken(
            f"the journal cannot be read: {error}",
            where=place(address),
            mend=f"`hucheng journal verify` names the first bad entry; {mend}",
        ) from error
    finally:
        ledger.close()
    if sealed is not None and (sealed.last > last or sealed.number > count + 1):
        held = f"ends at entry {last} with {count} checkpoints" if last else "is empty"
        raise JournalBroken(
            f"the journal {held}, and checkpoint {sealed.number} seals it up to entry {sealed.last}: "
            "it is another or an older one",
            where=place(address),
            mend=mend,
            seq=last + 1,
        )


def beside(url: str) -> Ledger:
    """The journal's database for somebody who only reads it. Raises JournalBroken where its file is gone."""
    address = make_url(url)
    if gone(address):
        raise JournalBroken("the journal is gone: there is no such file", where=place(address), seq=1)
    return Ledger(url, metadata=metadata, readonly=True)


def gone(address: URL) -> bool:
    """Whether this is a file, and it is not there."""
    file = address.get_backend_name() == "sqlite" and address.database not in (None, "", ":memory:")
    return file and not Path(str(address.database)).exists()


def place(address: URL) -> str:
    """Where a journal lies, in words that hold no password."""
    if address.get_backend_name() == "sqlite":
        return str(address.database)
    return address.render_as_string(hide_password=True)


def silent(address: URL, error: Away) -> Unavailable:
    """What to say of a database that does not answer: nothing is known of the journal in it."""
    server = "is the server running, and is this (HUCHENG_JOURNAL_URL) its address?"
    embedded = address.get_backend_name() == "sqlite"
    mend = "may this user read the file and its folder, and does nobody hold it?" if embedded else server
    return Unavailable(f"the journal's database does not answer: {error}", where=place(address), mend=mend)


def _end(conn: Connection) -> tuple[int, int]:
    """The last entry and how many checkpoints there are: everything that a writer reads when it opens a journal."""
    if not inspect(conn).has_table(journal_head.name):
        return 0, 0
    head = conn.execute(select(journal_head).where(journal_head.c.id == 1)).first()
    last = conn.execute(select(journal.c.seq, journal.c.hash).order_by(journal.c.seq.desc()).limit(1)).first()
    rows = conn.execute(select(journal_checkpoint).order_by(journal_checkpoint.c.number)).all()
    since = checkpoints.from_row(rows[-1]).last if rows else 0
    for _ in conn.execute(select(journal.c.hash).where(journal.c.seq > since).order_by(journal.c.seq)):
        pass
    ends = [int(one.seq) for one in (head, last) if one is not None]
    return max(ends, default=0), int(head.checkpoints) if head is not None else len(rows)
