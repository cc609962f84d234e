"""An appeal that is upheld changes something: the decision no longer holds, and everybody concerned can read why."""

from __future__ import annotations

import pytest

from hucheng.errors import BadRequest, Refused

from .house import House


def test_an_upheld_appeal_gives_a_decision_of_its_own_that_the_person_reads_beside_the_old_one(house: House) -> None:
    case_id = house.open_case()
    [old] = house.decisions.of_person(house.chen, house.mother)
    house.decisions.appeal(house.chen, old.id, "袖带太松")
    li = house.who("li-min")
    with pytest.raises(BadRequest):
        house.decisions.answer(li, old.id, "复测 128/82", "maybe")  # type: ignore[arg-type]
    given = house.decisions.answer(li, old.id, "复测 128/82", "upheld")
    assert (given.result, given.answered_by) == ("upheld", "li-min")

    both = {one.id: one for one in house.decisions.of_person(house.chen, house.mother)}
    assert len(both) == 2 and both[old.id].state == "superseded"
    assert (both[old.id].facts, both[old.id].reasons) == (old.facts, old.reasons)
    new = both[str(both[old.id].superseded_by)]
    assert new.outcome["replaces"] == old.id and "复测 128/82" in new.text["zh"] and "李敏" in new.text["zh"]

    view = house.desk.case(li, case_id)
    assert set(view.decision_ids) == set(both) and "appeal" not in {one.kind for one in view.owed}
    assert [line.what for line in view.history][-2:] == ["answered", "upheld"]
    told = {(line.principal, line.action) for line in house.journal.of_person(house.chen, house.mother)}
    assert {("li-min", "decisions.review"), ("li-min", "decisions.supersede")} <= told


def test_another_districts_officer_upholds_nothing(house: House) -> None:
    house.open_case()
    [old] = house.decisions.of_person(house.chen, house.mother)
    house.decisions.appeal(house.chen, old.id, "袖带太松")
    with pytest.raises(Refused):
        house.decisions.answer(house.chen, old.id, "I say so", "upheld")
    assert house.decisions.get(house.chen, old.id).state == "in_force"
