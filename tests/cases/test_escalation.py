"""An alarm climbs the roster until a named human has it; nothing is called twice, nothing is left out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import func, select

from hucheng.cases.handling import shift_due
from hucheng.cases.rosters import RosterLine
from hucheng.cases.tables import case_file, case_owed
from hucheng.cases.words import length
from hucheng.decisions.tables import decision
from hucheng.errors import CaseError

from .conftest import ROSTER, Clock, Town, same, town_on


def calls(town: Town, case_id: str) -> list[int | None]:
    return [tier for what, tier in town.history(case_id) if what == "called"]


def test_the_duty_officer_is_called_at_once(town: Town, clock: Clock) -> None:
    case_id, new = town.take_in(town.find())
    assert new
    assert town.history(case_id) == [("opened", None), ("called", 1)]
    row = town.row(case_id)
    assert (row.state, row.tier, row.is_open) == ("calling", 1, True)
    assert town.due() == clock() + timedelta(seconds=60)


def test_it_climbs_every_tier_and_the_last_never_gives_up(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    for wait in (60, 120, 120, 60, 60, 60):
        clock.after(wait - 1)
        assert town.poll() == 0
        clock.after(1)
        assert town.poll() == 1
    assert calls(town, case_id) == [1, 2, 3, 4, 4, 4, 4]
    assert [what for what, _ in town.history(case_id)].count("no_answer") == 6
    assert town.row(case_id).state == "calling"
    assert len(town.timers(case_id)) == 1


def test_the_last_tier_is_called_for_ever_but_not_ever_as_often(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    for wait in (60, 120, 120):
        clock.after(wait)
        town.poll()
    waits = []
    for _ in range(18):
        due = town.due()
        assert due is not None
        waits.append(round((due - clock()).total_seconds()))
        clock.at = due
        assert town.poll() == 1
    assert waits[:6] == [60] * 6
    assert waits[6:] == [120, 180, 240, 300, 360, 420, 480, 540, 600, 600, 600, 600]
    assert calls(town, case_id).count(4) == 19


def test_the_history_says_how_long_was_really_waited(town: Town, clock: Clock) -> None:
    """Waits grow in the last tier, and begin short again when the case was handed back."""
    case_id, _ = town.take_in(town.find())

    def climbs(times: int) -> tuple[list[float], list[str]]:
        waits = []
        for _ in range(times):
            due = town.due()
            assert due is not None
            waits.append((due - clock()).total_seconds())
            clock.at = due
            town.poll()
        return waits, [one.text["en"] for one in town.said(case_id) if one.what == "no_answer"][-times:]

    waits, said = climbs(14)
    assert waits[3:12] == [60, 60, 60, 60, 60, 60, 120, 180, 240]
    assert [line.split(" within ")[1] for line in said] == [length(wait)["en"] for wait in waits]
    town.act(case_id, "take")
    town.act(case_id, "hand_over", to="roster")
    waits, said = climbs(9)
    assert waits == [60, 120, 120, 60, 60, 60, 60, 60, 60]
    assert [line.split(" within ")[1] for line in said] == [length(wait)["en"] for wait in waits]


def test_a_night_of_calling_does_not_grow_the_state(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    sizes = []
    for _ in range(60):
        clock.after(700)
        assert town.poll() == 1
        with town.ledger.read() as conn:
            sizes.append(len(town.handling.running(conn, case_id).state()["tasks"]))
    assert max(sizes[10:]) == sizes[10]


def test_taking_it_stops_the_climb(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    clock.after(30)
    town.act(case_id, "take")
    clock.after(400)
    town.poll()
    assert calls(town, case_id) == [1]
    row = town.row(case_id)
    assert (row.state, row.assigned_to, row.assigned_name) == ("taken", "officer-li", "李值班")


def test_the_second_who_takes_it_is_told_who_has_it(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take")
    with pytest.raises(CaseError, match="李值班 has it already"):
        town.act(case_id, "take", ("officer-zhao", "赵响应"))


def test_a_taken_case_that_nobody_goes_to_is_owed_to_the_resident(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    town.act(case_id, "take")
    clock.after(600)
    assert town.poll() == 1
    assert ("reminder", None) in town.history(case_id)
    assert town.row(case_id).state == "taken"
    with town.ledger.read() as conn:
        kinds = conn.execute(select(case_owed.c.kind, case_owed.c.owner).where(case_owed.c.case_id == case_id)).all()
    assert ("promise", "officer-li") in [tuple(row) for row in kinds]


def test_a_tier_with_nobody_on_duty_is_passed_at_once(tmp_path: object, town: Town, clock: Clock) -> None:
    with town.ledger.begin() as conn:
        town.rosters.remove(conn, ["l-daughter", "l-mobile"])
    case_id, _ = town.take_in(town.find())
    clock.after(60)
    assert town.poll() == 1
    assert town.poll() == 1
    assert town.poll() == 1
    assert town.poll() == 0
    assert town.history(case_id) == [
        ("opened", None),
        ("called", 1),
        ("no_answer", 1),
        ("nobody", 2),
        ("nobody", 3),
        ("called", 4),
    ]


def test_with_nobody_on_any_roster_it_still_waits_and_calls_again(town: Town, clock: Clock) -> None:
    with town.ledger.begin() as conn:
        town.rosters.remove(conn, [line.id for line in ROSTER])
    case_id, _ = town.take_in(town.find())
    for _ in range(3):
        town.poll()
    assert town.row(case_id).tier == 4
    assert town.due() == clock() + timedelta(seconds=60)
    clock.after(60)
    assert town.poll() == 1


def test_the_same_finding_again_changes_nothing(town: Town) -> None:
    finding = town.find()
    first = town.take_in(finding)
    before = town.history(first[0])
    for _ in range(3):
        assert town.take_in(same(finding)) == (first[0], False)
    assert town.history(first[0]) == before
    with town.ledger.read() as conn:
        assert conn.execute(select(func.count()).select_from(decision)).scalar_one() == 1
        assert conn.execute(select(func.count()).select_from(case_file)).scalar_one() == 1


def test_a_second_finding_joins_the_open_case_with_one_line(town: Town) -> None:
    case_id, _ = town.take_in(town.find())
    assert town.take_in(town.find()) == (case_id, False)
    assert [what for what, _ in town.history(case_id)] == ["opened", "called", "joined"]
    assert town.row(case_id).joined == 1
    town.act(case_id, "take")


@pytest.mark.parametrize("other", [{"resident": "r2"}, {"rule": "help"}, {"kind": "care.device"}])
def test_another_resident_rule_or_kind_opens_its_own_case(town: Town, other: dict[str, str]) -> None:
    first, _ = town.take_in(town.find())
    second, new = town.take_in(town.find(**other))
    assert new and second != first


def test_a_closed_case_is_not_joined(town: Town) -> None:
    first, _ = town.take_in(town.find())
    town.act(first, "take")
    town.act(first, "close", outcome="well")
    second, new = town.take_in(town.find())
    assert new and second != first


def test_a_restart_in_every_wait_neither_loses_nor_doubles(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    for wait in (60, 120, 120):
        clock.after(wait / 2)
        again = town_on(town.ledger, clock, roster=[])
        assert again.poll() == 0
        clock.after(wait / 2)
        assert town_on(town.ledger, clock, roster=[]).poll() == 1
        assert town_on(town.ledger, clock, roster=[]).poll() == 0
    assert calls(town, case_id) == [1, 2, 3, 4]


def test_after_a_long_stop_one_tier_is_called_not_all(town: Town, clock: Clock) -> None:
    case_id, _ = town.take_in(town.find())
    clock.after(3600)
    assert town.poll() == 1
    assert calls(town, case_id) == [1, 2]
    assert town.due() == clock() + timedelta(seconds=120)


@pytest.mark.parametrize("jump_s", [-7200.0, 7200.0, -3.5, 86400.0 * 400])
def test_a_clock_jump_keeps_what_is_left_of_every_wait(town: Town, clock: Clock, jump_s: float) -> None:
    case_id, _ = town.take_in(town.find())
    clock.after(20)
    clock.after(jump_s)
    with town.ledger.begin() as conn:
        assert shift_due(conn, timedelta(seconds=jump_s)) == 1
    assert town.due() == clock() + timedelta(seconds=40)
    assert town.poll() == 0
    clock.after(40)
    assert town.poll() == 1
    assert calls(town, case_id) == [1, 2]


def test_a_night_call_reaches_the_night_officer(town: Town, clock: Clock) -> None:
    clock.after(12 * 3600)
    case_id, _ = town.take_in(town.find())
    assert "王夜班" in town.said(case_id)[1].text["zh"]


def test_the_nearest_scope_wins(town: Town) -> None:
    with town.ledger.begin() as conn:
        town.rosters.put(conn, [RosterLine("l-neighbour", "r1", 3, "邻居", who="carer-next")])
    case_id, _ = town.take_in(town.find())
    with town.ledger.read() as conn:
        assert [c.name for c in town.rosters.called(conn, ["r1", "c1", "d1"], 3, town.clock())] == ["邻居"]
        assert [c.name for c in town.rosters.called(conn, ["r2", "c1", "d1"], 3, town.clock())] == ["赵响应"]
    assert case_id
