"""Two possible people who share what is known and get different answers: a proof that an outcome is open.

Found by trying, for many rows at once; what trying does not settle, others must. Nothing is ever called determined
here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.rules import quick
from hucheng.rules.arrays import Column, Facts
from hucheng.rules.kinds import Kind
from hucheng.rules.model import Version
from hucheng.rules.tree import Earlier, Fact, Node, walk

ROUNDS = 10
"""Completions that are tried; the first two are the ends of all domains."""


class Witnesses:
    """Completions of unknown facts of one version; ``starts`` are the first values of each fact's cells."""

    def __init__(self, version: Version, on: date | None, starts: Mapping[str, Sequence[int]]) -> None:
        self.version, self.on = version, on
        self._starts = {name: np.asarray(starts[name], np.int64) for name in version.facts}
        self._able = quick.fits(version)
        self._needs: dict[str, tuple[list[str], list[str]]] = {}

    def open_(self, name: str, facts: Mapping[str, Column], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which of the rows are surely open; the same rows give the same answer every time."""
        found = np.zeros(len(rows), bool)
        if not self._able:
            return found
        earlier, wanted = self._needed(name)
        columns = {fact: _taken(facts[fact], rows) for fact in wanted}
        left = np.arange(len(rows))
        first = np.zeros(len(rows), np.int64)
        seen = np.zeros(len(rows), bool)
        rng = np.random.default_rng(0)
        for turn in range(ROUNDS):
            if not len(left):
                break
            filled = {f: self._filled(f, _taken(columns[f], left), turn, len(left), rng) for f in wanted}
            strict = quick.Strict(Facts(filled, len(left)), self.on)
            valid = np.ones(len(left), bool)
            for constraint in self.version.constraints:
                valid &= strict.of(constraint.tree).values
            for each in earlier:
                strict.earlier[each] = strict.of(self.version.outcomes[each].tree)
            answer = strict.of(self.version.outcomes[name].tree)
            value = np.broadcast_to(answer.values, len(left)).astype(np.int64)
            undefined = np.broadcast_to(False if answer.unknown is None else answer.unknown, len(left))
            other = valid & (undefined | (seen[left] & (value != first[left])))
            fresh = valid & ~seen[left]
            first[left[fresh]] = value[fresh]
            seen[left[valid]] = True
            found[left[other]] = True
            left = left[~other]
        return found

    def _needed(self, name: str) -> tuple[list[str], list[str]]:
        """Earlier outcomes in their order, and facts, on which an outcome or a constraint rests."""
        if name not in self._needs:
            seen: set[str] = set()
            facts: set[str] = set()
            todo: list[Node] = [self.version.outcomes[name].tree, *(c.tree for c in self.version.constraints)]
            while todo:
                for part in walk(todo.pop()):
                    if isinstance(part, Fact):
                        facts.add(part.name)
                    elif isinstance(part, Earlier) and part.name not in seen:
                        seen.add(part.name)
                        todo.append(self.version.outcomes[part.name].tree)
            names = [each for each in self.version.outcomes if each in seen]
            self._needs[name] = names, [fact for fact in self.version.facts if fact in facts]
        return self._needs[name]

    def _filled(self, fact: str, column: Column, turn: int, count: int, rng: np.random.Generator) -> Column:
        """The column with something possible in the place of each unknown."""
        values = np.broadcast_to(column.values, count)
        if column.unknown is None or not column.unknown.any():
            return Column(values, None, column.words)
        guess = self._guess(self.version.facts[fact].kind, self._starts[fact], turn, count, rng)
        return Column(np.where(column.unknown, guess, values), None, column.words)

    def _guess(self, kind: Kind, starts: Any, turn: int, count: int, rng: np.random.Generator) -> NDArray[Any]:
        if kind.name == "boolean":
            return np.full(count, turn == 1) if turn < 2 else rng.random(count) < 0.5
        last = kind.high if kind.name in ("number", "date") else kind.size - 1
        if turn < 2:
            return np.full(count, last if turn else starts[0])
        cell = rng.integers(0, len(starts), count)
        return rng.integers(starts[cell], np.append(starts[1:], last + 1)[cell])


def _taken(column: Column, rows: NDArray[np.int64]) -> Column:
    if np.ndim(column.values) == 0:
        return column
    return Column(column.values[rows], None if column.unknown is None else column.unknown[rows], column.words)
