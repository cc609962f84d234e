"""Diagrams over whole columns: several facts at once become one key, and a table says where the walk goes on.

A diagram asks one fact after another. Here consecutive facts form groups; the cells of a group's facts are the digits
of one number, and for every place where the walk can be when it comes to the group a table has a line with an entry
for each number. Ten facts are walked in two or three looks, each for all rows.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.rules.arrays import Column, Facts
from hucheng.rules.cells import Cells
from hucheng.rules.diagram import Walker
from hucheng.rules.kinds import Kind

WIDE = 1 << 15
"""Keys of one group of several facts."""
LARGEST = 1 << 22
"""Entries of one table; beyond, the diagram is walked fact by fact."""
LISTED = 1 << 18
"""Values of a domain up to which each value's cell is looked up; beyond, it is searched."""
FEW = 12
"""Cells up to which comparing with each threshold is quicker than searching."""

Ends = NDArray[Any]


@dataclass(frozen=True)
class Group:
    """Facts that follow one another: names, levels, numbers of cells (unknown included), strides of the key."""

    names: tuple[str, ...]
    levels: tuple[int, ...]
    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    width: int


@dataclass(frozen=True)
class Steps:
    """A diagram as tables: (group, its width, next place by place and key), and what the last places stand for."""

    tables: tuple[tuple[int, int, NDArray[Any]], ...]
    leaves: list[Any]


class Lookup:
    """All outcomes that cells can give, over whole tables."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self._walkers = {name: cells.diagrams.frozen(root) for name, root in cells.exact.items()}
        used = sorted({level for walker in self._walkers.values() for level in walker.levels})
        sizes = {level: len(cells.starts[cells.names[level]]) + 1 for level in used}
        self.groups = grouped([(cells.names[level], level, sizes[level]) for level in used])
        kinds = {name: cells.kinds[name] for group in self.groups for name in group.names}
        self._cell = {name: coder(kind, cells.starts[name]) for name, kind in kinds.items()}
        self._steps: dict[str, Steps | None] = {}
        self._lock = threading.Lock()

    def keys(self, facts: Facts) -> list[NDArray[np.intp]]:
        """The key of each group, for all rows."""
        return [self._key(group, facts.columns, facts.rows) for group in self.groups]

    def _key(self, group: Group, columns: Mapping[str, Column], rows: int) -> NDArray[np.intp]:
        key: NDArray[np.intp] | None = None
        for name, stride, size in zip(group.names, group.strides, group.sizes, strict=True):
            column = columns[name]
            part = self._cell[name](np.broadcast_to(column.values, rows)).astype(np.intp, copy=False)
            if column.unknown is not None:
                part = np.where(column.unknown, size - 1, part)
            if stride > 1:
                part = part * stride
            key = part if key is None else key + part
        assert key is not None
        return key

    def ends(self, name: str, keys: Sequence[NDArray[np.intp]], rows: int) -> tuple[list[Any], Ends]:
        """Leaves of an outcome's diagram, and the place among them where each row ends."""
        with self._lock:
            if name not in self._steps:
                self._steps[name] = steps(self._walkers[name], self.groups)
            found = self._steps[name]
        if found is None:
            walker = self._walkers[name]
            return walker.values, walker.ends(self._codes(keys, rows))
        at: Ends | None = None
        for group, width, table in found.tables:
            key = keys[group]
            at = table.take(key if at is None else at.astype(np.intp) * width + key)
        return found.leaves, np.zeros(rows, np.intp) if at is None else at

    def _codes(self, keys: Sequence[NDArray[np.intp]], rows: int) -> NDArray[np.int32]:
        """Cells back from the keys: one line a fact."""
        codes = np.zeros((len(self.cells.names), rows), np.int32)
        for group, key in zip(self.groups, keys, strict=True):
            for level, stride, size in zip(group.levels, group.strides, group.sizes, strict=True):
                codes[level] = key // stride % size
        return codes


def grouped(facts: Sequence[tuple[str, int, int]]) -> list[Group]:
    """Consecutive facts (name, level, cells) in groups of at most WIDE keys."""
    groups: list[Group] = []
    names: list[tuple[str, int, int]] = []
    width = 1

    def close() -> None:
        if names:
            strides = np.cumprod([1, *(size for _, _, size in names)]).tolist()
            groups.append(
                Group(
                    tuple(n for n, _, _ in names), tuple(level for _, level, _ in names),
                    tuple(size for _, _, size in names), tuple(strides[:-1]), strides[-1],
                )
            )  # fmt: skip

    for fact in facts:
        if width * fact[2] > WIDE:
            close()
            names, width = [], 1
        names.append(fact)
        width *= fact[2]
    close()
    return groups


def steps(walker: Walker, groups: Sequence[Group]) -> Steps | None:
    """The tables of a diagram; None where one would be too large."""
    places = np.array([walker.root], np.int64)
    tables = []
    for number, group in enumerate(groups):
        if not np.isin(walker.level[places], group.levels).any():
            continue
        if len(places) * group.width > LARGEST:
            return None
        keys = np.tile(np.arange(group.width), len(places))
        at = np.repeat(places, group.width)
        for level, stride, size in zip(group.levels, group.strides, group.sizes, strict=True):
            here = np.flatnonzero(walker.level[at] == level)
            at[here] = walker.flat[walker.start[at[here]] + keys[here] // stride % size]
        there = np.zeros(len(walker.level), bool)
        there[at] = True
        places = np.flatnonzero(there)
        lines = (np.cumsum(there) - 1).astype(np.min_scalar_type(len(places)))
        tables.append((number, group.width, lines.take(at)))
    return Steps(tuple(tables), [walker.values[place] for place in places])


def coder(kind: Kind, starts: Sequence[int]) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """From values in internal units to cells; values outside the domain give any cell."""
    if kind.name in ("boolean", "enum"):
        return lambda values: values
    first = np.asarray(starts, np.int64)
    if len(first) == 1:
        return lambda values: np.zeros(len(values), np.uint8)
    if kind.size <= LISTED:
        places = np.arange(kind.low, kind.high + 1)
        table = (np.searchsorted(first, places, side="right") - 1).astype(np.min_scalar_type(len(first)))
        return lambda values: table.take(values - kind.low, mode="clip")
    if len(first) <= FEW:

        def compared(values: NDArray[Any]) -> NDArray[Any]:
            found = (values >= first[1]).view(np.uint8)
            for threshold in first[2:]:
                found = found + (values >= threshold).view(np.uint8)
            return np.asarray(found)

        return compared
    return lambda values: np.searchsorted(first, values, side="right") - 1
