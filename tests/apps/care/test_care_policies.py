"""What care's policies open, and what they say would be needed where they do not."""

from __future__ import annotations

from typing import Any

import pytest

from hucheng.apps.care.app import app
from hucheng.base.contracts import load_folder, shipped
from hucheng.errors import Refused
from hucheng.gate import Policies, Principal
from hucheng.gate.policy import Facts

POLICIES = Policies([*shipped(), *load_folder(app.folder / "contracts")], {app.name: app.policies})
PATH = ("cn", "linjiang", "c0001")
OFFICER = Principal("li", "officer", "李", PATH, ("duty",))
CARER = Principal("wang", "carer", "王", PATH)
SERVICE = Principal("service:intake", "service", "intake", PATH)
AUDITOR = Principal("zhou", "auditor", "周", PATH)


def asked(who: Principal, action: str, dataset: str, purpose: str, **facts: Any) -> str:
    """The permitting policy, or the policy that refused and what it needs."""
    try:
        return POLICIES.decide(who, action, dataset, Facts(purpose=purpose, **facts), owner="care")
    except Refused as no:
        return f"refused by {no.details['policy']}: {no.details['needed']}"


CASE = {"person": "r1", "single": True, "case": True, "case_about": True, "case_kind": "care.alarm"}


def test_detection_is_for_the_nodes_services() -> None:
    assert asked(SERVICE, "stand", "home.blood_pressure", "care.detect") == "care.detect"
    assert "service" in asked(OFFICER, "stand", "home.blood_pressure", "care.detect")
    assert "refused" in asked(SERVICE, "bulk", "home.blood_pressure", "care.detect")


@pytest.mark.parametrize("how", ["in_area", "case_called", "case_mine"])
def test_a_responder_sees_the_resident_of_the_open_case(how: str) -> None:
    for dataset in ("care.profiles", "care.homes", "city.residents", "home.blood_pressure"):
        assert asked(OFFICER, "read", dataset, "care.respond", **CASE, **{how: True}) == "care.respond.officer"


@pytest.mark.parametrize(
    ("change", "needed"),
    [
        ({"case": False}, "an open case"),
        ({"case_about": False}, "the resident of that case only"),
        ({"in_area": False}, "own area"),
        ({"case_kind": "services.application"}, "a care alarm"),
        ({"case_kind": "care.device"}, "a care alarm"),
    ],
)
def test_nothing_of_a_profile_without_her_open_alarm_in_ones_area(change: dict[str, Any], needed: str) -> None:
    answer = asked(OFFICER, "read", "care.profiles", "care.respond", **{**CASE, "in_area": True, **change})
    assert answer.startswith("refused by care.respond.officer")
    assert needed in answer


def test_device_trouble_opens_the_door_but_not_the_profile() -> None:
    facts = {**CASE, "in_area": True, "case_kind": "care.device"}
    assert asked(OFFICER, "read", "care.homes", "care.respond", **facts) == "care.respond.officer"
    assert "refused" in asked(OFFICER, "read", "care.profiles", "care.respond", **facts)


@pytest.mark.parametrize(
    ("dataset", "scopes", "policy"),
    [
        ("care.homes", (), "mandate.access.registers"),
        ("home.bed", ("readings.read",), "mandate.access.readings"),
        ("home.bed", ("cases.follow",), None),
        ("home.bed", (), None),
    ],
)
def test_a_carer_sees_as_far_as_the_mandate_goes(dataset: str, scopes: tuple[str, ...], policy: str | None) -> None:
    facts: dict[str, Any] = {"person": "r1", "single": True, "scopes": scopes}
    answer = asked(CARER, "read", dataset, "mandate.access", mandate=True, **facts)
    assert answer == policy if policy else answer.startswith("refused by mandate.access.readings")
    assert "a mandate from this resident" in asked(CARER, "read", dataset, "mandate.access", mandate=False, **facts)


def test_no_other_purpose_and_no_bulk_comes_in_by_these_policies() -> None:
    for who in (OFFICER, CARER, SERVICE, AUDITOR):
        for purpose in ("care.respond", "mandate.access", "care.detect", "cases.inspect"):
            if (who.kind, purpose) != ("auditor", "cases.inspect"):
                assert "refused" in asked(who, "bulk", "care.profiles", purpose, mandate=True, in_area=True, **CASE)
