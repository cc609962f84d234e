"""New, duplicate or conflict: exact against brute force, however the readings are cut into batches."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hucheng.base.novelty import CONFLICT, DUPLICATE, NEW, Novelty

READINGS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(0, 2)), max_size=40)


@given(READINGS, st.lists(st.integers(0, 40), max_size=6))
def test_as_brute_force_says(readings: list[tuple[int, int, int]], cuts: list[int]) -> None:
    kept: dict[tuple[int, int], int] = {}
    expected = []
    for pair, at, value in readings:
        before = kept.setdefault((pair, at), value)
        first = expected.count(None) == 0 and (pair, at) not in {(p, t) for p, t, _ in readings[: len(expected)]}
        expected.append(NEW if first else DUPLICATE if before == value else CONFLICT)
    novelty = Novelty()
    novelty.grow(3)
    asked: list[tuple[int, int]] = []
    stored: dict[tuple[int, int], float] = {}

    def look_up(pair: np.ndarray, at: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
        keys = list(zip(pair.tolist(), at.tolist(), strict=True))
        asked.extend(keys)
        return np.array([stored.get(key, np.nan) for key in keys])

    told: list[int] = []
    edges = [0, *sorted(cut for cut in cuts if cut < len(readings)), len(readings)]
    for start, end in pairwise(edges):
        part = np.array(readings[start:end], np.int64).reshape(-1, 3)
        verdict = novelty.tell(part[:, 0], part[:, 1], part[:, 2].astype(float), look_up)
        told += verdict.tolist()
        for (pair, at, value), said in zip(part.tolist(), verdict.tolist(), strict=True):
            if said == NEW:
                stored[pair, at] = value
    assert told == expected
    assert all(at < max(t for p, t, _ in readings if p == pair) for pair, at in asked)


def test_what_is_newer_than_everything_needs_no_look_up() -> None:
    novelty = Novelty()
    novelty.grow(1)

    def never(pair: object, at: object) -> np.ndarray:  # type: ignore[type-arg]
        raise AssertionError("looked up")

    for at in range(5):
        one = np.array([0]), np.array([at]), np.array([1.0])
        assert novelty.tell(*one, never).tolist() == [NEW]
        assert novelty.tell(*one, never).tolist() == [DUPLICATE]
