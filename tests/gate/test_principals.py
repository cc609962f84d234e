"""Principals and their places: one tree, paths that are true, areas that follow."""

from __future__ import annotations

from typing import Any

import pytest

from gate.gatekit import ORGS, PRINCIPALS
from hucheng.base.ledger import Ledger
from hucheng.errors import BadRequest, NotFound, Refused
from hucheng.gate import Org, Principal, Principals


@pytest.fixture
def people(ledger: Ledger) -> Principals:
    found = Principals(ledger)
    found.put_orgs(ORGS)
    found.put(PRINCIPALS, subjects={"li": "https://id.example|42"})
    return found


def test_they_are_found_by_id_by_sign_in_and_by_resident(people: Principals, ledger: Ledger) -> None:
    for reading in (people, Principals(ledger)):
        assert reading.get("li") == next(p for p in PRINCIPALS if p.id == "li")
        found = reading.by_subject("https://id.example|42")
        assert found is not None
        assert found.id == "li"
        assert reading.by_subject("https://id.example|43") is None
        assert reading.by_resident("R1", "resident") == reading.get("chen")
        assert reading.by_resident("R1", "carer") is None
        assert reading.by_resident("R4", "carer") == reading.get("wang")
    assert [p.id for p in people.all(kind="officer", role="duty")] == ["li", "zhao"]
    assert "zhou" in [p.id for p in people.all(org="lj")]


def test_an_area_is_the_place_and_all_below_and_a_departments_its_citys(people: Principals) -> None:
    assert people.area(people.get("li")) == {"east"}
    assert people.area(people.get("sun")) == {"lj", "east", "west", "bureau"}
    assert people.area(people.get("boss")) == {"lj", "east", "west", "bureau"}
    assert people.path("east") == ("cn", "lj", "east")


def test_a_tree_is_a_tree(people: Principals) -> None:
    with pytest.raises(BadRequest, match="not in the tree"):
        people.put_orgs([Org("x", "nowhere", "community", {})])
    with pytest.raises(BadRequest, match="below itself"):
        people.put_orgs([Org("lj", "east", "city", {})])
    with pytest.raises(BadRequest, match="no path"):
        people.put([Principal("x", "officer", "X", ("cn", "east"))])
    with pytest.raises(NotFound):
        people.org("nowhere")
    assert people.path("lj") == ("cn", "lj")


@pytest.mark.parametrize("reading", ["get", "warm"])
def test_who_leaves_while_she_is_read_is_not_kept_as_she_was(
    people: Principals, monkeypatch: pytest.MonkeyPatch, reading: str
) -> None:
    shaped = people._shaped

    def leaving(row: Any) -> Principal:
        monkeypatch.setattr(people, "_shaped", shaped)
        people.end("li")  # after her row was read, before it is remembered
        return shaped(row)

    monkeypatch.setattr(people, "_shaped", leaving)
    people.get("li") if reading == "get" else people.warm()
    with pytest.raises(Refused, match="ended"):
        people.get("li")


def test_a_place_that_moves_while_the_tree_is_read_is_found_where_it_is(
    people: Principals, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = people._load_orgs

    def moving(conn: Any) -> Any:
        monkeypatch.setattr(people, "_load_orgs", loaded)
        before = loaded(conn)
        people.put_orgs([Org("south", "lj", "community", {"en": "South"})])
        return before

    monkeypatch.setattr(people, "_load_orgs", moving)
    people.orgs()
    assert people.path("south") == ("cn", "lj", "south")


def test_a_changed_role_locks_nobody_out_and_revives_nobody(people: Principals) -> None:
    people.put([Principal("li", "officer", "李敏", ("cn", "lj", "east"), ("lead",))])
    found = people.by_subject("https://id.example|42")
    assert found is not None and found.roles == ("lead",)
    people.put([found], subjects={"li": "https://id.example|7"})
    assert people.by_subject("https://id.example|42") is None
    assert people.by_subject("https://id.example|7") == found

    people.end("li")
    people.put([Principal("li", "officer", "李敏", ("cn", "lj", "east"), ("duty",))])
    with pytest.raises(Refused, match="ended"):
        people.get("li")
    people.revive(["li"])
    assert people.get("li").roles == ("duty",)


def test_who_moves_or_leaves_is_so_at_once(people: Principals) -> None:
    people.put_orgs([Org("south", "lj", "community", {"en": "South"})])
    people.put([Principal("li", "officer", "李敏", ("cn", "lj", "south"))])
    assert people.area(people.get("li")) == {"south"}
    people.warm()
    people.end("li")
    with pytest.raises(Refused, match="ended"):
        people.get("li")
    assert "li" not in [p.id for p in people.all()]
    with pytest.raises(NotFound):
        people.end("nobody")
