"""A small city with a desk: a ledger, keys, a roster, the care processes, and a clock that the test moves."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hucheng.base.keys import Keys
from hucheng.base.ledger import Ledger
from hucheng.cases.calendar import calendar
from hucheng.cases.clock import instant
from hucheng.cases.deeds import Deed, do
from hucheng.cases.handling import Handling, Place, due_timers, next_due
from hucheng.cases.history import History
from hucheng.cases.models import Models
from hucheng.cases.processes import load
from hucheng.cases.rosters import RosterLine, Rosters
from hucheng.cases.tables import case_event, case_file, case_timer
from hucheng.cases.views import Event
from hucheng.decisions import record
from hucheng.decisions.bodies import Bodies
from hucheng.decisions.findings import FactUsed, Finding, Reason, finding_id
from ledgers import ledger, ledger_url, postgres

__all__ = ["ledger", "ledger_url", "postgres"]

PROCESSES = Path(str(resources.files("hucheng.apps.care"))) / "processes"
PATH = ("cn", "lj", "d1", "c1")

ROSTER = [
    RosterLine("l-officer", "c1", 1, "李值班", who="officer-li", shifts=("day", "holiday")),
    RosterLine("l-night", "c1", 1, "王夜班", who="officer-wang", shifts=("night",)),
    RosterLine("l-daughter", "r1", 2, "张女儿", who="carer-zhang", phone="13800000000"),
    RosterLine("l-mobile", "d1", 3, "赵响应", who="officer-zhao"),
    RosterLine("l-emergency", "lj", 4, "应急值守", who="officer-qian"),
]


class Clock:
    """A clock that stands until it is told to move."""

    def __init__(self, at: datetime) -> None:
        self.at = at

    def __call__(self) -> datetime:
        return self.at

    def after(self, seconds: float) -> datetime:
        self.at += timedelta(seconds=seconds)
        return self.at


@dataclass
class Town:
    """Everything a test of cases works with."""

    ledger: Ledger
    keys: Keys
    bodies: Bodies
    rosters: Rosters
    handling: Handling
    clock: Clock
    findings: int = 0
    seen: list[str] = field(default_factory=list)

    def find(self, resident: str = "r1", rule: str = "bp_crisis", kind: str = "care.alarm", **more: Any) -> Finding:
        """A new finding, observed a second ago."""
        self.findings += 1
        at = more.pop("observed_at", self.clock() - timedelta(seconds=1, microseconds=self.findings))
        device = more.pop("device_id", f"bp-{resident}")
        return Finding(
            id=finding_id(rule, device, at),
            kind=kind,
            rule=rule,
            pack="blood-pressure",
            version="2023-06-01 1a2b3c4d",
            resident_id=resident,
            device_id=device,
            dataset="home.blood_pressure",
            outcome={"crisis": True, "grade": "3"},
            facts=[FactUsed("systolic_bp", 184, "mm[Hg]", at, "home.blood_pressure")],
            reasons=[Reason("systolic_bp", 184)],
            text={"zh": "收缩压 184 mmHg，达到危象界值", "en": "Systolic 184 mmHg: crisis"},
            basis="ESH 2023",
            observed_at=at,
            detected_at=self.clock(),
            **more,
        )

    def take_in(self, finding: Finding) -> tuple[str, bool]:
        """Decision and case in one transaction, as the steward does it."""
        with self.ledger.begin() as conn:
            decision, new = record.record(conn, self.bodies, finding, self.clock())
            return self.handling.open_or_join(conn, finding, decision, self.clock(), new=new)

    def poll(self) -> int:
        """Fire what is due now; returns how many."""
        with self.ledger.read() as conn:
            due = due_timers(conn, self.clock())
        for case_id, task in due:
            with self.ledger.begin() as conn:
                self.handling.fire(conn, [(case_id, task)], self.clock())
        return len(due)

    def act(self, case_id: str, action: str, who: tuple[str, str] = ("officer-li", "李值班"), **more: Any) -> None:
        with self.ledger.begin() as conn:
            do(conn, self.handling, case_id, Deed(action, who, **more), self.clock())  # type: ignore[arg-type]

    def row(self, case_id: str) -> Any:
        with self.ledger.read() as conn:
            return conn.execute(select(case_file).where(case_file.c.id == case_id)).one()

    def row_of(self, resident: str) -> str:
        """The id of a resident's open case."""
        with self.ledger.read() as conn:
            query = select(case_file.c.id).where(case_file.c.resident_id == resident, case_file.c.is_open)
            return str(conn.execute(query).scalar_one())

    def history(self, case_id: str) -> list[tuple[str, int | None]]:
        """What happened, with the tier where there is one."""
        with self.ledger.read() as conn:
            query = select(case_event.c.what, case_event.c.tier).where(case_event.c.case_id == case_id)
            return [(row.what, row.tier) for row in conn.execute(query.order_by(case_event.c.seq))]

    def said(self, case_id: str) -> list[Event]:
        """The opened lines of the history."""
        with self.ledger.read() as conn:
            return self.handling.history.read(conn, case_id, self.row(case_id).resident_id)

    def due(self) -> datetime | None:
        with self.ledger.read() as conn:
            return next_due(conn)

    def timers(self, case_id: str) -> list[tuple[str, datetime]]:
        with self.ledger.read() as conn:
            rows = conn.execute(select(case_timer).where(case_timer.c.case_id == case_id)).all()
        return [(row.step, instant(row.due_us)) for row in rows]


def town_on(ledger: Ledger, clock: Clock, roster: list[RosterLine] = ROSTER, **more: Any) -> Town:
    """A town on a ledger; a second one on the same ledger is the same town after a restart."""
    keys = Keys(ledger, more.pop("master", b"m" * 32), clock=clock)
    bodies = Bodies(keys)
    rosters = Rosters(keys, calendar("Asia/Shanghai"))
    handling = Handling(
        bodies=bodies,
        history=History(bodies),
        models=Models([load(path) for path in sorted(PROCESSES.glob("*.bpmn"))]),
        rosters=rosters,
        place_of=lambda resident: Place("c1", PATH, {"zh": "幸福里社区", "en": "Xingfu Li"}),
        place=lambda community: Place(community, PATH, {"zh": "幸福里社区", "en": "Xingfu Li"}),
        site="http://localhost:8640",
        **more,
    )
    with ledger.begin() as conn:
        rosters.put(conn, roster)
    return Town(ledger, keys, bodies, rosters, handling, clock)


@pytest.fixture
def clock(noon: datetime) -> Clock:
    """Monday 2026-03-02, 12:00 in Shanghai."""
    return Clock(noon + timedelta(days=1))


@pytest.fixture
def town(tmp_path: Path, clock: Clock) -> Iterator[Town]:
    """A town on SQLite."""
    ledger = Ledger(f"sqlite:///{tmp_path / 'ledger.db'}")
    yield town_on(ledger, clock)
    ledger.close()


def same(finding: Finding) -> Finding:
    """The finding as it comes again from the stream."""
    return msgspec.json.decode(msgspec.json.encode(finding), type=Finding)


def fresh_id() -> str:
    """Some new id."""
    return secrets.token_hex(6)


assert datetime(2026, 3, 2, tzinfo=UTC).weekday() == 0
