"""The search itself, a day at a time: who was at a place while a case was there.

Every function takes a day's columns, sorted by place, class of length and arrival, and the cases' stays as columns:
place, beginning and end in seconds since the day's zero, and the case's own code. Stays are half-open: [arrive, leave).
"""

from __future__ import annotations

import numpy as np

from hucheng.apps.epidemic.contacts.compiled import compiled


@compiled
def _not_before(values, low, high, least):  # type: ignore[no-untyped-def]
    """The first row in low … high whose value is not below ``least``."""
    while low < high:
        middle = (low + high) >> 1
        if values[middle] < least:
            low = middle + 1
        else:
            high = middle
    return low


@compiled
def _able(arrive, low, high, begin, end, need, reach):  # type: ignore[no-untyped-def]
    """Those of the rows from ``low`` to ``high`` whose arrival lets a stay of at most ``reach`` seconds share ``need``
    with [begin, end)."""
    low = _not_before(arrive, low, high, begin + need - reach)
    return low, _not_before(arrive, low, high, end - need + 1)


@compiled
def overlaps(person, arrive, leave, offsets, reach, place, begin, end, case, need, count):  # type: ignore[no-untyped-def]
    """Set ``count`` of each case's stay to how many stays overlap it for at least ``need`` seconds."""
    kinds = len(reach)
    for one in range(len(place)):
        found = 0
        first = place[one] * kinds
        if first + kinds < len(offsets):
            for kind in range(kinds):
                low, high = offsets[first + kind], offsets[first + kind + 1]
                if low == high or reach[kind] < need:
                    continue
                low, high = _able(arrive, low, high, begin[one], end[one], need, reach[kind])
                for row in range(low, high):
                    shared = min(np.int64(leave[row]), end[one]) - max(np.int64(arrive[row]), begin[one])
                    found += (shared >= need) & (person[row] != case[one])
        count[one] = found


@compiled
def anybody(person, arrive, leave, offsets, reach, place, begin, end, case, there):  # type: ignore[no-untyped-def]
    """Set ``there`` of each case's stay where anybody overlaps it at all."""
    kinds = len(reach)
    for one in range(len(place)):
        first = place[one] * kinds
        if first + kinds >= len(offsets):
            continue
        for kind in range(kinds):
            low, high = offsets[first + kind], offsets[first + kind + 1]
            if low == high:
                continue
            low, high = _able(arrive, low, high, begin[one], end[one], 1, reach[kind])
            for row in range(low, high):
                if leave[row] > begin[one] and person[row] != case[one]:
                    there[one] = True
                    break
            if there[one]:
                break


@compiled
def fill(  # type: ignore[no-untyped-def]
    person, arrive, leave, offsets, reach, place, begin, end, case, need, zero, at, out_person, out_begin, out_end
):
    """Write the overlaps that `overlaps` counts, those of each stay from ``at`` on; times on the clock (+ ``zero``)."""
    kinds = len(reach)
    for one in range(len(place)):
        to = at[one]
        first = place[one] * kinds
        if first + kinds < len(offsets):
            for kind in range(kinds):
                low, high = offsets[first + kind], offsets[first + kind + 1]
                if low == high or reach[kind] < need:
                    continue
                low, high = _able(arrive, low, high, begin[one], end[one], need, reach[kind])
                for row in range(low, high):
                    since = max(np.int64(arrive[row]), begin[one])
                    until = min(np.int64(leave[row]), end[one])
                    if until - since >= need and person[row] != case[one]:
                        out_person[to] = person[row]
                        out_begin[to] = since + zero
                        out_end[to] = until + zero
                        to += 1


@compiled
def joined(first, second, begin, end, order):  # type: ignore[no-untyped-def]
    """Intervals in ``order`` (by first, second, begin): those of equal keys that touch or overlap become one.

    Returns for each that is left the row it begins with, and its end.
    """
    rows, ends = np.empty(len(order), np.int64), np.empty(len(order), np.int64)
    at = -1
    for row in order:
        if at >= 0 and first[rows[at]] == first[row] and second[rows[at]] == second[row] and begin[row] <= ends[at]:
            ends[at] = max(ends[at], end[row])
            continue
        at += 1
        rows[at], ends[at] = row, end[row]
    return rows[: at + 1], ends[: at + 1]


@compiled
def on_two_days(person, many, again):  # type: ignore[no-untyped-def]
    """Set ``again`` for pieces of people who have pieces on several days of one case's stay.

    ``many``: how many pieces each stay has on each day; pieces lie in that order.
    """
    begin = 0
    for stay in range(len(many)):
        pieces = 0
        for day in range(many.shape[1]):
            pieces += many[stay, day]
        size = 4
        while size < 2 * pieces:
            size *= 2
        mask = size - 1
        who = np.full(size, -1, np.int32)
        when = np.zeros(size, np.int32)
        for turn in range(2):
            row = begin
            for day in range(many.shape[1]):
                for _ in range(many[stay, day]):
                    one = person[row]
                    at = (one * 0x9E3779B1 >> 7) & mask
                    while who[at] >= 0 and who[at] != one:
                        at = (at + 1) & mask
                    if turn == 1:
                        again[row] = when[at] < 0
                    elif who[at] < 0:
                        who[at], when[at] = one, day
                    elif when[at] != day:
                        when[at] = -1
                    row += 1
        begin += pieces


@compiled
def exposed(person, case, begin, end, seconds, slot, used, sums):  # type: ignore[no-untyped-def]
    """Add overlaps to each person's sums: seconds, first, last, overlaps, cases, latest case. ``slot``: row of a
    person's sums, plus one; new people take the next. Overlaps of a case come side by side. Returns the rows in use.
    """
    for row in range(len(person)):
        at = slot[person[row]] - 1
        if at < 0:
            at = used
            used += 1
            slot[person[row]] = used
            sums[at, 0], sums[at, 1], sums[at, 2], sums[at, 3], sums[at, 4], sums[at, 5] = (
                0,
                begin[row],
                end[row],
                0,
                0,
                -1,
            )
        sums[at, 0] += seconds[row]
        sums[at, 1] = min(sums[at, 1], begin[row])
        sums[at, 2] = max(sums[at, 2], end[row])
        sums[at, 3] += 1
        if sums[at, 5] != case[row]:
            sums[at, 5] = case[row]
            sums[at, 4] += 1
    return used


@compiled
def mark(person, marks):  # type: ignore[no-untyped-def]
    """Mark people."""
    for one in person:
        marks[one] = True
