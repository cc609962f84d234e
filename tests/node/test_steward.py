"""The steward in one piece, without broker and socket: who sees what, what is journaled, what is entered and erased."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from hucheng.base.rpc import Server
from hucheng.base.rpcclient import Client, proxy
from hucheng.decisions.findings import encode
from hucheng.errors import BadRequest, CaseError, HuchengError, NotFound, Refused
from hucheng.gate import Org, Principal
from hucheng.node.home.people import LOCAL
from hucheng.node.steward.enrolment import NewDevice
from hucheng.node.steward.process import SERVED
from hucheng.settings import Settings

from .house import House
from .stewarding import a_finding, copy_home


def test_a_finding_is_in_the_officers_queue_with_its_reasons(house: House) -> None:
    house.find(a_finding(house.mother))
    page = house.desk.queue(house.who("li-min"))
    [row] = page.cases
    assert (row.kind, row.rule, row.resident_id, row.state, row.tier) == (
        "care.alarm", "bp_crisis", house.mother, "calling", 1,
    )  # fmt: skip
    assert (row.title["zh"], row.text["zh"]) == ("血压危急", "血压达到危急值")
    assert row.reasons == [{"fact": "systolic", "value": 184}]
    assert (page.total, row.simulated, row.urgent) == (1, True, True)
    view = house.desk.case(house.who("li-min"), row.id)
    assert [event.what for event in view.history][:2] == ["opened", "called"]
    assert view.diagram.here == ["answer_1"]
    assert view.actions[0] == "take"
    assert [step.id for step in view.steps] == ["called", "taken", "way", "there", "closed"]
    assert len(view.decision_ids) == 1


def test_redelivered_findings_change_nothing(house: House) -> None:
    findings = [a_finding(house.mother, n) for n in range(3)]
    house.find(*findings)
    before = house.desk.case(house.who("li-min"), house.desk.queue(house.who("li-min")).cases[0].id)
    house.find(*findings)
    house.find(findings[1])
    after = house.desk.case(house.who("li-min"), before.row.id)
    assert (after.history, after.row.joined, len(after.decision_ids)) == (before.history, 2, 3)


def test_a_batch_with_one_bad_message_takes_nothing_so_that_it_is_offered_one_by_one(house: House) -> None:
    with pytest.raises(msgspec.DecodeError):
        house.steward.duty.take([encode(a_finding(house.mother)), b"{broken"])
    assert house.desk.counts().open == 0


def test_an_officer_is_told_how_many_cases_there_are_in_her_own_area(house: House) -> None:
    house.find(a_finding(house.mother))
    assert house.desk.counts().open == house.desk.counts(house.who("li-min")).open == 1
    assert house.desk.counts(_stranger(house)).open == 0


def test_a_finding_of_a_kind_without_process_is_kept_back_not_lost(house: House) -> None:
    with pytest.raises(HuchengError, match=r"no process for cases of kind 'x\.y'"):
        house.find(a_finding(house.mother, kind="x.y"))
    assert house.desk.counts().open == 0
    assert house.decisions.of_person(house.chen, house.mother) == []


def test_somebody_whom_no_register_knows_reaches_the_citys_emergency_desk(house: House) -> None:
    house.find(a_finding("nobody-knows-me"))
    for _ in range(3):
        house.after(0)
    [row] = house.desk.queue(house.who("emergency-1")).cases
    assert (row.resident_id, row.tier, row.state) == ("nobody-knows-me", 4, "calling")
    view = house.desk.act(house.who("emergency-1"), row.id, "take")
    assert view.row.assigned_to == "emergency-1"


def test_another_districts_officer_does_not_see_it_and_is_refused(house: House) -> None:
    case_id = house.open_case()
    stranger = _stranger(house)
    assert house.desk.queue(stranger).cases == []
    for attempt in (
        lambda: house.desk.case(stranger, case_id),
        lambda: house.desk.act(stranger, case_id, "take"),
        lambda: house.desk.of_person(stranger, house.mother),
        lambda: house.desk.colleagues(stranger, case_id),
    ):
        with pytest.raises((Refused, NotFound)):
            attempt()
    assert house.desk.owed(stranger) == []
    assert house.desk.case(house.who("li-min"), case_id).row.state == "calling"


def test_who_may_see_a_case(house: House) -> None:
    case_id = house.open_case()
    assert house.desk.case(house.chen, case_id).row.id == case_id
    assert [row.id for row in house.desk.of_person(house.chen, house.mother)] == [case_id]
    assert [row.id for row in house.desk.queue(house.who("wang-lijuan")).cases] == [case_id]
    assert house.desk.queue(house.who(LOCAL)).cases[0].reasons == [{"fact": "systolic", "value": 184}]
    assert house.desk.queue(house.who(LOCAL)).cases[0].text == {}
    other = next(
        row["resident_id"]
        for row in house.steward.rooms.registers.all("city.residents")
        if row["resident_id"] != house.mother
    )
    with pytest.raises((Refused, NotFound)):
        house.desk.of_person(house.chen, other)


def test_the_daughter_is_called_in_the_second_tier_and_takes_it(house: House) -> None:
    case_id = house.open_case()
    daughter = house.who("wang-lijuan")
    with pytest.raises(Refused):
        house.desk.act(daughter, case_id, "take")
    house.after(60)
    view = house.desk.act(daughter, case_id, "take", eta_minutes=12)
    assert (view.row.state, view.row.assigned_name, view.eta_minutes) == ("visiting", "王丽娟", 12)
    seen = house.desk.case(house.chen, case_id)
    assert (seen.responder, seen.eta_minutes) == ("王丽娟", 12)
    with pytest.raises(CaseError):
        house.desk.act(house.who("li-min"), case_id, "take")


def test_from_call_to_outcome_and_what_the_journal_says(house: House) -> None:
    case_id = house.open_case()
    li = house.who("li-min")
    for action, more in (("take", {}), ("go", {"eta_minutes": 8}), ("visit", {})):
        house.desk.act(li, case_id, action, **more)
    view = house.desk.act(li, case_id, "close", outcome="helped_at_home", note="已服药")
    assert (view.row.state, view.row.outcome, view.owed) == ("closed", "helped_at_home", [])
    assert house.desk.queue(li).cases == []
    assert [row.id for row in house.desk.queue(li, open_only=False).cases] == [case_id]
    lines = house.journal.of_person(house.chen, house.mother)
    told = {(line.principal, line.action, line.case) for line in lines}
    for action in ("cases.take", "cases.go", "cases.visit", "cases.close"):
        assert ("li-min", action, case_id) in told
    assert any(line.purpose == "cases.work" and line.datasets == ("cases.cases",) for line in lines)


def test_a_look_at_the_queue_is_journaled_for_everybody_on_the_page(house: House) -> None:
    house.open_case()
    before = len(house.journal.of_person(house.chen, house.mother))
    house.desk.queue(house.who("li-min"))
    lines = house.journal.of_person(house.chen, house.mother)
    assert len(lines) == before + 2  # the page, and the reading of the journal before
    assert lines[1].principal == "li-min"


def test_a_decision_is_explained_appealed_and_answered_and_the_desk_owes_meanwhile(house: House) -> None:
    case_id = house.open_case()
    [decision] = house.decisions.of_person(house.chen, house.mother)
    assert decision.facts[0].value == 184 and decision.basis == "ESH 2023" and decision.state == "in_force"
    house.decisions.appeal(house.chen, decision.id, "刚爬完楼梯量的")
    li = house.who("li-min")
    assert [one.kind for one in house.desk.owed(li) if one.case_id == case_id] == ["resident", "appeal"]
    with pytest.raises(Refused):
        house.decisions.answer(_stranger(house), decision.id, "nein", "rejected")
    house.decisions.answer(li, decision.id, "已复核：两次复测正常", "rejected")
    assert [one.kind for one in house.desk.owed(li)] == ["resident"]
    answered = house.decisions.get(house.chen, decision.id).appeal
    assert answered is not None and answered.answer == "已复核：两次复测正常"


def test_nobody_appeals_for_somebody_else(house: House) -> None:
    house.open_case()
    [decision] = house.decisions.of_person(house.chen, house.mother)
    with pytest.raises(Refused):
        house.decisions.appeal(house.who("li-min"), decision.id, "x")
    with pytest.raises(NotFound):
        house.decisions.appeal(house.chen, "d-nothing", "x")


NASTY = ["'; DROP TABLE case_file; --", "x' OR '1'='1", "%", "_", "\x00", "../../etc/passwd", "{0}", "💥" * 50]


@pytest.mark.parametrize("nasty", NASTY)
def test_sql_in_a_search_box_is_just_text(house: House, nasty: str) -> None:
    case_id = house.open_case()
    li = house.who("li-min")
    assert house.desk.queue(li, kind=nasty).cases == []
    for attempt in (lambda: house.desk.case(li, nasty), lambda: house.desk.act(li, nasty, "take")):
        with pytest.raises((NotFound, Refused)):
            attempt()
    with pytest.raises(BadRequest):
        house.desk.queue(li, order=nasty)
    with pytest.raises(BadRequest):
        house.desk.act(li, case_id, nasty)
    assert house.desk.act(li, case_id, "note", note=nasty).history[-1].note == nasty


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (501, 0), (-1, 0), (10, -1)])
def test_a_page_that_is_none_is_refused(house: House, limit: int, offset: int) -> None:
    with pytest.raises(BadRequest):
        house.desk.queue(house.who("li-min"), limit=limit, offset=offset)


def test_pages_follow_each_other_without_gap_in_every_order(house: House) -> None:
    people = [row["resident_id"] for row in house.steward.rooms.registers.all("city.residents")][:25]
    for n, person in enumerate(people):
        house.find(a_finding(person, n, urgent=n % 2 == 0))
        house.clock.after(1)
    li = house.who("li-min")
    for order in ("due", "urgent", "newest", "oldest"):
        pages = [house.desk.queue(li, limit=10, offset=offset, order=order) for offset in (0, 10, 20, 30)]
        found = [row.id for page in pages for row in page.cases]
        assert len(found) == len(set(found)) == 25
        assert {page.total for page in pages if page.cases} == {25}
    newest = house.desk.queue(li, order="newest").cases
    assert [row.opened_at for row in newest] == sorted((row.opened_at for row in newest), reverse=True)
    urgent = [row.urgent for row in house.desk.queue(li, order="urgent").cases]
    assert urgent == sorted(urgent, reverse=True)


def test_a_change_wakes_who_waits_at_once_and_only_then(house: House) -> None:
    async def scene() -> tuple[int, int, int]:
        start = house.desk.queue(house.who("li-min")).version
        assert await house.desk.changes(start, 0.0) == start
        waiting = asyncio.create_task(house.desk.changes(start, 30.0))
        await asyncio.sleep(0)
        threading.Thread(target=house.find, args=(a_finding(house.mother),)).start()
        woken = await waiting
        return start, woken, await house.desk.changes(start, 30.0)

    start, woken, again = asyncio.run(scene())
    assert woken > start and again >= woken


def test_over_the_socket_everything_keeps_its_type_and_errors_their_class(house: House, tmp_path: Path) -> None:
    case_id = house.open_case()

    async def scene() -> None:
        server = Server(tmp_path / "s.sock", house.steward.served)
        await server.start()
        client = Client(tmp_path / "s.sock")
        desk: Any = proxy(SERVED["desk"], client, "desk")
        page = await desk.queue(house.who("li-min"), limit=5)
        assert page.cases[0].id == case_id and page.cases[0].opened_at.tzinfo is not None
        view = await desk.case(house.who("li-min"), case_id)
        assert view.diagram.shapes and view.history[0].at.tzinfo is not None
        decisions: Any = proxy(SERVED["decisions"], client, "decisions")
        assert (await decisions.of_person(house.chen, house.mother))[0].facts[0].value == 184
        with pytest.raises(NotFound):
            await desk.case(house.who("li-min"), "c-none")
        with pytest.raises(Refused):
            await desk.case(_stranger(house), case_id)
        status: Any = proxy(SERVED["status"], client, "status")
        assert (await status.status())["cases"]["open"] == 1
        await client.close()
        await server.stop()

    asyncio.run(scene())


def test_status_counts_and_says_what_is_wrong(house: House) -> None:
    house.open_case()
    counts = {"received": 10, "accepted": 7, "duplicate": 2, "quarantined": 1, "lag_s": 0.2}
    told = {"partition": 0, "problem": "disk", **counts}
    house.steward.status.hear(msgspec.json.encode(told))
    house.steward.status.hear(b"nonsense")
    house.steward.status.hear(b"{}")
    status = house.steward.status.status()
    assert status["readings"] == counts
    assert (status["cases"]["open"], status["cases"]["calling"], status["cases"]["by_kind"]) == (
        1,
        1,
        {"care.alarm": 1},
    )
    assert status["problems"] == ["intake 0: disk"]
    house.clock.after(60)
    assert any("silent" in problem for problem in house.steward.status.status()["problems"])


def test_devices_of_a_file_are_enrolled_once_with_their_residents(house: House) -> None:
    operator = house.who(LOCAL)
    new = [NewDevice(f"nh-bp-{n}", f"nh-{n}", "home.blood_pressure") for n in range(3)]
    found = house.enrolment.devices(operator, new + new)
    assert [one.new for one in found] == [True] * 3
    assert len({one.gateway_id for one in found}) == 1
    again = house.enrolment.devices(operator, new)
    assert [one.new for one in again] == [False] * 3
    row = house.steward.rooms.registers.live("city.devices", "nh-bp-1")
    assert row is not None and row["simulated"] and row["resident_id"] == "nh-1"
    with pytest.raises(BadRequest):
        house.enrolment.devices(operator, [NewDevice("nh-bp-1", "nh-2", "home.blood_pressure")])
    with pytest.raises(HuchengError):
        house.enrolment.devices(operator, [NewDevice("x", "nh-2", "city.residents")])
    house.find(a_finding("nh-1"))
    assert house.desk.queue(house.who("li-min")).cases[0].resident_id == "nh-1"


@pytest.mark.parametrize("name", ["li-min", "chen-guilan", "wang-lijuan", "zhou-jing"])
def test_only_the_operator_enters_and_only_the_bureau_erases(house: House, name: str) -> None:
    who = house.who(name)
    with pytest.raises(Refused):
        house.enrolment.devices(who, [NewDevice("d", "r", "home.blood_pressure")])
    with pytest.raises(Refused):
        house.entering.register(who, "city.residents", [])
    with pytest.raises(Refused):
        house.entering.places(who, [])
    with pytest.raises(Refused):
        house.entering.roster(who, [])
    with pytest.raises(Refused):
        house.entering.people(who, [])
    with pytest.raises(Refused):
        house.entering.end(who, "people", [{"id": "li-min"}])
    with pytest.raises(Refused):
        house.enrolment.erase(who, house.mother, "because I can, really")


def test_outside_a_demo_city_no_device_comes_from_a_file(template: Settings, tmp_path: Path) -> None:
    settings = copy_home(template, tmp_path / "home")
    house = House(dataclasses.replace(settings, demo=False))
    with pytest.raises(Refused):
        house.enrolment.devices(house.who(LOCAL), [NewDevice("d", "r", "home.blood_pressure")])
    house.steward.close()


def test_after_a_restart_the_clock_and_the_queue_are_where_they_were(house: House) -> None:
    case_id = house.open_case()
    house.clock.after(30)
    settings = house.steward.settings
    house.steward.close()
    again = House(settings)
    again.clock.at = house.clock.at
    assert again.desk.queue(again.who("li-min")).cases[0].id == case_id
    again.after(30)
    assert again.desk.queue(again.who("li-min")).cases[0].tier == 2
    again.steward.close()
    house.steward = House(settings).steward


def test_a_wall_clock_that_jumps_moves_no_tier(house: House) -> None:
    case_id = house.open_case()
    li = house.who("li-min")
    house.clock.after(20)
    jump = timedelta(hours=-5)
    real = house.steward.duty.clock
    real._wall = lambda: house.clock.at + jump
    house.steward.duty.due()
    assert house.steward.duty.jumps == 1
    assert house.desk.case(li, case_id).row.tier == 1
    house.clock.after(39)
    house.steward.duty.due()
    assert house.desk.case(li, case_id).row.tier == 1
    house.clock.after(1)
    house.steward.duty.due()
    assert house.desk.case(li, case_id).row.tier == 2


def _stranger(house: House) -> Principal:
    """An officer of a community that is not this one."""
    principals = house.steward.rooms.principals
    root = next(org for org in principals.orgs() if org.parent is None)
    principals.put_orgs([Org("elsewhere", root.id, "province", {"zh": "外省", "en": "Elsewhere"})])
    who = Principal("stranger", "officer", "外地干部", principals.path("elsewhere"), ("duty",))
    principals.put([who])
    return who
