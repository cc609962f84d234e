"""Policies: default deny, refusals that name what is missing, and apps that speak for themselves only."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cedarpy import policies_to_json_str
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from hucheng.base.catalogue import Catalogue
from hucheng.base.contracts import shipped
from hucheng.errors import BadRequest, Refused
from hucheng.gate import Policies, Principal, Read
from hucheng.gate.impersonal import impersonal
from hucheng.gate.judge import Judge
from hucheng.gate.policy import DEEDS, Facts, check

KINDS = ["resident", "carer", "officer", "auditor", "operator", "service"]
PURPOSES = ["self.access", "rights.journal", "cases.work", "cases.inspect", "audit.review", "city.statistics", ""]
BASE = Policies(shipped())


class NoApps:
    """Purposes of a house without apps."""

    changes = 0

    def policies(self) -> dict[str, str]:
        """None."""
        return {}


JUDGE = Judge(NoApps(), Catalogue(shipped()))  # type: ignore[arg-type]


def who(kind: str, *roles: str) -> Principal:
    return Principal("p", kind, "P", ("cn", "lj"), roles)  # type: ignore[arg-type]


def refused(kind: str, action: str, facts: Facts, dataset: str | None = "city.residents") -> Refused:
    with pytest.raises(Refused) as caught:
        BASE.decide(who(kind), action, dataset, facts)
    return caught.value


facts = st.builds(
    Facts,
    purpose=st.sampled_from(PURPOSES),
    person=st.just("R1"),
    **{
        name: st.booleans()
        for name in (
            "single",
            "own",
            "in_area",
            "mandate",
            "case",
            "case_about",
            "case_mine",
            "case_called",
            "case_known",
        )
    },
    scopes=st.lists(st.sampled_from(["rights.journal", "decisions.appeal"]), max_size=2).map(tuple),
)


def permitted(kind: str, action: str, fact: Facts) -> bool:
    """The house's rules for reading, said again in Python."""
    if action == "read":
        if fact.purpose in ("self.access", "rights.journal") and fact.own:
            return True
        if fact.purpose == "rights.journal":
            return fact.mandate and "rights.journal" in fact.scopes
        if fact.purpose == "cases.work":
            officer = kind == "officer" and (fact.in_area or not fact.single) and (fact.case_known or not fact.single)
            return officer or ((fact.case_called or fact.case_mine) and fact.case_about)
    if fact.purpose == "cases.inspect":
        return kind in ("operator", "auditor")
    return fact.purpose == "audit.review" and kind == "auditor"


@given(st.sampled_from(KINDS), st.sampled_from(["read", "bulk"]), facts)
@settings(deadline=None, max_examples=300)
def test_the_policies_permit_exactly_what_they_are_meant_to(kind: str, action: str, fact: Facts) -> None:
    try:
        assert BASE.decide(who(kind), action, "city.residents", fact)
        allowed = True
    except Refused as refusal:
        allowed = False
        assert refusal.details["policy"]
        assert refusal.details["needed"]
        assert refusal.details["needed_zh"]
    assert allowed == permitted(kind, action, fact)


CARRIED = ["cases.go", "cases.visit", "cases.hand_over", "cases.close"]
SHARED = ["cases.take", "cases.note", "cases.answer"]


@given(st.sampled_from(KINDS), st.sampled_from([*CARRIED, *SHARED]), facts)
@settings(deadline=None, max_examples=300)
def test_a_case_is_carried_by_who_has_it_or_an_officer_of_the_area(kind: str, action: str, fact: Facts) -> None:
    """Who was called may take it, note and answer; going, handing over and closing are not theirs."""
    officer = kind == "officer" and fact.in_area
    allowed = fact.case and (officer or fact.case_mine or (action in SHARED and fact.case_called))
    allowed |= officer and action in ("cases.note", "cases.answer")
    try:
        BASE.decide(who(kind), action, None, fact)
    except Refused:
        assert not allowed
    else:
        assert allowed


def test_a_refusal_names_only_what_is_missing() -> None:
    error = refused("resident", "read", Facts(purpose="rights.journal", mandate=True))
    assert error.details["policy"] in ("rights.journal.own", "rights.journal.mandate")
    error = refused("officer", "cases.take", Facts(in_area=True), None)
    assert (error.details["policy"], error.details["needed"]) == ("cases.answer-for", "an open case")
    assert error.details["needed_zh"] == "未结事项"


def test_a_deed_nobody_speaks_of_is_refused() -> None:
    for action in ("cases.fly", "", "read.everything", 'x" in resource'):
        assert refused("operator", action, Facts(), None).details["policy"] == "default.deny"


def test_every_deed_is_spoken_of_by_some_policy() -> None:
    named = {deed for permit in BASE._permits["base"] for deed in DEEDS if f'"{deed}"' in permit.scope}
    assert named == set(DEEDS)


GOOD = '@id("app.a") @needs("甲|a") permit (principal, action == Action::"read", resource) when { context.own };'


def test_an_apps_policies_hold_for_its_own_purposes_only() -> None:
    text = '@id("app.all") @needs("甲|a") permit (principal, action == Action::"read", resource) when { true };'
    policies = Policies(shipped(), {"app": text})
    fact = Facts(purpose="app.look")
    assert policies.decide(who("officer"), "read", "city.residents", fact, owner="app") == "app.all"
    for owner in ("base", "other"):
        with pytest.raises(Refused):
            policies.decide(who("officer"), "read", "city.residents", fact, owner=owner)


def test_an_app_cannot_open_deeds_that_are_not_its_own() -> None:
    text = '@id("app.all") @needs("甲|a") permit (principal, action, resource) when { true };'
    policies = Policies(shipped(), {"app": text})
    with pytest.raises(Refused):
        policies.decide(who("resident"), "requests.accept", None, Facts(), owner="app")


def test_a_forbid_wins_and_is_named() -> None:
    text = GOOD + '@id("app.never") forbid (principal, action, resource) when { principal.kind == "carer" };'
    policies = Policies(shipped(), {"app": text})
    with pytest.raises(Refused) as caught:
        policies.decide(who("carer"), "read", "city.residents", Facts(own=True), owner="app")
    assert caught.value.details["policy"] == "app.never"


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("permit (principal, action, resource", "do not parse"),
        (GOOD.replace("context.own", "context.colour"), "do not validate"),
        (GOOD.replace("context.own", 'context.own == "yes"'), "do not validate"),
        (GOOD.replace('"read"', '"reed"'), "do not validate"),
        (GOOD.replace('@id("app.a") ', ""), "@id"),
        (GOOD + GOOD, "@id"),
        (GOOD.replace("app.a", "self.access"), "named after its app"),
        (GOOD.replace("甲|a", "甲|a; 乙|b"), "@needs"),
        (GOOD.replace(" when { context.own }", "").replace('@needs("甲|a") ', ""), "no condition"),
        (GOOD.replace("principal,", "principal == ?principal,"), "emplate"),
    ],
)
def test_policies_that_do_not_hold_up_are_refused_with_the_reason(text: str, what: str) -> None:
    with pytest.raises(BadRequest, match=what):
        check("app", text, shipped())


def test_a_broken_policy_in_force_closes_that_apps_purposes_and_nothing_else(town: Any) -> None:
    town.purposes._policies["test"] = GOOD  # as if it had been accepted before a change of the schema
    town.purposes.enrol()
    town.purposes.accept("policies", "test", by="boss", assessment="Accepted although it is not named as it must be.")
    with pytest.raises(Refused) as caught:
        town.gate.look(town.who("li"), "test.respond", [Read("city.residents", "row")], case="c-1")
    assert caught.value.details["policy"] == "policies.valid"
    assert town.gate.look(town.who("chen"), "self.access", [Read("city.residents", "row")])[0]


PERSONAL = [
    'permit (principal == Principal::"p", action == Action::"read", resource) when {{ {same} }};',
    'permit (principal in Principal::"p", action == Action::"read", resource) when {{ {same} }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && principal == Principal::"p" }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && context.person == "R1" }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && context == context }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && [principal].contains(principal) }};',
]
SAME = [
    'permit (principal, action == Action::"read", resource) when {{ {same} && principal.kind == "officer" }};',
    'permit (principal in Org::"cn", action == Action::"read", resource) when {{ {same} && !context.own }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && principal in Org::"lj" }};',
    'permit (principal, action == Action::"read", resource) when {{ {same} && resource.kind == "register" }};',
]


@pytest.mark.parametrize(("text", "sees"), [*((t, True) for t in PERSONAL), *((t, False) for t in SAME)])
def test_a_policy_that_can_see_who_it_is_is_known_as_such(text: str, sees: bool) -> None:
    text = '@id("x.a")\n@needs("a|a")\n' + text.format(same='context.purpose == "x.look"')
    assert impersonal(*json.loads(policies_to_json_str(text))["staticPolicies"].values()) is not sees


def test_one_persons_permission_is_never_handed_to_another() -> None:
    """An app's policy that names somebody is decided anew for everybody."""
    text = (
        '@id("x.a")\n@needs("a|a")\npermit (principal, action == Action::"read", resource) '
        'when { context.purpose == "x.look" && context.person == "R1" };'
    )
    assert BASE.impersonal and not Policies(shipped(), {"x": text}).impersonal

    class Accepted:
        changes = 1

        def policies(self) -> dict[str, str]:
            return {"x": text}

    judge = Judge(Accepted(), Catalogue(shipped()))  # type: ignore[arg-type]
    facts = Facts(purpose="x.look", person="R1", single=True)
    assert judge.decide(who("officer"), "read", "city.residents", facts, "x") == "x.a"
    with pytest.raises(Refused):
        judge.decide(who("officer"), "read", "city.residents", structs.replace(facts, person="R2"), "x")


@given(st.sampled_from(KINDS), st.sampled_from(["read", "bulk"]), facts)
@settings(deadline=None, max_examples=200)
def test_what_is_kept_for_all_is_what_would_be_decided_for_each(kind: str, action: str, fact: Facts) -> None:
    def told(decide: Any) -> str | None:
        try:
            return str(decide())
        except Refused:
            return None

    other = structs.replace(who(kind), id="q", name="Q", resident_id="R2")
    told(lambda: JUDGE.decide(who(kind), action, "city.residents", fact, "base"))
    about = structs.replace(fact, person="R2")
    kept = told(lambda: JUDGE.decide(other, action, "city.residents", about, "base"))
    assert kept == told(lambda: BASE.decide(other, action, "city.residents", about))
