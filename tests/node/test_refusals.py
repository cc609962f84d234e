"""Whatever is refused on the socket is in the journal, once: also where no policy was ever asked."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from hucheng.base.rpcclient import Client
from hucheng.errors import HuchengError, Refused
from hucheng.gate import Principal
from hucheng.gate.entries import Body, decode
from hucheng.gate.tables import journal
from hucheng.node.home.people import LOCAL
from hucheng.node.steward.process import SERVED
from hucheng.node.steward.refusals import AT_THE_DOOR, door
from hucheng.settings import Settings
from tests.node.house import House
from tests.node.stewarding import Process, copy_home

NOBODY = Principal("zz-made-up", "officer", "somebody", ("c0001",))


def entries(house: House) -> list[tuple[int, Body]]:
    with house.steward.journal.ledger.read() as conn:
        rows = conn.execute(select(journal.c.person, journal.c.body).order_by(journal.c.seq)).all()
    return [(row.person, decode(row.body)) for row in rows]


def call(house: House, here: Path, name: str, /, **arguments: Any) -> Any:
    """One call as another process makes it."""

    async def main() -> Any:
        server = door(here / "s", house.steward.served, house.steward.gate)
        await server.start()
        client = Client(here / "s")
        try:
            return await client.call(name, arguments)
        finally:
            await client.close()
            await server.stop()

    return asyncio.run(main())


def refused(house: House, here: Path, name: str, /, **arguments: Any) -> tuple[Refused, int, Body]:
    """The refusal, and its one entry: the person it is about, and what it says."""
    before = len(entries(house))
    with pytest.raises(Refused) as raised:
        call(house, here, name, **arguments)
    assert raised.value.details["journaled"] is True
    [(person, body)] = entries(house)[before:]
    assert (body.head.kind, body.head.result) == ("refused", "refused")
    assert body.head.policy == raised.value.details["policy"]
    return raised.value, person, body


def number(house: House) -> int:
    return house.steward.rooms.keys.people([house.mother], make=False)[house.mother].number


def test_a_kind_without_a_purpose(house: House, tmp_path: Path) -> None:
    house.open_case()
    [decision] = house.decisions.of_person(house.chen, house.mother)
    operator = house.who(LOCAL)
    for name, more in (("of_person", {"resident_id": house.mother}), ("get", {"decision_id": decision.id})):
        error, person, body = refused(house, tmp_path, f"decisions.{name}", principal=operator, **more)
        assert error.details["policy"] == "decisions.read"
        assert (person, body.head.principal) == (number(house), LOCAL)
        assert body.head.datasets == ("decisions.decisions",)
    assert sum(line.kind == "refused" for line in house.journal.of_person(house.chen, house.mother)) == 2


def test_somebody_nobody_knows_leaves_no_name_behind(house: House, tmp_path: Path) -> None:
    error, person, body = refused(house, tmp_path, "desk.of_person", principal=NOBODY, resident_id=house.mother)
    assert error.details["policy"] == "principal.known"
    assert (person, body.head.principal, body.head.action) == (number(house), "unknown", "desk.of_person")
    assert NOBODY.id.encode() not in msgspec.msgpack.encode(body)
    _, person, body = refused(house, tmp_path, "desk.of_person", principal=NOBODY, resident_id="nobody-either")
    assert person == 0 and b"nobody-either" not in msgspec.msgpack.encode(body)


def test_somebody_whose_time_ended_is_named(house: House, tmp_path: Path) -> None:
    case = house.open_case()
    officer = house.who("li-min")
    house.steward.rooms.principals.end("li-min", house.clock())
    error, person, body = refused(house, tmp_path, "desk.case", principal=officer, case_id=case)
    assert error.details["policy"] == "principal.in-force"
    assert (person, body.head.principal, body.head.principal_kind) == (number(house), "li-min", "officer")
    assert body.head.case == case
    _, _, body = refused(house, tmp_path, "people.at_keyboard", user="x", principal_id="li-min")
    assert body.head.principal == "li-min" and body.head.action == "people.at_keyboard"


def test_a_name_at_the_keyboard_that_nobody_bears(house: House, tmp_path: Path) -> None:
    _, _, body = refused(house, tmp_path, "people.at_keyboard", user="x", principal_id="made-up")
    assert body.head.principal == "unknown"


@pytest.mark.parametrize(
    ("who", "purpose", "policy"),
    [
        ("li-min", "care.respond", "purpose.case"),
        ("zhou-jing", "cases.work", "purpose.kinds"),
        ("li-min", "cases.work", "cases.work.officer"),
    ],
)
def test_what_the_gate_refuses_it_writes_itself_and_it_is_not_written_again(
    house: House, tmp_path: Path, who: str, purpose: str, policy: str
) -> None:
    reads = [{"dataset": "city.residents", "kind": "row", "where": {"resident_id": house.mother}}]
    error, person, body = refused(house, tmp_path, "gate.look", principal=house.who(who), purpose=purpose, reads=reads)
    assert (error.details["policy"], person) == (policy, number(house))
    assert (body.head.purpose, body.head.action, body.head.principal) == (purpose, "read", who)


def test_a_sign_in_is_journaled_by_the_site_itself(house: House, tmp_path: Path) -> None:
    before = len(entries(house))
    with pytest.raises(Refused):
        call(house, tmp_path, "people.of_claims", claims={"iss": "https://id", "sub": "nobody"})
    assert len(entries(house)) == before and {"people.of_claims"} == AT_THE_DOOR


def test_a_stewards_own_socket_is_such_a_door(template: Settings, tmp_path: Path) -> None:
    steward = Process(copy_home(template, tmp_path / "home")).start()
    try:
        with pytest.raises(Refused) as raised:
            steward.who("made-up")
        assert raised.value.details["journaled"] is True
    finally:
        steward.stop()


def test_a_journal_that_cannot_be_written_lets_no_refusal_pass_as_one(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any, **__: Any) -> None:
        raise HuchengError("the journal cannot be written")

    monkeypatch.setattr(house.steward.journal, "append", full)
    with pytest.raises(HuchengError, match="the journal cannot be written"):
        call(house, tmp_path, "people.at_keyboard", user="x", principal_id="made-up")


def exposed() -> list[tuple[str, Callable[..., Any]]]:
    """Every call that says who asks."""
    found = [
        (f"{served}.{name}", method)
        for served, kind in SERVED.items()
        for name, method in inspect.getmembers(kind, callable)
        if getattr(method, "__exposed__", None)
    ]
    return [(name, method) for name, method in found if "principal" in inspect.signature(method).parameters]


NAMES_NOBODY = {"desk.counts", "desk.owed_count"}
"""They give numbers to whoever reaches the socket."""


def test_every_call_refuses_whoever_is_not_known_and_journals_it_once(house: House, tmp_path: Path) -> None:
    case = house.open_case()
    [decision] = house.decisions.of_person(house.chen, house.mother)
    device = house.steward.rooms.registers.find("city.devices", {"dataset": "home.help"}, limit=1)[0]["device_id"]
    given: dict[str, Any] = {
        "principal": NOBODY, "purpose": "cases.work", "reads": [{"dataset": "cases.cases", "kind": "rows"}],
        "kind": "purpose", "name": "care.respond", "assessment": "x" * 30, "reason": "as the law asks, article 47",
        "case_id": case, "decision_id": decision.id, "resident_id": house.mother, "action": "take", "text": "no",
        "result": "upheld", "dataset": "city.residents", "rows": [], "what": "people", "gateway": "gw-9",
        "device_id": device, "devices": [], "device_ids": [], "since": 0, "timeout_s": 0,
    }  # fmt: skip
    refusing = []
    for name, method in exposed():
        wanted = inspect.signature(method).parameters.values()
        arguments = {p.name: given[p.name] for p in wanted if p.name != "self" and p.default is p.empty}
        before = len(entries(house))
        try:
            call(house, tmp_path, name, **arguments)
        except Refused as error:
            refusing.append(name)
            assert error.details.get("journaled") is True, name
            assert len(entries(house)) == before + 1, name
        except HuchengError:
            assert len(entries(house)) == before, name
    not_there = {"gateways.remove", "gateways.issue"}  # there is no such gateway, which is said first
    assert {name for name, _ in exposed()} - set(refusing) == NAMES_NOBODY | not_there
