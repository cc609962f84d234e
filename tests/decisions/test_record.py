"""A decision is recorded once, keeps its facts and reasons, is superseded not changed, expires, and can be appealed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.decisions import record
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import FactUsed, Finding, Reason, decode, encode, finding_id
from hucheng.decisions.tables import appeal, decision
from hucheng.errors import BadRequest, CaseError, NotFound

NOW = datetime(2026, 3, 2, 4, tzinfo=UTC)
LI = ("officer", "李值班")


class Book:
    """A ledger with the record of decisions."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.keys = Keys(self.ledger, b"k" * 32, clock=lambda: NOW)
        self.bodies = Bodies(self.keys)

    def record(self, finding: Finding, now: datetime = NOW) -> tuple[str, bool]:
        with self.ledger.begin() as conn:
            return record.record(conn, self.bodies, finding, now)

    def get(self, name: str, now: datetime = NOW) -> record.Decision:
        with self.ledger.read() as conn:
            return record.get(conn, self.bodies, name, now)


@pytest.fixture
def book(ledger: Ledger) -> Book:
    """On SQLite and on PostgreSQL."""
    return Book(ledger)


def book_in(folder: Path) -> Book:
    """On SQLite, in a folder."""
    return Book(Ledger(f"sqlite:///{folder / 'ledger.db'}"))


def finding(minute: int = 0, **more: Any) -> Finding:
    at = NOW + timedelta(minutes=minute)
    given: dict[str, Any] = {
        "id": finding_id("bp_crisis", "bp-1", at),
        "kind": "care.alarm",
        "rule": "bp_crisis",
        "pack": "blood-pressure",
        "version": "2023-06-01 1a2b3c4d",
        "resident_id": "r1",
        "device_id": "bp-1",
        "dataset": "home.blood_pressure",
        "outcome": {"crisis": True, "grade": None},
        "facts": [FactUsed("systolic_bp", 184.5, "mm[Hg]", at, "home.blood_pressure"), FactUsed("pregnant", False)],
        "reasons": [Reason("systolic_bp", 184.5)],
        "text": {"zh": "收缩压 184.5", "en": "systolic 184.5"},
        "basis": "ESH 2023",
        "observed_at": at,
        "detected_at": at + timedelta(seconds=1),
    }
    return Finding(**{**given, **more})


def test_what_is_recorded_comes_back_whole(book: Book) -> None:
    one = finding(expires_at=NOW + timedelta(hours=1), simulated=True, urgent=False)
    name, new = book.record(one)
    found = book.get(name)
    assert new
    for field in ("rule", "pack", "version", "outcome", "facts", "reasons", "text", "basis", "observed_at"):
        assert getattr(found, field) == getattr(one, field), field
    assert (found.decided_at, found.expires_at, found.state) == (NOW, NOW + timedelta(hours=1), "in_force")
    assert (found.simulated, found.urgent, found.appeal) == (True, False, None)


def test_the_same_finding_is_recorded_once(book: Book) -> None:
    first = book.record(finding())
    assert book.record(finding(text={"zh": "别的", "en": "other"}), NOW + timedelta(days=1)) == (first[0], False)
    assert book.get(first[0]).text["en"] == "systolic 184.5"
    assert book.get(first[0]).decided_at == NOW


@settings(deadline=None)
@given(st.lists(st.integers(0, 5), max_size=12))
def test_redelivery_in_any_order_gives_one_decision_a_finding(
    tmp_path_factory: pytest.TempPathFactory, order: list[int]
) -> None:
    book = book_in(tmp_path_factory.mktemp("book"))
    for minute in order:
        book.record(finding(minute))
    with book.ledger.read() as conn:
        assert record.count(conn) == len(set(order))
    book.ledger.close()


def test_a_finding_survives_the_stream() -> None:
    assert decode(encode(finding())) == finding()


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'{"id": 1}', b"\xff", encode(finding())[:-5]])
def test_what_is_no_finding_is_refused(body: bytes) -> None:
    with pytest.raises((msgspec.ValidationError, msgspec.DecodeError)):
        decode(body)


def test_finding_ids_tell_rule_device_and_instant_apart() -> None:
    ids = {
        finding_id(rule, device, NOW + timedelta(microseconds=n))
        for rule in ("a", "b")
        for device in ("x", "y", None)
        for n in range(3)
    }
    assert len(ids) == 18
    shanghai = NOW.astimezone(ZoneInfo("Asia/Shanghai"))
    assert finding_id("a", "x", NOW) == finding_id("a", "x", shanghai)


def test_superseding_keeps_the_old_one_and_names_the_new(book: Book) -> None:
    old, _ = book.record(finding())
    with book.ledger.begin() as conn:
        new = record.supersede(conn, book.bodies, old, finding(1), NOW + timedelta(hours=1))
        assert record.supersede(conn, book.bodies, old, finding(1), NOW + timedelta(hours=2)) == new
        assert record.in_force(conn, "r1", "bp_crisis", NOW) == [new]
    assert (book.get(old).state, book.get(old).superseded_by) == ("superseded", new)
    assert book.get(old).facts == finding().facts
    assert book.get(new).state == "in_force"


@pytest.mark.parametrize("other", [finding(1, resident_id="r2"), finding(1, rule="help"), finding()])
def test_only_the_same_person_and_rule_can_be_superseded(book: Book, other: Finding) -> None:
    old, _ = book.record(finding())
    with pytest.raises(CaseError), book.ledger.begin() as conn:
        record.supersede(conn, book.bodies, old, other, NOW)
    assert book.get(old).state == "in_force"


def test_a_superseded_decision_is_not_superseded_twice(book: Book) -> None:
    old, _ = book.record(finding())
    with book.ledger.begin() as conn:
        record.supersede(conn, book.bodies, old, finding(1), NOW)
    with pytest.raises(CaseError, match="already"), book.ledger.begin() as conn:
        record.supersede(conn, book.bodies, old, finding(2), NOW)
    with pytest.raises(NotFound), book.ledger.begin() as conn:
        record.supersede(conn, book.bodies, "d-none", finding(2), NOW)


def test_a_decision_expires_by_time_even_before_it_is_swept(book: Book) -> None:
    end = NOW + timedelta(hours=1)
    name, _ = book.record(finding(expires_at=end))
    assert book.get(name, end - timedelta(seconds=1)).state == "in_force"
    assert book.get(name, end).state == "expired"
    with book.ledger.begin() as conn:
        assert record.expire(conn, end) == 1
        assert record.expire(conn, end) == 0
        assert record.in_force(conn, "r1", "bp_crisis", end) == []
    assert book.get(name, NOW).state == "expired"


def test_an_appeal_is_one_and_gets_one_answer(book: Book) -> None:
    name, _ = book.record(finding())
    with book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, book.get(name), "r1", " 量的时候刚爬完楼 ", NOW)
    said = book.get(name).appeal
    assert said is not None and said.text == "量的时候刚爬完楼" and said.answer is None
    with pytest.raises(CaseError), book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, book.get(name), "r1", "again", NOW)
    with book.ledger.begin() as conn:
        record.answer_appeal(conn, book.bodies, book.get(name), LI, "已复核", "rejected", NOW + timedelta(days=1))
    answered = book.get(name).appeal
    assert answered is not None and (answered.answer, answered.answered_by) == ("已复核", "officer")
    assert answered.result == "rejected" and book.get(name).state == "in_force"
    with pytest.raises(CaseError), book.ledger.begin() as conn:
        record.answer_appeal(conn, book.bodies, book.get(name), LI, "二次", "rejected", NOW)


def test_an_upheld_appeal_supersedes_the_decision_and_both_stay_readable(book: Book) -> None:
    old, _ = book.record(finding())
    before = book.get(old)
    with book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, before, "r1", "袖带太松", NOW)
    with book.ledger.begin() as conn:
        record.answer_appeal(conn, book.bodies, book.get(old), LI, "复测 128/82", "upheld", NOW)
    after = book.get(old)
    assert after.state == "superseded" and after.superseded_by is not None
    assert (after.outcome, after.facts, after.reasons, after.text) == (
        before.outcome, before.facts, before.reasons, before.text,
    )  # fmt: skip
    assert after.appeal is not None and after.appeal.result == "upheld"
    new = book.get(after.superseded_by)
    assert (new.resident_id, new.rule, new.state, new.facts) == ("r1", "bp_crisis", "in_force", [])
    assert new.outcome == {"appeal": "upheld", "replaces": old, "by": "officer", "why": "复测 128/82"}
    assert "李值班" in new.text["zh"] and "复测 128/82" in new.text["en"]
    with book.ledger.read() as conn:
        assert record.in_force(conn, "r1", "bp_crisis", NOW) == []


def test_an_answer_says_whether_the_appeal_was_right(book: Book) -> None:
    name, _ = book.record(finding())
    with book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, book.get(name), "r1", "袖带太松", NOW)
    with pytest.raises(BadRequest), book.ledger.begin() as conn:
        record.answer_appeal(conn, book.bodies, book.get(name), LI, "we will see", "perhaps", NOW)  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "  ", "x" * 4001])
def test_an_appeal_says_something_of_a_sane_length(book: Book, text: str) -> None:
    name, _ = book.record(finding())
    with pytest.raises(BadRequest), book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, book.get(name), "r1", text, NOW)


def test_an_answer_needs_an_appeal(book: Book) -> None:
    name, _ = book.record(finding())
    with pytest.raises(NotFound), book.ledger.begin() as conn:
        record.answer_appeal(conn, book.bodies, book.get(name), LI, "x", "rejected", NOW)


def test_a_persons_decisions_come_latest_first_and_nobody_elses(book: Book) -> None:
    for minute in range(3):
        book.record(finding(minute), NOW + timedelta(minutes=minute))
    book.record(finding(9, resident_id="r2"))
    with book.ledger.read() as conn:
        mine = record.of_person(conn, book.bodies, "r1", NOW)
    assert [one.decided_at.minute for one in mine] == [2, 1, 0]


def test_the_ledger_file_holds_no_health_value_in_clear(tmp_path: Path) -> None:
    book = book_in(tmp_path)
    book.record(finding())
    book.ledger.scrub()
    raw = Path(str(book.ledger.url.database)).read_bytes()
    assert "收缩压".encode() not in raw and b"184.5" not in raw


def test_erasing_leaves_that_there_was_a_decision_and_nothing_of_whom_or_what(book: Book) -> None:
    name, _ = book.record(finding())
    with book.ledger.begin() as conn:
        record.file_appeal(conn, book.bodies, book.get(name), "r1", "nein", NOW)
    with book.ledger.begin() as conn:
        assert record.erase(conn, "r1") == 1
        book.keys.destroy("r1", conn=conn)
    found = book.get(name)
    assert (found.resident_id, found.facts, found.reasons, found.device_id) == ("erased", [], [], None)
    assert found.text["en"] == "Erased by law"
    with book.ledger.read() as conn:
        assert record.of_person(conn, book.bodies, "r1", NOW) == []
        assert conn.execute(select(appeal.c.body, appeal.c.by)).one() == (None, "erased")
        assert conn.execute(select(decision.c.body)).scalar_one() is None


def test_a_destroyed_key_alone_already_closes_the_body(book: Book) -> None:
    name, _ = book.record(finding())
    with book.ledger.begin() as conn:
        book.keys.destroy("r1", conn=conn)
    assert book.get(name).text["en"] == "Erased by law"
