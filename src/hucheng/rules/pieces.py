"""Calendar arithmetic in pieces: over one fact, an age or a shifted date is constant, or moves with it, piece by piece.

So the solver needs no calendar where all but one of the facts have small domains: thresholds are enough.
"""

from __future__ import annotations

import itertools
import math
from datetime import date
from typing import Any

import numpy as np
import z3

from hucheng.rules import arrays, quick
from hucheng.rules.kinds import Kind
from hucheng.rules.tree import Earlier, Node, facts, walk

LONGEST = 200_000
"""Values of the fact along which pieces are made."""
FEW = 64
"""Combinations of the other facts."""
MOST = 4_000
"""Pieces in all; beyond, the calendar itself is the shorter way."""

Piece = tuple[int, int, int]
"""From this place on: ``slope × place + offset``."""


def pieces(node: Node, pivot: str, kinds: dict[str, Kind], known: dict[str, Any], on: date | None) -> list[Piece]:
    """The node along one fact, the others known (internal values of arrays: ordinals, places of words)."""
    kind = kinds[pivot]
    places = np.arange(kind.low, kind.high + 1)
    columns = {pivot: arrays.Column(places)}
    for name, value in known.items():
        columns[name] = arrays.Column(np.asarray(value), None, kinds[name].values)
    found = quick.Strict(arrays.Facts(columns, len(places)), on).of(node)
    values = np.broadcast_to(found.values, len(places)).astype(np.int64)
    best: list[Piece] | None = None
    for slope in (0, 1):
        offset = values - slope * places
        starts = np.concatenate(([0], np.flatnonzero(np.diff(offset)) + 1))
        if best is None or len(starts) < len(best):
            best = [(int(places[i]), slope, int(offset[i])) for i in starts]
    assert best is not None
    return best


def formula(node: Node, kinds: dict[str, Kind], variables: dict[str, Any], on: date | None) -> Any | None:
    """The node as nested choices over thresholds; None where there would be too many."""
    names = sorted(facts(node), key=lambda name: kinds[name].size)
    if not names or any(isinstance(part, Earlier) for part in walk(node)):
        return None
    *small, pivot = names
    numeric = all(kinds[name].name in ("number", "date") for name in names)
    if not numeric or kinds[pivot].size > LONGEST or math.prod(kinds[name].size for name in small) > FEW:
        return None
    ranges = [range(kinds[name].low, kinds[name].high + 1) for name in small]
    parts: list[tuple[list[Any], list[Piece]]] = []
    for values in itertools.product(*ranges):
        same = [variables[name] == value for name, value in zip(small, values, strict=True)]
        parts.append((same, pieces(node, pivot, kinds, dict(zip(small, values, strict=True)), on)))
    if sum(len(each) for _, each in parts) > MOST:
        return None
    x = variables[pivot]
    done = _nested(x, parts[-1][1])
    for same, each in reversed(parts[:-1]):
        done = z3.If(z3.And(*same, x.ctx), _nested(x, each), done, x.ctx)
    return done


def _nested(x: Any, each: list[Piece]) -> Any:
    """A balanced tree of choices."""
    if len(each) == 1:
        _, slope, offset = each[0]
        return x + offset if slope else z3.IntVal(offset, x.ctx)
    half = len(each) // 2
    return z3.If(x < each[half][0], _nested(x, each[:half]), _nested(x, each[half:]), x.ctx)
