"""Tables of every kind in, decisions in the same kind out."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from hucheng.rules import arrays, bulk, deciding, quick
from hucheng.rules.arrays import Column
from hucheng.rules.bulk import PROBLEM
from hucheng.rules.columns import given
from hucheng.rules.exact import exact
from hucheng.rules.logic import Undecided
from hucheng.rules.model import Version
from hucheng.tables import as_arrow, like, module

PIECE = 1 << 17
"""Rows worked on at once: small enough for the processor's caches, large enough for NumPy."""
SHARING = 1 << 19
"""The same where facts are unknown: what is done once for all rows with the same facts unknown serves more of them."""
WORKERS = os.cpu_count() or 1

Item = TypeVar("Item")
Result = TypeVar("Result")
Piece = tuple[pa.Table, bool, int]


def decide(version: Version, table: Any, on: date | None) -> Any:
    """Decisions for every row, in the kind of table that came in (a pandas frame keeps its index)."""
    found = like(table, decided(version, as_arrow(table), on))
    return found.set_index(table.index) if module(table) == "pandas" else found


@lru_cache(maxsize=64)
def _fits(digest: str, version: bulk.ByDigest) -> bool:
    return quick.fits(version.version)


def decided(version: Version, table: pa.Table, on: date | None, text: bool = False) -> pa.Table:
    """Outcomes of every row; id columns stay as they are. ``text``: values as a CSV file has them."""
    ids = given(table.column_names, version.facts, version.outcomes)
    on = on if version.dated else None
    size = min(_sharing(), max(PIECE, -(-table.num_rows // WORKERS))) if _unknown(version, table) else PIECE
    pieces = [table.slice(begin, size) for begin in range(0, table.num_rows, size)] or [table]
    found = list(in_order(lambda piece: _piece(version, piece, on, text), pieces))
    columns = [table.column(name) for name in ids]
    columns += [pa.chunked_array(list(pieces), pieces[0].type) for pieces in zip(*found, strict=True)]
    return pa.table(columns, names=[*ids, *version.outcomes, PROBLEM])


def _unknown(version: Version, table: pa.Table) -> bool:
    return any(table.column(name).null_count for name in version.facts if name in table.column_names)


def _sharing() -> int:
    """Less on many cores, which hold as many pieces at once."""
    return max(PIECE, min(SHARING, 4 * SHARING // WORKERS))


def shared(version: Version, pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Pieces of a file (`hucheng.files.tables`): as they come, or a few as one where facts are unknown (`SHARING`)."""
    held: list[Piece] = []
    for piece in pieces:
        held.append(piece)
        if not _unknown(version, piece[0]) or sum(table.num_rows for table, _, _ in held) >= _sharing():
            yield _as_one(held)
            held = []
    if held:
        yield _as_one(held)


def _as_one(pieces: Sequence[Piece]) -> Piece:
    if len(pieces) == 1:
        return pieces[0]
    tables, texts, shares = zip(*pieces, strict=True)
    return pa.concat_tables(tables), texts[0], sum(shares)


def in_order(function: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Results in the order of the items, a few of them worked out at the same time (NumPy and Arrow let go of the
    interpreter); never more than a few are held."""
    todo = iter(items)
    first = next(todo, None)
    second = next(todo, None)
    if first is None:
        return
    if second is None:
        yield function(first)
        return
    with ThreadPoolExecutor(WORKERS) as pool:
        running = deque([pool.submit(function, first), pool.submit(function, second)])
        for item in todo:
            if len(running) > WORKERS:
                yield running.popleft().result()
            running.append(pool.submit(function, item))
        while running:
            yield running.popleft().result()


def _piece(version: Version, table: pa.Table, on: date | None, text: bool) -> list[pa.Array]:
    """Outcomes and complaints of some rows."""
    if not _fits(version.digest, bulk.ByDigest(version)):
        return by_sql(version, table, on, text)
    facts = None if text else arrays.read(version, table)
    if facts is None:
        facts = _read_by_sql(version, table, on, text)
    columns, problem = deciding.answers(version, facts, table, on)
    return [*columns, problem]


def _read_by_sql(version: Version, table: pa.Table, on: date | None, text: bool) -> arrays.Facts:
    """Facts in columns that arrays cannot read (text, unusual types). RuleError where a type cannot carry its fact."""
    con = bulk.connection()
    only = table.select(list(version.facts)) if version.facts else table
    program = bulk.program(version, on, bulk.described(con, only.schema), text)
    facts = arrays.internal(version, bulk.run(con, program.facts, only).rename_columns(list(version.facts)))
    for name, column in facts.columns.items():
        if column.unknown is not None:
            wrong = column.unknown & table.column(name).is_valid().to_numpy()
            if wrong.any():
                facts.wrong[name] = wrong
    return facts


def by_sql(version: Version, table: pa.Table, on: date | None, text: bool = False) -> list[pa.Array]:
    """The same by the strict SQL, and logic where it leaves a row open: for numbers beyond 64 bits."""
    con = bulk.connection()
    only = table.select(list(version.facts)) if version.facts else table
    program = bulk.program(version, on, bulk.described(con, only.schema), text)
    found = bulk.run(con, program.decide, only)
    open_ = _open(version, found)
    answers: dict[str, Any] = {name: found.column(name).combine_chunks() for name in version.outcomes}
    problem = found.column(PROBLEM).combine_chunks()
    if len(open_):
        narrow = bulk.run(con, program.facts, only.take(pa.array(open_))).rename_columns(list(version.facts))
        facts = arrays.internal(version, narrow)
        keep = np.flatnonzero(facts.some_unknown())
        problem = _settled(version, on, facts, keep, open_[keep], answers, problem)
    return [*(answers[name] for name in version.outcomes), problem]


def _open(version: Version, found: pa.Table) -> NDArray[np.int64]:
    """Rows without problem in which an outcome is still open."""
    if not any(found.column(name).null_count for name in version.outcomes):
        return np.empty(0, np.int64)
    import pyarrow.compute as pc

    some: Any = None
    for name in version.outcomes:
        empty = found.column(name).is_null()
        some = empty if some is None else pc.or_(some, empty)
    some = pc.and_(some, found.column(bulk.PROBLEM).is_null())
    return np.flatnonzero(some.to_numpy())


def _settled(
    version: Version,
    on: date | None,
    facts: arrays.Facts,
    rows: NDArray[np.int64],
    targets: NDArray[np.int64],
    answers: dict[str, Any],
    problem: Any,
) -> Any:
    """Fill what is determined; ``rows`` are places in ``facts``, ``targets`` the same people in the result."""
    readings = exact(version, on)
    troubles: dict[int, str] = {}
    for name, outcome in version.outcomes.items():
        column = answers[name]
        places = np.flatnonzero(column.is_null().to_numpy(zero_copy_only=False)[targets])
        if not len(places):
            continue
        try:
            found, impossible = readings.settled(name, facts.columns, rows[places])
        except Undecided as why:
            troubles |= dict.fromkeys(targets[places].tolist(), f"{name}: not settled in time ({why})")
            continue
        troubles |= dict.fromkeys(targets[places[impossible]].tolist(), deciding.CONTRADICTION)
        assert found.unknown is not None
        sure = ~found.unknown
        if sure.any():
            part = Column(found.values[sure], None, found.words)
            answers[name] = arrays.patched(outcome.kind, column, targets[places[sure]], part)
    if troubles:
        said = problem.to_pylist()
        for row, what in troubles.items():
            said[row] = what
        problem = pa.array(said, pa.string())
        hidden = np.zeros(len(said), bool)
        hidden[list(troubles)] = True
        for name in version.outcomes:
            answers[name] = arrays.hidden(answers[name], hidden)
    return problem
