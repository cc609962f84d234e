# ruff: noqa: E501
"""A small city in memory, with the methods of the real services and the structs they hand out.

The pages' own promises (words, access, errors, keyboard, axe) are tested against it, in every state a page can be in,
also those a real node shows for a second only. That the real services keep these methods is tested in test_services.py.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from hucheng.apps import load_apps
from hucheng.decisions.findings import FactUsed, Reason
from hucheng.decisions.record import Appeal, Decision
from hucheng.errors import NotFound, Refused, Unavailable
from hucheng.gate import Principal, Purpose, Read, Request
from hucheng.gate.checkpoints import Checkpoint
from hucheng.gate.purposes import BASE
from hucheng.gate.rights import Line
from hucheng.gate.verify import Verified
from hucheng.portals.services import Persona, Services

from .fake_desk import FakeDesk
from .people import (
    AUDITOR,
    DAUGHTER,
    DECISIONS,
    DEVICES,
    HOMES,
    MANDATES,
    NOW,
    OFFICER,
    PEOPLE,
    PROFILES,
    WANG,
    ZHAO,
    catalogue,
    readings,
    row,
)

__all__ = ["AUDITOR", "DAUGHTER", "NOW", "OFFICER", "WANG", "ZHAO", "FakeCity", "Principal", "row"]


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

        told = Appeal("a-7", "d-7", "r-1003", NOW, "袖带太松")
        upheld = msgspec.structs.replace(told, id="a-8", decision_id="d-8", answered_at=NOW, answered_by=OFFICER.id, answer="复测正常", result="upheld")  # fmt: skip
        old = msgspec.structs.replace(self.decision, id="d-7", finding_id="f-7", appeal=told)
        self.more = {
            "d-7": old,
            "d-8": msgspec.structs.replace(old, id="d-8", state="superseded", superseded_by="d-9", appeal=upheld),
            "d-9": msgspec.structs.replace(
                old, id="d-9", facts=[], reasons=[], outcome={"replaces": "d-8"}, appeal=None
            ),
        }
        self.results: list[str] = []

    async def of_person(self, principal: Principal, resident_id: str, case: str | None = None) -> list[Decision]:
        self._desk._check()
        self._desk._may(principal, resident_id)
        return [self.decision] if resident_id == "r-1001" else []

    async def get(self, principal: Principal, decision_id: str, case: str | None = None) -> Decision:
        self._desk._check()
        if decision_id in self.more:
            self._desk._may(principal, "r-1001")
            return self.more[decision_id]
        if decision_id != self.decision.id:
            raise NotFound("there is no such decision, or not for you")
        self._desk._may(principal, self.decision.resident_id)
        return self.decision

    async def appeal(self, principal: Principal, decision_id: str, text: str) -> Appeal:
        said = Appeal("a-1", decision_id, principal.id, NOW, text)
        self.decision = msgspec.structs.replace(self.decision, appeal=said)
        return said

    async def answer(self, principal: Principal, decision_id: str, text: str, result: str) -> Appeal:
        self.results.append(result)
        if decision_id in self.more:
            return self.more[decision_id].appeal
        said = msgspec.structs.replace(self.decision.appeal, answered_at=NOW, answered_by=principal.id, answer=text)
        self.decision = msgspec.structs.replace(self.decision, appeal=said)
        return said


class FakeGate:
    """Registers and readings in dictionaries, with the two refusals that pages must show."""

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk
        self.looks: list[tuple[str, str, list[Read]]] = []
        self.mandates = list(MANDATES)

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
        if person is not None and purpose in ("self.access", "mandate.access"):
            self._desk._may(principal, person)
        if purpose == "care.respond":
            one = self._desk.cases[case or ""]
            if one.state == "closed":
                raise Refused(
                    "the case is closed", policy="care.respond.officer", needed="an open case", needed_zh="未结事项"
                )
        return [self._rows(principal, read) for read in reads]

    def _rows(self, principal: Principal, read: Read) -> list[dict[str, Any]]:
        where = dict(read.where)
        if read.kind in ("recent", "last"):
            return readings(where["resident_id"], read.dataset)
        tables = {
            "city.residents": [{"resident_id": r, **v} for r, v in PEOPLE.items()],
            "city.devices": DEVICES,
            "city.mandates": [m for m in self.mandates if m["valid_to"] is None or m["valid_to"] > NOW],
            "decisions.decisions": DECISIONS,
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
                purpose="mandate.access",
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
    """A node that is ready, but for one thing that it does not look for."""

    def __init__(self, desk: FakeDesk) -> None:
        self._desk = desk
        self.blind: list[dict[str, Any]] = [
            {
                "detector": "bed_exit",
                "title": {"zh": "夜间离床未归", "en": "Out of bed at night"},
                "why": "the purpose 'care.detect' was refused",
            }
        ]

    async def status(self) -> dict[str, Any]:
        self._desk._check()
        return {
            "status": "ready",
            "readings": {"received": 1_204_331, "accepted": 1_204_310, "duplicate": 12, "quarantined": 9, "lag_s": 0.2},
            "cases": {"open": 3},
            "parts": {name: {"state": "ready"} for name in ("broker", "intake", "steward", "web")},
            "blind": self.blind,
        }


class FakeEntering:
    """Registers that take mandates from an operator; ``gate`` shows them from then on."""

    def _check(self, principal: Principal) -> None:
        if principal.kind != "operator":
            raise Refused(
                "only an operator enters registers", policy="node.operate", needed="运维身份|to be an operator"
            )

    def __init__(self, gate: FakeGate) -> None:
        self._gate = gate

    async def register(self, principal: Principal, dataset: str, rows: list[dict[str, Any]], first: int = 1) -> int:
        self._check(principal)
        self._gate.mandates += [{**one, "valid_from": NOW, "valid_to": None} for one in rows]
        return len(rows)

    async def end(self, principal: Principal, what: str, rows: list[dict[str, Any]], first: int = 1) -> int:
        self._check(principal)
        ending = {one["mandate_id"] for one in rows}
        before = len(self._gate.mandates)
        self._gate.mandates = [one for one in self._gate.mandates if one["mandate_id"] not in ending]
        return before - len(self._gate.mandates)


class FakeCity:
    """Everything together; ``pushed`` is what went to the broker."""

    def __init__(self) -> None:
        self.apps = load_apps()
        self.pushed: list[tuple[str, dict[str, Any]]] = []
        self.turned_away: list[tuple[str, str | None, str | None]] = []
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
        self.entering = FakeEntering(self.gate)
        self.status = FakeStatus(self.desk)

    async def push(self, gateway: str, body: bytes) -> int:
        if self.line_down:
            raise Unavailable("the broker does not acknowledge", mend="try again")
        self.pushed.append((gateway, msgspec.json.decode(body)))
        return len(self.pushed)

    def services(self, **more: Any) -> Services:
        return Services(
            **{
                "desk": self.desk, "decisions": self.decisions, "gate": self.gate, "journal": self.journal, "people": FakePeople(), "entering": self.entering, "status": self.status,
                "push": self.push, "turned_away": lambda *told: self.turned_away.append(told), "catalogue": catalogue(self.apps), "secret": b"s" * 32, "clock": lambda: NOW, **more,
            }
        )  # fmt: skip
