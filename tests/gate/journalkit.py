"""A journal with everything it stands on, and entries for it."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.errors import JournalBroken
from hucheng.gate import Entry, Journal
from hucheng.gate.verify import Verified, verify

NOON = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)


def entry(n: int, **more: Any) -> Entry:
    given = {"person": f"R{n % 7}", "detail": {"n": n}, "counts": {"rows": n}}
    return Entry(NOON, "look", f"li-{n}", "officer", "east", "cases.work", "law", **{**given, **more})


class Book:
    """A journal with everything it stands on."""

    def __init__(self, ledger_url: str, journal_url: str, home: Path, every: int = 10) -> None:
        self.ledger = Ledger(ledger_url)
        self.keys = Keys(self.ledger, bytes(32))
        self.url, self.file, self.every = journal_url, home / "checkpoints.jsonl", every
        self.journal = self.opened()

    def opened(self) -> Journal:
        return Journal(self.url, self.keys, self.file, clock=lambda: NOON, every=self.every)

    def verify(self) -> Verified:
        journal = self.journal
        return verify(journal.ledger, self.keys.node.public, self.file, checkpointing=journal.checkpointing)

    def change(self, sql: str, **values: Any) -> int:
        with self.journal.ledger.begin() as conn:
            return int(conn.execute(text(sql), values).rowcount)

    def close(self) -> None:
        self.journal.close()
        self.ledger.close()


def filled(book: Book) -> Book:
    for n in range(33):
        book.journal.append([entry(n)])
    return book


def broken(book: Book) -> JournalBroken:
    with pytest.raises(JournalBroken) as caught:
        book.verify()
    return caught.value
