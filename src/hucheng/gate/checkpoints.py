"""Checkpoints: signed roots over stretches of the journal, in a table and in an append-only file.

The file goes where the database's administrator cannot reach; a line of it convicts whoever changes the past.
"""

from __future__ import annotations

import contextlib
import errno
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct, structs

from hucheng.base.keys import NodeKey, signed
from hucheng.errors import JournalBroken


class Checkpoint(Struct, frozen=True):
    """Root over the entries ``first`` to ``last``; ``head`` is the chain hash of ``last``; bytes as hex.

    ``prev`` is the digest of the checkpoint before, so that none can be left out.
    """

    number: int
    first: int
    last: int
    root: str
    head: str
    prev: str
    at: str
    signature: str = ""

    def message(self) -> bytes:
        """What is signed."""
        return msgspec.json.encode(structs.replace(self, signature=""))

    def line(self) -> bytes:
        """Its line in the file."""
        return msgspec.json.encode(self) + b"\n"

    def digest(self) -> str:
        """What the next checkpoint names as its predecessor."""
        return sha256(msgspec.json.encode(self)).hexdigest()


NOTHING = "0" * 64


def make(before: Checkpoint | None, last: int, root: bytes, head: bytes, at: str, key: NodeKey) -> Checkpoint:
    """The next checkpoint, signed."""
    fresh = Checkpoint(
        before.number + 1 if before else 1,
        before.last + 1 if before else 1,
        last,
        root.hex(),
        head.hex(),
        before.digest() if before else NOTHING,
        at,
    )
    return structs.replace(fresh, signature=key.sign(fresh.message()).hex())


def check(one: Checkpoint, before: Checkpoint | None, public: bytes) -> None:
    """Raises JournalBroken unless the checkpoint is signed and follows the one before."""
    where = f"checkpoint {one.number}"
    first, prev, number = (before.last + 1, before.digest(), before.number + 1) if before else (1, NOTHING, 1)
    if one.number != number or one.first != first or one.prev != prev or one.last < one.first:
        raise JournalBroken("the checkpoint does not follow the one before", where=where, seq=first)
    try:
        signature = bytes.fromhex(one.signature)
    except ValueError:
        signature = b""
    if one.signature != signature.hex() or not signed(public, one.message(), signature):
        raise JournalBroken("the checkpoint's signature is not the node's", where=where, seq=first)


def append(path: Path, one: Checkpoint) -> None:
    """Add a line to the file, durably; OSError leaves the file as it was."""
    line = one.line()
    there = path.exists()
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        before = os.fstat(file).st_size
        try:
            written = os.write(file, line)
            if written < len(line):  # a full disk takes what still fits, without a word
                raise OSError(errno.ENOSPC, f"{written} of {len(line)} bytes were written", str(path))
            os.fsync(file)
        except OSError:
            with contextlib.suppress(OSError):  # else `mend` does it at the next try
                os.ftruncate(file, before)
                os.fsync(file)
            raise
    finally:
        os.close(file)
    if not there:
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def mend(path: Path, counted: int) -> int:
    """Cut off a last line that a crash or a full disk left half written; gives the bytes cut off.

    Only what ends without a newline and comes after the ``counted`` lines that the signed head covers; a whole line
    stays, whatever it is.
    """
    try:
        held = path.read_bytes()
    except FileNotFoundError:
        return 0
    whole = held.rfind(b"\n") + 1
    torn = len(held) - whole
    if not torn or held.count(b"\n") < counted:
        return 0
    with path.open("r+b") as file:
        file.truncate(whole)
        os.fsync(file.fileno())
    return torn


def read(path: Path) -> list[Checkpoint]:
    """The checkpoints in the file. Raises JournalBroken naming a line that is none."""
    if not path.exists():
        return []
    found: list[Checkpoint] = []
    for number, line in enumerate(path.read_bytes().splitlines(keepends=True), start=1):
        try:
            one = msgspec.json.decode(line, type=Checkpoint)
        except (msgspec.DecodeError, UnicodeDecodeError):
            one = None
        if one is None or one.line() != line:
            seq = found[-1].last + 1 if found else 1
            raise JournalBroken("a line of the file is no checkpoint", where=f"{path.name} line {number}", seq=seq)
        found.append(one)
    return found


def proven(path: Path, public: bytes) -> list[Checkpoint]:
    """The checkpoints in the file from the first on, as far as each is signed and follows the one before."""
    found: list[Checkpoint] = []
    try:
        for one in read(path):
            check(one, found[-1] if found else None, public)
            found.append(one)
    except JournalBroken:
        pass
    return found


def newest(path: Path, public: bytes) -> Checkpoint | None:
    """The last line of the file that is a checkpoint and signed by the node; whatever else stands there."""
    try:
        lines = path.read_bytes().splitlines()
    except FileNotFoundError:
        return None
    for line in reversed(lines):
        try:
            one = msgspec.json.decode(line, type=Checkpoint)
            if signed(public, one.message(), bytes.fromhex(one.signature)):
                return one
        except (msgspec.DecodeError, ValueError):
            continue
    return None


def from_row(row: Any) -> Checkpoint:
    """A checkpoint from its row. Raises JournalBroken when the row holds something else."""
    try:
        return msgspec.convert(dict(zip(Checkpoint.__struct_fields__, row, strict=True)), Checkpoint)
    except (msgspec.ValidationError, TypeError) as error:
        raise JournalBroken(f"the row is no checkpoint: {error}", where=f"checkpoint {row[0]}", seq=0) from error
