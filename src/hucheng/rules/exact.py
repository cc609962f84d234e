"""What the strict reading leaves open though it is determined: cells first, logic where cells are unable."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import date
from functools import cached_property
from typing import Any

import numpy as np
import z3
from numpy.typing import NDArray

from hucheng.rules.arrays import Column
from hucheng.rules.cells import Cells
from hucheng.rules.diagram import Leaf
from hucheng.rules.kinds import Value
from hucheng.rules.logic import PATIENCE_MS, Logic, Varied
from hucheng.rules.lookup import Lookup
from hucheng.rules.model import Version
from hucheng.rules.settling import IMPOSSIBLE, OPEN, Settling

_lock = threading.Lock()
_made: dict[tuple[str, date | None], Exact] = {}
KEPT = 64


class Exact:
    """The exact readings of a version on a date, shared between threads."""

    def __init__(self, version: Version, on: date | None) -> None:
        self.version = version
        self.on = on
        self.cells = Cells(version, on)
        self.settling = Settling(self.cells)
        self._local = threading.local()

    @cached_property
    def lookup(self) -> Lookup:
        """The outcomes that cells can give, for whole tables."""
        return Lookup(self.cells)

    @property
    def logic(self) -> Logic:
        """The solver of this thread (Z3 contexts are not shared between threads)."""
        found: Logic | None = getattr(self._local, "logic", None)
        if found is None:
            found = self._local.logic = Logic(self.version, self.on)
        return found

    def both(self, fact: str) -> tuple[z3.Solver, Varied]:
        """A solver over two possible people who differ at most in one fact, and the logic of the second."""
        pairs: dict[str, tuple[z3.Solver, Varied]] = self._local.__dict__.setdefault("both", {})
        if fact not in pairs:
            one, other = self.logic, Varied(self.logic, fact)
            solver = z3.Solver(ctx=one.context)
            solver.set("timeout", PATIENCE_MS)
            solver.add(*one.sides, *one.constraints, *other.sides, *other.constraints)
            pairs[fact] = solver, other
        return pairs[fact]

    def outcome(self, name: str, known: Mapping[str, Value | None]) -> Any:
        """Value of an outcome for one person, or a Leaf."""
        if name in self.cells.exact:
            return self.cells.outcome(name, self.cells.codes(known))
        return self.logic.outcome(name, known)

    def outcomes(self, known: Mapping[str, Value | None]) -> dict[str, Any]:
        """Values of all outcomes."""
        codes = self.cells.codes(known)
        return {
            name: self.cells.outcome(name, codes) if name in self.cells.exact else self.logic.outcome(name, known)
            for name in self.version.outcomes
        }

    def walked(self, name: str, keys: list[NDArray[np.intp]], rows: int) -> tuple[Column, list[Any], NDArray[Any]]:
        """Exact values of an outcome that cells can give: the column, the leaves, and where among them rows end."""
        leaves, ends = self.lookup.ends(name, keys, rows)
        column = self.coded(name, leaves)
        assert column.unknown is not None
        unknown = column.unknown.take(ends) if column.unknown.any() else None
        return Column(column.values.take(ends), unknown, column.words), leaves, ends

    def settled(
        self, name: str, facts: Mapping[str, Column], rows: NDArray[np.int64], sure: NDArray[np.bool_] | None = None
    ) -> tuple[Column, NDArray[np.bool_]]:
        """Exact values of any other outcome in some rows, and which of them are impossible people.

        ``sure``: rows that have just one answer, if such people can exist.
        """
        found = self.settling.settle(name, facts, rows, sure)
        kind = self.version.outcomes[name].kind
        values = found.values.astype(bool if kind.name == "boolean" else np.int64)
        unknown, impossible = found.state == OPEN, found.state == IMPOSSIBLE
        hard = found.hard()
        if len(hard):
            leaves = self._by_logic(name, facts, rows[hard])
            column = self.coded(name, leaves)
            values[hard], unknown[hard] = column.values, column.unknown
            impossible[hard] = [leaf is Leaf.IMPOSSIBLE for leaf in leaves]
        return Column(values, unknown | impossible, kind.values), impossible

    def coded(self, name: str, leaves: list[Any]) -> Column:
        """Leaves as a column: what is no value of the outcome (open, impossible) is unknown."""
        kind = self.version.outcomes[name].kind
        values = np.zeros(len(leaves), bool if kind.name == "boolean" else np.int64)
        unknown = np.ones(len(leaves), bool)
        for place, leaf in enumerate(leaves):
            if leaf is None or isinstance(leaf, Leaf):
                continue
            unknown[place] = False
            values[place] = (
                kind.values.index(leaf) if kind.name == "enum" else leaf.toordinal() if isinstance(leaf, date) else leaf
            )
        return Column(values, unknown, kind.values)

    def _by_logic(self, name: str, facts: Mapping[str, Column], rows: NDArray[np.int64]) -> list[Any]:
        """One question to the solver for each different person."""
        used = self.logic.facts_of(name)
        answers: dict[tuple[Any, ...], Any] = {}
        found = []
        for row in rows:
            known = {fact: person(facts[fact], int(row), self.version.facts[fact].kind.name) for fact in used}
            key = tuple(known.values())
            if key not in answers:
                answers[key] = self.logic.outcome(name, known)
            found.append(answers[key])
        return found


def person(column: Column, row: int, kind: str) -> Value | None:
    """One value of a column in internal units."""
    if column.unknown is not None and column.unknown[row]:
        return None
    value = column.values[row]
    if kind == "boolean":
        return bool(value)
    if kind == "enum":
        return column.words[int(value)]
    return date.fromordinal(int(value)) if kind == "date" else int(value)


def exact(version: Version, on: date | None) -> Exact:
    """The exact readings, made once for a version and, where it asks for the date, a date."""
    key = (version.digest, on if version.dated else None)
    with _lock:
        found = _made.get(key)
        if found is None:
            while len(_made) >= KEPT:
                _made.pop(next(iter(_made)))
            found = _made[key] = Exact(version, key[1])
    return found


__all__ = ["Exact", "Leaf", "exact", "person"]
