"""Outcomes that are amounts, or compare two of them, with facts unknown: settled for many rows at once where it can be.

Two proofs, each only ever one-sided. *Open*: two possible people who share what is known and get different answers.
*Determined*: unknown facts with few values are put in one by one, of the others only their bounds are used; whatever is
possible then lies between bounds, and where these meet there is just one answer. What neither proof reaches is left to
logic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hucheng.rules import bounds, quick
from hucheng.rules.arrays import Column, Facts, taken
from hucheng.rules.bounds import ABOVE, BELOW, Bounds, Span
from hucheng.rules.cuts import Cuts
from hucheng.rules.kinds import Kind

FIRST, ROUNDS = 2, 16
"""Turns of trying before bounds are taken (the ends of all domains), and in all."""
TRIES, MOST_TIMES = 1 << 15, 256
"""Completions at one turn, and of one row: when few rows are left, many of each."""
BOXES = 1_024
"""Combinations of unknown facts that are put in one by one."""
FEW_CELLS = 32
"""Values, or cells, up to which a fact is put in one by one."""
AT_ONCE = 1 << 18
"""Boxes reckoned at once."""

LEFT, OPEN, IMPOSSIBLE, VALUE = range(4)
Bool = NDArray[np.bool_]
Rows = NDArray[np.int64]


@dataclass
class Settled:
    """What is known of each row: LEFT, OPEN, IMPOSSIBLE or VALUE, and the value (words: place in the outcome's)."""

    state: NDArray[np.int8]
    values: NDArray[np.int64]

    def hard(self) -> Rows:
        """Places that are left to others."""
        return np.flatnonzero(self.state == LEFT)


@dataclass
class _Tried:
    """What completions have shown: whether one was possible, and the answer of the first that was."""

    seen: Bool
    first: NDArray[np.int64]


class Settling:
    """One version on a date, cut into cells where it can be."""

    def __init__(self, cuts: Cuts) -> None:
        self.version = version = cuts.version
        self.on = cuts.on
        self._cuts = cuts
        self._starts = {name: np.asarray(cuts.starts[name], np.int64) for name in version.facts}
        self._able = quick.fits(version)
        self._bounded = self._able and bounds.able(version)
        self._needs: dict[str, tuple[list[str], list[str]]] = {}

    def settle(self, name: str, facts: Mapping[str, Column], rows: Rows, sure: Bool | None = None) -> Settled:
        """An outcome in some rows; the same rows give the same answer every time.

        ``sure``: rows that have just one answer, if such people can exist at all: one who does settles it.
        """
        found = Settled(np.zeros(len(rows), np.int8), np.zeros(len(rows), np.int64))
        if not self._able or not len(rows):
            return found
        wanted = self._needed(name)[1]
        columns = {fact: taken(facts[fact], rows) for fact in wanted}
        tried = _Tried(np.zeros(len(rows), bool), np.zeros(len(rows), np.int64))
        rng = np.random.default_rng(0)
        for turn in range(FIRST):
            self._try(name, columns, found, tried, turn, rng)
            if sure is not None:
                done = sure & tried.seen
                found.state[done], found.values[done] = VALUE, tried.first[done]
        if self._bounded:
            self._bound(name, columns, found, tried)
        for turn in range(FIRST, ROUNDS):
            self._try(name, columns, found, tried, turn, rng)
        return found

    def _needed(self, name: str) -> tuple[list[str], list[str]]:
        """Earlier outcomes in their order, and facts, on which an outcome or a constraint rests."""
        if name not in self._needs:
            trees = [self.version.outcomes[name].tree, *(c.tree for c in self.version.constraints)]
            earlier = {each for tree in trees for each in self._cuts.uses(tree)}
            facts = {fact for tree in trees for fact in self._cuts.facts_of(tree)}
            self._needs[name] = (
                [each for each in self.version.outcomes if each in earlier],
                [fact for fact in self.version.facts if fact in facts],
            )
        return self._needs[name]

    # ---- two people --------------------------------------------------------------------------------------------------

    def _try(
        self, name: str, columns: Mapping[str, Column], found: Settled, tried: _Tried, turn: int, rng: Any
    ) -> None:
        """Completions of every row that is left: another answer than the first proves it open."""
        left = found.hard()
        if not len(left):
            return
        times = 1 if turn < FIRST else min(MOST_TIMES, max(1, TRIES // len(left)))
        places = np.repeat(left, times)
        filled: dict[str, Column] = {}
        for fact, column in columns.items():
            alike = [other for other in columns if self._alike(fact, other)] if turn >= FIRST else []
            near = taken(columns[alike[rng.integers(0, len(alike))]], places).values if alike else None
            filled[fact] = self._filled(fact, taken(column, places), turn, rng, near)
        strict = quick.Strict(Facts(filled, len(places)), self.on)
        valid = np.ones(len(places), bool)
        for constraint in self.version.constraints:
            valid &= strict.of(constraint.tree).values
        for each in self._needed(name)[0]:
            strict.earlier[each] = strict.of(self.version.outcomes[each].tree)
        answer = strict.of(self.version.outcomes[name].tree)
        value = np.broadcast_to(quick.recoded(answer, self.version.outcomes[name].kind.values), len(places))
        if answer.unknown is not None:
            valid &= ~np.broadcast_to(answer.unknown, len(places))  # whoever gets no answer is left to logic
        values, allowed = value.astype(np.int64).reshape(-1, times), valid.reshape(-1, times)
        fresh = allowed.any(1) & ~tried.seen[left]
        tried.first[left[fresh]] = np.take_along_axis(values, allowed.argmax(1)[:, None], 1)[fresh, 0]
        tried.seen[left[fresh]] = True
        found.state[left[(allowed & (values != tried.first[left][:, None])).any(1)]] = OPEN

    def _alike(self, one: str, other: str) -> bool:
        """Whether two facts may be compared with one another."""
        a, b = self.version.facts[one].kind, self.version.facts[other].kind
        return one != other and a.name == b.name in ("number", "date") and a.scale == b.scale

    def _filled(self, fact: str, column: Column, turn: int, rng: Any, near: NDArray[Any] | None) -> Column:
        """The column with something possible in the place of each unknown; perhaps not far from another fact."""
        if column.unknown is None or not column.unknown.any():
            return Column(column.values, None, column.words)
        rows = np.flatnonzero(column.unknown)
        beside = None if near is None else np.broadcast_to(near, len(column.unknown))[rows]
        values = np.array(column.values)
        values[rows] = self._guess(self.version.facts[fact].kind, self._starts[fact], turn, len(rows), rng, beside)
        return Column(values, None, column.words)

    def _guess(
        self, kind: Kind, starts: Any, turn: int, count: int, rng: Any, near: NDArray[Any] | None
    ) -> NDArray[Any]:
        """First the lowest, then the highest; then at random: cells, and distances of any magnitude from both ends and
        from what stands near."""
        if kind.name == "boolean":
            return np.full(count, turn == 1) if turn < FIRST else rng.random(count) < 0.5
        first, last = (kind.low, kind.high) if kind.name in ("number", "date") else (0, kind.size - 1)
        if turn < FIRST:
            return np.full(count, last if turn else first)
        cell = rng.integers(0, len(starts), count)
        inner = rng.integers(starts[cell], np.append(starts[1:], last + 1)[cell])
        if kind.size <= FEW_CELLS:
            return np.asarray(inner)
        away = np.exp(rng.random(count) * np.log(kind.size)).astype(np.int64) - 1
        if near is None:
            return np.asarray(np.choose(rng.integers(0, 3, count), [inner, first + away, last - away]))
        around = np.clip(np.where(rng.random(count) < 0.5, near + away, near - away), first, last)
        return np.asarray(np.choose(rng.integers(0, 4, count), [inner, first + away, last - away, around]))

    # ---- bounds ------------------------------------------------------------------------------------------------------

    def _bound(self, name: str, columns: Mapping[str, Column], found: Settled, tried: _Tried) -> None:
        """Rows with the same facts unknown together; see the head of this file."""
        left = found.hard()
        pattern = np.zeros(len(left), np.int64)
        names = list(columns)
        for place, fact in enumerate(names[:62]):
            column = columns[fact]
            if column.unknown is not None:
                pattern |= column.unknown[left].astype(np.int64) << place
        if len(names) > 62:
            return
        for each in np.unique(pattern).tolist():
            missing = [fact for place, fact in enumerate(names) if each >> place & 1]
            rows = left[pattern == each]
            boxes = self._boxes(missing)
            step = max(1, AT_ONCE // boxes.count)
            for begin in range(0, len(rows), step):
                self._reckon(name, columns, rows[begin : begin + step], boxes, found, tried)

    def _boxes(self, missing: Sequence[str]) -> _Boxes:
        """Unknown facts as boxes: those with few values or cells in turn, as many as there may be."""
        pieces: dict[str, tuple[NDArray[np.int64], NDArray[np.int64]]] = {}
        for fact in missing:
            kind, starts = self.version.facts[fact].kind, self._starts[fact]
            if kind.name in ("boolean", "enum"):
                places = np.arange(kind.size)
                pieces[fact] = (places, places)
            elif kind.size <= FEW_CELLS:
                places = np.arange(kind.low, kind.high + 1)
                pieces[fact] = (places, places)
            elif len(starts) <= FEW_CELLS:
                pieces[fact] = (starts, np.append(starts[1:], kind.high + 1) - 1)
            else:
                pieces[fact] = (np.array([kind.low]), np.array([kind.high]))
        count = 1
        split: dict[str, tuple[Any, Any]] = {}
        for fact in sorted(missing, key=lambda fact: len(pieces[fact][0])):
            low, high = pieces[fact]
            if count * len(low) > BOXES:
                low, high = low[:1], high[-1:]
                if self.version.facts[fact].kind.name == "enum":
                    low, high = np.array([-1]), np.array([-1])  # any word
            count *= len(low)
            split[fact] = low, high
        return _Boxes.of(split, count)

    def _reckon(
        self, name: str, columns: Mapping[str, Column], rows: Rows, boxes: _Boxes, found: Settled, tried: _Tried
    ) -> None:
        """Bounds of an outcome over all boxes of some rows: arrays of rows × boxes."""
        spans = {}
        for fact, column in columns.items():
            kind = self.version.facts[fact].kind
            if fact in boxes.low:
                low, high = boxes.low[fact][None, :], boxes.high[fact][None, :]
                if kind.name == "enum":
                    every = np.int64((1 << kind.size) - 1)
                    low = high = np.where(low < 0, every, np.int64(1) << np.maximum(low, 0))
            else:
                low = high = column.values[rows][:, None].astype(np.int64)
                if kind.name == "enum":
                    low = high = np.int64(1) << low
            spans[fact] = Span(low, high, kind.values)
        reckoned = Bounds(spans, self.on)
        shape = (len(rows), boxes.count)
        alive, sure = np.ones(shape, bool), np.ones(shape, bool)
        for constraint in self.version.constraints:
            held = reckoned.of(constraint.tree)
            alive = alive & (held.high > 0)
            sure = sure & (held.low > 0)
            if held.unsure is not None:
                alive, sure = alive | held.unsure, sure & ~held.unsure
        for each in self._needed(name)[0]:
            reckoned.earlier[each] = reckoned.of(self.version.outcomes[each].tree)
        span = reckoned.of(self.version.outcomes[name].tree)
        words = self.version.outcomes[name].kind.values
        if words:
            low, high = self._ends(span, words)
        else:
            low, high = span.low, span.high
        low, high = np.broadcast_to(low, shape), np.broadcast_to(high, shape)
        unsure = np.broadcast_to(False if span.unsure is None else span.unsure, shape)
        one = (low == high) & ~unsure
        least = np.where(alive, low, ABOVE).min(1)
        most = np.where(alive, high, BELOW).max(1)
        value = alive.any(1) & (least == most) & ~(alive & unsure).any(1) & (tried.seen[rows] | sure.any(1))
        surely = sure & one
        apart = np.where(surely, low, ABOVE).min(1) < np.where(surely, high, BELOW).max(1)
        found.state[rows[value]], found.values[rows[value]] = VALUE, least[value]
        found.state[rows[apart]] = OPEN
        found.state[rows[~alive.any(1)]] = IMPOSSIBLE
        new = surely.any(1) & ~tried.seen[rows]
        tried.first[rows[new]] = np.where(surely, low, ABOVE).min(1)[new]
        tried.seen[rows[new]] = True

    def _ends(self, span: Span, words: tuple[str, ...]) -> tuple[Any, Any]:
        """First and last word of each set, as places among the outcome's words."""
        sets = bounds.as_sets(span, words)
        low = np.full(np.shape(sets), len(words), np.int64)
        high = np.full(np.shape(sets), -1, np.int64)
        for place in range(len(words)):
            there = sets >> place & 1 > 0
            low, high = np.where(there & (low == len(words)), place, low), np.where(there, place, high)
        return low, high


@dataclass(frozen=True)
class _Boxes:
    """Lowest and highest value of each unknown fact in each of ``count`` boxes (words: place, -1 for any)."""

    low: Mapping[str, NDArray[np.int64]]
    high: Mapping[str, NDArray[np.int64]]
    count: int

    @classmethod
    def of(cls, pieces: Mapping[str, tuple[NDArray[np.int64], NDArray[np.int64]]], count: int) -> _Boxes:
        """All combinations of the pieces."""
        sizes = [len(low) for low, _ in pieces.values()]
        assert math.prod(sizes) == count
        low, high = {}, {}
        for fact, place in zip(pieces, _places(sizes, count), strict=True):
            low[fact], high[fact] = (end[place] for end in pieces[fact])
        return cls(low, high, count)


def _places(sizes: Sequence[int], count: int) -> Iterator[NDArray[np.int64]]:
    """For each piece, which of it each combination has."""
    every, stride = np.arange(count), 1
    for size in sizes:
        yield every // stride % size
        stride *= size
