# ruff: noqa: E501
"""Who lives in the small city of the pages' tests, and what is known of them. Nobody here is real."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hucheng.apps import App
from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import load_contract
from hucheng.cases.views import CaseRow, Owed
from hucheng.gate import Principal

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
DEVICES.append(
    {
        **DEVICES[0],
        "device_id": "d-bed-2",
        "resident_id": "r-1002",
        "home_id": "h-502",
        "dataset": "home.bed",
        "kind": "mattress",
        "model": "BS-1",
    }
)
DECISIONS: list[dict[str, Any]] = [
    {"id": "d-1", "resident_id": "r-1001", "pack": "blood-pressure", "dataset": "home.blood_pressure", "device_id": "d-bp-1", "outcome": {"crisis": True}, "observed_at": NOW},
    {"id": "d-1", "resident_id": "r-1002", "pack": "device-silence", "dataset": "home.bed", "device_id": "d-bed-2", "outcome": {"silent": True}, "observed_at": NOW},
]  # fmt: skip
"""What the decisions behind the cases say to whoever responds."""
MANDATES = [
    {
        "mandate_id": "m-1",
        "carer": "p-chen",
        "carer_name": "陈静",
        "carer_phone": "10055550000",
        "resident_id": "r-1001",
        "scopes": ["readings.read", "cases.follow"],
        "valid_from": NOW - timedelta(days=30),
        "valid_to": NOW + timedelta(days=335),
    },
    {
        "mandate_id": "m-2",
        "carer": "p-chen",
        "resident_id": "r-1003",
        "scopes": ["cases.follow"],
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
