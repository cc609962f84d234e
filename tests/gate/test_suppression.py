"""No total of the groups shown can be subtracted down to a few people."""

from __future__ import annotations

from collections import defaultdict
from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from hucheng.gate.suppression import large_enough

Cells = dict[tuple[str, ...], set[str]]

tables = st.integers(1, 3).flatmap(
    lambda width: st.dictionaries(
        st.tuples(*[st.sampled_from("abc")] * width),
        st.sets(st.integers(0, 60).map(str), min_size=1, max_size=14),
        max_size=12,
    )
)


def shown(cells: Cells, smallest: int) -> set[tuple[str, ...]]:
    names = list(cells)
    few = {cell: sorted(who) for cell, who in cells.items() if len(who) < smallest}
    return {names[n] for n in large_enough(names, [len(cells[cell]) for cell in names], few, smallest)}


@given(tables, st.integers(2, 10))
@settings(deadline=None, max_examples=300)
def test_what_a_line_leaves_out_holds_enough_people(cells: Cells, smallest: int) -> None:
    kept = shown(cells, smallest)
    assert all(len(cells[cell]) >= smallest for cell in kept)
    width = len(next(iter(cells))) if cells else 0
    for size in range(width):
        for chosen in combinations(range(width), size):
            lines = defaultdict(list)
            for cell in cells:
                lines[tuple(cell[c] for c in chosen)].append(cell)
            for line in lines.values():
                hidden = [cell for cell in line if cell not in kept]
                if hidden and len(hidden) < len(line):
                    assert len(set().union(*(cells[cell] for cell in hidden))) >= smallest


@given(tables)
def test_where_every_group_is_large_enough_all_are_shown(cells: Cells) -> None:
    assert shown(cells, 1) == set(cells)


def test_two_tiny_groups_take_the_next_with_them() -> None:
    people = iter(range(1000))
    sizes = {("a",): 40, ("b",): 12, ("c",): 15, ("d",): 2, ("e",): 3}
    cells = {cell: {str(next(people)) for _ in range(count)} for cell, count in sizes.items()}
    assert shown(cells, 10) == {("a",), ("c",)}


def test_the_same_few_people_in_two_groups_are_counted_once() -> None:
    cells = {("a",): {str(n) for n in range(100, 140)}, ("b",): set("123456"), ("c",): set("123456")}
    assert shown(cells, 10) == set()
