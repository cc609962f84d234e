"""A long chain, followed by two processes from both ends until they meet: twice as fast where there are two cores.

Each stretch between two checkpoints can be followed by itself, because the hash it begins with stands in the signed
checkpoint before it. The second process (`main`) takes blocks of stretches from the end, says which one
it begins and how it ended, and is stopped when the first has come so far.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Sequence

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from hucheng.base.ledger import Ledger
from hucheng.base.ledger.failures import Away, Unreadable, reading
from hucheng.errors import JournalBroken
from hucheng.gate.chain import chain
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.tables import START, metadata

BLOCK = 20_000
"""Entries that are followed in one go."""


class Block(Struct, frozen=True):
    """Stretches with checkpoints, and where they end; the last block ends with the journal, sealed or not."""

    before: int
    last: int
    link: bytes
    sealed: tuple[Checkpoint, ...]


class Work(Struct, frozen=True):
    """What the second process is given."""

    url: str
    blocks: list[Block]


class Said(Struct, frozen=True):
    """What it says of a block: it begins it (nothing else given), the last hash, or what is broken."""

    block: int
    link: bytes = b""
    what: str = ""
    where: str = ""
    seq: int = 0


def from_both_ends(ledger: Ledger, conn: Connection, sealed: Sequence[Checkpoint], last: int) -> tuple[int, bytes]:
    """The same as `chain` over everything: the last entry and its hash. Raises JournalBroken for the first bad one."""
    blocks = _blocks(sealed, last)
    second = _Second(Work(ledger.url.render_as_string(hide_password=False), blocks))
    try:
        link, done = START, 0
        while not second.has(done):
            block = blocks[done]
            _, link = chain(conn, block.sealed, block.last, before=block.before, link=block.link)
            done += 1
            if done == len(blocks):
                return last, link
        return last, second.rest(done)
    except _Left as left:  # the other process is gone: what it did not do is done here
        for block in blocks[left.block :]:
            _, link = chain(conn, block.sealed, block.last, before=block.before, link=block.link)
        return last, link
    finally:
        second.stop()


def _blocks(sealed: Sequence[Checkpoint], last: int) -> list[Block]:
    found: list[Block] = []
    before, link, some = 0, START, []
    for one in sealed:
        some.append(one)
        if one.last - before >= BLOCK:
            found.append(Block(before, one.last, link, tuple(some)))
            before, link, some = one.last, bytes.fromhex(one.head), []
    if some or before < last:
        found.append(Block(before, last, link, tuple(some)))
    return found


class _Left(Exception):
    """The second process ended early; ``block`` is the first that nobody has followed."""

    def __init__(self, block: int) -> None:
        self.block = block


class _Second:
    """The second process, and what it has said so far."""

    def __init__(self, work: Work) -> None:
        command = [sys.executable, "-c", "from hucheng.gate.ends import main; main()"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._last = len(work.blocks) - 1
        self._turn = threading.Condition()
        self._begun = len(work.blocks)
        self._ended: dict[int, Said] = {}
        self._gone = False
        self._thread = threading.Thread(target=self._talk, args=(msgspec.json.encode(work),), daemon=True)
        self._thread.start()

    def has(self, block: int) -> bool:
        """Whether it has begun this block, and so every one behind it."""
        return block >= self._begun

    def rest(self, block: int) -> bytes:
        """Wait for this block and all behind it; the last hash. Raises JournalBroken for the first that is bad."""
        with self._turn:
            self._turn.wait_for(lambda: block in self._ended or self._gone)
        if missing := [n for n in range(block, self._last + 1) if n not in self._ended]:
            raise _Left(missing[0])
        for n in range(block, self._last + 1):
            if (said := self._ended[n]).what:
                raise JournalBroken(said.what, where=said.where, seq=said.seq)
        return self._ended[self._last].link

    def stop(self) -> None:
        """It has nothing more to do."""
        self._process.kill()
        self._process.wait()
        self._thread.join()

    def _talk(self, work: bytes) -> None:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            with self._process.stdin as asking:
                asking.write(work)
            for line in self._process.stdout:
                said = msgspec.json.decode(line, type=Said)
                with self._turn:
                    if said.link or said.what:
                        self._ended[said.block] = said
                        self._turn.notify_all()
                    else:
                        self._begun = said.block
        except (OSError, ValueError, msgspec.DecodeError):
            pass  # it was stopped, or it failed: the first process sees to the rest
        finally:
            self._process.stdout.close()
            with self._turn:
                self._gone = True
                self._turn.notify_all()


def main() -> None:
    """The second process: blocks from the last to the first, until it is stopped."""
    work = msgspec.json.decode(sys.stdin.buffer.read(), type=Work)
    ledger = Ledger(work.url, metadata=metadata, readonly=True)
    with contextlib.suppress(Away, Unreadable), reading(), ledger.read() as conn:  # the first process meets it too
        for number in range(len(work.blocks) - 1, -1, -1):
            block = work.blocks[number]
            _say(Said(number))
            try:
                _, link = chain(conn, block.sealed, block.last, before=block.before, link=block.link)
                _say(Said(number, link))
            except JournalBroken as error:
                _say(Said(number, b"", error.what, error.where or "", int(error.details["seq"])))


def _say(said: Said) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(said) + b"\n")
    sys.stdout.buffer.flush()
