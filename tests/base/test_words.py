"""Columns of texts in pieces: what is remembered of a piece is what it would be without remembering."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.base.words import WORTH, Numbers, Texts, Words

NAMES = st.lists(st.lists(st.sampled_from("abcdefg"), max_size=3 * WORTH), max_size=6)


@given(NAMES, st.sets(st.sampled_from("abcdefg")))
def test_pieces_read_like_one_list(pieces: list[list[str]], known: set[str]) -> None:
    words, flat = Words(), [name for piece in pieces for name in piece]
    for piece in pieces:
        words.add(piece)
    numbers = Numbers((name, n) for n, name in enumerate(sorted(known)))
    assert list(words) == flat and len(words) == len(flat)
    assert [words[i] for i in range(len(flat))] == flat
    for _ in range(2):  # the second time out of memory
        assert numbers.of(words).tolist() == [numbers[name] for name in flat]
    places = list(range(0, len(flat), 2))
    assert list(words.chosen(places)) == flat[::2]
    with pytest.raises(IndexError):
        words[len(flat)]


def test_a_name_that_is_added_is_known_from_then_on() -> None:
    words = Words()
    words.add(["x"] * WORTH)
    numbers = Numbers()
    first = numbers.of(words)
    first[:] = 7  # the caller's own
    assert set(numbers.of(words).tolist()) == {-1}
    numbers["x"] = 3
    np.testing.assert_array_equal(numbers.of(words), [3] * WORTH)


def test_the_same_bytes_are_the_same_texts() -> None:
    texts = Texts()
    raw = msgspec.Raw(b'["a","b"]')
    assert texts.of(raw) is texts.of(msgspec.Raw(b'["a","b"]'))
    assert texts.of(raw) == ("a", "b") and texts.of(msgspec.Raw(b'"a"')) == "a"
    for wrong in (b"[1]", b"{}", b"null"):
        with pytest.raises(msgspec.ValidationError):
            texts.of(msgspec.Raw(wrong))
