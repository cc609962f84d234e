"""What the ledger holds goes when its contract says; the journal has each deletion, and no page breaks on what went."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete

from hucheng.base.lake import Lake
from hucheng.base.ledger import Ledger
from hucheng.cases.tables import case_decision, case_file
from hucheng.decisions.tables import decision
from hucheng.errors import LedgerError, NotFound
from hucheng.gate import Journal
from hucheng.node.home.rooms import open_rooms
from hucheng.node.retaining import ABSENT, EVERY_S, FIRST_S, JUMP, SafeTime
from hucheng.node.steward.process import Steward
from hucheng.node.steward.retention import AGAIN_S, Retention

from .house import Clock, House
from .stewarding import a_finding

DAY_S = 86_400.0
LONG_S = 12 * 365 * DAY_S
"""Longer than any contract but that of residents says."""
TOWARDS_NIGHT = timedelta(hours=12)


def retention(house: House, **more: Any) -> Retention:
    rooms = house.steward.rooms
    return Retention(rooms, house.steward.gate, house.steward.journal, house.clock, house._seconds, pause_s=0, **more)


def handled(house: House, n: int = 0) -> str:
    """A case from alarm to answer, as the desk works; its decision holds twelve hours."""
    li = house.who("li-min")
    house.find(a_finding(house.mother, n, expires_at=house.clock.at + TOWARDS_NIGHT))
    [row] = house.desk.queue(li).cases
    house.desk.act(li, row.id, "take")
    house.desk.act(li, row.id, "visit")
    house.desk.act(li, row.id, "close", outcome="well")
    for one in house.desk.case(li, row.id).owed:
        house.desk.act(li, row.id, "answer", to=one.id)
    return row.id


def corrected(house: House) -> dict[str, Any]:
    """A home whose row was corrected; how it was before."""
    registers = house.steward.rooms.registers
    [home] = registers.find("care.homes", {"resident_id": house.mother})
    registers.put("care.homes", [home | {"centre": "elsewhere"}])
    return home


def told(house: House) -> list[tuple[str, str, dict[str, int]]]:
    """What the journal says went: action, dataset, counts."""
    lines = house.journal.heads(house.who("zhou-jing"), 1000)
    return [
        (one.action, *one.datasets, one.counts)
        for one in reversed(lines)
        if one.action.endswith(".expire") and one.principal == "node.steward" and one.kind == "deed"
    ]


def test_a_handled_case_goes_with_its_decision_and_an_open_one_stays(house: House) -> None:
    old = handled(house)
    house.find(a_finding(house.mother, 1))
    [waiting] = house.desk.queue(house.who("li-min")).cases
    watch = retention(house)
    assert watch.once() == {}
    house.clock.after(LONG_S)
    house.steward.duty.due()
    gone = watch.once()
    assert (gone.pop("cases.cases"), gone.pop("decisions.decisions")) == (1, 1)
    assert told(house)[:2] == [
        ("cases.expire", "cases.cases", {"cases": 1}),
        ("decisions.expire", "decisions.decisions", {"decisions": 1}),
    ]
    assert all(action == "registers.expire" for action, *_ in told(house)[2:])
    with pytest.raises(NotFound):
        house.desk.case(house.who("li-min"), old)
    [left] = house.decisions.of_person(house.chen, house.mother)
    assert left.state == "in_force" and house.desk.case(house.who("li-min"), waiting.id).decision_ids == [left.id]
    assert [row.id for row in house.desk.of_person(house.chen, house.mother)] == [waiting.id]
    assert watch.once() == {} and watch.problems == []
    assert house.journal.of_person(house.chen, house.mother)
    assert house.journal.verify(house.who("zhou-jing")).count > 0


def test_an_appeal_that_waits_keeps_case_and_decision(house: House) -> None:
    case_id = handled(house)
    [decided] = house.decisions.of_person(house.chen, house.mother)
    house.decisions.appeal(house.chen, decided.id, "袖带太松")
    watch = retention(house)
    house.clock.after(LONG_S)
    house.steward.duty.due()
    assert "cases.cases" not in watch.once()
    house.decisions.answer(house.who("li-min"), decided.id, "复测 128/82", "upheld")
    assert len(house.desk.case(house.who("li-min"), case_id).decision_ids) == 2
    assert not {"cases.cases", "decisions.decisions"} & watch.once().keys()  # the answer is of today
    house.clock.after(LONG_S)
    gone = watch.once()
    assert (gone["cases.cases"], gone["decisions.decisions"]) == (1, 2)


def test_past_rows_of_registers_go_and_their_copies_are_made_anew(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    registers, gate = house.steward.rooms.registers, house.steward.gate
    watch = retention(house)
    home = corrected(house)
    before, version = len(registers.history("care.homes", home["resident_id"])), registers.version("care.homes")
    renewed: list[int] = []
    renew = gate.renew_copies
    monkeypatch.setattr(gate, "renew_copies", lambda: renewed.append(1) or renew())
    house.clock.after(LONG_S)
    gone = watch.once()
    assert gone["care.homes"] == before - 1 and renewed == [1]
    assert registers.version("care.homes") == version + 1
    assert [row.data["centre"] for row in registers.history("care.homes", home["resident_id"])] == ["elsewhere"]
    assert registers.live("city.residents", house.mother, sealed=False)
    assert ("registers.expire", "care.homes", {"registers": before - 1}) in told(house)


def test_a_copy_in_the_lake_that_nobody_renewed_does_not_outlive_its_rows(house: House) -> None:
    rooms, gate = house.steward.rooms, house.steward.gate
    lake = Lake(house.steward.settings.home / "lake")
    watch = retention(house)
    [home] = rooms.registers.find("care.homes", {"resident_id": house.mother})
    assert gate._projection is not None
    gate._projection.ensure(rooms.catalogue.get("care.homes"))
    rooms.registers.end("care.homes", home["resident_id"])
    hers = "WHERE resident_id = ?", [house.mother]
    assert lake.read("care.homes", "*", *hers).num_rows == 1
    house.clock.after(LONG_S)
    assert watch.once()["care.homes"] >= 1
    assert lake.read("care.homes", "*", *hers).num_rows == 0
    there = {path.name for path in (house.steward.settings.home / "lake" / "care.homes").glob("*.parquet")}
    assert there == {Path(name).name for name in lake.files("care.homes")}


def test_what_the_journal_does_not_take_is_not_deleted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    handled(house)
    watch = retention(house)
    house.clock.after(LONG_S)
    house.steward.duty.due()

    def full(*_: Any, **__: Any) -> list[int]:
        raise LedgerError("the journal did not take the entry: disk full")

    with monkeypatch.context() as patched:
        patched.setattr(Journal, "append", full)
        assert watch.once() == {}
    assert any("cases.cases" in problem for problem in watch.problems)
    assert len(house.desk.queue(house.who("li-min"), open_only=False).cases) == 1
    assert watch.once()["cases.cases"] == 1 and watch.problems == []


def test_one_that_fails_stops_no_other_and_is_tried_again(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    handled(house)
    corrected(house)
    watch = retention(house)
    assert FIRST_S - 1 < watch.due() <= FIRST_S
    house.clock.after(LONG_S)
    house.steward.duty.due()

    def broken(*_: Any) -> list[str]:
        raise RuntimeError("no such luck")

    with monkeypatch.context() as patched:
        patched.setattr("hucheng.cases.expiry.past", broken)
        assert watch.due() == AGAIN_S
    assert watch.problems == ["cases.cases is kept longer than allowed: RuntimeError: it is tried again"]
    assert any(action == "registers.expire" for action, *_ in told(house))
    house.clock.after(AGAIN_S)
    assert watch.due() == EVERY_S and watch.problems == []
    assert house.desk.queue(house.who("li-min"), open_only=False).cases == []


def test_one_that_was_told_to_end_begins_no_further_transaction(house: House) -> None:
    handled(house)
    watch = retention(house)
    house.clock.after(LONG_S)
    house.steward.duty.due()
    watch.end()
    assert watch.once() == {}


def test_a_steward_that_starts_believes_no_clock_far_ahead_of_what_was_lived_through(house: House) -> None:
    handled(house)
    house.clock.after(DAY_S / 2)
    house.steward.duty.due()
    house.steward.close()
    house.clock.after(LONG_S)
    house.steward = Steward(open_rooms(house.steward.settings, clock=house.clock), house.clock, house._seconds)
    watch = house.steward.retention
    assert watch.due in [poller._due for poller in house.steward.pollers]
    assert watch.once() == {}
    assert watch.once()["cases.cases"] == 1


def test_a_clock_that_jumped_is_believed_the_next_day() -> None:
    clock, steady = Clock(), [0.0]
    time = SafeTime(clock, lambda: steady[0])
    assert time.now() == clock.at
    clock.at += JUMP * 2
    assert time.now() is None and time.now() == clock.at
    clock.at -= JUMP * 2
    assert time.now() is None and time.now() == clock.at
    rested = SafeTime(clock, lambda: steady[0], seen=clock.at - ABSENT)
    assert rested.now() == clock.at
    assert SafeTime(clock, lambda: steady[0], seen=clock.at - ABSENT * 2).now() is None


def test_pages_read_on_where_a_case_or_a_decision_is_gone(house: House) -> None:
    """It should not happen, for both go together; a ledger put together from backups may still look so."""
    case_id = handled(house)
    li, ledger = house.who("li-min"), house.steward.rooms.ledger
    [one] = house.decisions.of_person(house.chen, house.mother)
    without(ledger, decision, decision.c.id == one.id)
    assert house.desk.case(li, case_id).decision_ids == []
    assert house.decisions.of_person(house.chen, house.mother) == []
    assert house.desk.queue(li, open_only=False).cases[0].id == case_id

    house.find(a_finding(house.mother, 7))
    [row] = house.desk.queue(li).cases
    [kept] = house.decisions.of_person(house.chen, house.mother)
    without(ledger, case_decision, case_decision.c.case_id == row.id)
    without(ledger, case_file, case_file.c.id == row.id)
    assert house.decisions.get(house.chen, kept.id).id == kept.id
    assert house.decisions.of_person(house.chen, house.mother)[0].id == kept.id
    assert house.desk.queue(li).cases == [] and house.desk.owed(li) == []
    assert house.decisions.appeal(house.chen, kept.id, "袖带太松").decision_id == kept.id


def without(ledger: Ledger, table: Any, which: Any) -> None:
    with ledger.begin() as conn:
        conn.execute(delete(table).where(which))
