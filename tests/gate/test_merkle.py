"""One root stands for many leaves."""

from __future__ import annotations

from hashlib import sha256

from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.gate import merkle


@given(st.integers(1, 600), st.data())
@settings(deadline=None)
def test_the_root_is_the_one_made_by_hand_and_changes_with_every_leaf(count: int, data: st.DataObject) -> None:
    leaves = [sha256(bytes([n % 256, n // 256])).digest() for n in range(count)]
    root = merkle.root(leaves)
    assert root == _by_hand(leaves)
    other = data.draw(st.integers(0, count - 1))
    changed = [*leaves[:other], bytes(32), *leaves[other + 1 :]]
    assert merkle.root(changed) != root
    assert merkle.root([*leaves, leaves[-1]]) != root


def _by_hand(leaves: list[bytes]) -> bytes:
    """From the top: a tree of depth d has subtrees of 16 ** (d - 1) leaves, the last one whatever is left."""
    if len(leaves) == 1:
        return leaves[0]
    size = 1
    while size * 16 < len(leaves):
        size *= 16
    below = [leaves[n : n + size] for n in range(0, len(leaves), size)]
    return sha256(b"\x01" + b"".join(_full(part, size) for part in below)).digest()


def _full(leaves: list[bytes], size: int) -> bytes:
    """A subtree of its full depth, though its last branch may be short."""
    if size == 1:
        return leaves[0]
    below = [leaves[n : n + size // 16] for n in range(0, len(leaves), size // 16)]
    return sha256(b"\x01" + b"".join(_full(part, size // 16) for part in below)).digest()
