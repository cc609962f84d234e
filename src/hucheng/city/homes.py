"""Homes in care: who has devices, what is known of them, who holds a key and a mandate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from hucheng.city.people import People, address
from hucheng.city.places import Places, gateway

SHARE = 1 / 3
"""Of those of 65 and older who live alone, how many have devices at home."""
VITALS_SHARE = 0.06
"""Of these, how many were given a vital-sign set."""
MANDATE_SHARE = 0.45
"""Of these, how many have given a mandate to a son or daughter in the city."""
SCOPES = ("readings.read", "cases.follow", "rights.journal", "decisions.appeal")

KIT: dict[str, tuple[str, str, str]] = {
    "bp": ("home.blood_pressure", "cuff", "SIM-BP 1"),
    "bed": ("home.bed", "mattress", "SIM-BED 2"),
    "mot": ("home.motion", "motion_sensor", "SIM-PIR 1"),
    "help": ("home.help", "button", "SIM-SOS 1"),
}
REPORTING = ("mattress", "motion_sensor", "button")
"""Kinds that report by themselves: new with the city, so that none of them has been silent before it began."""
VITAL_SET = ("home.vitals", "vital_sign_set", "SIM-VIT 1")

CONDITIONS: dict[str, tuple[float, tuple[str, ...]]] = {
    "高血压": (0.60, ("氨氯地平 5 mg 每日一次", "缬沙坦 80 mg 每日一次")),
    "2型糖尿病": (0.22, ("二甲双胍 0.5 g 每日两次",)),
    "冠心病": (0.18, ("阿司匹林 100 mg 每日一次", "阿托伐他汀 20 mg 每晚一次")),
    "脑梗死后": (0.10, ("氯吡格雷 75 mg 每日一次",)),
    "骨质疏松": (0.20, ("碳酸钙D3 600 mg 每日一次",)),
    "膝骨关节炎": (0.25, ()),
    "慢性阻塞性肺疾病": (0.09, ("噻托溴铵吸入 每日一次",)),
}
LUNGS = "慢性阻塞性肺疾病"
NEEDS = (("听力下降，请大声说", 0.25), ("行走需助行器", 0.2), ("视力差", 0.15), ("只说本地话", 0.1))


@dataclass(frozen=True)
class Care:
    """Rows of the registers care.homes, care.profiles, city.devices, city.mandates; ``carers`` by principal id."""

    residents: list[int]
    """Places in `People` of those in care."""
    homes: list[dict[str, Any]]
    profiles: list[dict[str, Any]]
    devices: list[dict[str, Any]]
    mandates: list[dict[str, Any]]
    carers: dict[str, int]
    """Principal id of a carer → place in `People`."""


def care(rng: Any, everybody: People, where: Places, now: datetime, cast: dict[int, tuple[str, int]]) -> Care:
    """Who is in care. ``cast``: places of people who surely are, each with carer's principal id and place."""
    age, alone = everybody.age, everybody.alone
    old = np.flatnonzero(alone & (age >= 65))
    chosen = sorted({*old[rng.random(len(old)) < SHARE].tolist(), *cast})
    grown = np.flatnonzero((age >= 30) & (age <= 62))
    found = Care(chosen, [], [], [], [], {})
    flats = flats_of(everybody)
    for place in chosen:
        resident = everybody.resident_id[place]
        community = where.communities[int(everybody.community[place])]
        home = f"h-{community.id}-{flats[place]:04}"
        text, _ = address(where, int(everybody.community[place]), flats[place])
        holder = int(rng.choice(grown)) if len(grown) else place
        found.homes.append(
            {
                "home_id": home,
                "resident_id": resident,
                "address": text,
                "door_code": f"{int(rng.integers(0, 10**6)):06}",
                "key_holder": f"{everybody.name[holder]}（邻居）",
                "key_holder_phone": phone(holder),
                "gateway_id": gateway(community.id),
                "centre": community.id,
            }
        )
        profile = _profile(rng, resident)
        if place in cast:
            profile |= {
                "conditions": ["高血压", "膝骨关节炎"],
                "medication": list(CONDITIONS["高血压"][1]),
                "hypercapnic": False,
                "needs": ["听力下降，请大声说", "行走需助行器"],
                "usual_absence_min": 25,
            }
        found.profiles.append(profile)
        found.devices.extend(_devices(rng, resident, home, gateway(community.id), now, place in cast, profile))
        carer = cast.get(place)
        if carer is None and len(grown) and rng.random() < MANDATE_SHARE:
            child = int(rng.choice(grown))
            carer = f"carer-{everybody.resident_id[child]}", child
        if carer is not None:
            found.carers[carer[0]] = carer[1]
            found.mandates.append(
                {
                    "mandate_id": f"m-{resident}",
                    "carer": carer[0],
                    "carer_name": everybody.name[carer[1]],
                    "carer_phone": phone(carer[1]),
                    "resident_id": resident,
                    "scopes": list(SCOPES),
                    "valid_from": now - timedelta(days=200),
                    "valid_to": None,
                }
            )
    return found


def phone(place: int) -> str:
    """A telephone number that nobody can have: no number begins with 100."""
    return f"100{place % 10**8:08}"


def flats_of(everybody: People) -> list[int]:
    """Number of each person's home within the community."""
    household, community = everybody.household, everybody.community
    _, first = np.unique(household, return_index=True)
    begins = np.searchsorted(community[first], community[first])
    within = np.arange(len(first)) - begins
    flats: list[int] = within[household].tolist()
    return flats


def _profile(rng: Any, resident: str) -> dict[str, Any]:
    conditions = [name for name, (share, _) in CONDITIONS.items() if rng.random() < share]
    return {
        "resident_id": resident,
        "conditions": conditions,
        "medication": [drug for name in conditions for drug in CONDITIONS[name][1]],
        "hypercapnic": LUNGS in conditions and bool(rng.random() < 0.3),
        "pregnant": False,
        "needs": [need for need, share in NEEDS if rng.random() < share],
        "usual_absence_min": int(rng.integers(20, 46)),
    }


def _devices(
    rng: Any, resident: str, home: str, by: str, now: datetime, cast: bool, profile: dict[str, Any]
) -> list[dict[str, Any]]:
    kit = dict(KIT)
    if LUNGS in profile["conditions"] or (not cast and rng.random() < VITALS_SHARE):
        kit["vit"] = VITAL_SET
    return [
        {
            "device_id": f"{prefix}-{home.removeprefix('h-')}",
            "resident_id": resident,
            "home_id": home,
            "gateway_id": by,
            "dataset": dataset,
            "kind": kind,
            "model": model,
            "simulated": True,
            "commissioned_at": now - (timedelta(minutes=10) if kind in REPORTING else timedelta(days=30)),
            "ended_at": None,
            "key_hash": None,
        }
        for prefix, (dataset, kind, model) in kit.items()
    ]
