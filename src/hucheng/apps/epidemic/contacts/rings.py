"""Contacts of contacts: whom a contact met after being exposed, by the same bound.

A contact's own period begins with the first overlap that counted with the case, and ends with the case's last period.
Left out are the case itself and the case's own contacts, who are in the first ring already.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from hucheng.apps.epidemic.contacts.search import Overlaps, stays_of

if TYPE_CHECKING:
    from hucheng.apps.epidemic.contacts.found import Contacts

CONTACTS_AT_ONCE = 1_000


def second(contacts: Contacts, first: Overlaps, at_once: int) -> Iterator[pa.Table]:
    """The second ring of the cases whose first ring is given whole: rows of ring 2, with via whom."""
    search, cases = contacts.city.search, contacts.cases
    case = contacts.codes[first.period]
    starts = np.flatnonzero(np.diff(case, prepend=-2))
    for begin, end in pairwise([*starts.tolist(), len(case)]):
        code = case[begin]
        until = int(cases.end[contacts.codes == code].max())
        order = np.lexsort((first.begin[begin:end], first.person[begin:end]))
        people, at = np.unique(first.person[begin:end][order], return_index=True)
        exposed = first.begin[begin:end][order][at]
        inner = np.append(people, code)
        for some in range(0, len(people), CONTACTS_AT_ONCE):
            via = people[some : some + CONTACTS_AT_ONCE]
            stays = stays_of(search.days, via, exposed[some : some + CONTACTS_AT_ONCE], np.full(len(via), until))
            for found in search.overlaps(stays, contacts.need, at_once):
                kept = ~np.isin(found.person, inner)
                counts = np.bincount(
                    np.repeat(np.arange(len(found.stays)), found.counts)[kept], minlength=len(found.stays)
                )
                outer = Overlaps(found.stays, counts, found.person[kept], found.begin[kept], found.end[kept])
                yield contacts._table(outer, 2, np.full(len(outer.stays), code, np.int32), outer.stays.case)
