"""Checkpoints: a changed one is named, in table and file; half a line is cut off, a whole line never."""

from __future__ import annotations

import random
import resource
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from gate.journalkit import Book, broken, entry
from hucheng.base.ledger import Ledger
from hucheng.errors import JournalBroken, LedgerError
from hucheng.gate import checkpoints
from hucheng.gate.verify import verify


@pytest.mark.parametrize("number", [1, 2, 3])
@pytest.mark.parametrize("column", ["number", "first", "last", "root", "head", "prev", "at", "signature"])
def test_a_changed_checkpoint_is_named(full: Book, column: str, number: int) -> None:
    if column in ("number", "first", "last"):
        full.change(f"UPDATE journal_checkpoint SET {column} = {column} + 77 WHERE number = :n", n=number)
    else:
        with full.journal.ledger.read() as conn:
            query = text(f"SELECT {column} FROM journal_checkpoint WHERE number = :n")
            held = str(conn.execute(query, {"n": number}).scalar_one())
        changed = ("1" if held[0] != "1" else "2") + held[1:]
        full.change(f"UPDATE journal_checkpoint SET {column} = :v WHERE number = :n", v=changed, n=number)
    assert "checkpoint" in str(broken(full).where)


def test_a_checkpoint_taken_out_of_the_table_or_the_file_is_named(full: Book) -> None:
    whole = full.file.read_bytes()
    lines = whole.splitlines(keepends=True)
    for left in ([], lines[:2], lines[1:], [lines[1], lines[0], lines[2]], [*lines, lines[2]]):
        full.file.write_bytes(b"".join(left))
        assert broken(full).what
    full.file.write_bytes(whole)
    assert full.verify().checkpoints == 3
    full.change("DELETE FROM journal_checkpoint WHERE number = 3")
    assert "checkpoint" in str(broken(full).where)


@given(spot=st.integers(0, 10_000), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_bit_of_the_file_of_checkpoints(sqlite_book: Book, spot: int, bit: int) -> None:
    whole = sqlite_book.file.read_bytes()
    place = spot % len(whole)
    sqlite_book.file.write_bytes(whole[:place] + bytes([whole[place] ^ (1 << bit)]) + whole[place + 1 :])
    try:
        assert broken(sqlite_book).what
    finally:
        sqlite_book.file.write_bytes(whole)


@pytest.fixture(scope="module")
def sqlite_book(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Book]:
    home = tmp_path_factory.mktemp("book")
    found = Book("sqlite://", f"sqlite:///{home / 'journal.db'}", home)
    for n in range(33):
        found.journal.append([entry(n)])
    yield found
    found.close()


def test_any_cell_of_the_database_file(sqlite_book: Book) -> None:
    """Bytes are changed in the file itself, under SQLite's feet; each change is named, or hit no content at all."""
    sqlite_book.journal.ledger.scrub()
    path = Path(str(sqlite_book.journal.ledger.url.database))
    whole = path.read_bytes()
    places = random.Random(7).sample(range(len(whole)), 150)
    rows = _content(path)
    copy = sqlite_book.file.with_name("copy.db")
    for place in places:
        copy.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            same = _content(copy) == rows
        except sqlite3.Error:
            continue  # SQLite itself says that the file is broken
        ledger = Ledger(f"sqlite:///{copy}", migrate=False)
        try:
            verify(ledger, sqlite_book.keys.node.public, sqlite_book.file, checkpointing=threading.Lock())
            assert same, f"byte {place} changed what is stored, and nobody noticed"
        except JournalBroken:
            assert not same
        finally:
            ledger.close()


def _content(path: Path) -> list[Any]:
    with sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True) as db:
        tables = ("journal", "journal_head", "journal_checkpoint")
        return [db.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for table in tables]


@contextmanager
def room_for(path: Path, size: int) -> Iterator[None]:
    """The system writes no file beyond this size: a write across it is cut short, as on a full disk."""
    held = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + size, held[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, held)


@pytest.mark.parametrize("room", [0, 1, 200])
def test_a_line_that_does_not_fit_leaves_the_file_as_it_was(full: Book, room: int) -> None:
    before = full.file.read_bytes()
    last = checkpoints.read(full.file)[-1]
    with room_for(full.file, room), pytest.raises(OSError):
        checkpoints.append(full.file, last)
    assert full.file.read_bytes() == before
    checkpoints.append(full.file, last)
    assert full.file.read_bytes() == before + last.line()


def test_a_full_disk_stops_no_entry_and_the_checkpoint_comes_when_there_is_room(
    full: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    writing = checkpoints.append

    def cramped(path: Path, one: checkpoints.Checkpoint) -> None:
        with room_for(path, 50):
            writing(path, one)

    monkeypatch.setattr(checkpoints, "append", cramped)
    for n in range(3):
        with pytest.raises(LedgerError, match="could not be sealed"):
            full.journal.seal()
        assert full.journal.append([entry(n)]) == [34 + n]
    monkeypatch.setattr(checkpoints, "append", writing)
    sealed = full.journal.seal()
    assert sealed is not None and sealed.last == 36
    assert (full.verify().count, full.verify().checkpoints) == (36, 4)
    assert full.journal.damage is None


@pytest.mark.parametrize("left", [1, 150, -1])
def test_half_a_line_after_a_power_loss_is_cut_off(
    full: Book, left: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def dying(path: Path, one: checkpoints.Checkpoint) -> None:
        with path.open("ab") as file:
            file.write(one.line()[:left])
        raise OSError("the machine went down")

    with monkeypatch.context() as meanwhile:
        meanwhile.setattr(checkpoints, "append", dying)
        full.journal.close()
    full.journal = full.opened()
    assert full.journal.damage is None and "half a line was cut off" in caplog.text
    assert full.journal.append([entry(1)]) == [34]
    full.journal.seal()
    assert (full.verify().count, full.verify().checkpoints) == (34, 4)


def test_a_counted_line_is_never_cut_and_the_journal_goes_on_with_the_damage_noted(full: Book) -> None:
    full.journal.close()
    torn = full.file.read_bytes()[:-30]
    full.file.write_bytes(torn)
    full.journal = full.opened()
    assert full.file.read_bytes() == torn
    assert full.journal.damage is not None and "no checkpoint" in full.journal.damage
    assert full.journal.append([entry(1)]) == [35]  # 34 is the entry about the damage
    assert "no checkpoint" in broken(full).what


def test_a_whole_line_that_is_none_stays(full: Book) -> None:
    full.journal.close()
    changed = full.file.read_bytes() + b"nonsense\n"
    full.file.write_bytes(changed)
    full.journal = full.opened()
    assert full.file.read_bytes() == changed
    assert full.journal.damage is not None and full.journal.append([entry(1)]) == [35]
