"""Writing Linjiang into a new home: registers, identities, principals, rosters, gateways, and what the bureau accepted.

Runs once, before the node's processes start, and is therefore alone with the ledger. Everything goes in in one
transaction; begun again after a cut, it gives the same city.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

import hucheng
from hucheng.apps import App
from hucheng.base import broker
from hucheng.cases.calendar import calendar
from hucheng.cases.rosters import Rosters
from hucheng.city.feeds import write_devices
from hucheng.city.linjiang import City, linjiang
from hucheng.city.staff import BUREAU, ROLES
from hucheng.gate import Org
from hucheng.node.home.pairing import calling, holders
from hucheng.node.home.people import personas_file
from hucheng.node.home.rooms import Rooms, open_rooms
from hucheng.portals.services import Persona
from hucheng.settings import Settings

CHUNK = 50_000
ASSESSMENT = (
    "演示城市：数据均为虚构，设备均为模拟。评估：目的限于居家照护；字段按契约最少；无未结事项不开放；每次使用留痕。"
    " Demo city: nobody in it is real, all devices are simulated. Assessed: home care only, the contracts' fields,"
    " nothing without an open case, every use journaled."
)


def create(settings: Settings, now: datetime | None = None, *, rooms: Rooms | None = None) -> City:
    """Make the city in the home of these settings, in ``rooms`` where they are open already.

    20,000 residents take a few seconds.
    """
    now = now or datetime.now(UTC)
    city = linjiang(settings.residents, settings.seed, now)
    opened = rooms or open_rooms(settings)
    try:
        enter(city, opened, now)
    finally:
        if rooms is None:
            opened.close()
    broker.grant(settings, city.gateways)
    write_devices(settings.home, city.care.devices)
    _write_personas(settings.home, city)
    return city


def enter(city: City, rooms: Rooms, now: datetime) -> None:
    """Write everything that the ledger holds of the city, as holding from ``now``, in one transaction."""
    rosters = Rosters(rooms.keys, calendar(rooms.settings.timezone))
    with rooms.ledger.begin() as conn:
        people = city.people
        for part in _parts(zip(people.number, people.resident_id, strict=True)):
            rooms.vault.enter_all(dict(part), conn=conn)
        for dataset, rows in registers_of(city):
            for part in _parts(rows):
                rooms.registers.put(dataset, part, valid_from=now, conn=conn)
        rooms.principals.put_orgs((Org(o.id, o.parent, o.level, o.title) for o in city.places.orgs), conn=conn)
        rooms.principals.put(city.staff.principals, conn=conn)
        paths = {org.id: org.path for org in city.places.orgs}
        centres = {home["home_id"]: paths[home["centre"]] for home in city.care.homes}
        linked = holders(city.care.devices, lambda row: centres[row["home_id"]], calling(rooms.apps))
        rooms.principals.put(linked, conn=conn)
        rosters.put(conn, city.staff.roster)
        ours = {app.name for app in rooms.apps if is_ours(app)}
        for asked in rooms.purposes.enrol(conn=conn):
            if asked.app in ours:
                rooms.purposes.accept(asked.kind, asked.id, by=BUREAU, assessment=ASSESSMENT, conn=conn)


def registers_of(city: City) -> Iterable[tuple[str, Iterable[dict[str, Any]]]]:
    """Every register of the city with its rows."""
    yield "city.residents", city.residents()
    yield "care.homes", city.care.homes
    yield "care.profiles", city.care.profiles
    yield "city.devices", city.care.devices
    yield "city.mandates", city.care.mandates


def is_ours(app: App) -> bool:
    """Whether an app ships with the platform; what comes from outside is accepted by nobody in advance."""
    return Path(hucheng.__file__).parent in app.folder.parents


def personas(settings: Settings) -> list[Persona]:
    """As whom one may sign in to a demo city; empty where there is none."""
    path = personas_file(settings.home)
    if not settings.demo or not path.exists():
        return []
    return msgspec.json.decode(path.read_bytes(), type=list[Persona])


def _parts(rows: Iterable[Any]) -> Iterator[list[Any]]:
    left = iter(rows)
    while part := list(islice(left, CHUNK)):
        yield part


def _write_personas(home: Path, city: City) -> None:
    known = {who.id: who for who in city.staff.principals}
    found = [Persona(known[role.principal], role.title, role.hint) for role in ROLES]
    text = json.dumps(msgspec.to_builtins(found), ensure_ascii=False, indent=1)
    personas_file(home).write_text(text, encoding="utf-8")
