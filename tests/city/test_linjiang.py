"""Linjiang is the same city for the same seed, looks like a Chinese district, and nobody in it can be real."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from hucheng.base.identity import born, checked, sex
from hucheng.city.linjiang import City, linjiang

NOW = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def city() -> City:
    """The city of the demo."""
    return linjiang(20_000, 20260101, NOW)


def test_every_number_is_well_formed_unique_and_of_an_area_that_does_not_exist(city: City) -> None:
    who = city.people
    assert len(set(who.number)) == len(who) == 20_000
    for place, number in enumerate(who.number):
        assert checked(number, today=date(2026, 11, 23)) == number
        assert number.startswith("990")
        assert born(number) == who.born[place]
        assert sex(number) == ("female" if who.female[place] else "male")


def test_ages_and_households_are_those_of_a_city_district(city: City) -> None:
    age = city.people.age
    shares = [
        ((age < 15).mean(), 0.18),
        (((age >= 15) & (age < 60)).mean(), 0.63),
        ((age >= 60).mean(), 0.19),
        ((age >= 65).mean(), 0.135),
        (city.people.female.mean(), 0.49),
    ]
    for found, census in shares:
        assert found == pytest.approx(census, abs=0.03)
    sizes = np.bincount(city.people.household)
    assert sizes.mean() == pytest.approx(2.6, abs=0.2)
    assert (sizes == 1).mean() == pytest.approx(0.25, abs=0.03)


def test_a_third_of_the_old_who_live_alone_have_devices(city: City) -> None:
    old = np.flatnonzero(city.people.alone & (city.people.age >= 65))
    assert len(city.care.homes) / len(old) == pytest.approx(1 / 3, abs=0.06)
    assert set(city.care.residents) <= set(old.tolist())
    assert {device["resident_id"] for device in city.care.devices} == {
        city.people.resident_id[place] for place in city.care.residents
    }
    assert all(device["simulated"] for device in city.care.devices)
    assert len({device["device_id"] for device in city.care.devices}) == len(city.care.devices)


def test_the_same_seed_gives_the_same_city_and_another_seed_another() -> None:
    one, same, other = linjiang(500, 1, NOW), linjiang(500, 1, NOW), linjiang(500, 2, NOW)
    assert list(one.residents()) == list(same.residents())
    assert one.care == same.care
    assert one.staff == same.staff
    assert list(one.residents()) != list(other.residents())


@pytest.mark.parametrize("size", [1, 3, 20, 137, 2_600, 60_000])
def test_any_size_has_the_people_of_the_demo(size: int) -> None:
    city = linjiang(size, 7, NOW)
    assert len(city.people) == max(size, 3)
    assert city.people.name[:2] == ["陈桂兰", "王丽娟"]
    assert city.care.homes[0]["resident_id"] == city.people.resident_id[0]
    assert city.care.mandates[0]["carer"] == "wang-lijuan"
    principals = {who.id: who for who in city.staff.principals}
    assert {"chen-guilan", "wang-lijuan", "li-min", "zhou-jing", "operator:local"} <= set(principals)
    assert principals["wang-lijuan"].resident_id == city.people.resident_id[1]


def test_every_centre_has_somebody_on_duty_in_every_shift_and_tier(city: City) -> None:
    def shifts(tier: int, scope: str) -> set[str]:
        lines = [line for line in city.staff.roster if line.tier == tier and line.scope == scope]
        return {shift for line in lines for shift in line.shifts}

    for org in city.places.communities:
        assert shifts(1, org.id) == {"day", "night", "holiday"}
        assert shifts(3, org.path[-2]) == {"day", "night", "holiday"}
    assert shifts(4, city.places.city.id) == {"day", "night", "holiday"}
    for home in city.care.homes:
        assert shifts(2, home["resident_id"]) == {"day", "night", "holiday"}
