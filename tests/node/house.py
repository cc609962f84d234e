"""A steward in one piece with the people around it, and a clock that a test moves. Not a test itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hucheng.cases.desk import Desk
from hucheng.decisions.findings import encode
from hucheng.decisions.office import Decisions
from hucheng.gate import JournalDesk, Principal
from hucheng.node.home.rooms import open_rooms
from hucheng.node.steward.enrolment import Enrolment
from hucheng.node.steward.entering import Entering
from hucheng.node.steward.process import Steward
from hucheng.settings import Settings

from .stewarding import a_finding


class Clock:
    """A wall clock that a test moves; the monotonic clock moves along. It begins after the city was made."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC).replace(hour=4, minute=0, second=0, microsecond=0) + timedelta(days=3)

    def __call__(self) -> datetime:
        return self.at

    def after(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class House:
    """A steward with its people at hand."""

    def __init__(self, settings: Settings) -> None:
        self.clock = Clock()
        self.steward = Steward(open_rooms(settings, clock=self.clock), self.clock, self._seconds)
        self.desk: Desk = self.steward.desk
        self.decisions: Decisions = self.steward.served["decisions"]  # type: ignore[assignment]
        self.journal: JournalDesk = self.steward.served["journal"]  # type: ignore[assignment]
        self.entering: Entering = self.steward.served["entering"]  # type: ignore[assignment]
        self.enrolment: Enrolment = self.steward.served["enrolment"]  # type: ignore[assignment]
        self.chen = self.who("chen-guilan")
        self.mother = str(self.chen.resident_id)

    def _seconds(self) -> float:
        return self.clock.at.timestamp()

    def who(self, name: str) -> Principal:
        return self.steward.rooms.principals.get(name)

    def find(self, *findings: Any) -> None:
        self.steward.duty.take([encode(one) for one in findings])

    def open_case(self, **more: Any) -> str:
        self.find(a_finding(self.mother, **more))
        [row] = self.desk.queue(self.who("li-min")).cases
        return row.id

    def after(self, seconds: float) -> None:
        self.clock.after(seconds)
        self.steward.duty.due()
