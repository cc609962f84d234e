"""Who is on the roster by a mandate leaves it with the mandate; who is there in their own right stays."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from hucheng.cases.rosters import RosterLine
from hucheng.cases.tables import notice
from hucheng.errors import CaseError, NotFound, Refused
from hucheng.gate import Principal
from hucheng.gate.stores import MANDATES
from hucheng.node.home.people import LOCAL

from .house import House

DAUGHTER = "wang-lijuan"


def end(house: House) -> None:
    held = [span.data["mandate_id"] for span in mandates(house)]
    rows = [{"mandate_id": name} for name in held]
    assert house.entering.end(house.who(LOCAL), MANDATES, rows) == len(rows) > 0


def mandates(house: House) -> list[Any]:
    from hucheng.gate.mandates import Mandates

    rooms = house.steward.rooms
    return Mandates(rooms.registers, rooms.principals, house.clock).between(DAUGHTER, house.mother)


def called(house: House, case_id: str) -> list[str]:
    lines = house.desk.case(house.who("li-min"), case_id).history
    return [line.text["zh"] for line in lines if line.what == "called"]


def line_of(house: House, **more: Any) -> None:
    given = {"tier": 2, "name": "王丽娟", "who": DAUGHTER} | more
    with house.steward.rooms.ledger.begin() as conn:
        house.steward.rosters.put(conn, [RosterLine(f"r-family-{house.mother}", house.mother, **given)])


def test_she_is_not_called_and_the_next_in_line_is(house: House) -> None:
    end(house)
    case_id = house.open_case()
    house.after(60)
    told = called(house, case_id)
    second = [one for one in told if "第 2 级" in one]
    assert len(second) == 1 and "邻居" in second[0], "the neighbour with the key is, in the same minute"
    with pytest.raises((Refused, NotFound)):
        house.desk.case(house.who(DAUGHTER), case_id)


def test_who_was_called_before_it_ended_can_neither_see_nor_take_nor_stop_it(house: House) -> None:
    case_id = house.open_case()
    house.after(60)
    daughter = house.who(DAUGHTER)
    assert house.desk.case(daughter, case_id).row.state == "calling"
    end(house)
    for action, more in (("take", {}), ("note", {"note": "x"})):
        with pytest.raises(Refused) as refused:
            house.desk.act(daughter, case_id, action, **more)
        assert refused.value.details["policy"] == "mandate.in-force"
    with pytest.raises((Refused, NotFound)):
        house.desk.case(daughter, case_id)
    house.after(600)
    assert house.desk.case(house.who("li-min"), case_id).row.tier == 3, "it climbs on"


def test_what_she_had_taken_goes_back_to_the_roster_and_it_is_called_again(house: House) -> None:
    case_id = house.open_case()
    house.after(60)
    house.desk.act(house.who(DAUGHTER), case_id, "take", eta_minutes=12)
    end(house)
    house.after(0)
    view = house.desk.case(house.who("li-min"), case_id)
    assert (view.row.state, view.row.assigned_to, view.responder) == ("calling", None, None)
    assert any(line.what == "mandate_over" and "王丽娟" in line.text["zh"] for line in view.history)
    assert "close" not in view.actions


def test_it_is_so_too_when_the_mandate_runs_out_by_itself(house: House) -> None:
    rows = [dict(span.data) for span in mandates(house)]
    soon = [row | {"valid_to": (house.clock.at + timedelta(seconds=90)).isoformat()} for row in rows]
    soon = [row | {"valid_from": row["valid_from"].isoformat(), "scopes": list(row["scopes"])} for row in soon]
    house.entering.register(house.who(LOCAL), MANDATES, soon)
    case_id = house.open_case()
    house.after(60)
    house.desk.act(house.who(DAUGHTER), case_id, "take")
    house.clock.after(60)
    house.steward.duty.mandates_changed()
    house.after(0)
    assert house.desk.case(house.who("li-min"), case_id).row.assigned_to is None


def test_a_case_cannot_be_handed_to_her_any_more(house: House) -> None:
    case_id = house.open_case()
    li = house.who("li-min")
    house.desk.act(li, case_id, "take")
    assert DAUGHTER in [one.who for one in house.desk.colleagues(li, case_id)]
    end(house)
    assert DAUGHTER not in [one.who for one in house.desk.colleagues(li, case_id)]
    with pytest.raises(CaseError, match="not on duty"):
        house.desk.act(li, case_id, "hand_over", to=DAUGHTER)


def test_a_notice_that_waits_is_not_sent_to_her(house: House) -> None:
    line_of(house, urls=("json://127.0.0.1:9/x",))
    case_id = house.open_case()
    house.after(60)
    end(house)
    sent: list[str] = []
    house.steward.notices._send = lambda *given: sent.append(given[0])  # type: ignore[func-returns-value,method-assign]
    house.steward.notices.due()
    with house.steward.rooms.ledger.read() as conn:
        rows = conn.execute(select(notice.c.who, notice.c.state).where(notice.c.case_id == case_id)).all()
    assert not sent and [row.state for row in rows if row.who == "王丽娟"] == ["dropped"]
    assert not [one for one in house.desk.owed(house.who("li-min")) if one.kind == "not_delivered"]


def test_she_stays_where_her_line_says_that_it_is_her_own_right(house: House) -> None:
    line_of(house, own_right=True)
    end(house)
    case_id = house.open_case()
    house.after(60)
    assert any("王丽娟" in one for one in called(house, case_id))
    view = house.desk.act(house.who(DAUGHTER), case_id, "take")
    assert view is not None and view.row.assigned_to == DAUGHTER


def test_a_neighbour_who_never_had_a_mandate_is_called_as_before(house: House) -> None:
    place = house.chen.org
    neighbour = Principal("neighbour-sun", "carer", "孙邻居", place, ())
    house.steward.rooms.principals.put([neighbour])
    line_of(house, name="孙邻居", who="neighbour-sun")
    case_id = house.open_case()
    house.after(60)
    assert any("孙邻居" in one for one in called(house, case_id))
    view = house.desk.act(neighbour, case_id, "take")
    assert view is not None and view.row.assigned_to == "neighbour-sun"
