"""The second ring: what contacts met after they were exposed, equal to looking at everything."""

from __future__ import annotations

from typing import Any

import meetings
from hypothesis import given, settings
from meetings import Row

from hucheng.apps.epidemic import Index


def second(visits: list[Row], cases: list[Row], minutes: float) -> list[Row]:
    """Rows of the second ring with via whom, by its definition."""
    found = []
    for case in {case for case, _, _ in cases}:
        first = meetings.met(visits, [one for one in cases if one[0] == case], minutes)
        inner = {case} | {row[0] for row in first}
        until = max(one[2] for one in cases if one[0] == case)
        for via in {row[0] for row in first}:
            exposed = min(row[3] for row in first if row[0] == via)
            met = meetings.met(visits, [(via, exposed, until)], minutes)
            found += [(row[0], case, *row[2:], via) for row in met if row[0] not in inner]
    return sorted(found)


def rows_of(table: Any, ring: int) -> list[Row]:
    names = ("person", "case", "place", "from", "until", "minutes", "via")
    return sorted(tuple(row[name] for name in names) for row in table.to_pylist() if row["ring"] == ring)


@settings(max_examples=60)
@given(meetings.visits(), meetings.cases())
def test_random_second_rings_are_those_of_the_definition(visits: list[Row], cases: list[Row]) -> None:
    found = Index.of(meetings.visits_table(visits)).contacts(meetings.cases_table(cases), 15, ring=2)
    assert rows_of(found.overlaps, 2) == second(visits, cases, 15)
    assert [row[:6] for row in rows_of(found.overlaps, 1)] == meetings.met(visits, cases, 15)


def test_via_is_text_where_ids_are_text() -> None:
    visits = [("a", "x", 0, 4_000), ("b", "x", 0, 4_000), ("b", "y", 5_000, 8_000), ("c", "y", 5_000, 8_000)]
    found = Index.of(meetings.visits_table(visits)).contacts(meetings.cases_table([("a", 0, 9_000)]), ring=2).overlaps
    assert [(row["person"], row["via"]) for row in found.to_pylist()] == [("b", None), ("c", "b")]
