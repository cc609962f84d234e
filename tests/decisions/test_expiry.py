"""Decisions are kept as long as their contract says, and longer where an appeal or a case still needs them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import ColumnElement, Select, func, select, true

from hucheng.base.ledger import Ledger, picked
from hucheng.decisions import expiry, record
from hucheng.decisions.tables import appeal, decision

from .test_record import LI, NOW, Book, finding

DAY = timedelta(days=1)


@pytest.fixture
def book(ledger: Ledger) -> Book:
    """On SQLite and on PostgreSQL."""
    return Book(ledger)


def anybody(_: Any) -> ColumnElement[bool]:
    """No case stands on any."""
    return true()


def ended(book: Book, minute: int, at: datetime) -> str:
    """A decision whose time ran out then."""
    name, _ = book.record(finding(minute, expires_at=at))
    with book.ledger.begin() as conn:
        record.expire(conn, at)
    return name


def gone(book: Book, before: datetime) -> set[str]:
    """What goes, by the two steps: looked for, then dropped."""
    with book.ledger.read() as conn:
        found = expiry.past(conn, before, anybody, 100)
        all_of_them = set(conn.execute(select(decision.c.id)).scalars())
    with book.ledger.begin() as conn:
        assert expiry.drop(conn, list(all_of_them), before, anybody) >= len(found)
    with book.ledger.read() as conn:
        left = set(conn.execute(select(decision.c.id)).scalars())
    assert set(found) <= all_of_them - left
    return all_of_them - left


def appealed(book: Book, name: str, result: record.Result | None, at: datetime) -> None:
    with book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, record.get(conn, book.bodies, name, at), "r1", "袖带太松", at)
        if result is not None:
            of = record.get(conn, book.bodies, name, at)
            record.answer_appeal(conn, book.bodies, of, LI, "复测 128/82", result, at)


def test_what_ended_long_ago_goes_and_what_holds_or_ended_lately_stays(book: Book) -> None:
    old, edge, late = (ended(book, n, NOW + n * DAY) for n in (1, 2, 3))
    holds, _ = book.record(finding(9))
    assert gone(book, NOW + 2 * DAY) == {old, edge}
    assert gone(book, NOW + 2 * DAY) == set()
    assert book.get(late).state == "expired" and book.get(holds).state == "in_force"
    assert gone(book, NOW + 4000 * DAY) == {late}


def test_a_superseded_one_goes_and_the_one_in_its_place_stays_while_it_holds(book: Book) -> None:
    old, _ = book.record(finding())
    with book.ledger.begin() as conn:
        new = record.supersede(conn, book.bodies, old, finding(1), NOW + DAY)
    assert gone(book, NOW + DAY - timedelta(seconds=1)) == set()
    assert gone(book, NOW + DAY) == {old}
    assert book.get(new).state == "in_force"


def test_an_open_appeal_keeps_its_decision_until_it_is_answered_and_goes_with_it(book: Book) -> None:
    name = ended(book, 1, NOW + DAY)
    appealed(book, name, None, NOW + DAY)
    assert gone(book, NOW + 9 * DAY) == set()
    with book.ledger.begin() as conn:
        of = record.get(conn, book.bodies, name, NOW)
        record.answer_appeal(conn, book.bodies, of, LI, "已复核", "rejected", NOW + 2 * DAY)
    assert gone(book, NOW + 9 * DAY) == {name}
    with book.ledger.read() as conn:
        assert conn.execute(select(func.count()).select_from(appeal)).scalar_one() == 0


def test_a_review_goes_with_the_decision_whose_place_it_took_and_not_before(book: Book) -> None:
    old, _ = book.record(finding())
    appealed(book, old, "upheld", NOW + DAY)
    review = str(book.get(old).superseded_by)
    assert gone(book, NOW + DAY - timedelta(seconds=1)) == set()
    appealed(book, review, None, NOW + DAY)  # what was answered is appealed against as well
    assert gone(book, NOW + 9 * DAY) == set()
    with book.ledger.begin() as conn:
        of = record.get(conn, book.bodies, review, NOW)
        record.answer_appeal(conn, book.bodies, of, LI, "仍然成立", "rejected", NOW + 2 * DAY)
    assert gone(book, NOW + 9 * DAY) == {old, review}


def test_finding_them_goes_by_an_index_and_taking_some_by_their_names(tmp_path: Path) -> None:
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    some = picked(decision.c.id, ["d-1", "d-2"])
    found, taken = (
        plan(ledger, select(of.c.id).where(*expiry.over(NOW, of)).order_by(of.c.ended_at)) for of in (decision, some)
    )
    ledger.close()
    assert "SEARCH decision USING INDEX ix_decision_expiry (ended_at<?)" in found, found
    assert "SEARCH decision USING INDEX sqlite_autoindex_decision_1 (id=?)" in taken, taken
    assert not any("SCAN decision" in step for step in found + taken)


def plan(ledger: Ledger, query: Select[Any]) -> list[str]:
    """How SQLite goes about a query."""
    compiled = query.compile(ledger.engine, compile_kwargs={"render_postcompile": True})
    with ledger.read() as conn:
        values = tuple("2026-01-01" for _ in compiled.positiontup or ())
        return [str(row[-1]) for row in conn.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)]
