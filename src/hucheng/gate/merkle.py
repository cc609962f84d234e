"""Merkle trees over entry hashes: one root stands for many entries, and a short path proves that one is among them.

Sixteen children a node: a fifteenth of the hashes of a binary tree, which is what a verification's time goes into.
The leaves are the entries' chain hashes as they are; whoever checks knows how many there are (the checkpoint that
is signed says so), so that no inner node can pass for a leaf.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

WIDTH = 16
NODE = b"\x01"

Step = tuple[int, list[bytes]]
"""One level of a path: the place among the children, and the other children in their order."""


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over 32-byte leaves; of no leaves: the hash of nothing; of one: that leaf."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        level = _above(level)
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[Step]:
    """What proves that leaf ``index`` is under the root, from the bottom."""
    level, here, steps = list(leaves), index, []
    while len(level) > 1:
        start = here - here % WIDTH
        others = level[start : start + WIDTH]
        del others[here - start]
        steps.append((here - start, others))
        level, here = _above(level), here // WIDTH
    return steps


def climb(leaf: bytes, steps: Sequence[Step]) -> bytes:
    """The root that a leaf and its path lead to."""
    for place, others in steps:
        leaf = sha256(NODE + b"".join([*others[:place], leaf, *others[place:]])).digest()
    return leaf


def _above(level: Sequence[bytes]) -> list[bytes]:
    return [sha256(NODE + b"".join(level[n : n + WIDTH])).digest() for n in range(0, len(level), WIDTH)]
