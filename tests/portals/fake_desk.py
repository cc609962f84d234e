# ruff: noqa: SIM105
"""The desk of the small city: cases in a dictionary, with the methods of the real desk."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from xml.etree import ElementTree

import msgspec

from hucheng.apps import load_apps
from hucheng.cases.diagram import draw, stand
from hucheng.cases.rosters import Contact
from hucheng.cases.views import CasePage, CaseRow, CaseView, Counts, Diagram, Event, Owed, Step
from hucheng.errors import CaseError, NotFound, Refused, Unavailable
from hucheng.gate import Principal

from .people import MANDATES, NOW, OWED


class FakeDesk:
    """The desk over a dictionary of cases."""

    def __init__(self, cases: Sequence[CaseRow]) -> None:
        self.cases = {one.id: one for one in cases}
        self.version = 1
        self.down = False
        self.notes: dict[str, list[Event]] = {}
        self.eta: dict[str, int] = {}
        self._changed = asyncio.Event()

    def _check(self) -> None:
        if self.down:
            raise Unavailable("the steward does not answer", where="run/steward.sock", mend="is the node running?")

    def _may(self, principal: Principal, resident: str) -> None:
        own = principal.resident_id == resident
        mandate = any(
            m["carer"] == principal.id and m["resident_id"] == resident and m["valid_to"] > NOW for m in MANDATES
        )
        if not (principal.kind == "officer" or own or mandate):
            raise Refused(
                "not your case", policy="self.access", needed="to be the resident herself", needed_zh="登录为本人"
            )

    async def queue(
        self,
        principal: Principal,
        *,
        kind: str | None = None,
        open_only: bool = True,
        limit: int = 50,
        offset: int = 0,
        order: str = "due",
    ) -> CasePage:
        self._check()
        found = [
            c for c in self.cases.values() if (not kind or c.kind == kind) and (not open_only or c.state != "closed")
        ]
        found.sort(
            key=lambda c: (c.due_at or c.opened_at + timedelta(days=9)) if order == "due" else -c.opened_at.timestamp()
        )
        return CasePage(found[offset : offset + limit], len(found), self.version)

    async def case(self, principal: Principal, case_id: str) -> CaseView:
        self._check()
        if case_id not in self.cases:
            raise NotFound("there is no such case, or not for you")
        one = self.cases[case_id]
        self._may(principal, one.resident_id)
        return self._view(one, principal)

    def _view(self, one: CaseRow, principal: Principal) -> CaseView:
        history = [
            Event(
                one.opened_at,
                "service",
                "",
                "opened",
                {"zh": "血压计读数触发告警", "en": "A reading of the cuff raised the alarm"},
            ),
            Event(
                one.opened_at + timedelta(seconds=1),
                "service",
                "",
                "called",
                {"zh": "已呼叫：值班人员", "en": "Called: duty officer"},
            ),
            *self.notes.get(one.id, []),
        ]
        owed = [] if one.state in ("calling", "closed") else [OWED]
        steps = [
            Step("call", {"zh": "呼叫", "en": "Call"}, "here" if one.state == "calling" else "done"),
            Step("visit", {"zh": "上门", "en": "Visit"}, "here" if one.state == "visiting" else "ahead"),
            Step("close", {"zh": "办结", "en": "Close"}, "done" if one.state == "closed" else "ahead"),
        ]
        actions = {
            "calling": ["take", "note"],
            "taken": ["go", "visit", "hand_over", "note", "answer", "close"],
            "visiting": ["visit", "hand_over", "note", "answer", "close"],
            "closed": [],
        }[one.state]
        if principal.kind == "resident":
            actions = []
        return CaseView(
            one,
            history,
            {"c-2": ["d-7", "d-8", "d-9"]}.get(one.id, ["d-1"]),
            steps,
            self._diagram(one),
            self.eta.get(one.id),
            one.assigned_name,
            owed,
            actions,
            NOW + timedelta(minutes=self.eta[one.id]) if self.eta.get(one.id) else None,
            4,
        )

    def _diagram(self, one: CaseRow) -> Diagram:
        for app in load_apps():
            if one.kind in app.processes:
                path = app.process(one.kind)
                drawing = draw(ElementTree.parse(path).getroot(), str(path))
                tasks = [shape.id for shape in drawing.shapes if shape.kind in ("task", "service")]
                return stand(drawing, tasks[:1], tasks[1:2])
        return Diagram(0, 0, [], [], [])

    async def act(
        self,
        principal: Principal,
        case_id: str,
        action: str,
        note: str | None = None,
        to: str | None = None,
        outcome: str | None = None,
        eta_minutes: int | None = None,
    ) -> CaseView:
        self._check()
        one = self.cases[case_id]
        self._may(principal, one.resident_id)
        if action == "take" and one.state != "calling":
            raise CaseError("somebody has it already", where=case_id, mend="look at the case again")
        states = {"take": "taken", "go": "visiting", "visit": "visiting", "close": "closed"}
        self.cases[case_id] = msgspec.structs.replace(
            one,
            state=states.get(action, one.state),
            assigned_to=principal.id,
            assigned_name=principal.name,
            due_at=NOW + timedelta(minutes=eta_minutes or 10),
            outcome=outcome,
            version=one.version + 1,
        )
        if action in ("go", "visit"):
            self.eta[case_id] = eta_minutes or 0
        said = {
            "take": "接手",
            "go": "出发",
            "visit": "到达",
            "close": "办结",
            "note": "记录",
            "hand_over": "移交",
            "answer": "答复",
        }[action]
        event = Event(NOW, principal.id, principal.name, action, {"zh": said, "en": action.replace("_", " ")}, note)
        self.notes.setdefault(case_id, []).append(event)
        self.touch()
        return self._view(self.cases[case_id], principal)

    def touch(self) -> None:
        self.version += 1
        self._changed.set()

    async def owed_count(self, principal: Principal) -> int:
        return len(await self.owed(principal))

    async def owed(self, principal: Principal, limit: int = 50, offset: int = 0) -> list[Owed]:
        self._check()
        return [OWED]

    async def changes(self, since: int, timeout_s: float) -> int:
        self._check()
        if self.version <= since:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), timeout_s)
            except TimeoutError:
                pass
        self._check()
        return self.version

    async def of_person(self, principal: Principal, resident_id: str) -> list[CaseRow]:
        self._check()
        self._may(principal, resident_id)
        found = [c for c in self.cases.values() if c.resident_id == resident_id]
        return sorted(found, key=lambda c: c.opened_at, reverse=True)

    async def colleagues(self, principal: Principal, case_id: str) -> list[Contact]:
        return [Contact("l-2", "p-sun", "孙伟", 1, None, "zh", 1)]

    async def counts(self, principal: Principal | None = None) -> Counts:
        self._check()
        live = [c for c in self.cases.values() if c.state != "closed"]
        calling = [c for c in live if c.state == "calling"]
        kinds: dict[str, int] = {}
        for one in live:
            kinds[one.kind] = kinds.get(one.kind, 0) + 1
        return Counts(
            len(live),
            len(calling),
            sum(c.urgent for c in calling),
            kinds,
            len(self.cases),
            0,
            40.0 if calling else None,
        )
