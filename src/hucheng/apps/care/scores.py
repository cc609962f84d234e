"""What a responder reads of an early warning score: the points of each sign, and how many there are in all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hucheng.rules import Pack

TOTAL, POINTS = "score", "_points"
"""Outcomes of the pack ``news2``: the total, and how the outcomes end that give the points of one sign."""


@dataclass(frozen=True)
class Score:
    """``total`` is known only with a whole set of signs; ``least``: what those add up to that are known."""

    title: Mapping[str, str]
    total: int | None
    least: int
    signs: Sequence[tuple[Mapping[str, str], int]]
    missing: Sequence[Mapping[str, str]]


def latest(decisions: Sequence[Mapping[str, Any]], pack: Pack) -> Score | None:
    """The score of the first of these decisions that this pack made, the heaviest sign first; None without one.

    ``decisions``: rows of ``decisions.decisions``, the latest first.
    """
    newest = next((one for one in decisions if one["pack"] == pack.id), None)
    if newest is None:
        return None
    at = newest["observed_at"]
    day = (datetime.fromisoformat(at) if isinstance(at, str) else at).date()
    outcome, declared = newest["outcome"], pack.version(day).outcomes
    named = {name: one.title for name, one in declared.items() if name.endswith(POINTS)}
    known = {name: int(outcome[name]) for name in named if outcome.get(name) is not None}
    total = outcome.get(TOTAL)
    return Score(
        title=declared[TOTAL].title,
        total=None if total is None else int(total),
        least=sum(known.values()),
        signs=sorted(((named[name], value) for name, value in known.items()), key=lambda one: -one[1]),
        missing=[title for name, title in named.items() if name not in known],
    )
