"""Contacts as one relational expression, for engines that hold the visits themselves: DuckDB, Spark.

The same answer as the index, row for row; the work is the engine's: it reads all stays of the places in question. Times
are whole seconds, and ids of one kind: cleaning is the caller's (`visits.Reader` says what it leaves out).
"""

from __future__ import annotations

from typing import Any

import ibis

from hucheng.apps.epidemic.contacts.found import seconds_of


def merged(visits: Any) -> Any:
    """Stays of one person at one place that touch or overlap, as one: person, place, arrive, leave.

    Gaps and islands: a stay begins an island where it arrives after all earlier ones have left. Visits that last no
    time, or end before they begin, are no stays.
    """
    visits = visits.filter(visits.leave > visits.arrive, visits.person.notnull(), visits.place.notnull())
    earlier = ibis.window(
        group_by=[visits.person, visits.place],
        order_by=[visits.arrive, visits.leave],
        preceding=(None, 1),
        following=None,
    )
    before = visits.mutate(left=visits.leave.max().over(earlier))
    marked = before.mutate(
        begins=ibis.cases((before.left.isnull(), 1), (before.arrive > before.left, 1), else_=0).cast("int64")
    )
    so_far = ibis.window(
        group_by=[marked.person, marked.place], order_by=[marked.arrive, marked.leave], preceding=None, following=0
    )
    islands = marked.mutate(island=marked.begins.sum().over(so_far))
    return islands.group_by(["person", "place", "island"]).agg(
        arrive=islands.arrive.min(), leave=islands.leave.max()
    ).drop("island")  # fmt: skip


def overlaps(visits: Any, cases: Any, minutes: float = 15) -> Any:
    """Overlaps of at least ``minutes``: person, case, place, from, until (seconds), minutes; one row each.

    ``visits``: Ibis table of person, place, arrive, leave; ``cases``: of person, from, until. Raises BadRequest for
    minutes that are no bound.
    """
    need = seconds_of(minutes)
    periods = cases.select(case=cases.person, since=cases["from"], till=cases.until)
    there = visits.semi_join(periods, visits.person == periods.case).select("place").distinct()
    stays = merged(visits.semi_join(there, "place"))
    whole = stays.select(one="person", at="place", came="arrive", left="leave")
    within = whole.join(periods, [whole.one == periods.case, whole.came < periods.till, whole.left > periods.since])
    own = within.select(
        "case", "at", begin=ibis.greatest(within.came, within.since), end=ibis.least(within.left, within.till)
    )
    own = own.filter(own.begin < own.end)
    pairs = own.join(
        stays,
        [own.at == stays.place, stays.arrive < own.end, stays.leave > own.begin, stays.person != own.case],
    )
    since, until = ibis.greatest(pairs.arrive, pairs.begin), ibis.least(pairs.leave, pairs.end)
    found = pairs.select("person", "case", "place", **{"from": since, "until": until})
    found = found.filter(found.until - found["from"] >= need)
    return found.mutate(minutes=(found.until - found["from"]).cast("float64") / 60.0)
