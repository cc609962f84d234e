"""What an erasure takes out of the ledger at once, and what it leaves whole."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import msgspec
import pytest

from hucheng.decisions.findings import encode
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Entry
from hucheng.gate.entries import to_stream
from hucheng.node.home.rooms import open_rooms
from hucheng.node.steward.process import Steward

from .house import House
from .stewarding import a_finding


def test_erasing_a_person_ends_their_case_and_leaves_the_journal_whole(house: House) -> None:
    case_id = house.open_case()
    li, bureau = house.who("li-min"), house.who("bureau")
    house.desk.act(li, case_id, "note", note="门牌 3-201")
    with pytest.raises(BadRequest):
        house.enrolment.erase(bureau, house.mother, "no")
    erased = house.enrolment.erase(bureau, house.mother, "本人书面请求删除，个人信息保护法第47条")
    assert (erased.cases, erased.decisions, erased.journal_key, erased.identity) == (1, 1, True, True)
    assert house.desk.counts().open == 0
    house.after(3600)
    assert house.desk.queue(li).cases == []
    [row] = house.desk.queue(li, open_only=False).cases
    assert (row.resident_id, row.reasons, row.text["en"]) == ("erased", [], "Erased by law")
    with pytest.raises(NotFound):
        house.enrolment.erase(bureau, house.mother, "a second time, to be sure")
    house.steward.rooms.ledger.scrub()
    raw = Path(str(house.steward.rooms.ledger.url.database)).read_bytes()
    assert "门牌 3-201".encode() not in raw
    assert house.journal.verify(house.who("zhou-jing")).count > 0


def test_what_still_comes_about_an_erased_person_is_not_kept(house: House) -> None:
    """A finding and a standing entry that were under way make neither a case nor a key again."""
    entry = Entry(house.clock.at, "standing", "node.intake", "service", "", "care.detect", "", people=(house.mother,))
    before, late = to_stream(entry), encode(a_finding(house.mother))
    house.steward.keep(before)
    keys = house.steward.rooms.keys
    assert keys.people([house.mother], make=False)
    house.enrolment.erase(house.who("bureau"), house.mother, "本人书面请求删除，个人信息保护法第47条")
    house.steward.keep(before)
    house.steward.duty.take([late])
    assert house.desk.counts().open == 0 and not keys.people([house.mother], make=False)
    settings = house.steward.settings
    house.steward.close()
    house.steward = Steward(open_rooms(settings, clock=house.clock), house.clock, house._seconds)
    house.steward.duty.take([late])
    assert house.steward.desk.counts().open == 0
    row = {"resident_id": house.mother, "name": "陈桂兰", "born": date(1947, 4, 12), "community": "c0001"}
    house.steward.rooms.registers.put("city.residents", [row])  # she came back, and may be cared for again
    assert not house.steward.forgetting.erased(house.mother)
    house.steward.duty.take([encode(a_finding(house.mother, n=1))])
    assert house.steward.desk.queue(house.who("li-min")).total == 1


def test_an_erased_carer_is_called_by_nobody_and_holds_no_mandate(house: House) -> None:
    case_id = house.open_case()
    daughter = house.who("wang-lijuan")
    assert daughter.resident_id is not None
    house.enrolment.erase(house.who("bureau"), daughter.resident_id, "本人书面请求删除，个人信息保护法第47条")
    rooms = house.steward.rooms
    with pytest.raises(Refused):
        rooms.principals.get("wang-lijuan")
    assert rooms.registers.find("city.mandates", {"carer": "wang-lijuan"}) == []
    assert rooms.registers.live("city.residents", house.mother, sealed=False) is not None
    house.after(61)
    view = house.desk.case(house.who("li-min"), case_id)
    assert view.row.tier >= 2 and "wang-lijuan" not in str(msgspec.to_builtins(view))
