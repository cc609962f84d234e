"""What the desk hands to whoever asks: a row of the queue, a whole case, a page, a task that is owed."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import msgspec

State = Literal["calling", "taken", "visiting", "closed"]
"""calling: nobody has it yet; taken: a named human has it; visiting: on the way or there; closed: handled."""

Action = Literal["take", "go", "visit", "hand_over", "note", "answer", "close"]
"""The deeds: take it; go (with minutes until arrival); visit (is there); hand it over (`to`: a principal's id); note;
answer (`to`: the id of what was owed); close (with an outcome)."""

OUTCOMES: dict[str, dict[str, str]] = {
    "helped_at_home": {"zh": "已在家中处置", "en": "Helped at home"},
    "to_hospital": {"zh": "已送医", "en": "Taken to hospital"},
    "doctor_told": {"zh": "已告知家庭医生", "en": "Family doctor told"},
    "well": {"zh": "平安，无需处置", "en": "Well, nothing needed"},
    "device_fixed": {"zh": "设备已修复或更换", "en": "Device repaired or replaced"},
    "false_alarm": {"zh": "误报", "en": "False alarm"},
    "not_reached": {"zh": "未能联系，已移交", "en": "Not reached, passed on"},
}
"""How a case may end."""


class CaseRow(msgspec.Struct):
    """One line of the queue. ``due_at``: when the next tier is called, or the promise runs out."""

    id: str
    kind: str
    rule: str
    resident_id: str
    title: dict[str, str]
    opened_at: datetime
    due_at: datetime | None
    state: State
    tier: int
    tier_name: dict[str, str]
    assigned_to: str | None
    assigned_name: str | None
    joined: int
    simulated: bool
    urgent: bool
    reasons: list[dict[str, Any]]
    text: dict[str, str]
    community: str
    version: int
    closed_at: datetime | None = None
    outcome: str | None = None


class Event(msgspec.Struct):
    """One line of a case's history. ``what`` is a stable word: opened, called, nobody, joined, taken, …"""

    at: datetime
    actor: str
    actor_name: str
    what: str
    text: dict[str, str]
    note: str | None = None


class Step(msgspec.Struct):
    """One step of the process, for a progress line."""

    id: str
    title: dict[str, str]
    state: Literal["done", "here", "ahead"]


class Shape(msgspec.Struct):
    """A box, circle or diamond of the diagram; x, y, width, height in the diagram's units."""

    id: str
    kind: Literal["start", "end", "task", "service", "gateway", "timer", "event"]
    title: dict[str, str]
    x: float
    y: float
    width: float
    height: float
    state: Literal["done", "here", "ahead"] = "ahead"
    label: tuple[float, float, float, float] | None = None


class Edge(msgspec.Struct):
    """A line of the diagram through its points (x, y)."""

    id: str
    source: str
    target: str
    points: list[tuple[float, float]]
    title: dict[str, str] = {}


class Diagram(msgspec.Struct):
    """The process as drawn by its author; ``here`` are the ids of the shapes where the case stands."""

    width: float
    height: float
    shapes: list[Shape]
    edges: list[Edge]
    here: list[str]


class Owed(msgspec.Struct):
    """An answer somebody is still owed. ``owner``: who promised it; None: whoever is at the desk.

    ``ready``: there is something to answer by now. ``title``, ``simulated``: of the case, where it is told.
    """

    id: str
    case_id: str
    kind: str
    to: str
    text: dict[str, str]
    since: datetime
    due_at: datetime
    owner: str | None
    owner_name: str | None
    community: str
    urgent: bool = False
    resident_id: str = ""
    ready: bool = True
    title: dict[str, str] = {}
    simulated: bool = False
    opened_at: datetime | None = None


class CaseView(msgspec.Struct):
    """A whole case: the row, its history, where it stands, who is on the way, what is owed.

    ``eta_minutes``: as promised when somebody set out, ``eta_at``: when that is over. ``tiers``: how many there are
    to climb; the last is called again and again.
    """

    row: CaseRow
    history: list[Event]
    decision_ids: list[str]
    steps: list[Step]
    diagram: Diagram
    eta_minutes: int | None
    responder: str | None
    owed: list[Owed]
    actions: list[str] = []
    eta_at: datetime | None = None
    tiers: int = 0


class CasePage(msgspec.Struct):
    """A page of the queue; ``version`` is what `Desk.changes` waits on."""

    cases: list[CaseRow]
    total: int
    version: int


class Counts(msgspec.Struct):
    """How many cases stand where; no person is named."""

    open: int
    calling: int
    urgent_calling: int
    by_kind: dict[str, int]
    opened: int
    not_delivered: int
    oldest_calling_s: float | None = None
