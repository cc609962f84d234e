"""Merkle trees over entry hashes (shape and prefix of RFC 6962): one root stands for many entries.

The leaves are the entries' chain hashes as they are. An entry's preimage is longer than a node's 65 bytes
(`hucheng.gate.journal` writes no shorter one), so that no entry can pass for a node.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256


def root(leaves: Sequence[bytes]) -> bytes:
    """Root of the tree over 32-byte leaves; of no leaves: the hash of nothing."""
    if not leaves:
        return sha256(b"").digest()
    level = list(leaves)
    while len(level) > 1:
        odd = [level.pop()] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=True)] + odd
    return level[0]


def path(leaves: Sequence[bytes], index: int) -> list[tuple[str, bytes]]:
    """What proves that leaf ``index`` is under the root: neighbours from the bottom, with their side."""
    level, here, steps = list(leaves), index, []
    while len(level) > 1:
        neighbour = here ^ 1
        if neighbour < len(level):
            steps.append(("left" if neighbour < here else "right", level[neighbour]))
        odd = [level.pop()] if len(level) % 2 else []
        level = [sha256(b"\x01" + a + b).digest() for a, b in zip(level[::2], level[1::2], strict=True)] + odd
        here //= 2
    return steps


def climb(leaf: bytes, steps: Sequence[tuple[str, bytes]]) -> bytes:
    """The root that a leaf and its path lead to."""
    for side, other in steps:
        leaf = sha256(b"\x01" + (other + leaf if side == "left" else leaf + other)).digest()
    return leaf
