"""The journal: durable when it returns, whole or named where it is not, and forgetful of whoever is erased."""

from __future__ import annotations

import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from gate.journalkit import Book, broken, entry, filled
from hucheng.errors import LedgerError
from hucheng.gate.ends import _Second
from hucheng.gate.entries import decode, encode, open_detail
from hucheng.gate.tables import PLACE, head_message
from hucheng.gate.verify import Verified


def test_an_untouched_journal_is_whole_and_can_be_continued(book: Book) -> None:
    full = filled(book)
    found = full.verify()
    assert (found.count, found.checkpoints) == (33, 3)
    full.journal.close()
    full.journal = full.opened()
    assert full.journal.damage is None
    assert full.verify().checkpoints == 4  # closing sealed the rest
    assert full.journal.append([entry(33), entry(34)]) == [34, 35]
    assert full.verify().count == 35


def test_an_empty_journal_is_whole(book: Book) -> None:
    assert book.verify() == Verified(0, bytes(32).hex(), 0)


def test_each_entry_is_chained_to_the_one_before(full: Book) -> None:
    link = bytes(32)
    with full.journal.ledger.read() as conn:
        for row in conn.execute(text("SELECT seq, person, body, hash FROM journal ORDER BY seq")):
            link = sha256(link + PLACE.pack(row.seq, row.person) + bytes(row.body)).digest()
            assert bytes(row.hash) == link


COLUMNS = ["person", "body", "hash"]


@pytest.mark.parametrize("column", COLUMNS)
@pytest.mark.parametrize("seq", [1, 10, 11, 17, 33])
def test_one_byte_changed_in_any_column_is_named(full: Book, column: str, seq: int) -> None:
    with full.journal.ledger.read() as conn:
        held = conn.execute(text(f"SELECT {column} FROM journal WHERE seq = :s"), {"s": seq}).scalar_one()
    if isinstance(held, int):
        changed: Any = held ^ 1
    else:
        spot = len(held) // 2
        changed = bytes(held[:spot]) + bytes([held[spot] ^ 1]) + bytes(held[spot + 1 :])
    assert full.change(f"UPDATE journal SET {column} = :v WHERE seq = :s", v=changed, s=seq) == 1
    assert broken(full).details["seq"] == seq


def test_changes_are_named_on_both_databases(book: Book) -> None:
    full = filled(book)
    full.change("UPDATE journal SET body = :v WHERE seq = 17", v=b"nothing to see here")
    assert broken(full).details["seq"] == 17
    full.change("DELETE FROM journal WHERE seq > 12")
    assert broken(full).details["seq"] == 13
    full.change("DELETE FROM journal_checkpoint WHERE number = 2")
    assert "checkpoint" in str(broken(full).where)


def test_a_changed_number_a_missing_row_and_a_foreign_one_are_named(full: Book) -> None:
    full.change("UPDATE journal SET seq = 50 WHERE seq = 20")
    assert broken(full).details["seq"] == 20
    full.change("UPDATE journal SET seq = 20 WHERE seq = 50")
    assert full.verify().count == 33
    full.change("DELETE FROM journal WHERE seq = 5")
    assert broken(full).details["seq"] == 5


@pytest.mark.parametrize("wait_for", [None, 2, 1], ids=["first does all", "they meet", "second does nearly all"])
def test_a_long_journal_is_followed_from_both_ends_with_the_same_result(
    full: Book, wait_for: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hucheng.gate.verify.LONG", 20)
    monkeypatch.setattr("hucheng.gate.ends.BLOCK", 5)
    has = _Second.has

    def late(self: _Second, block: int) -> bool:
        with self._turn:
            self._turn.wait_for(lambda: wait_for is None or wait_for in self._ended or self._gone)
        return has(self, block)

    monkeypatch.setattr(_Second, "has", late)
    whole = full.verify()
    assert whole.count == 33
    for seq in (33, 21, 20, 11, 3):  # each before the last: the first bad entry is named, whoever finds it
        full.change("UPDATE journal SET body = :v WHERE seq = :s", v=b"nothing to see", s=seq)
        assert broken(full).details["seq"] == seq


def test_a_second_process_that_dies_leaves_all_to_the_first(full: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hucheng.gate.verify.LONG", 20)
    monkeypatch.setattr("hucheng.gate.ends.BLOCK", 5)
    has = _Second.has

    def killed(self: _Second, block: int) -> bool:
        with self._turn:
            self._turn.wait_for(lambda: 2 in self._ended)
        self._process.kill()
        return has(self, block)

    monkeypatch.setattr(_Second, "has", killed)
    assert full.verify().count == 33
    full.change("UPDATE journal SET body = :v WHERE seq = 3", v=b"nothing to see")
    assert broken(full).details["seq"] == 3


@pytest.mark.parametrize("number", [0, -3])
def test_an_entry_before_the_first_is_named(full: Book, number: int) -> None:
    full.change("INSERT INTO journal (seq, person, body, hash) VALUES (:s, 0, :b, :b)", s=number, b=b"x")
    assert broken(full).details["seq"] == 1


def test_swapped_entries_are_named(full: Book) -> None:
    for a, b in [(21, 99), (22, 21), (99, 22)]:
        full.change("UPDATE journal SET seq = :b WHERE seq = :a", a=a, b=b)
    assert broken(full).details["seq"] == 21


@pytest.mark.parametrize("last", [32, 30, 25, 0])
def test_a_tail_cut_off_is_named_also_after_a_restart_that_goes_on(full: Book, last: int) -> None:
    full.change("DELETE FROM journal WHERE seq > :s", s=last)
    assert broken(full).details["seq"] == last + 1
    full.journal.close()
    full.journal = full.opened()
    assert full.journal.damage is not None
    assert full.journal.append([entry(1)])[0] > 33  # behind the gap: the gap stays
    assert broken(full).details["seq"] == last + 1


def test_entries_written_past_the_head_are_named(full: Book) -> None:
    with full.journal.ledger.read() as conn:
        link = bytes(conn.execute(text("SELECT hash FROM journal WHERE seq = 33")).scalar_one())
    _, body = encode(entry(5), full.keys.people(["R5"]))
    link = sha256(link + PLACE.pack(34, 0) + body).digest()
    full.change("INSERT INTO journal (seq, person, body, hash) VALUES (34, 0, :b, :h)", b=body, h=link)
    assert broken(full).details["seq"] == 34


def test_a_whole_new_chain_without_the_key_is_named(full: Book) -> None:
    """Somebody with the database, but without the node's key, changes entry 4 and computes every hash anew."""
    with full.journal.ledger.read() as conn:
        rows = conn.execute(text("SELECT seq, person, body FROM journal ORDER BY seq")).all()
    link = bytes(32)
    for row in rows:
        person = 0 if row.seq == 4 else row.person
        link = sha256(link + PLACE.pack(row.seq, person) + bytes(row.body)).digest()
        full.change("UPDATE journal SET person = :p, hash = :h WHERE seq = :s", p=person, h=link, s=row.seq)
    error = broken(full)
    assert error.details["seq"] == 1  # the first sealed stretch, 1 to 10, is not what was sealed
    assert error.where == "checkpoint 1"
    full.change("UPDATE journal_head SET hash = :h", h=link)
    assert broken(full).where == "head"


@pytest.mark.parametrize("column", ["seq", "hash", "checkpoints", "signature"])
def test_a_changed_head_is_named(full: Book, column: str) -> None:
    change = f"UPDATE journal_head SET {column} = "
    if column in ("seq", "checkpoints"):
        full.change(f"{change}{column} - 1")
    else:
        full.change(f"{change}:v", v=bytes(64))
    assert broken(full).where == "head"
    full.change("DELETE FROM journal_head")
    assert broken(full).where == "head"


def test_a_head_of_yesterday_is_named(full: Book) -> None:
    """An older head, truly signed, beside the entries of today or with them cut off."""
    with full.journal.ledger.read() as conn:
        link = bytes(conn.execute(text("SELECT hash FROM journal WHERE seq = 31")).scalar_one())
    signature = full.keys.node.sign(head_message(31, link, 3))
    full.change("UPDATE journal_head SET seq = 31, hash = :h, signature = :s", h=link, s=signature)
    assert broken(full).details["seq"] == 32


def test_erasing_a_person_leaves_the_chain_whole_and_her_entries_unreadable(book: Book) -> None:
    full = filled(book)
    person = full.keys.person("R3")
    number = full.keys.destroy("R3")
    full.keys.scrub()
    assert number == person.number
    assert full.verify().count == 33
    with full.journal.ledger.read() as conn:
        rows = conn.execute(text("SELECT person, body FROM journal")).all()
    hers = [row for row in rows if row.person == number]
    assert len(hers) == 5
    for row in hers:
        body = decode(bytes(row.body))
        assert open_detail(body, number, None) is None
        assert open_detail(body, number, full.keys.person("R3")) is None  # the same person anew has another key
        assert b"R3" not in bytes(row.body)
    other = next(row for row in rows if row.person == full.keys.person("R4").number)
    assert open_detail(decode(bytes(other.body)), other.person, full.keys.person("R4")) == {"n": 4}


def test_sixteen_threads_each_get_numbers_of_their_own(book: Book) -> None:
    got: list[int] = []

    def work() -> None:
        for n in range(20):
            got.extend(book.journal.append([entry(n), entry(n + 1)]))

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == list(range(1, 641))
    assert book.verify().count == 640


def test_many_people_are_a_compressed_set(book: Book) -> None:
    people = [f"P{n}" for n in range(5_000)]
    _, body = encode(entry(1, person=None, people=people, detail={}), book.keys.people(people))
    assert len(body) < 2.1 * len(people)


def test_what_the_database_does_not_take_is_said_and_the_next_goes_through(book: Book) -> None:
    full = filled(book)
    full.change("ALTER TABLE journal RENAME TO elsewhere")
    with pytest.raises(LedgerError, match="did not take"):
        full.journal.append([entry(1)])
    full.change("ALTER TABLE elsewhere RENAME TO journal")
    assert full.journal.append([entry(1)]) == [34]
    assert full.verify().count == 34


KILLED = """
import os, sys, threading
from pathlib import Path
from datetime import UTC, datetime
from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.gate import Entry, Journal
home = Path(sys.argv[1])
keys = Keys(Ledger(f"sqlite:///{home}/ledger.db"), bytes(32))
journal = Journal(f"sqlite:///{home}/journal.db", keys, home / "checkpoints.jsonl", every=16)
def work():
    while True:
        seqs = journal.append([Entry(datetime.now(UTC), "look", "li", "officer", "", "", "")])
        os.write(1, f"{seqs[-1]}\\n".encode())
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]
"""


@pytest.mark.crash
def test_nothing_acknowledged_is_lost_when_the_writer_is_killed(tmp_path: Path) -> None:
    last = 0
    for _ in range(4):
        process = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path)], stdout=subprocess.PIPE)
        assert process.stdout is not None
        acknowledged = [int(process.stdout.readline()) for _ in range(200)]
        process.kill()
        rest = [int(line) for line in process.stdout.read().splitlines(keepends=True) if line.endswith(b"\n")]
        process.wait()
        book = Book(f"sqlite:///{tmp_path}/ledger.db", f"sqlite:///{tmp_path}/journal.db", tmp_path, every=16)
        found = book.verify()
        assert book.journal.damage is None
        assert found.count >= max(acknowledged + rest)
        assert min(acknowledged) > last
        last = found.count
        book.close()
