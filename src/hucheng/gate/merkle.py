"""Merkle trees over entry hashes: one root stands for many entries.

Sixteen children a node: a fifteenth of the hashes of a binary tree, which is what a verification's time goes into.
The leaves are the entries' chain hashes as they are; whoever checks knows how many there are (the checkpoint that
is signed says so), so that no inner node can pass for a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

WIDTH = 16
NODE = b"\x01"


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over 32-byte leaves; of no leaves: the hash of nothing; of one: that leaf."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def _above(level: Sequence[bytes]) -> list[bytes]:
    return [sha256(NODE + b"".join(level[n : n + WIDTH])).digest() for n in range(0, len(level), WIDTH)]
