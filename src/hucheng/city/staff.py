"""Who works for the city, who is on duty when, and as whom one may sign in to look around."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any

from hucheng.cases.calendar import SHIFTS
from hucheng.cases.rosters import RosterLine
from hucheng.city.homes import Care, phone
from hucheng.city.names import full_names, surnames
from hucheng.city.people import Known, People
from hucheng.city.places import Org, Places
from hucheng.gate import Principal
from hucheng.node.home.people import LOCAL

CHEN = Known("陈桂兰", True, date(1947, 4, 12))
WANG = Known("王丽娟", True, date(1974, 9, 3))
CAST = (CHEN, WANG)
"""People of the demo, the first residents of every city: she, and her daughter with a mandate."""


@dataclass(frozen=True)
class Role:
    """One demo identity: who it is, and what there is to see."""

    principal: str
    title: dict[str, str]
    hint: dict[str, str]


ROLES = (
    Role(
        "chen-guilan",
        {"zh": "居民 陈桂兰，独居", "en": "Resident Chen Guilan, lives alone"},
        {
            "zh": "看我的读数、决定和谁看过我的数据；一键求助",
            "en": "Her readings, decisions, who looked, and help at one touch",
        },
    ),
    Role(
        "wang-lijuan",
        {"zh": "照护人 王丽娟，受母亲委托", "en": "Carer Wang Lijuan, with her mother's mandate"},
        {"zh": "看母亲委托范围内的情况，接听呼叫", "en": "What her mother's mandate allows; answering a call"},
    ),
    Role(
        "li-min",
        {"zh": "值班员 李敏", "en": "Duty officer Li Min"},
        {"zh": "接手、出发、到场、办结", "en": "Take a case, go, be there, close it"},
    ),
    Role(
        "zhou-jing",
        {"zh": "审计员 周静", "en": "Auditor Zhou Jing"},
        {"zh": "使用日志、目的清单、校验", "en": "The journal of uses, purposes, verification"},
    ),
)
OPERATOR = LOCAL
"""The node's own operator: who acts at the keyboard."""
BUREAU = "bureau"


@dataclass(frozen=True)
class Staff:
    """Principals of the city and lines of its roster."""

    principals: list[Principal]
    roster: list[RosterLine]


def staff(rng: Any, where: Places, everybody: People, care: Care) -> Staff:
    """Duty officers of every centre, mobile responders of every street, the emergency desk, key holders and family."""
    found = Staff([], [])
    _offices(found, where)
    for org in where.communities:
        _centre(found, rng, org, first=org is where.communities[0])
    for org in where.orgs:
        if org.level == "street":
            for number, shifts in ((1, ("day", "holiday")), (2, ("night",))):
                _duty(found, rng, org, 3, f"mobile-{org.id}-{number}", shifts, "mobile")
    _families(found, where, everybody, care)
    return found


def _offices(found: Staff, where: Places) -> None:
    paths = {org.id: org.path for org in where.orgs}
    found.principals[:] = [
        Principal(OPERATOR, "operator", "吴工（运维）", paths["data"], ("operator", "bureau")),
        Principal(BUREAU, "officer", "郑处长（数据局）", paths["data"], ("bureau", "analyst")),
        Principal("zhou-jing", "auditor", "周静", paths["audit"], ()),
    ]
    for number, name in ((1, "何勇"), (2, "罗丹")):
        who = Principal(f"emergency-{number}", "officer", name, paths["emergency"], ("emergency",))
        found.principals.append(who)
        found.roster.append(RosterLine(f"r-{who.id}", where.city.id, 4, name, who.id, rank=number, phone=phone(number)))


def _centre(found: Staff, rng: Any, org: Org, *, first: bool) -> None:
    """Three officers a centre: one by day, one by night, one who stands in; Li Min is always there."""
    if first:
        who = Principal("li-min", "officer", "李敏", org.path, ("duty",))
        found.principals.append(who)
        found.roster.append(RosterLine(f"r-{who.id}", org.id, 1, who.name, who.id, rank=0, phone=phone(3)))
    for number, shifts in ((1, ("day",)), (2, ("night",)), (3, ("holiday", "day"))):
        _duty(found, rng, org, 1, f"duty-{org.id}-{number}", shifts, "duty", rank=number)


def _duty(found: Staff, rng: Any, org: Org, tier: int, name: str, shifts: Any, role: str, *, rank: int = 1) -> None:
    woman = rng.random(1) < 0.6
    called = full_names(rng, surnames(rng, 1).tolist(), woman, [int(rng.integers(1975, 2000))])[0]
    found.principals.append(Principal(name, "officer", called, org.path, (role,)))
    number = phone(10_000_000 + len(found.roster))
    found.roster.append(
        RosterLine(
            f"r-{name}", org.id, tier, called, name, tuple(s for s in SHIFTS if s in shifts), rank=rank, phone=number
        )
    )


def _families(found: Staff, where: Places, everybody: People, care: Care) -> None:
    """Carers with a mandate are called before the neighbour who holds a key."""
    for who, place in care.carers.items():
        org = where.communities[int(everybody.community[place])]
        found.principals.append(
            Principal(who, "carer", everybody.name[place], org.path, (), everybody.resident_id[place])
        )
    for mandate in care.mandates:
        who, resident = mandate["carer"], mandate["resident_id"]
        place = care.carers[who]
        line = RosterLine(f"r-family-{resident}", resident, 2, everybody.name[place], who, rank=0, phone=phone(place))
        found.roster.append(line)
    for home in care.homes:
        resident = home["resident_id"]
        found.roster.append(
            RosterLine(
                f"r-key-{resident}", resident, 2, home["key_holder"], None, rank=1, phone=home["key_holder_phone"]
            )
        )
    chen = everybody.resident_id[0]
    org = where.communities[0]
    found.principals.append(Principal("chen-guilan", "resident", CHEN.name, org.path, (), chen))
