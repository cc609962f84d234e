"""A case belongs to whoever took it: others who were called may note and answer, not close or hand over."""

from __future__ import annotations

import pytest

from hucheng.errors import Refused

from .house import House


def test_who_was_called_before_may_note_and_answer_and_not_close_or_hand_over(house: House) -> None:
    case_id = house.open_case()
    li, daughter = house.who("li-min"), house.who("wang-lijuan")
    house.after(60)
    house.desk.act(li, case_id, "take")
    for action, more in (
        ("close", {"outcome": "well"}),
        ("hand_over", {"to": "roster"}),
        ("go", {"eta_minutes": 3}),
        ("visit", {}),
    ):
        with pytest.raises(Refused) as refused:
            house.desk.act(daughter, case_id, action, **more)
        assert refused.value.details["policy"] == "cases.carry"
    view = house.desk.act(daughter, case_id, "note", note="我在路上")
    assert view is not None and view.row.assigned_to == "li-min"
    assert not {"go", "visit", "hand_over", "close"} & set(house.desk.case(daughter, case_id).actions)
    assert "close" in house.desk.case(li, case_id).actions


def test_who_took_it_carries_it_to_its_end(house: House) -> None:
    case_id = house.open_case()
    daughter = house.who("wang-lijuan")
    house.after(60)
    house.desk.act(daughter, case_id, "take", eta_minutes=12)
    assert {"hand_over", "close"} <= set(house.desk.case(daughter, case_id).actions)
    house.desk.act(daughter, case_id, "close", outcome="well")
    assert house.desk.case(house.who("li-min"), case_id).row.state == "closed"


def test_a_carer_who_was_called_still_sees_the_case_once_it_is_closed(house: House) -> None:
    """By her mother's mandate, as any case of hers; nothing about it was refused, and nothing is left for her to do."""
    case_id = house.open_case()
    li, daughter = house.who("li-min"), house.who("wang-lijuan")
    house.after(60)
    house.desk.act(li, case_id, "take")
    assert "note" in house.desk.case(daughter, case_id).actions
    house.desk.act(li, case_id, "close", outcome="well")
    view = house.desk.case(daughter, case_id)
    assert (view.row.state, view.row.outcome, view.actions) == ("closed", "well", [])
    assert all(line.result != "refused" for line in house.journal.of_person(house.chen, house.mother))


def test_what_a_deed_gives_back_is_what_the_gate_lets_be_seen(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    case_id = house.open_case()
    li = house.who("li-min")
    looked = []
    look = house.desk._gate.look

    def watched(principal, purpose, *args, **more):  # type: ignore[no-untyped-def]
        looked.append((principal.id, purpose))
        return look(principal, purpose, *args, **more)

    monkeypatch.setattr(house.desk._gate, "look", watched)
    view = house.desk.act(li, case_id, "take")
    assert view is not None and looked == [("li-min", "cases.work")]

    def refused(*args, **more):  # type: ignore[no-untyped-def]
        raise Refused("not any more", policy="cases.work.called")

    monkeypatch.setattr(house.desk._gate, "look", refused)
    assert house.desk.act(li, case_id, "note", note="done all the same") is None
