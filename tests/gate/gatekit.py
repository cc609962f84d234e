"""A small city behind a gate: two communities, forty residents, their readings in a lake, and an app that asks."""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
from msgspec import structs

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import Contract, Field, Metric, Use, shipped
from hucheng.base.keys import Keys
from hucheng.base.lake import Lake
from hucheng.base.ledger import Ledger
from hucheng.base.readings import READINGS
from hucheng.base.registers import Registers
from hucheng.gate import CaseFacts, Gate, Journal, JournalDesk, Org, Principal, Principals, Purpose, Purposes

NOW = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
ASSESSED = "Seen by the bureau: little data, for a short time, and nobody is worse off."
PULSE = "test.pulse"
KINDS = {"seq": "integer", "value": "number", "simulated": "boolean"}


def field(name: str) -> Field:
    kind = "timestamp" if name.endswith("_at") else KINDS.get(name, "string")
    return Field(name, kind, "sensitive" if name == "value" else "personal", True, {"en": name})


def pulse() -> Contract:
    """Readings of a pulse, and what the test's purposes may see of them."""
    names = tuple(READINGS.names)
    uses = [
        Use("self.access", names),
        Use("test.respond", ("resident_id", "metric", "observed_at", "value", "unit")),
        Use("test.watch", ("resident_id", "device_id", "metric", "observed_at", "value")),
        Use("test.careful", ("resident_id", "value"), where="value >= 60 AND NOT simulated"),
        Use(
            "test.rows",
            ("resident_id", "observed_at", "value"),
            "value < 200",
            {"observed_at": "date_trunc('hour', observed_at)"},
        ),
        Use(
            "test.groups",
            ("metric", "observed_at", "value"),
            None,
            {"observed_at": "date_trunc('day', observed_at)"},
            5,
        ),
    ]
    return Contract(
        id=PULSE,
        version="1.0.0",
        kind="observation",
        owner="test",
        title={"en": "Pulse"},
        fields=tuple(field(name) for name in names),
        key=("device_id", "metric", "observed_at"),
        person="resident_id",
        retention=timedelta(days=365),
        freshness=timedelta(minutes=10),
        metrics={"pulse": Metric("pulse", "/min", 20, 300)},
        uses={use.purpose: use for use in uses},
        hot=timedelta(days=2),
    )


def purpose(name: str, *kinds: str, **more: Any) -> Purpose:
    return Purpose(name, {"zh": name, "en": name}, "PIPL 13", "test.owner", kinds, **more)


PURPOSES = (
    purpose("test.respond", "officer", "carer", needs_case=True),
    purpose("test.family", "carer"),
    purpose("test.watch", "service", standing=True),
    purpose("test.careful", "officer", "service", standing=True),
    purpose("test.rows", "officer"),
    purpose("test.groups", "officer"),
    purpose("test.brief", "officer", ends=date(2026, 3, 1)),
)
POLICIES = """
@id("test.respond")
@needs("用途|the purpose test.respond; 未结|an open case; 该居民|the resident of that case; 辖区|the officer's own area, or to have been called")
permit (principal, action == Action::"read", resource)
when { context.purpose == "test.respond" }
when { context.case }
when { context.case_about }
when { context.in_area || context.case_called };

@id("test.family")
@needs("用途|the purpose test.family; 有效委托|a mandate in force; 委托范围|a mandate that covers readings")
permit (principal, action == Action::"read", resource)
when { context.purpose == "test.family" }
when { context.mandate }
when { context.scopes.contains("readings") };

@id("test.watch")
@needs("用途|the purpose test.watch or test.careful; 服务|to be a service")
permit (principal, action == Action::"stand", resource)
when { ["test.watch", "test.careful"].contains(context.purpose) }
when { principal.kind == "service" };

@id("test.bulk")
@needs("用途|a purpose for many people")
permit (principal, action == Action::"bulk", resource)
when { ["test.rows", "test.groups", "test.careful"].contains(context.purpose) };

@id("test.careful.read")
@needs("用途|the purpose test.careful or test.brief")
permit (principal, action == Action::"read", resource)
when { ["test.careful", "test.brief"].contains(context.purpose) };

@id("test.bell")
@needs("工作人员|to be an officer")
permit (principal, action == Action::"test.ring", resource)
when { principal.kind == "officer" };
"""  # noqa: E501 - Cedar has no line breaks in texts
ORGS = [
    Org("cn", None, "nation", {"zh": "中国", "en": "China"}),
    Org("lj", "cn", "city", {"zh": "临江", "en": "Linjiang"}),
    Org("east", "lj", "community", {"zh": "东", "en": "East"}),
    Org("west", "lj", "community", {"zh": "西", "en": "West"}),
    Org("bureau", "lj", "department", {"zh": "数据局", "en": "Data bureau"}),
]
PRINCIPALS = [
    Principal("chen", "resident", "陈桂兰", ("cn", "lj", "east"), (), "R1"),
    Principal("zhang", "resident", "张", ("cn", "lj", "west"), (), "R2"),
    Principal("wang", "carer", "王丽娟", ("cn", "lj", "west"), (), "R4"),
    Principal("li", "officer", "李敏", ("cn", "lj", "east"), ("duty",)),
    Principal("zhao", "officer", "赵", ("cn", "lj", "west"), ("duty",)),
    Principal("sun", "officer", "孙", ("cn", "lj"), ("analyst",)),
    Principal("zhou", "auditor", "周静", ("cn", "lj"), ()),
    Principal("op", "operator", "运维", ("cn", "lj"), ()),
    Principal("boss", "officer", "局", ("cn", "lj", "bureau"), ("bureau",)),
    Principal("node", "service", "node", ("cn", "lj"), ()),
]
PEOPLE = 40


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> None:
        self.now += timedelta(**span)


class Cases:
    """The room of cases, as far as the gate sees it."""

    def __init__(self) -> None:
        self.held: dict[str, CaseFacts] = {
            "c-1": CaseFacts("c-1", "test.alarm", "R1", True, None, "east", ("wang",)),
            "c-2": CaseFacts("c-2", "test.alarm", "R2", True, None, "west"),
            "c-0": CaseFacts("c-0", "test.alarm", "R1", False, None, "east"),
        }

    def is_open(self, case_id: str) -> CaseFacts | None:
        return self.held.get(case_id)

    def people(self, residents: Collection[str] | None, communities: Collection[str] | None) -> frozenset[str]:
        held = [one for one in self.held.values() if communities is None or one.org in communities]
        return frozenset(one.resident_id for one in held if residents is None or one.resident_id in residents)


class City:
    """Everything behind the gate."""

    def __init__(self, ledger_url: str, journal_url: str, home: Path) -> None:
        self.home = home
        self.clock = Clock()
        self.cases = Cases()
        self.catalogue = Catalogue([*(_with_test_uses(one) for one in shipped()), pulse()])
        self.ledger = Ledger(ledger_url)
        self.keys = Keys(self.ledger, bytes(32), clock=self.clock)
        self.registers = Registers(self.ledger, self.keys, self.catalogue, clock=self.clock)
        self.principals = Principals(self.ledger, clock=self.clock)
        self.purposes = Purposes(self.ledger, self.catalogue, clock=self.clock)
        self.lake = Lake(home / "lake")
        self.journal_url = journal_url
        self.file = home / "checkpoints.jsonl"
        self.journal = Journal(journal_url, self.keys, self.file, clock=self.clock)
        self.gate = self.gate_with()
        self.desk = JournalDesk(self.gate, self.journal, self.keys, clock=self.clock)

    def gate_with(self, **more: Any) -> Gate:
        given: dict[str, Any] = {
            "catalogue": self.catalogue,
            "registers": self.registers,
            "keys": self.keys,
            "principals": self.principals,
            "purposes": self.purposes,
            "journal": self.journal,
            "lake": self.lake,
            "cases": self.cases,
            "clock": self.clock,
        }
        return Gate(**{**given, **more})

    def settle(self) -> None:
        """People move in, the bureau accepts what the test's app asks for."""
        self.principals.put_orgs(ORGS)
        self.principals.put(PRINCIPALS)
        self.purposes.declare("test", PURPOSES, POLICIES)
        for one in self.purposes.enrol():
            self.purposes.accept(one.kind, one.id, by="boss", assessment=ASSESSED)
        self.registers.put("city.residents", [resident(n) for n in range(1, PEOPLE + 1)])
        self.registers.put(
            "city.devices",
            [
                {
                    "device_id": f"d{n}", "resident_id": f"R{n}", "home_id": f"h{n}", "gateway_id": "gw",
                    "dataset": PULSE, "kind": "watch", "simulated": True, "commissioned_at": NOW,
                }
                for n in range(1, PEOPLE + 1)
            ],
        )  # fmt: skip
        self.lake.replace(PULSE, readings(), "test", 1)

    def who(self, name: str) -> Principal:
        return self.principals.get(name)

    def lines(self, name: str) -> list[Any]:
        """What the journal holds about a resident, newest first, without the reading of it."""
        return [
            line
            for line in self.desk.of_person(self.who(name), self.who(name).resident_id or "")
            if line.action != "journal.read"
        ]

    def close(self) -> None:
        self.gate.close()
        self.journal.close()
        self.ledger.close()


def resident(n: int) -> dict[str, Any]:
    return {
        "resident_id": f"R{n}",
        "name": f"居民{n}",
        "sex": "female" if n % 2 else "male",
        "born": date(1940 + n % 4, 1 + n % 12, 1),
        "community": "east" if n % 2 else "west",
        "grid": f"g{n % 3}",
        "address": f"柳树路 {n} 号",
        "phone": f"0{n}",
    }


def readings() -> pa.Table:
    rows = [
        {
            "resident_id": f"R{n}",
            "device_id": f"d{n}",
            "metric": "pulse",
            "observed_at": NOW - timedelta(hours=hour, minutes=n),
            "value": 50.0 + n + hour,
            "unit": "/min",
            "received_at": NOW,
            "seq": n * 100 + hour,
            "simulated": n % 10 == 0,
        }
        for n in range(1, PEOPLE + 1)
        for hour in range(10)
    ]
    return pa.Table.from_pylist(rows, READINGS)


def _with_test_uses(contract: Contract) -> Contract:
    """The base's contracts, with what the test's purposes may see of residents."""
    if contract.id != "city.residents":
        return contract
    more = [
        Use("test.respond", ("resident_id", "name", "address", "phone")),
        Use("test.family", ("resident_id", "name", "community")),
        Use("test.rows", ("resident_id", "community", "born"), None, {"born": "date_trunc('year', born)"}),
        Use("test.groups", ("community", "sex"), "community <> 'nowhere'", {}, 5),
        Use("test.watch", ("resident_id", "born", "phone")),
        Use("test.brief", ("resident_id", "name")),
        Use("test.careful", ("resident_id", "address")),
    ]
    return structs.replace(contract, uses={**contract.uses, **{use.purpose: use for use in more}})
