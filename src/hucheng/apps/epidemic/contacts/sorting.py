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
def by_column(rows, column, low, count):  # type: ignore[no-untyped-def]
    """Rows (n, 4) sorted by a column whose values are low … low + count - 1, equal ones as they stood."""
    starts = np.zeros(count + 1, np.int64)
    for row in range(len(rows)):
        starts[rows[row, column] - low + 1] += 1
    for one in range(count):
        starts[one + 1] += starts[one]
    found = np.empty_like(rows)
    for row in range(len(rows)):
        key = rows[row, column] - low
        to = starts[key]
        starts[key] = to + 1
        found[to, 0], found[to, 1], found[to, 2], found[to, 3] = rows[row, 0], rows[row, 1], rows[row, 2], rows[row, 3]
    return found


@compiled
def _sort(rows, begin, end, one, other):  # type: ignore[no-untyped-def]
    """Sort rows begin … end by two columns, in place (Shell's sort: hardly anybody has more than a few stays a day)."""
    gap = 1
    while gap < (end - begin) // 3:
        gap = 3 * gap + 1
    while gap > 0:
        for at in range(begin + gap, end):
            a, b, c, d = rows[at, 0], rows[at, 1], rows[at, 2], rows[at, 3]
            key = (np.int64(rows[at, one]) << 32) + rows[at, other]
            to = at
            while to - gap >= begin and (np.int64(rows[to - gap, one]) << 32) + rows[to - gap, other] > key:
                for column in range(4):
                    rows[to, column] = rows[to - gap, column]
                to -= gap
            rows[to, 0], rows[to, 1], rows[to, 2], rows[to, 3] = a, b, c, d
        gap //= 3


@compiled
def tidy(rows, zero, until, where):  # type: ignore[no-untyped-def]
    """Join stays of one person and place that touch or overlap; count those that begin while their person is elsewhere.

    ``rows``: sorted by person; changed in place, and by person and arrival afterwards. ``until`` and ``where`` hold
    when and where each person's longest stay so far ends (seconds of the clock; the day's zero is ``zero``), and are
    brought up to date. Returns how many rows are left, and the count.
    """
    to, found, begin, many = 0, 0, 0, len(rows)
    place, arrive = 1, 2
    while begin < many:
        one = rows[begin, 0]
        end = begin + 1
        while end < many and rows[end, 0] == one:
            end += 1
        left = end
        if end - begin > 1:
            _sort(rows, begin, end, place, arrive)
            left = begin + 1
            for row in range(begin + 1, end):
                if rows[row, 1] == rows[left - 1, 1] and rows[row, 2] <= rows[left - 1, 3]:
                    rows[left - 1, 3] = max(rows[left - 1, 3], rows[row, 3])
                    continue
                rows[left, 0], rows[left, 1], rows[left, 2], rows[left, 3] = (
                    one,
                    rows[row, 1],
                    rows[row, 2],
                    rows[row, 3],
                )
                left += 1
            _sort(rows, begin, left, arrive, place)
        for row in range(begin, left):
            found += zero + rows[row, 2] < until[one] and where[one] != rows[row, 1]
            if zero + rows[row, 3] > until[one]:
                until[one], where[one] = zero + rows[row, 3], rows[row, 1]
            rows[to, 0], rows[to, 1], rows[to, 2], rows[to, 3] = one, rows[row, 1], rows[row, 2], rows[row, 3]
            to += 1
        begin = end
    return to, found


@compiled
def classes(rows, edges, reach):  # type: ignore[no-untyped-def]
    """Turn the places of rows into keys of place and class of length, and set the longest stay of each class."""
    for row in range(len(rows)):
        length = np.int64(rows[row, 3]) - rows[row, 2]
        kind = 0
        while kind < len(edges) and length > edges[kind]:
            kind += 1
        reach[kind] = max(reach[kind], length)
        rows[row, 1] = rows[row, 1] * (len(edges) + 1) + kind


@compiled
def by_key(rows, count):  # type: ignore[no-untyped-def]
    """Columns person, arrive, leave of rows sorted by key, equal ones as they stood, and where each key begins."""
    offsets = np.zeros(count + 1, np.int32)
    for row in range(len(rows)):
        offsets[rows[row, 1] + 1] += 1
    for one in range(count):
        offsets[one + 1] += offsets[one]
    starts = offsets.copy()
    person, arrive, leave = np.empty(len(rows), np.int32), np.empty(len(rows), np.int32), np.empty(len(rows), np.int32)
    for row in range(len(rows)):
        key = rows[row, 1]
        to = starts[key]
        starts[key] = to + 1
        person[to], arrive[to], leave[to] = rows[row, 0], rows[row, 2], rows[row, 3]
    return person, arrive, leave, offsets


@compiled
def by_person(person, count):  # type: ignore[no-untyped-def]
    """Rows in the order of their person, and where each person begins."""
    offsets = np.zeros(count + 1, np.int32)
    for one in person:
        offsets[one + 1] += 1
    for one in range(count):
        offsets[one + 1] += offsets[one]
    starts = offsets.copy()
    order = np.empty(len(person), np.int32)
    for row in range(len(person)):
        to = starts[person[row]]
        starts[person[row]] = to + 1
        order[to] = row
    return order, offsets


@compiled
def late(person, leave, place_offsets, kinds, least, zero, until, where):  # type: ignore[no-untyped-def]
    """Take stays that last until ``least`` or longer into what is known of where people are."""
    for key in range(len(place_offsets) - 1):
        for row in range(place_offsets[key], place_offsets[key + 1]):
            if leave[row] >= least and zero + leave[row] > until[person[row]]:
                until[person[row]], where[person[row]] = zero + leave[row], key // kinds
