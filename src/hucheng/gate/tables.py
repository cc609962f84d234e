"""The journal's tables, the name of its file of checkpoints, and what its hashes and its head's signature cover."""

from __future__ import annotations

import struct

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text

from hucheng.base.ledger.columns import NAMES

metadata = MetaData(naming_convention=NAMES)

journal = Table(
    "journal",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("person", BigInteger, nullable=False, comment="person number; 0: nobody or many"),
    Column("body", LargeBinary, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    # By stretches of 1,024 entries: an index over all would touch a page of its own for every entry of a commit.
    Index("ix_journal_person", text("(seq / 1024)"), "person"),
)
journal_head = Table(
    "journal_head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("seq", BigInteger, nullable=False),
    Column("hash", LargeBinary, nullable=False),
    Column("checkpoints", BigInteger, nullable=False),
    Column("signature", LargeBinary, nullable=False),
)
journal_checkpoint = Table(
    "journal_checkpoint",
    metadata,
    Column("number", BigInteger, primary_key=True, autoincrement=False),
    Column("first", BigInteger, nullable=False),
    Column("last", BigInteger, nullable=False),
    Column("root", Text, nullable=False),
    Column("head", Text, nullable=False),
    Column("prev", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("signature", Text, nullable=False),
)

FILE = "journal-checkpoints.jsonl"
"""Name of the file of checkpoints in a home."""
STRETCH = 1024
"""Entries that lie together in the index of people."""
START = bytes(32)
PLACE = struct.Struct(">Qq")


def head_message(seq: int, link: bytes, count: int) -> bytes:
    """What the head row's signature covers."""
    return b"hucheng journal head" + struct.pack(">QQ", seq, count) + link
