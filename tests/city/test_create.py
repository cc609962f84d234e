"""The city is in the ledger as it was made, may be made again after a cut, and outsiders are accepted by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hucheng.apps import load_apps
from hucheng.base.credentials import Credentials
from hucheng.cases.calendar import calendar
from hucheng.cases.rosters import Rosters, scopes_of
from hucheng.city.create import create, personas
from hucheng.city.feeds import read_devices
from hucheng.city.linjiang import City
from hucheng.errors import Refused
from hucheng.node.home.rooms import Rooms, open_rooms
from hucheng.settings import Settings

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home of its own."""
    return Settings.load(tmp_path_factory.mktemp("home"), residents=600)


@pytest.fixture(scope="module")
def city(settings: Settings) -> City:
    """A small Linjiang in that home."""
    return create(settings, NOW)


@pytest.fixture(scope="module")
def rooms(settings: Settings, city: City) -> Iterator[Rooms]:
    """The home's rooms, opened as a node would, a moment later."""
    opened = open_rooms(settings, clock=lambda: NOW.replace(hour=5))
    yield opened
    opened.close()


def test_registers_hold_what_was_made(rooms: Rooms, city: City) -> None:
    chen = city.people.resident_id[0]
    assert len(rooms.registers.all("city.residents")) == 600
    assert len(rooms.registers.all("city.devices")) == len(city.care.devices)
    row = rooms.registers.live("city.residents", chen)
    assert row is not None
    assert (row["name"], row["community"]) == ("陈桂兰", "c0001")
    home = rooms.registers.live("care.homes", chen)
    assert home == city.care.homes[0]
    assert rooms.registers.of_person("city.mandates", chen)[0]["carer"] == "wang-lijuan"
    assert rooms.vault.find(city.people.number[0]) == chen


def test_what_ships_with_the_platform_is_accepted_with_an_assessment_on_record(rooms: Rooms) -> None:
    asked = [one for one in rooms.purposes.requests() if one.app == "care"]
    assert {one.id for one in asked} == {"care.detect", "care.respond", "care"}
    assert {one.kind for one in asked if one.id == "care"} == {"policies", "uses"}
    for one in asked:
        assert one.state == "accepted"
        assert one.by == "bureau"
        assert one.assessment
    assert rooms.purposes.get("care.detect").standing


def test_what_comes_from_outside_waits(tmp_path: Path) -> None:
    care = next(app for app in load_apps() if app.name == "care")
    foreign = replace(
        care,
        name="foreign",
        folder=tmp_path,
        purposes=tuple(replaced(purpose, "foreign") for purpose in care.purposes[:1]),
        detectors=(),
    )
    opened = open_rooms(Settings.load(tmp_path / "home", residents=5), apps=[care, foreign])
    try:
        create(opened.settings, NOW, rooms=opened)
        assert [one.id for one in opened.purposes.requests() if one.state == "requested"] == ["foreign.detect"]
        with pytest.raises(Refused, match="a request"):
            opened.purposes.get("foreign.detect")
    finally:
        opened.close()


def replaced(purpose: object, app: str) -> object:
    """The purpose under another app's name."""
    import msgspec

    return msgspec.structs.replace(purpose, id=f"{app}.detect")  # type: ignore[arg-type]


def test_at_any_hour_an_alarm_at_chen_guilans_climbs_from_li_min_to_her_daughter(rooms: Rooms, city: City) -> None:
    rosters = Rosters(rooms.keys, calendar("Asia/Shanghai"))
    chen = city.people.resident_id[0]
    path = rooms.principals.path("c0001")
    for hour in range(24):
        with rooms.ledger.read() as conn:
            called = [
                rosters.called(conn, scopes_of(chen, path), tier, NOW.replace(hour=hour))[0] for tier in (1, 2, 3, 4)
            ]
        assert [contact.who for contact in called[:2]] == ["li-min", "wang-lijuan"]
        assert called[3].who == "emergency-1"
        assert rooms.principals.get(called[2].who or "").org[-1] == path[-2]


def test_gateways_personas_and_the_feed_know_the_city(settings: Settings, city: City) -> None:
    assert [persona.principal.id for persona in personas(settings)] == [
        "chen-guilan",
        "wang-lijuan",
        "li-min",
        "zhou-jing",
    ]
    devices = read_devices(settings.home)
    assert [device.device_id for device in devices] == [row["device_id"] for row in city.care.devices]
    credentials = Credentials(settings.home / "broker")
    assert {credentials.get(device.gateway).gateway for device in devices} == set(city.gateways)


def test_begun_again_it_is_the_same_city(settings: Settings, rooms: Rooms, city: City) -> None:
    assert create(settings, NOW).care == city.care
    assert len(rooms.registers.all("city.residents")) == 600
