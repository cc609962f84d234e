"""The city of Linjiang as a whole, from a seed: the same seed, size and time give the same city."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from hucheng.city.homes import Care, care, flats_of, phone
from hucheng.city.people import People, address, people
from hucheng.city.places import Places, gateway, places
from hucheng.city.staff import CAST, Staff, staff

ZONE = ZoneInfo("Asia/Shanghai")
TITLE = {"zh": "临江市", "en": "Linjiang"}
SMALLEST = 3


@dataclass(frozen=True)
class City:
    """Everything about Linjiang that registers hold."""

    places: Places
    people: People
    care: Care
    staff: Staff

    @property
    def gateways(self) -> list[str]:
        """The gateways of the communities."""
        return [gateway(org.id) for org in self.places.communities]

    def residents(self) -> Iterator[dict[str, Any]]:
        """Rows of city.residents."""
        who = self.people
        flats = flats_of(who)
        for place, name in enumerate(who.name):
            community = int(who.community[place])
            text, grid = address(self.places, community, flats[place])
            yield {
                "resident_id": who.resident_id[place],
                "name": name,
                "sex": "female" if who.female[place] else "male",
                "born": who.born[place],
                "community": self.places.communities[community].id,
                "grid": grid,
                "address": text,
                "phone": phone(place),
            }


def linjiang(residents: int, seed: int, now: datetime) -> City:
    """The city with so many residents (at least 3; the first two are the people of the demo)."""
    residents = max(residents, SMALLEST)
    rng = np.random.default_rng(seed)
    where = places(residents)
    everybody = people(rng, residents, where, now.astimezone(ZONE).date(), CAST)
    homes = care(rng, everybody, where, now, {0: ("wang-lijuan", 1)})
    return City(where, everybody, homes, staff(rng, where, everybody, homes))
