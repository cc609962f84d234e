"""A city tells its node about itself by files: places, people, registers, rosters; a wrong row enters nothing."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from hucheng.cases.tables import roster_line
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Line
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
    assert house.entering.people(operator, [OFFICER]).changed == 1
    assert house.entering.people(operator, [OFFICER]).changed == 0
    assert house.entering.register(operator, "city.residents", [RESIDENT]) == 1
    assert house.entering.roster(operator, [LINE]) == 1
    assert house.entering.roster(operator, [LINE]) == 0


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
    old = house.entering.people(
        operator, [{**OFFICER, "name": "胡九九"}, {**OFFICER, "id": "hu-10", "subject": "x|10"}]
    )
    assert (old.changed, old.ended) == (1, ["hu-9"])
    with pytest.raises(Refused):
        house.who("hu-9")
    assert house.entering.people(operator, [OFFICER], again=True).changed == 1
    assert house.who("hu-9").name == "胡九"
    changed = house.entering.people(operator, [{**OFFICER, "subject": "https://id|99"}])
    assert changed.changed == 1, "another identity at the provider is a change"


@pytest.mark.parametrize(
    ("what", "row", "said"),
    [
        ("places", {**PLACES[1], "level": "village"}, "village.* · places row 7, level · columns: id, level"),
        ("places", {**PLACES[1], "parent": "nowhere"}, "'nowhere' is not in the tree · places row 7, parent · "),
        ("places", {**PLACES[1], "colour": "red"}, "colour.* · places row 7 · columns: id"),
        ("people", {**OFFICER, "place": "nowhere"}, "'nowhere' is not in the tree · people row 7, place · "),
        ("people", {**OFFICER, "kind": "king"}, "king.* · people row 7, kind · columns: id"),
        ("people", {"id": "x"}, "kind.* · people row 7 · columns: id"),
        ("roster", {**LINE, "scope": "nowhere"}, "'nowhere' is .* · roster row 7, scope · "),
        ("roster", {**LINE, "shifts": "noon"}, "noon.* · roster row 7, shifts.* · columns: id"),
        ("roster", {**LINE, "tier": "first"}, "roster row 7, tier · columns: id"),
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


def test_a_mandate_is_between_two_who_are_known_and_she_sees_that_it_was_entered(house: House) -> None:
    operator = house.who(LOCAL)
    [row] = house.steward.rooms.registers.of_person("city.mandates", house.mother)
    for wrong, field in (
        ({"carer": "nobody"}, "carer"),
        ({"carer": "li-min"}, "carer"),
        ({"resident_id": "r-none"}, "resident_id"),
    ):
        with pytest.raises(BadRequest) as refused:
            house.entering.register(operator, "city.mandates", [row, {**row, "mandate_id": "m9", **wrong}], 4)
        assert refused.value.where == f"city.mandates row 5, {field}"
    assert house.entering.end(operator, "city.mandates", [row]) == 1
    house.entering.end(operator, "people", [{"id": row["carer"]}])
    house.entering.end(operator, "city.residents", [{"resident_id": house.mother}])
    assert house.entering.register(operator, "city.mandates", [row]) == 1, "the file of yesterday, entered again"
    deeds = ("registers.write", "registers.end")
    written = [one for one in house.journal.of_person(house.chen, house.mother) if one.action in deeds]
    assert [one.principal for one in written] == [LOCAL] * 6, "three that were refused, two ends, one mandate"


def deed_of(house: House) -> Line:
    """The newest deed that she reads of."""
    return next(one for one in house.journal.of_person(house.chen, house.mother) if one.kind == "deed")


def test_a_change_of_a_register_says_to_her_what_was_changed_by_whom_for_what_and_under_which_law(house: House) -> None:
    operator = house.who(LOCAL)
    [row] = house.steward.rooms.registers.of_person("city.mandates", house.mother)
    house.entering.end(operator, "city.mandates", [{"mandate_id": row["mandate_id"]}])
    ended = deed_of(house)
    law = {one.id: one.legal_basis for one in house.steward.rooms.purposes.accepted()}
    assert (ended.action, ended.principal, ended.datasets) == ("registers.end", LOCAL, ("city.mandates",))
    assert (ended.purpose, ended.basis) == ("registers.keep", law["registers.keep"])
    [said] = (ended.detail or {})["rows"]
    assert (said["mandate_id"], said["carer_name"]) == (row["mandate_id"], row["carer_name"])
    homes = house.steward.rooms.registers.of_person("care.homes", house.mother)
    house.entering.register(operator, "care.homes", [{**homes[0], "key_holder_phone": "13900000000"}])
    entered = deed_of(house)
    assert (entered.action, entered.datasets, entered.purpose) == ("registers.write", ("care.homes",), "registers.keep")
    [home] = (entered.detail or {})["rows"]
    assert home["door_code"] is None and "door_code" in home, "what is sensitive is named and not repeated"
    nobody = house.journal.heads(house.who("zhou-jing"))
    assert all("王丽娟" not in str(one.detail) for one in nobody)


def test_a_file_of_many_says_to_each_that_it_was_entered(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    from hucheng.node.steward import telling

    monkeypatch.setattr(telling, "FEW", 1)
    rows = house.steward.rooms.registers.all("city.residents")[:30]
    rows += house.steward.rooms.registers.of_person("city.residents", house.mother)
    rows = list({row["resident_id"]: row for row in rows}.values())
    house.entering.register(house.who(LOCAL), "city.residents", [{**row, "name": row["name"] + "x"} for row in rows])
    line = deed_of(house)
    assert (line.action, line.datasets, line.detail) == ("registers.write", ("city.residents",), {})


def test_places_stay(house: House) -> None:
    with pytest.raises(BadRequest, match="not ended"):
        house.entering.end(house.who(LOCAL), "places", [{"id": "c0001"}])


def test_who_is_not_there_to_end_is_named_by_the_row_and_nobody_is_ended(house: House) -> None:
    a_city(house)
    with pytest.raises(NotFound) as refused:
        house.entering.end(house.who(LOCAL), "people", [{"id": "hu-9"}, {"id": "nobody"}], 5)
    assert refused.value.where == "people row 6, id" and refused.value.mend
    assert house.who("hu-9").name == "胡九"


def test_the_file_and_what_of_it_is_entered_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hucheng.cli import enter

    class Desk:
        def end(self, who: Any, what: str, rows: Any, first: int) -> int:
            if first > 1:
                raise NotFound("no principal 'c'", where=f"people row {first}, id")
            return len(rows)

    class Beside:
        def __init__(self, *_: Any) -> None: ...

        def __enter__(self) -> Beside:
            return self

        def __exit__(self, *_: object) -> None: ...

        def ask(self, *_: Any) -> Desk:
            return Desk()

        def principal(self) -> None: ...

    monkeypatch.setattr(enter, "AT_ONCE", 2)
    monkeypatch.setattr(enter, "Beside", Beside)
    file = tmp_path / "people.csv"
    file.write_text("id\na\nb\nc\n")
    with pytest.raises(NotFound) as refused:
        enter.enter.callback("people", file, True, False, None, None)  # type: ignore[misc]
    assert refused.value.where == f"{file}: people row 3, id"
    assert refused.value.mend == "mend it; the 2 rows before are done, run it again"


def test_the_rows_of_a_file_come_with_their_numbers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from hucheng.cli import enter

    monkeypatch.setattr(enter, "AT_ONCE", 2)
    file = tmp_path / "people.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        csv.writer(out).writerows([["id", "name"], ["a", "甲"], ["b", ""], ["c", "丙"]])
    assert list(enter.parts(file)) == [(1, [{"id": "a", "name": "甲"}, {"id": "b"}]), (3, [{"id": "c", "name": "丙"}])]
