"""People and households: the age pyramid of a Chinese city district, and who lives with whom.

Shares follow the orders of magnitude of the seventh census (2020, urban): about 18 % under 15, 63 % of 15–59, 19 % of
60 and older, 13–14 % of 65 and older; 2.6 people a household, a quarter of the households of one person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np

from hucheng.city.names import full_names, surnames
from hucheng.city.places import GRID_HOMES, Places

AREA = 990
"""First three digits of every identity number: assigned to no province."""
WEIGHTS = np.array([7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2])
CHECKS = np.array(list("10X98765432"))
LETTERS = np.array(list("23456789ABCDEFGHJKMNPQRSTVWXYZ"))

# Kind of household → share, and its members as (ages of the first adult) and offsets of the others.
KINDS: dict[str, tuple[float, tuple[int, int]]] = {
    "single_young": (0.130, (20, 40)),
    "single_middle": (0.055, (40, 64)),
    "single_old": (0.070, (65, 96)),
    "couple_young": (0.075, (23, 40)),
    "couple_middle": (0.095, (45, 64)),
    "couple_old": (0.095, (63, 90)),
    "family_one": (0.220, (26, 55)),
    "family_two": (0.110, (28, 48)),
    "single_parent": (0.040, (28, 50)),
    "three_generations": (0.120, (29, 48)),
}


@dataclass(frozen=True)
class People:
    """Everybody, in columns of one length, household by household; ``household`` numbers them from zero."""

    resident_id: list[str]
    number: list[str]
    name: list[str]
    female: Any
    born: list[date]
    age: Any
    household: Any
    community: Any
    """Place of the community in `Places.communities`."""
    alone: Any

    def __len__(self) -> int:
        return len(self.name)


@dataclass(frozen=True)
class Known:
    """Somebody of whom the demo tells a story; lives alone in the first community."""

    name: str
    female: bool
    born: date


def people(rng: Any, count: int, where: Places, today: date, known: Sequence[Known] = ()) -> People:
    """So many people in households, spread over the communities; the ``known`` come first."""
    others = _others(rng, count, where, today)
    if not known:
        return others
    extra = len(known)
    born = [one.born for one in known] + others.born[:-extra]
    female = np.concatenate([[one.female for one in known], others.female[:-extra]])
    community = np.concatenate([np.zeros(extra, np.int64), others.community[:-extra]])
    household = np.concatenate([np.arange(extra), others.household[:-extra] + extra])
    _, sizes = np.unique(household, return_counts=True)
    return People(
        resident_id=others.resident_id,
        number=_numbers(community, born, female),
        name=[one.name for one in known] + others.name[:-extra],
        female=female,
        born=born,
        age=np.concatenate([[_age(one.born, today) for one in known], others.age[:-extra]]),
        household=household,
        community=community,
        alone=sizes[household] == 1,
    )


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _others(rng: Any, count: int, where: Places, today: date) -> People:
    kind, household, role, first_age = _households(rng, count)
    age = _ages(rng, kind, role, first_age)
    female = rng.random(count) < np.where(age >= 75, 0.56, 0.49)
    # Partners: the second adult of a couple is of the other sex than the first.
    second = np.flatnonzero(role == 1)
    paired = second[np.isin(kind[second], _places("couple_young", "couple_middle", "couple_old", "family_one",
                                                  "family_two", "three_generations"))]  # fmt: skip
    female[paired] = ~female[paired - 1]
    born = [today - timedelta(days=int(days)) for days in age * 365.25 + rng.integers(1, 365, count)]
    years = np.array([day.year for day in born])
    own = surnames(rng, count)
    head = np.searchsorted(household, household)
    family = np.where((role == 2) | (role == 3), own[head], own)
    community = (household * len(where.communities) // (household[-1] + 1)).astype(np.int64)
    _, sizes = np.unique(household, return_counts=True)
    return People(
        resident_id=_pseudonyms(rng, count),
        number=_numbers(community, born, female),
        name=full_names(rng, family.tolist(), female, years),
        female=female,
        born=born,
        age=age,
        household=household,
        community=community,
        alone=sizes[household] == 1,
    )


def address(where: Places, community: int, home: int) -> tuple[str, str]:
    """Address and grid of a home; homes of a community are numbered through."""
    org = where.communities[community]
    building, rest = divmod(home, 60)
    entrance, flat = divmod(rest, 12)
    floor, door = divmod(flat, 2)
    street = where.org(org.path[-2]).title["zh"]
    text = f"{street}{org.title['zh']}{building + 1}号楼{entrance + 1}单元{floor + 1}0{door + 1}室"
    return text, f"{org.id}-g{home // GRID_HOMES + 1:02}"


def _households(rng: Any, count: int) -> tuple[Any, Any, Any, Any]:
    """Kind of household, its number, role in it (0 and 1 adults, 2 and 3 children, 4 and 5 grandparents), first age."""
    sizes = np.array([1, 1, 1, 2, 2, 2, 3, 4, 2, 4])
    shares = np.array([share for share, _ in KINDS.values()])
    homes = rng.choice(len(KINDS), max(1, count), p=shares / shares.sum())
    size = sizes[homes] + ((homes == _places("three_generations")[0]) & (rng.random(len(homes)) < 0.55))
    homes = homes[: int(np.searchsorted(np.cumsum(size), count) + 1)]
    size = size[: len(homes)]
    low, high = np.array([ages for _, ages in KINDS.values()]).T
    first = rng.integers(low[homes], high[homes])
    old = homes == _places("single_old")[0]
    first[old] = 65 + np.minimum(rng.gamma(2.0, 5.0, int(old.sum())), 34).astype(int)
    household = np.repeat(np.arange(len(homes)), size)[:count]
    place = np.arange(len(household)) - np.searchsorted(household, household)
    roles = {
        "family_one": (0, 1, 2),
        "family_two": (0, 1, 2, 3),
        "single_parent": (0, 2),
        "three_generations": (0, 1, 2, 4, 5),
    }
    table = np.tile(np.array([0, 1, 2, 3, 4]), (len(KINDS), 1))
    for name, row in roles.items():
        table[_places(name)[0], : len(row)] = row
    return homes[household], household, table[homes[household], place], first[household]


def _ages(rng: Any, kind: Any, role: Any, first: Any) -> Any:
    """Ages by role: partners within five years, children 24–34 years younger, grandparents as much older."""
    count = len(kind)
    near = first + rng.integers(-4, 5, count)
    child = np.maximum(first - rng.integers(24, 35, count), 0)
    parent = first + rng.integers(23, 31, count)
    age = np.select([role == 0, role == 1, role <= 3], [first, near, child], parent)
    return np.clip(age, 0, 104)


def _numbers(community: Any, born: list[date], female: Any) -> list[str]:
    """Identity numbers by GB 11643: unassigned area, birth date, sequence (odd: male), ISO 7064 MOD 11-2."""
    day = np.array([d.year * 10_000 + d.month * 100 + d.day for d in born])
    group = (community % 1_000) * 10**9 + day * 10 + female
    order = np.argsort(group, kind="stable")
    ranked = group[order]
    rank = np.empty(len(group), np.int64)
    rank[order] = np.arange(len(group)) - np.searchsorted(ranked, ranked)
    if len(rank) and rank.max() > 498:
        raise ValueError("more than 499 people of one sex born on one day in one area")
    sequence = 2 * rank + np.where(female, 2, 1)
    plain = (AREA * 1_000 + community % 1_000) * 10**11 + day * 1_000 + sequence
    digits = (plain[:, None] // 10 ** np.arange(16, -1, -1)) % 10
    check = CHECKS[digits @ WEIGHTS % 11]
    return [f"{a}{c}" for a, c in zip(plain.tolist(), check.tolist(), strict=True)]


def _pseudonyms(rng: Any, count: int) -> list[str]:
    """Distinct resident ids, in no order that says anything."""
    while True:
        letters = LETTERS[rng.integers(0, len(LETTERS), (count, 11))]
        found = ["R" + "".join(row) for row in letters.tolist()]
        if len(set(found)) == count:
            return found


def _places(*names: str) -> list[int]:
    order = list(KINDS)
    return [order.index(name) for name in names]
