"""A city tells its node about itself by files: places, people, registers, rosters; a wrong row enters nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hucheng.cases.tables import roster_line
from hucheng.errors import BadRequest, Refused
from hucheng.node.home.people import LOCAL
from tests.node.house import House
from tests.node.stewarding import a_finding

PLACES = [
    {"id": "d9", "parent": "linjiang", "level": "district", "zh": "九区", "en": "District 9"},
    {"id": "c9", "parent": "d9", "level": "community", "zh": "九社区", "en": "Community 9"},
]
OFFICER = {
    "id": "hu-9",
    "kind": "officer",
    "name": "胡九",
    "place": "c9",
    "roles": "duty analyst",
    "subject": "https://id|9",
}
RESIDENT = {"resident_id": "r-9", "name": "何九", "born": "1940-02-03", "community": "c9"}
LINE = {
    "id": "l9",
    "scope": "c9",
    "tier": "1",
    "name": "胡九",
    "who": "hu-9",
    "shifts": "day night holiday",
    "rank": "2",
}


def a_city(house: House) -> None:
    operator = house.who(LOCAL)
    root = next(org for org in house.steward.rooms.principals.orgs() if org.level == "city")
    places = [{**PLACES[0], "parent": root.id}, PLACES[1]]
    assert house.entering.places(operator, places) == 2
    assert house.entering.places(operator, places) == 0
    assert house.entering.people(operator, [OFFICER]) == 1
    assert house.entering.register(operator, "city.residents", [RESIDENT]) == 1
    assert house.entering.roster(operator, [LINE]) == 1


def test_whoever_was_entered_is_called_for_whoever_was_entered(house: House) -> None:
    a_city(house)
    officer = house.who("hu-9")
    assert (officer.roles, officer.org[-2:]) == (("duty", "analyst"), ("d9", "c9"))
    assert house.steward.rooms.principals.by_subject("https://id|9") == officer
    house.find(a_finding("r-9"))
    [row] = house.desk.queue(officer).cases
    assert (row.resident_id, row.community) == ("r-9", "c9")
    with house.steward.rooms.ledger.read() as conn:
        line = conn.execute(select(roster_line).where(roster_line.c.id == "l9")).one()
    assert (line.tier, line.rank, line.shifts) == (1, 2, ["day", "night", "holiday"])


def test_what_ended_may_do_nothing_and_can_be_entered_again(house: House) -> None:
    a_city(house)
    operator = house.who(LOCAL)
    assert house.entering.end(operator, "people", [{"id": "hu-9"}]) == 1
    with pytest.raises(Refused):
        house.who("hu-9")
    assert house.entering.end(operator, "roster", [{"id": "l9"}]) == 1
    assert house.entering.end(operator, "city.residents", [{"resident_id": "r-9"}]) == 1
    assert house.steward.rooms.registers.live("city.residents", "r-9") is None
    assert house.entering.people(operator, [OFFICER]) == 1
    assert house.who("hu-9").name == "胡九"


@pytest.mark.parametrize(
    ("what", "row", "said"),
    [
        ("places", {**PLACES[1], "level": "village"}, "level"),
        ("places", {**PLACES[1], "parent": "nowhere"}, "nowhere"),
        ("places", {**PLACES[1], "colour": "red"}, "colour"),
        ("people", {**OFFICER, "place": "nowhere"}, "row 7.*nowhere|nowhere"),
        ("people", {**OFFICER, "kind": "king"}, "kind"),
        ("people", {"id": "x"}, "kind|missing"),
        ("roster", {**LINE, "scope": "nowhere"}, "nowhere"),
        ("roster", {**LINE, "shifts": "noon"}, "noon"),
        ("roster", {**LINE, "tier": "first"}, "tier"),
    ],
)
def test_a_wrong_row_is_named_and_nothing_is_entered(house: House, what: str, row: dict[str, str], said: str) -> None:
    operator = house.who(LOCAL)
    before = {org.id for org in house.steward.rooms.principals.orgs()}
    with pytest.raises(BadRequest, match=said):
        getattr(house.entering, what)(operator, [row], 7)
    assert {org.id for org in house.steward.rooms.principals.orgs()} == before
    with pytest.raises(Refused):
        house.who("hu-9")


def test_a_wrong_row_of_a_register_is_named_by_its_number_in_the_file(house: House) -> None:
    rows: list[dict[str, Any]] = [{**RESIDENT, "resident_id": f"r-9{n}"} for n in range(3)]
    rows[1]["born"] = "long ago"
    with pytest.raises(BadRequest, match="born") as refused:
        house.entering.register(house.who(LOCAL), "city.residents", rows, 20_001)
    assert refused.value.where == "city.residents row 20002"
    assert house.steward.rooms.registers.live("city.residents", "r-90") is None


def test_a_mandate_comes_from_a_table_with_its_scopes_in_one_cell(house: House) -> None:
    mandate = {
        "mandate_id": "m9",
        "carer": "wang-lijuan",
        "carer_name": "王丽娟",
        "resident_id": house.mother,
        "scopes": "readings.read cases.follow",
        "valid_from": "2026-01-01T00:00:00+08:00",
    }
    house.entering.register(house.who(LOCAL), "city.mandates", [mandate])
    row = house.steward.rooms.registers.live("city.mandates", "m9")
    assert row is not None and row["scopes"] == ["readings.read", "cases.follow"]


def test_places_stay(house: House) -> None:
    with pytest.raises(BadRequest, match="not ended"):
        house.entering.end(house.who(LOCAL), "places", [{"id": "c0001"}])


def test_the_rows_of_a_file_come_with_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hucheng.cli import enter

    monkeypatch.setattr(enter, "AT_ONCE", 2)
    file = tmp_path / "people.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["id", "name"], ["a", "甲"], ["b", ""], ["c", "丙"]])
    assert list(enter.parts(file)) == [(1, [{"id": "a", "name": "甲"}, {"id": "b"}]), (3, [{"id": "c", "name": "丙"}])]
