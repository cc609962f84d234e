"""Which groups of a table may be shown, so that totals do not give away what was left out.

Primary and complementary cell suppression (Hundepool et al., Statistical Disclosure Control, 2012, ch. 4), in its
plainest form. A group of too few people is left out. A *line* is all groups, or all that share the values of some of
the columns: its total is a question anybody may ask. What a line leaves out must hold enough different people itself;
else its smallest group that is still shown goes as well, until every line is so.

Not covered: totals under other conditions or other columns, and what earlier answers told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations

Cell = tuple[str, ...]


def large_enough(
    cells: Sequence[Cell], people: Sequence[int], small: Mapping[Cell, Sequence[str]], smallest: int
) -> list[int]:
    """Indices of the groups that may be shown, in their order.

    ``cells``: the values that make each group. ``people``: how many in each. ``small``: who is in each that has fewer
    than ``smallest``.
    """
    shown = {n for n, count in enumerate(people) if count >= smallest}
    lines = _lines(cells)
    again = True
    while again:
        again = False
        for line in lines:
            left_out = [n for n in line if n not in shown]
            rest = [n for n in line if n in shown]
            if not left_out or not rest or any(people[n] >= smallest for n in left_out):
                continue
            if len({one for n in left_out for one in small.get(cells[n], ())}) < smallest:
                shown.remove(min(rest, key=lambda n: (people[n], n)))
                again = True
    return sorted(shown)


def _lines(cells: Sequence[Cell]) -> list[list[int]]:
    """Groups that share the values of some columns (of none: all groups), for each choice of columns but all."""
    width = len(cells[0]) if cells else 0
    found: dict[tuple[tuple[int, ...], Cell], list[int]] = {}
    for size in range(width):
        for chosen in combinations(range(width), size):
            for n, cell in enumerate(cells):
                found.setdefault((chosen, tuple(cell[c] for c in chosen)), []).append(n)
    return list(found.values())
