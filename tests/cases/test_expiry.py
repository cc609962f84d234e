"""A case and its decisions are kept as one file: closed long enough, nobody owed an answer, nothing decided holds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from sqlalchemy import func, select, update

from hucheng.base.ledger import Ledger
from hucheng.cases import expiry, owing
from hucheng.cases.rosters import RosterLine
from hucheng.cases.tables import case_file, case_owed
from hucheng.decisions import expiry as decisions
from hucheng.decisions import record
from hucheng.decisions.findings import Finding
from hucheng.decisions.tables import decision

from .conftest import Clock, Town, town_on

DAY = timedelta(days=1)


@pytest.fixture
def either(ledger: Ledger, clock: Clock) -> Iterator[Town]:
    """A town on SQLite and on PostgreSQL."""
    yield town_on(ledger, clock)


def file_of(town: Town, resident: str = "r1", **more: object) -> str:
    """A case that was taken, visited, closed, answered; its decision holds a day."""
    found: Finding = town.find(resident, expires_at=town.clock() + DAY, **more)
    case_id, _ = town.take_in(found)
    town.act(case_id, "take")
    town.act(case_id, "visit")
    town.act(case_id, "close", outcome="well")
    answer(town, case_id)
    return case_id


def answer(town: Town, case_id: str) -> None:
    """Everything that is owed in a case is answered."""
    with town.ledger.begin() as conn:
        for one in owing.of_case(conn, case_id):
            owing.give(conn, case_id, one.id, "officer-li", town.clock())


def gone(town: Town, before: datetime, decided: datetime | None = None) -> tuple[int, int]:
    """How many cases and decisions went."""
    with town.ledger.begin() as conn:
        record.expire(conn, town.clock())
    with town.ledger.read() as conn:
        found = expiry.past(conn, before, decided or before, 100)
        every = list(conn.execute(select(case_file.c.id)).scalars())
    with town.ledger.begin() as conn:
        counts = expiry.drop(conn, every, before, decided or before)
    assert counts[0] == len(found)
    return counts


def left(town: Town, case_id: str) -> dict[str, int]:
    """How many rows of each table still belong to a case."""
    with town.ledger.read() as conn:
        return {
            table.name: count
            for table in expiry.PARTS
            if (count := conn.execute(select(func.count()).where(table.c.case_id == case_id)).scalar_one())
        }


def test_a_case_goes_with_everything_that_belongs_to_it_and_no_other(either: Town, clock: Clock) -> None:
    town = either
    with town.ledger.begin() as conn:
        town.rosters.put(conn, [RosterLine("l-officer", "c1", 1, "李值班", who="officer-li", urls=("json://x",))])
    first = file_of(town)
    closed = clock()
    other = file_of(town, "r2")
    with town.ledger.begin() as conn:
        conn.execute(update(case_file).where(case_file.c.id == other).values(closed_at=closed + 9 * DAY))
    assert {"case_event", "case_state", "case_decision", "case_called", "case_owed", "notice"} <= left(
        town, first
    ).keys()
    clock.after(30 * 86_400)
    assert gone(town, closed + 5 * DAY) == (1, 1)
    assert left(town, first) == {} and left(town, other)
    with town.ledger.read() as conn:
        assert list(conn.execute(select(case_file.c.id)).scalars()) == [other]
        assert record.count(conn) == 1
    assert gone(town, closed + 9 * DAY) == (1, 1)


def test_an_open_case_never_goes(either: Town, clock: Clock) -> None:
    case_id, _ = either.take_in(either.find(expires_at=clock() + DAY))
    with either.ledger.begin() as conn:
        owing.settle(conn, case_id, ["resident"], "officer-li", clock())
    clock.after(5_000 * 86_400)
    assert gone(either, clock()) == (0, 0)
    with either.ledger.begin() as conn:
        record.expire(conn, clock())
    with either.ledger.begin() as conn:  # nor what it stands on
        assert decisions.past(conn, clock(), expiry.caseless, 10) == []
        every = list(conn.execute(select(decision.c.id)).scalars())
        assert decisions.drop(conn, every, clock(), expiry.caseless) == 0


def test_a_case_with_an_answer_owed_stays_until_it_is_given(either: Town, clock: Clock) -> None:
    case_id = file_of(either)
    with either.ledger.begin() as conn:
        conn.execute(update(case_owed).where(case_owed.c.case_id == case_id).values(done_at=None))
    clock.after(5_000 * 86_400)
    assert gone(either, clock()) == (0, 0)
    answer(either, case_id)
    assert gone(either, clock()) == (1, 1)


def test_a_case_stays_as_long_as_its_decisions(either: Town, clock: Clock) -> None:
    town = either
    case_id, _ = town.take_in(town.find())  # without an end: it holds until somebody supersedes it
    town.act(case_id, "take")
    town.act(case_id, "visit")
    town.act(case_id, "close", outcome="well")
    answer(town, case_id)
    clock.after(5_000 * 86_400)
    assert gone(town, clock()) == (0, 0)
    with town.ledger.begin() as conn:
        conn.execute(update(decision).values(ended_at=clock()))
    assert gone(town, clock(), clock() - DAY) == (0, 0)  # decisions are kept longer than cases
    assert gone(town, clock()) == (1, 1)
