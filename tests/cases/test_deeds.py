"""What a human does with a case, what does not fit, and what is owed afterwards, across a change of shift."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from hucheng.cases import owing
from hucheng.cases.deeds import possible
from hucheng.cases.views import Owed
from hucheng.errors import BadRequest, CaseError, NotFound

from .conftest import Clock, Town

LI, ZHAO, ZHANG = ("officer-li", "李值班"), ("officer-zhao", "赵响应"), ("carer-zhang", "张女儿")


def owed(town: Town, case_id: str) -> list[Owed]:
    with town.ledger.read() as conn:
        return owing.of_case(conn, case_id)


def desk(town: Town, who: str = "somebody-new", *communities: str) -> list[Owed]:
    with town.ledger.read() as conn:
        return owing.at_desk(conn, communities or ("c1",), who)


def what(town: Town, case_id: str) -> list[str]:
    return [name for name, _ in town.history(case_id)]


def test_from_the_call_to_the_outcome(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    clock.after(60)
    town.act(case_id, "go", LI, eta_minutes=12)
    row = town.row(case_id)
    assert (row.state, row.eta_minutes, row.responder) == ("visiting", 12, "李值班")
    assert row.eta_at == clock() + timedelta(minutes=12)
    town.act(case_id, "visit", LI)
    town.act(case_id, "note", LI, note="在家，头晕，已服药")
    town.act(case_id, "close", LI, outcome="doctor_told", note="复测 150/90")
    row = town.row(case_id)
    assert (row.state, row.is_open, row.open_key, row.outcome) == ("closed", False, None, "doctor_told")
    assert row.closed_at == clock()
    assert what(town, case_id) == ["opened", "called", "taken", "on_the_way", "visited", "note", "closed"]
    assert [line.note for line in town.said(case_id)][-2:] == ["在家，头晕，已服药", "复测 150/90"]
    assert town.timers(case_id) == []
    assert town.due() is None


def test_taking_it_with_minutes_is_going_at_once(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI, eta_minutes=5)
    assert what(town, case_id)[-2:] == ["taken", "on_the_way"]
    assert town.row(case_id).state == "visiting"


def test_a_new_time_of_arrival_does_not_move_the_case(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI, eta_minutes=5)
    timers = town.timers(case_id)
    town.act(case_id, "go", LI, eta_minutes=25)
    assert town.timers(case_id) == timers
    assert town.row(case_id).eta_minutes == 25


@pytest.mark.parametrize(
    ("before", "action", "more"),
    [
        ((), "go", {"eta_minutes": 5}),
        ((), "visit", {}),
        ((), "close", {"outcome": "well"}),
        ((), "hand_over", {}),
        (("take",), "take", {}),
        (("take", "visit"), "go", {"eta_minutes": 5}),
        (("take", "visit"), "visit", {}),
        (("take", "close"), "take", {}),
        (("take", "close"), "close", {"outcome": "well"}),
        (("take", "close"), "hand_over", {}),
    ],
)
def test_a_deed_that_does_not_fit_is_refused_and_leaves_no_trace(
    town: Town, before: tuple[str, ...], action: str, more: dict[str, Any]
) -> None:
    case_id, _ = town.take_in(town.find())
    for earlier in before:
        town.act(case_id, earlier, LI, **({"outcome": "well"} if earlier == "close" else {}))
    row, lines = town.row(case_id), town.history(case_id)
    with pytest.raises(CaseError) as caught:
        town.act(case_id, action, LI, **more)
    assert caught.value.mend
    assert (town.row(case_id), town.history(case_id)) == (row, lines)


@pytest.mark.parametrize(
    ("action", "more"),
    [
        ("note", {}),
        ("note", {"note": "  "}),
        ("note", {"note": "x" * 2001}),
        ("go", {}),
        ("go", {"eta_minutes": -1}),
        ("go", {"eta_minutes": 10_000}),
        ("close", {}),
        ("close", {"outcome": "gone"}),
        ("answer", {}),
        ("dance", {}),
    ],
)
def test_a_deed_without_what_it_needs_says_what(town: Town, action: str, more: dict[str, Any]) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    with pytest.raises(BadRequest) as caught:
        town.act(case_id, action, LI, **more)
    assert caught.value.mend


def test_an_unknown_case_is_not_found(town: Town) -> None:
    with pytest.raises(NotFound):
        town.act("c-nothing", "take")


def test_two_at_the_same_moment_one_has_it(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    with pytest.raises(CaseError):
        town.act(case_id, "take", ZHAO)
    assert town.row(case_id).assigned_to == "officer-li"


def test_a_carer_who_was_called_takes_it(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    clock.after(60)
    town.poll()
    town.act(case_id, "take", ZHANG, eta_minutes=12)
    row = town.row(case_id)
    assert (row.assigned_name, row.eta_minutes, row.tier) == ("张女儿", 12, 2)
    assert [one.kind for one in owed(town, case_id)] == ["resident"]


def test_whoever_was_called_and_did_not_take_it_is_owed_a_word(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    clock.after(60)
    town.poll()
    town.act(case_id, "take", LI)
    mine = {one.kind: one for one in owed(town, case_id)}
    assert mine["called"].to == "carer-zhang" and "张女儿" in mine["called"].text["zh"]
    assert mine["called"].owner == "officer-li"


def test_what_is_owed_survives_the_change_of_shift(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    town.act(case_id, "close", LI, outcome="well")
    clock.after(9 * 3600)
    mine = desk(town)
    assert [(one.kind, one.owner, one.owner_name, one.case_id) for one in mine] == [
        ("resident", "officer-li", "李值班", case_id)
    ]
    town.act(case_id, "answer", ("officer-wang", "王夜班"), to=mine[0].id, note="电话告知")
    assert desk(town) == []
    assert what(town, case_id)[-1] == "answered"


def test_another_community_does_not_see_it(town: Town) -> None:
    town.take_in(town.find())
    assert desk(town, "somebody", "c2", "c%", "c") == []
    assert len(desk(town, "somebody", "c2", "c1")) == 1


def test_a_visit_tells_the_resident_in_person(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    for action in ("take", "visit"):
        town.act(case_id, action, LI)
    town.act(case_id, "close", LI, outcome="helped_at_home")
    assert owed(town, case_id) == []


def test_nobody_has_answered_before_there_is_something_to_tell(town: Town, clock: Clock) -> None:
    """What came of it is told once it is closed, that it is in hand once somebody has it, an appeal by its answer."""
    case_id, _ = town.take_in(town.find())
    for wait in (60, 0):
        clock.after(wait)
        town.poll()

    def ready() -> dict[str, bool]:
        return {one.kind: one.ready for one in owed(town, case_id)}

    [one] = owed(town, case_id)
    assert ready() == {"resident": False}
    for _ in range(2):
        with pytest.raises(CaseError, match="nothing to answer yet"):
            town.act(case_id, "answer", LI, to=one.id)
        if town.row(case_id).state == "calling":
            town.act(case_id, "take", LI)
    assert ready() == {"resident": False, "called": True}
    town.act(case_id, "close", LI, outcome="well")
    assert ready() == {"resident": True, "called": True}
    with town.ledger.begin() as conn:
        owing.owe(conn, town.row(case_id), "appeal", to="r1", now=clock())
    assert ready()["appeal"] is False


def test_an_answer_is_given_once(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    town.act(case_id, "close", LI, outcome="well")
    [one] = owed(town, case_id)
    town.act(case_id, "answer", LI, to=one.id)
    with pytest.raises(NotFound):
        town.act(case_id, "answer", LI, to=one.id)


def test_handing_over_moves_the_case_and_what_is_owed(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    town.act(case_id, "hand_over", LI, to="officer-zhao", note="换班")
    row = town.row(case_id)
    assert (row.assigned_to, row.assigned_name, row.state) == ("officer-zhao", "赵响应", "taken")
    assert {one.owner for one in owed(town, case_id)} == {"officer-zhao"}
    assert "赵响应" in town.said(case_id)[-1].text["en"]


def test_a_case_cannot_be_handed_to_somebody_who_is_not_on_duty(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    with pytest.raises(CaseError, match="not on duty"):
        town.act(case_id, "hand_over", LI, to="officer-wang")


def test_handing_it_back_calls_the_roster_again(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", LI)
    town.act(case_id, "hand_over", LI, to="roster")
    row = town.row(case_id)
    assert (row.state, row.assigned_to, row.tier) == ("calling", None, 1)
    assert town.history(case_id)[-1] == ("called", 1)
    assert {one.owner for one in owed(town, case_id)} == {None}
    clock.after(60)
    assert town.poll() == 1
    assert town.row(case_id).tier == 2


def test_possible_deeds_are_those_that_fit(town: Town) -> None:
    case_id, _ = town.take_in(town.find())

    def now() -> set[str]:
        with town.ledger.read() as conn:
            return set(possible(town.handling.running(conn, case_id)))

    assert now() == {"take", "note", "answer"}
    town.act(case_id, "take", LI)
    assert now() == {"go", "visit", "hand_over", "note", "answer", "close"}
    town.act(case_id, "visit", LI)
    assert now() == {"hand_over", "note", "answer", "close"}
    town.act(case_id, "close", LI, outcome="well")
    assert now() == {"note", "answer"}


INJECTION = ["'; DROP TABLE case_file; --", "{name}", "%s", "<script>", '"', "\\", "{0.__class__}"]


@pytest.mark.parametrize("nasty", INJECTION)
def test_sql_and_templates_in_a_note_are_just_text(town: Town, nasty: str) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take", (nasty, nasty))
    town.act(case_id, "note", (nasty, nasty), note=nasty)
    last = town.said(case_id)[-1]
    assert (last.note, last.actor_name) == (nasty, nasty)
    assert town.row(case_id).assigned_name == nasty
    with pytest.raises(NotFound):
        town.act(nasty, "take")
    assert [one.owner for one in desk(town, nasty, nasty)] == [nasty]
    with town.ledger.read() as conn:
        assert conn.execute(text("select count(*) from case_file")).scalar_one() == 1


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_is_done_an_open_case_always_waits_for_somebody(town: Town, clock: Clock, data: st.DataObject) -> None:
    case_id, _ = town.take_in(town.find(resident=f"r{town.findings}"))
    for _ in range(data.draw(st.integers(1, 8))):
        action = data.draw(st.sampled_from(["take", "go", "visit", "hand_over", "close", "time"]))
        if action == "time":
            clock.after(data.draw(st.sampled_from([1, 61, 700, 3000])))
            town.poll()
            continue
        try:
            town.act(case_id, action, LI, eta_minutes=3, outcome="well", to="roster")
        except CaseError:
            continue
    row = town.row(case_id)
    if row.is_open:
        assert row.assigned_to is not None or row.due_us is not None
        assert (row.state == "calling") == (row.assigned_to is None)
    else:
        assert town.timers(case_id) == []
