# ruff: noqa: E501, SIM105
"""A small city in memory, with the methods of the real services and the structs they hand out.

The pages' own promises (words, access, errors, keyboard, axe) are tested against it, in every state a page can be in,
also those a real node shows for a second only. That the real services keep these methods is tested in test_services.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import msgspec

from hucheng.apps import App, load_apps
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import load_contract
from hucheng.cases.diagram import draw, stand
from hucheng.cases.rosters import Contact
from hucheng.cases.views import CasePage, CaseRow, CaseView, Counts, Diagram, Event, Owed, Step
from hucheng.decisions.findings import FactUsed, Reason
from hucheng.decisions.record import Appeal, Decision
from hucheng.errors import CaseError, NotFound, Refused, Unavailable
from hucheng.gate import Principal, Purpose, Read, Request
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.purposes import BASE
from hucheng.gate.rights import Line
from hucheng.gate.verify import Verified
from hucheng.portals.services import Persona, Services

NOW = datetime(2026, 3, 1, 2, 30, tzinfo=UTC)
CITY = ("cn", "cn.province", "linjiang")
WANG = Principal("p-wang", "resident", "王秀兰", CITY, (), "r-1001")
ZHAO = Principal("p-zhao", "resident", "赵国华", CITY, (), "r-1004")
DAUGHTER = Principal("p-chen", "carer", "陈静", CITY, ())
OFFICER = Principal("p-li", "officer", "李敏", (*CITY, "linjiang.east"), ("duty",))
AUDITOR = Principal("p-xu", "auditor", "徐正", CITY, ())

PEOPLE: dict[str, dict[str, Any]] = {
    "r-1001": {
        "name": "王秀兰",
        "sex": "female",
        "born": "1944-05-12",
        "community": "东园社区",
        "address": "东园路 18 弄 3 号 502 室",
        "phone": "13800000001",
    },
    "r-1002": {
        "name": "赵国强",
        "sex": "male",
        "born": "1951-11-02",
        "community": "东园社区",
        "address": "东园路 22 弄 1 号 101 室",
        "phone": "13800000002",
    },
    "r-1004": {
        "name": "赵国华",
        "sex": "male",
        "born": "1953-03-09",
        "community": "东园社区",
        "address": "东园路 9 号",
        "phone": "13800000004",
    },
    "r-1003": {
        "name": "孙桂芳",
        "sex": "female",
        "born": "1938-01-20",
        "community": "西桥社区",
        "address": "西桥路 7 号 301 室",
        "phone": "13800000003",
    },
}
HOMES = {
    "r-1001": {
        "home_id": "h-501",
        "address": "东园路 18 弄 3 号 502 室",
        "door_code": "4827#",
        "key_holder": "周梅（邻居）",
        "key_holder_phone": "13900000011",
        "gateway_id": "g-east-1",
        "centre": "东园社区服务中心",
    },
}
PROFILES = {
    "r-1001": {
        "conditions": ["高血压", "2 型糖尿病"],
        "medication": ["氨氯地平 5 mg 每日一次", "二甲双胍 500 mg 每日两次"],
        "hypercapnic": False,
        "pregnant": False,
        "needs": ["听力不佳，请大声说话", "使用助行器"],
    },
}
DEVICES = [
    {
        "device_id": "d-bp-1",
        "resident_id": "r-1001",
        "home_id": "h-501",
        "gateway_id": "g-east-1",
        "dataset": "home.blood_pressure",
        "kind": "cuff",
        "model": "BP-2",
        "simulated": True,
        "commissioned_at": NOW - timedelta(days=90),
        "ended_at": None,
    },
    {
        "device_id": "d-help-1",
        "resident_id": "r-1001",
        "home_id": "h-501",
        "gateway_id": "g-east-1",
        "dataset": "home.help",
        "kind": "help_button",
        "model": "HB-1",
        "simulated": True,
        "commissioned_at": NOW - timedelta(days=90),
        "ended_at": None,
    },
    {
        "device_id": "d-help-9",
        "resident_id": "r-1003",
        "home_id": "h-503",
        "gateway_id": "g-west-1",
        "dataset": "home.help",
        "kind": "help_button",
        "model": "HB-1",
        "simulated": True,
        "commissioned_at": NOW - timedelta(days=90),
        "ended_at": NOW - timedelta(days=2),
    },
]
MANDATES = [
    {
        "mandate_id": "m-1",
        "carer": "p-chen",
        "resident_id": "r-1001",
        "scopes": ["care.readings", "care.alarms"],
        "valid_from": NOW - timedelta(days=30),
        "valid_to": NOW + timedelta(days=335),
    },
    {
        "mandate_id": "m-2",
        "carer": "p-chen",
        "resident_id": "r-1003",
        "scopes": ["care.alarms"],
        "valid_from": NOW - timedelta(days=300),
        "valid_to": NOW - timedelta(days=1),
    },
]


def catalogue(apps: Sequence[App]) -> Catalogue:
    """Every contract of the base and of the apps."""
    import hucheng.base

    base = Path(hucheng.base.__file__).parent / "contracts_data"
    files = [*sorted(base.glob("*.yaml")), *(path for app in apps for path in app.contracts)]
    return Catalogue(load_contract(path) for path in files)


def row(case_id: str, resident: str, state: str = "calling", **more: Any) -> CaseRow:
    """A case."""
    given: dict[str, Any] = {
        "id": case_id,
        "kind": "care.alarm",
        "rule": "bp_crisis",
        "resident_id": resident,
        "title": {"zh": "血压危急", "en": "Blood pressure crisis"},
        "opened_at": NOW - timedelta(seconds=40),
        "due_at": NOW + timedelta(seconds=20),
        "state": state,
        "tier": 1,
        "tier_name": {"zh": "值班人员", "en": "Duty officer"},
        "assigned_to": None,
        "assigned_name": None,
        "joined": 0,
        "simulated": True,
        "urgent": True,
        "reasons": [{"fact": "systolic", "value": 192}, {"fact": "diastolic", "value": 104}],
        "text": {"zh": "血压达到危急值", "en": "The blood pressure is at a critical level"},
        "community": PEOPLE.get(resident, {}).get("community", "东园社区"),
        "version": 1,
    }
    return CaseRow(**{**given, **more})


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
            raise Refused("not your case", policy="self.access", needed="登录为本人|to be the resident herself")

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
            one, history, ["d-1"], steps, self._diagram(one), self.eta.get(one.id), one.assigned_name, owed, actions
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

    async def owed(self, principal: Principal) -> list[Owed]:
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

    async def counts(self) -> Counts:
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


OWED = Owed(
    "o-1",
    "c-2",
    "call_back",
    "陈静",
    {"zh": "告诉女儿陈静情况如何", "en": "Tell the daughter, Chen Jing, how it went"},
    NOW - timedelta(minutes=5),
    NOW + timedelta(minutes=25),
    None,
    None,
    "东园社区",
)


class FakeDecisions:
    """One decision about one person."""

    def __init__(self, down: FakeDesk) -> None:
        self._desk = down
        self.decision = Decision(
            id="d-1", finding_id="f-1", resident_id="r-1001", kind="care.alarm", rule="bp_crisis", pack="blood-pressure", version="2023-06-21+1a2b3c4d", dataset="home.blood_pressure", device_id="d-bp-1",
            outcome={"crisis": True},
            facts=[FactUsed("systolic", 192, "mm[Hg]", NOW - timedelta(minutes=1), "home.blood_pressure"), FactUsed("diastolic", 104, "mm[Hg]", NOW - timedelta(minutes=1), "home.blood_pressure")],
            reasons=[Reason("systolic", 192)],
            text={"zh": "血压达到危急值", "en": "The blood pressure is at a critical level"},
            basis="2023 ESH Guidelines", observed_at=NOW - timedelta(minutes=1), decided_at=NOW - timedelta(seconds=40), expires_at=None, simulated=True, urgent=True, state="in_force",
        )  # fmt: skip

    async def of_person(self, principal: Principal, resident_id: str, case: str | None = None) -> list[Decision]:
        self._desk._check()
        self._desk._may(principal, resident_id)
        return [self.decision] if resident_id == "r-1001" else []

    async def get(self, principal: Principal, decision_id: str, case: str | None = None) -> Decision:
        self._desk._check()
        if decision_id != self.decision.id:
            raise NotFound("there is no such decision, or not for you")
        self._desk._may(principal, self.decision.resident_id)
        return self.decision

    async def appeal(self, principal: Principal, decision_id: str, text: str) -> Appeal:
        said = Appeal("a-1", decision_id, principal.id, NOW, text)
        self.decision = msgspec.structs.replace(self.decision, appeal=said)
        return said

    async def answer(self, principal: Principal, decision_id: str, text: str) -> Appeal:
        said = msgspec.structs.replace(self.decision.appeal, answered_at=NOW, answered_by=principal.id, answer=text)
        self.decision = msgspec.structs.replace(self.decision, appeal=said)
        return said


class FakeGate:
    """Registers and readings in dictionaries, with the two refusals that pages must show."""

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk
        self.looks: list[tuple[str, str, list[Read]]] = []

    async def look(
        self,
        principal: Principal,
        purpose: str,
        reads: list[Read],
        *,
        case: str | None = None,
        person: str | None = None,
    ) -> list[list[dict[str, Any]]]:
        self._desk._check()
        self.looks.append((principal.id, purpose, reads))
        if person is not None and purpose in ("self.access", "care.family"):
            self._desk._may(principal, person)
        if purpose == "care.respond":
            one = self._desk.cases[case or ""]
            if one.state == "closed":
                raise Refused("the case is closed", policy="care.respond.officer", needed="未结事项|an open case")
        return [self._rows(principal, read) for read in reads]

    def _rows(self, principal: Principal, read: Read) -> list[dict[str, Any]]:
        where = dict(read.where)
        if read.kind in ("recent", "last"):
            return readings(where["resident_id"], read.dataset)
        tables = {
            "city.residents": [{"resident_id": r, **v} for r, v in PEOPLE.items()],
            "city.devices": DEVICES,
            "city.mandates": [m for m in MANDATES if m["valid_to"] > NOW],
            "care.homes": [{"resident_id": r, **v} for r, v in HOMES.items()],
            "care.profiles": [{"resident_id": r, **v} for r, v in PROFILES.items()],
        }

        def fits(row: dict[str, Any]) -> bool:
            return all(row.get(k) in v if isinstance(v, (list, tuple)) else row.get(k) == v for k, v in where.items())

        found = [row for row in tables.get(read.dataset, []) if fits(row)]
        return found[:1] if read.kind == "row" else found

    async def purposes(self) -> list[Purpose]:
        return [*BASE, *(purpose for app in load_apps() for purpose in app.purposes)]

    async def requests(self, principal: Principal) -> list[Request]:
        return [
            Request(
                "purpose", "care.respond", "care", "1a2b", "accepted", "bureau", NOW, "演示评估：只在事项未结时可见"
            ),
            Request("policies", "care", "care", "3c4d", "requested", None, NOW, None),
        ]


def readings(resident: str, dataset: str) -> list[dict[str, Any]]:
    """A week of blood pressure; nothing for any other dataset or person."""
    if dataset != "home.blood_pressure" or resident != "r-1001":
        return []
    rows = []
    for n in range(28):
        at = NOW - timedelta(hours=6 * n, minutes=7 * n)
        wave = (n * 37) % 17
        high = n == 0
        for metric, value, unit in (
            ("systolic_bp", 192 if high else 132 + wave, "mm[Hg]"),
            ("diastolic_bp", 104 if high else 78 + wave // 2, "mm[Hg]"),
            ("heart_rate", 88 if high else 66 + wave // 3, "/min"),
        ):
            rows.append(
                {
                    "resident_id": resident,
                    "device_id": "d-bp-1",
                    "metric": metric,
                    "observed_at": at,
                    "value": float(value),
                    "unit": unit,
                    "simulated": True,
                }
            )
    return rows


class FakeJournal:
    """Entries as the journal hands them out."""

    def __init__(self) -> None:
        self.broken: Exception | None = None

    def _entry(self, seq: int, **more: Any) -> Line:
        given: dict[str, Any] = {
            "seq": seq, "at": NOW - timedelta(minutes=seq), "principal": "p-li", "principal_name": "李敏", "principal_kind": "officer", "org": "linjiang.east",
            "purpose": "care.respond", "basis": "老年人权益保障法 第38条", "datasets": ("city.residents", "care.homes"), "fields": (("name",), ("address", "door_code")),
            "action": "read", "case": "c-1", "kind": "look", "result": "given", "policy": "care.respond.officer", "counts": {},
        }  # fmt: skip
        return Line(**{**given, **more})

    async def of_person(self, principal: Principal, resident_id: str, limit: int = 200) -> list[Line]:
        if resident_id != "r-1001":
            return []
        return [
            self._entry(41),
            self._entry(40, action="cases.take", kind="deed", datasets=()),
            self._entry(
                12,
                principal="node",
                principal_name="",
                principal_kind="service",
                purpose="care.detect",
                kind="standing",
                datasets=("home.blood_pressure",),
                case=None,
            ),
            self._entry(
                7,
                principal="p-chen",
                principal_name="陈静",
                principal_kind="carer",
                purpose="care.family",
                datasets=("home.blood_pressure",),
                case=None,
            ),
        ][:limit]

    async def heads(self, principal: Principal, limit: int = 100, before: int | None = None) -> list[Line]:
        return [self._entry(n) for n in range((before or 61) - 1, max((before or 61) - 1 - limit, 0), -1)]

    async def verify(self, principal: Principal) -> Verified:
        if self.broken:
            raise self.broken
        return Verified(60, bytes(range(32)).hex(), 3)

    async def checkpoints(self, principal: Principal, limit: int = 20) -> list[Checkpoint]:
        return [
            Checkpoint(
                3 - n,
                41 - 20 * n,
                60 - 20 * n,
                bytes(range(n, 32 + n)).hex(),
                "",
                "",
                (NOW - timedelta(hours=n)).isoformat(),
            )
            for n in range(3)
        ][:limit]


class FakePeople:
    """The demo's personas."""

    async def personas(self) -> list[Persona]:
        return [
            Persona(
                WANG,
                {"zh": "82 岁，独居", "en": "82, lives alone"},
                {"zh": "看看谁在路上、谁看过她的数据。", "en": "See who is coming, and who looked at her data."},
            ),
            Persona(ZHAO, {"zh": "74 岁", "en": "74"}, {"zh": "一切平安的样子。", "en": "What calm looks like."}),
            Persona(
                DAUGHTER,
                {"zh": "王秀兰的女儿，持有委托", "en": "Wang Xiulan's daughter, with a mandate"},
                {"zh": "照看母亲，回应告警。", "en": "Look after her mother, answer an alarm."},
            ),
            Persona(
                OFFICER,
                {"zh": "东园社区服务中心值班", "en": "On duty at the Dongyuan centre"},
                {"zh": "接手告警，安排上门。", "en": "Take an alarm, send somebody."},
            ),
            Persona(
                AUDITOR, {"zh": "审计局", "en": "Audit office"}, {"zh": "核对使用日志。", "en": "Check the journal."}
            ),
        ]

    async def places(self) -> dict[str, dict[str, str]]:
        return {"东园社区": {"zh": "东园社区", "en": "Dongyuan"}, "西桥社区": {"zh": "西桥社区", "en": "Xiqiao"}}

    async def of_claims(self, claims: dict[str, Any]) -> Principal:
        if claims.get("sub") == "li":
            return OFFICER
        raise Refused("nobody of this name may ask", policy="principal.known", needed="an entry as principal")


class FakeStatus:
    """A node that is ready."""

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk

    async def status(self) -> dict[str, Any]:
        self._desk._check()
        return {
            "status": "ready",
            "readings": {"received": 1_204_331, "accepted": 1_204_310, "duplicate": 12, "quarantined": 9, "lag_s": 0.2},
            "cases": {"open": 3},
            "parts": {name: {"state": "ready"} for name in ("broker", "intake", "steward", "web")},
        }


class FakeCity:
    """Everything together; ``pushed`` is what went to the broker."""

    def __init__(self) -> None:
        self.apps = load_apps()
        self.pushed: list[tuple[str, dict[str, Any]]] = []
        self.line_down = False
        self.desk = FakeDesk(
            [
                row("c-1", "r-1001"),
                row("c-2", "r-1003", "taken", assigned_to="p-li", assigned_name="李敏", opened_at=NOW - timedelta(minutes=6), due_at=NOW + timedelta(minutes=4), joined=2),
                row("c-3", "r-1002", "calling", kind="care.device", rule="device_silent", urgent=False, title={"zh": "床垫没有数据", "en": "Mattress is silent"}, reasons=[{"fact": "minutes_silent", "value": 190}], due_at=NOW - timedelta(minutes=3), opened_at=NOW - timedelta(minutes=20)),
                row("c-4", "r-1001", "closed", opened_at=NOW - timedelta(days=3), due_at=None, closed_at=NOW - timedelta(days=3), assigned_name="李敏", outcome="well"),
            ]
        )  # fmt: skip
        self.decisions = FakeDecisions(self.desk)
        self.gate = FakeGate(self.desk)
        self.journal = FakeJournal()

    async def push(self, gateway: str, body: bytes) -> int:
        if self.line_down:
            raise Unavailable("the broker does not acknowledge", mend="try again")
        self.pushed.append((gateway, msgspec.json.decode(body)))
        return len(self.pushed)

    def services(self, **more: Any) -> Services:
        return Services(
            **{
                "desk": self.desk, "decisions": self.decisions, "gate": self.gate, "journal": self.journal, "people": FakePeople(), "status": FakeStatus(self.desk),
                "push": self.push, "catalogue": catalogue(self.apps), "secret": b"s" * 32, "clock": lambda: NOW, **more,
            }
        )  # fmt: skip
