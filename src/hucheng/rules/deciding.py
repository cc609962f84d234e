"""One piece of a table decided exactly: cells for what they can give, arithmetic and proofs for the rest."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.rules import arrays, quick
from hucheng.rules.arrays import Column, Facts
from hucheng.rules.complaints import said
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import Exact, exact
from hucheng.rules.logic import Undecided
from hucheng.rules.model import Version

CONTRADICTION = "the facts contradict the constraints"
OUTSIDE = "{}: outside its declared range"
_WORDS = {
    Leaf.IMPOSSIBLE: CONTRADICTION,
    Leaf.GAP: "{}: no branch holds",
    Leaf.OVERLAP: "{}: two branches hold",
}
Rows = NDArray[np.int64]


class Complaints:
    """Why rows are not decided; the first complaint of a row comes first."""

    def __init__(self, rows: int) -> None:
        self.hidden = np.zeros(rows, bool)
        """Rows with a complaint."""
        self._said: list[tuple[Rows, str]] = []

    def add(self, rows: Rows, what: str) -> None:
        """One complaint about several rows (places)."""
        if len(rows):
            self.hidden[rows] = True
            self._said.append((rows, what))

    def without(self, rows: Rows) -> Rows:
        """Those of the rows about which nothing was said yet."""
        return rows[~self.hidden[rows]]

    def column(self) -> pa.Array:
        """The text, empty where there is nothing to complain of."""
        if not self._said:
            return pa.nulls(len(self.hidden), pa.string())
        found: list[str | None] = [None] * len(self.hidden)
        for rows, what in self._said:
            for row in rows.tolist():
                before = found[row]
                if before is None:
                    found[row] = what
                elif what not in before.split("; "):
                    found[row] = f"{before}; {what}"
        return pa.array(found, pa.string())


def answers(version: Version, facts: Facts, table: pa.Table, on: date | None) -> tuple[list[pa.Array], pa.Array]:
    """The outcomes as Arrow columns, and why rows were not decided. ``table`` is where the facts come from."""
    complaints = Complaints(facts.rows)
    for name, wrong in facts.wrong.items():
        source = table.column(name)
        if pa.types.is_timestamp(source.type):
            source = source.cast(pa.timestamp("us"), safe=False)  # nanoseconds are no Python value
        for row in np.flatnonzero(wrong).tolist():
            complaints.add(np.array([row]), said(version.facts[name], source[row].as_py()))
    if facts.some_unknown().any() or facts.rows > quick.SMALL:
        columns = _exactly(version, facts, on, complaints)
    else:
        columns, broken = quick.answers(version, facts, on)
        for what, rows in broken.items():
            complaints.add(np.flatnonzero(rows), what)
    hidden = complaints.hidden if complaints.hidden.any() else None
    out = [arrays.arrow(o.kind, columns[name], facts.rows, hidden) for name, o in version.outcomes.items()]
    return out, complaints.column()


def _exactly(version: Version, facts: Facts, on: date | None, complaints: Complaints) -> dict[str, Column]:
    readings = exact(version, on)
    columns: dict[str, Column] = {}
    suspect = np.zeros(facts.rows, bool)
    words: list[tuple[Rows, str]] = []
    keys = readings.lookup.keys(facts)
    for name in readings.cells.exact:
        columns[name], leaves, ends = readings.walked(name, keys, facts.rows)
        for place, leaf in enumerate(leaves):
            if leaf is Leaf.OPEN or (not isinstance(leaf, Leaf) and version.outcomes[name].kind.holds(leaf)):
                continue
            here = np.flatnonzero(ends == place)
            suspect[here] = True
            words.append((here, _WORDS.get(leaf, OUTSIDE).format(name)))
    if len(columns) < len(version.outcomes):
        words += _amounts(readings, facts, columns, suspect, complaints)
    _explain(version, facts, on, np.flatnonzero(suspect), words, complaints)
    return columns


def _amounts(
    readings: Exact, facts: Facts, columns: dict[str, Column], suspect: NDArray[np.bool_], complaints: Complaints
) -> list[tuple[Rows, str]]:
    """The outcomes that cells cannot give: the strict reading, and proofs where it leaves a row open."""
    version = readings.version
    words = []
    strict = quick.Strict(facts, readings.on)
    doubtful = np.zeros(facts.rows, bool)
    for constraint in version.constraints:
        held = strict.of(constraint.tree)
        suspect |= ~held.values if held.unknown is None else ~held.values & ~held.unknown
        if held.unknown is not None:
            doubtful |= held.unknown
    some = facts.some_unknown()
    for name, outcome in version.outcomes.items():
        if name in columns:
            strict.earlier[name] = columns[name]
            continue
        found = strict.of(outcome.tree)
        kind = outcome.kind
        values = np.array(np.broadcast_to(quick.recoded(found, kind.values), facts.rows))
        unknown = np.array(np.broadcast_to(False if found.unknown is None else found.unknown, facts.rows))
        # a strict value of somebody impossible is none: where a constraint is in doubt it is looked at, too
        rows = complaints.without(np.flatnonzero((unknown | doubtful) & some & ~suspect))
        if len(rows):
            try:
                exactly, impossible = readings.settled(name, facts.columns, rows, ~unknown[rows])
            except Undecided as why:
                complaints.add(rows, f"{name}: not settled in time ({why})")
            else:
                assert exactly.unknown is not None
                values[rows], unknown[rows] = exactly.values, exactly.unknown
                complaints.add(rows[impossible], CONTRADICTION)
        columns[name] = strict.earlier[name] = Column(values, unknown if unknown.any() else None, kind.values)
        suspect |= unknown & ~some
        if kind.name in ("number", "date"):
            out = ~unknown & ((values < kind.low) | (values > kind.high))
            suspect |= out
            words.append((np.flatnonzero(out), OUTSIDE.format(name)))
    return words


def _explain(
    version: Version, facts: Facts, on: date | None, rows: Rows, words: list[tuple[Rows, str]], complaints: Complaints
) -> None:
    """What is wrong with rows that have no answer: in the strict reading's words, else in the leaves'."""
    if not len(rows):
        return
    for what, bad in quick.answers(version, facts.taken(rows), on)[1].items():
        complaints.add(rows[bad], what)
    for those, what in words:
        complaints.add(complaints.without(those), what)
