"""Thousands of cases that nobody answers climb together: what each of them does is what it would do alone."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import event, select

from hucheng.cases.handling import due_timers
from hucheng.cases.tables import case_called, case_file, case_owed
from hucheng.errors import NotFound

from .conftest import Clock, Town


def opened(town: Town, many: int) -> list[str]:
    return [town.take_in(town.find(resident=f"r{n}"))[0] for n in range(1, many + 1)]


def together(town: Town, clock: Clock) -> int:
    """Fire everything that is due in one transaction."""
    with town.ledger.begin() as conn:
        return town.handling.fire(conn, due_timers(conn, clock()), clock())


def statements(town: Town, act: Any) -> int:
    """How many statements the ledger is given meanwhile."""
    given: list[str] = []

    def note(_conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        given.append(statement)

    event.listen(town.ledger.engine, "before_cursor_execute", note)
    try:
        act()
    finally:
        event.remove(town.ledger.engine, "before_cursor_execute", note)
    return len(given)


def test_together_they_go_the_way_each_goes_alone(town: Town, clock: Clock) -> None:
    cases = opened(town, 5)
    alone, _ = town.take_in(town.find(resident="alone"))
    for wait in (60, 120, 120, 60, 60, 60, 60, 120):
        clock.after(wait)
        with town.ledger.begin() as conn:
            due = due_timers(conn, clock())
            town.handling.fire(conn, [one for one in due if one[0] != alone], clock())
        with town.ledger.begin() as conn:
            town.handling.fire(conn, [one for one in due if one[0] == alone], clock())
    for case in cases[1:]:  # the first resident has a daughter on the roster
        assert town.history(case) == town.history(alone)
        assert town.timers(case) == town.timers(alone)
        one, other = town.row(case), town.row(alone)
        assert (one.state, one.step, one.tier, one.due_us, one.version) == (
            other.state,
            other.step,
            other.tier,
            other.due_us,
            other.version,
        )
    assert ("called", 2) in town.history(cases[0]) and ("nobody", 2) in town.history(cases[1])
    with town.ledger.read() as conn:
        called = conn.execute(select(case_called.c.who).where(case_called.c.case_id == cases[0])).scalars().all()
    assert sorted(called) == ["carer-zhang", "officer-li", "officer-qian", "officer-zhao"]


def test_a_hundred_cases_take_as_many_statements_as_one(town: Town, clock: Clock) -> None:
    opened(town, 1)
    clock.after(60)
    few = statements(town, lambda: together(town, clock))
    opened(town, 101)
    clock.after(60)
    assert statements(town, lambda: together(town, clock)) <= few + 2


def test_two_timers_of_one_case_are_taken_one_after_the_other(town: Town, clock: Clock) -> None:
    case, _ = town.take_in(town.find())
    town.act(case, "take")
    town.act(case, "go", eta_minutes=5)
    timers = town.timers(case)
    clock.after(100_000)
    with town.ledger.begin() as conn:
        due = due_timers(conn, clock())
    assert len(due) == len(timers)
    while together(town, clock):
        pass
    assert town.timers(case) == []
    with town.ledger.read() as conn:
        promised = conn.execute(select(case_owed).where(case_owed.c.kind == "promise")).all()
    assert [one.due_at for one in promised] == [clock()] * len(timers)  # a promise that ran out is owed now


def test_a_timer_that_somebody_was_quicker_than_moves_nothing(town: Town, clock: Clock) -> None:
    cases = opened(town, 2)
    clock.after(60)
    with town.ledger.begin() as conn:
        due = due_timers(conn, clock())
    town.act(cases[0], "take")
    with town.ledger.begin() as conn:
        assert town.handling.fire(conn, due, clock()) == 1
    assert town.history(cases[0])[-1] == ("taken", None)
    assert ("called", 2) in town.history(cases[1]) or ("nobody", 2) in town.history(cases[1])


def test_a_case_that_is_gone_stops_the_whole_move_and_names_itself(town: Town, clock: Clock) -> None:
    cases = opened(town, 2)
    clock.after(60)
    with town.ledger.begin() as conn:
        due = due_timers(conn, clock())
        conn.execute(case_file.delete().where(case_file.c.id == cases[0]))
    with pytest.raises(NotFound, match=cases[0]), town.ledger.begin() as conn:
        town.handling.fire(conn, due, clock())
    assert town.history(cases[1]) == [("opened", None), ("called", 1)]
