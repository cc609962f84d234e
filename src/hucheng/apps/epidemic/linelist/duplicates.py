"""Rows that are, or seem to be, the same case. They are marked, never dropped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps.epidemic import columns as reading

REPEATS = "duplicate_of"
"""Column of a clean list in which a row that repeats another names it."""
EXACT, CASE, PERSON, NAMED = "exact", "same case_id", "same person_id", "same name, birth and onset"
APART_DAYS = 60
"""Days between two onsets of one person, beyond which they may well be two illnesses."""


def mark(written: Sequence[tuple[Any, ...]], columns: Mapping[str, Sequence[Any]]) -> list[tuple[int, str] | None]:
    """For each row the first row it repeats, and in what; None for a row that repeats none.

    ``written``: each row as it came, without its number; ``columns``: cleaned values by standard name.
    """
    found: list[tuple[int, str] | None] = [None] * len(written)
    seen: dict[tuple[Any, ...], int] = {}
    for row, values in enumerate(written):
        if values in seen:
            found[row] = (seen[values], EXACT)
        else:
            seen[values] = row
    onset = columns.get("date_onset", [None] * len(written))
    for kind, names in ((CASE, ("case_id",)), (PERSON, ("person_id",)), (NAMED, ("name", "date_birth", "date_onset"))):
        if not all(name in columns for name in names):
            continue
        firsts: dict[tuple[Any, ...], list[int]] = {}
        for row in range(len(written)):
            key = tuple(columns[name][row] for name in names)
            if any(one is None for one in key):
                continue
            earlier = firsts.setdefault(key, [])
            match = next((one for one in earlier if kind != PERSON or _near(onset[one], onset[row])), None)
            if match is None:
                earlier.append(row)
            elif found[row] is None:
                found[row] = (match, kind)
    return found


def _near(one: date | None, other: date | None) -> bool:
    return one is None or other is None or abs((one - other).days) <= APART_DAYS


def firsts(arrow: pa.Table) -> pa.Table:
    """The rows of a clean list that are not marked as repeating another; also of one that was read from a file."""
    if REPEATS not in arrow.column_names:
        return arrow
    column = arrow.column(REPEATS)
    return arrow.filter(pc.is_null(reading.text(column) if pa.types.is_string(column.type) else column))
