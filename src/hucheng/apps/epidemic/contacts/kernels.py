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
                low = _not_before(arrive, low, high, begin[one] + need - reach[kind])
                high = _not_before(arrive, low, high, end[one] - need + 1)
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
            low = _not_before(arrive, low, high, begin[one] + 1 - reach[kind])
            high = _not_before(arrive, low, high, end[one])
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
                low = _not_before(arrive, low, high, begin[one] + need - reach[kind])
                high = _not_before(arrive, low, high, end[one] - need + 1)
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
def exposed(person, case, begin, end, slot, used, seconds, times, cases, latest, first, last, who):  # type: ignore[no-untyped-def]
    """Add overlaps to each person's sums. ``slot``: place of a person's sums, plus one; new people take the next.

    Overlaps of a case must come side by side. Returns how many people there are.
    """
    for row in range(len(person)):
        at = slot[person[row]] - 1
        if at < 0:
            at = used
            used += 1
            slot[person[row]] = used
            who[at], latest[at] = person[row], -1
            first[at], last[at] = begin[row], end[row]
            seconds[at], times[at], cases[at] = 0, 0, 0
        seconds[at] += end[row] - begin[row]
        times[at] += 1
        if latest[at] != case[row]:
            latest[at] = case[row]
            cases[at] += 1
        first[at] = min(first[at], begin[row])
        last[at] = max(last[at], end[row])
    return used
