"""The whole way of a case, the same on SQLite and on a real PostgreSQL; and every list of cases goes by an index."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select, text

from hucheng.base.ledger import Ledger
from hucheng.cases import erasure, owing, store
from hucheng.cases.handling import next_due, shift_due
from hucheng.cases.notices import Notices
from hucheng.cases.rosters import RosterLine
from hucheng.cases.tables import case_file, notice
from hucheng.decisions import record
from hucheng.gate import Scope
from hucheng.node.steward.duty import Duty, last_seen

from .conftest import Clock, Town, same, town_on


@pytest.fixture
def either(ledger: Ledger, clock: Clock) -> Iterator[Town]:
    """A town on SQLite and on PostgreSQL."""
    yield town_on(ledger, clock)


def test_the_whole_way_of_a_case(either: Town, clock: Clock) -> None:
    town = either
    finding = town.find()
    case_id, new = town.take_in(finding)
    assert new and town.take_in(same(finding)) == (case_id, False)
    assert town.take_in(town.find()) == (case_id, False)
    for wait in (60, 120, 120, 60):
        clock.after(wait)
        assert town.poll() == 1
    assert town.row(case_id).tier == 4
    town.act(case_id, "take", ("carer-zhang", "张女儿"), eta_minutes=9)
    town.act(case_id, "hand_over", ("carer-zhang", "张女儿"), to="officer-li")
    town.act(case_id, "visit")
    town.act(case_id, "note", note="x")
    town.act(case_id, "close", outcome="well")
    row = town.row(case_id)
    assert (row.is_open, row.state, row.joined, row.outcome) == (False, "closed", 1, "well")
    assert town.due() is None
    with town.ledger.read() as conn:
        assert record.count(conn) == 2
        assert [(one.kind, one.to) for one in owing.of_case(conn, case_id)] == [("called", "officer-zhao")]
    second, new = town.take_in(town.find())
    assert new and second != case_id


def test_rows_scopes_orders_and_pages(either: Town, clock: Clock) -> None:
    town = either
    for n in range(7):
        town.take_in(town.find(resident=f"r{n}", urgent=n % 2 == 0))
        clock.after(1)
    town.act(town.row_of("r3"), "take")
    with town.ledger.read() as conn:

        def ids(**more: object) -> list[str]:
            found = store.rows(conn, town.bodies, {"is_open": True}, **more)  # type: ignore[arg-type]
            return [row["resident_id"] for row in found]

        assert ids(order="opened_at") == [f"r{n}" for n in range(7)]
        assert ids(order="opened_at", descending=True, limit=3, offset=1) == ["r5", "r4", "r3"]
        assert ids(order="urgent")[:4] == ["r0", "r2", "r4", "r6"]
        assert ids(order="due_at")[-1] == "r3"
        assert ids(also=store.within(Scope(person="r2"))) == ["r2"]
        assert sorted(ids(also=store.within(Scope(people=frozenset({"r1", "r5"}))))) == ["r1", "r5"]
        assert ids(also=store.within(Scope(communities=frozenset({"c9"})))) == []
        assert store.count(conn, {"is_open": True, "state": "calling"}) == 6


def test_a_jump_moves_every_due_time_and_is_remembered(either: Town, clock: Clock) -> None:
    town = either
    town.take_in(town.find())
    wall = [clock()]
    seconds = [0.0]
    duty = Duty(town.ledger, town.handling, town.bodies, wall=lambda: wall[0], monotonic=lambda: seconds[0])
    wall[0] += timedelta(hours=-3)
    duty.due()
    assert duty.jumps == 1 and last_seen(town.ledger) == wall[0]
    with town.ledger.read() as conn:
        assert next_due(conn) == wall[0] + timedelta(seconds=60)
    again = Duty(town.ledger, town.handling, town.bodies, wall=lambda: wall[0], monotonic=lambda: seconds[0])
    again.due()
    assert again.jumps == 0
    with town.ledger.begin() as conn:
        assert shift_due(conn, timedelta(hours=1)) == 1


def test_notices_and_what_is_owed(either: Town, clock: Clock) -> None:
    town = either
    with town.ledger.begin() as conn:
        line = RosterLine("l-officer", "c1", 1, "李值班", who="officer-li", urls=("json://127.0.0.1:9/x",))
        town.rosters.put(conn, [line])
    case_id, _ = town.take_in(town.find())
    notices = Notices(town.ledger, town.handling, clock, send=lambda *_: "no")
    while (wait := notices.due()) is not None:
        clock.after(wait)
    with town.ledger.read() as conn:
        assert owing.count(conn, "not_delivered") == 1
        assert conn.execute(select(notice.c.tries)).scalar_one() == 4
        assert {one.kind for one in owing.at_desk(conn, ["c1"], "x")} == {"resident", "not_delivered"}
    assert ("not_delivered", 1) in town.history(case_id)


def test_erasing_takes_the_person_out_and_leaves_the_count(either: Town, clock: Clock) -> None:
    town = either
    case_id, _ = town.take_in(town.find())
    town.take_in(town.find(resident="r2"))
    with town.ledger.begin() as conn:
        assert erasure.erase(conn, "r1", clock()) == 1
        record.erase(conn, "r1")
        town.keys.destroy("r1", conn=conn)
    row = town.row(case_id)
    assert (row.resident_id, row.body, row.is_open, row.state) == ("erased", None, False, "closed")
    assert {event.text["en"] for event in town.said(case_id)} == {
        "Erased by law",
        "The resident's data was erased by law: the case ends",
    }
    clock.after(3600)
    assert town.poll() == 1
    with town.ledger.read() as conn:
        assert conn.execute(select(func.count()).select_from(case_file)).scalar_one() == 2


LISTS = {
    "the queue by due time": "SELECT id FROM case_file WHERE is_open = 1 ORDER BY due_us ASC NULLS LAST, id LIMIT 50",
    "the queue by urgency": "SELECT id FROM case_file WHERE is_open = 1 ORDER BY urgent DESC, opened_at, id LIMIT 50",
    "the oldest": "SELECT id FROM case_file WHERE is_open = 1 ORDER BY opened_at, id LIMIT 50",
    "a count": "SELECT count(*) FROM case_file WHERE is_open = 1 AND community IN ('c1', 'c2')",
    "a person's": "SELECT id FROM case_file WHERE resident_id = 'r1' ORDER BY opened_at DESC",
    "what is due": "SELECT case_id FROM case_timer WHERE due_us <= 1 ORDER BY due_us LIMIT 64",
    "a case's history": "SELECT * FROM case_event WHERE case_id = 'c' ORDER BY seq",
    "what is owed": "SELECT * FROM case_owed WHERE done_at IS NULL AND community IN ('c1')",
    "notices to send": "SELECT * FROM notice WHERE state = 'waiting' AND next_us <= 1 ORDER BY next_us",
    "the roster": "SELECT * FROM roster_line WHERE scope IN ('r1', 'c1') AND tier = 1",
    "a decision's appeal": "SELECT * FROM appeal WHERE decision_id = 'd'",
}


@pytest.mark.parametrize("name", sorted(LISTS))
def test_no_list_reads_the_whole_table(town: Town, name: str) -> None:
    with town.ledger.read() as conn:
        plan = [str(row.detail) for row in conn.execute(text("EXPLAIN QUERY PLAN " + LISTS[name]))]
    assert any("USING" in step and "INDEX" in step for step in plan), plan
    assert not any(step.startswith("SCAN") and "INDEX" not in step for step in plan), plan


def test_who_has_or_had_a_case_in_which_communities(either: Town) -> None:
    town, cases = either, store.CaseStore(either.ledger, either.bodies, either.rosters, either.clock)
    assert cases.people(None, None) == frozenset()
    for resident in ("r1", "r2"):
        town.take_in(town.find(resident))
    place = str(town.row(town.row_of("r1")).community)
    assert cases.people(["r1", "r3", "x\0", "' OR 1=1 --"], None) == {"r1"}
    assert cases.people([f"n{n}" for n in range(2_000)] + ["r2"], [place]) <= {"r2"}
    assert "r1" in cases.people(None, [place]) and cases.people(None, ["nowhere"]) == frozenset()
    assert cases.people(["r1"], []) == frozenset()
