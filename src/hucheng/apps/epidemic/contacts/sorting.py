"""A day's stays in order: one per person, place and time without a gap; by place and time; by person.

All in linear time (counting sorts), with some passes over arrays of whole numbers.
"""

from __future__ import annotations

import numpy as np

from hucheng.apps.epidemic.contacts.compiled import compiled

EDGES = (3_600, 4 * 3_600, 16 * 3_600)
"""Seconds: the longest stay of each class of length but the last. A search looks back as far as the longest stay of
each class, so that a stay of forty hours makes it look further among the few long ones only."""
CLASSES = len(EDGES) + 1


@compiled
def order_by(keys, order, count):  # type: ignore[no-untyped-def]
    """``order`` sorted by keys in 0 … count - 1, equal ones as they stood (counting sort)."""
    starts = np.zeros(count + 1, np.int64)
    for key in keys:
        starts[key + 1] += 1
    for one in range(count):
        starts[one + 1] += starts[one]
    found = np.empty(len(order), np.int32)
    for row in order:
        key = keys[row]
        found[starts[key]] = row
        starts[key] += 1
    return found


@compiled
def merge(person, place, arrive, leave, order):  # type: ignore[no-untyped-def]
    """Stays in the order of person, place and arrival; those that touch or overlap become one. Sets the four columns
    anew from their beginning, and returns how many stays are left."""
    rows = len(order)
    p, q, a, b = np.empty(rows, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int32), np.empty(rows, np.int32)
    at = -1
    for row in order:
        if at >= 0 and p[at] == person[row] and q[at] == place[row] and arrive[row] <= b[at]:
            b[at] = max(b[at], leave[row])
            continue
        at += 1
        p[at], q[at], a[at], b[at] = person[row], place[row], arrive[row], leave[row]
    return p[: at + 1], q[: at + 1], a[: at + 1], b[: at + 1]


@compiled
def elsewhere(person, place, arrive, leave, order, begin, until, where):  # type: ignore[no-untyped-def]
    """How many stays begin while their person is still at another place. ``order``: by person and arrival.

    ``until`` and ``where`` hold for each person when and where the longest stay so far ends (seconds of the clock),
    and are brought up to date; ``begin`` is where the day's zero lies.
    """
    found = 0
    for row in order:
        one = person[row]
        start, end = begin + arrive[row], begin + leave[row]
        if start < until[one] and where[one] != place[row]:
            found += 1
        if end > until[one]:
            until[one], where[one] = end, place[row]
    return found


@compiled
def classes(place, arrive, leave, edges, reach):  # type: ignore[no-untyped-def]
    """Place and class of length of each stay as one key; sets the longest stay of each class."""
    found = np.empty(len(place), np.int32)
    for row in range(len(place)):
        length = np.int64(leave[row]) - arrive[row]
        kind = 0
        while kind < len(edges) and length > edges[kind]:
            kind += 1
        reach[kind] = max(reach[kind], length)
        found[row] = place[row] * (len(edges) + 1) + kind
    return found


@compiled
def offsets(keys, count):  # type: ignore[no-untyped-def]
    """Where the rows of each key begin, were they sorted by it: count + 1 numbers."""
    found = np.zeros(count + 1, np.int32)
    for key in keys:
        found[key + 1] += 1
    for one in range(count):
        found[one + 1] += found[one]
    return found
