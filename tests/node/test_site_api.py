"""The API over a real gate: a program gets what its person's page shows, nobody gets more, and it is on record."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from hucheng.errors import Refused
from hucheng.gate import Principal, Read
from hucheng.node.home.people import LOCAL
from hucheng.portals.services import Services
from hucheng.portals.session import NAME, Session
from hucheng.portals.site import build

from .house import House
from .stewarding import a_finding

ROOMS = ("desk", "decisions", "gate", "journal", "people", "entering", "status")
FAMILY = "wang-lijuan"
Asking = Callable[[str], TestClient]


class Face:
    """A room of the steward as the site has it: every method is awaited."""

    def __init__(self, room: object) -> None:
        self._room = room

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._room, name)

        async def ask(*args: Any, **more: Any) -> Any:
            found = method(*args, **more)
            return await found if inspect.isawaitable(found) else found

        return ask


@pytest.fixture
def site(house: House) -> FastAPI:
    async def push(gateway: str, payload: bytes) -> int:
        return 1

    rooms: dict[str, Any] = {name: Face(house.steward.served[name]) for name in ROOMS}
    catalogue = house.steward.rooms.catalogue
    services = Services(**rooms, push=push, catalogue=catalogue, secret=b"s" * 32, clock=house.clock)
    return build(services, house.steward.settings, house.steward.rooms.apps)


@pytest.fixture
def asking(house: House, site: FastAPI) -> Asking:
    def client(name: str) -> TestClient:
        token = site.state.shell.tokens.person(house.who(name), house.clock(), demo=True)
        headers = {"authorization": f"Bearer {token}"}
        return TestClient(site, base_url="http://testserver/api/v1", headers=headers, raise_server_exceptions=False)

    return client


def somebody_else(house: House) -> str:
    people = house.steward.rooms.registers.all("city.residents", sealed=False)
    return next(str(one["resident_id"]) for one in people if one["resident_id"] != house.mother)


def looks(house: House, who: str) -> set[tuple[str, str, str]]:
    """What the resident reads in her journal of one principal: purpose, datasets, result."""
    lines = house.journal.of_person(house.chen, house.mother, 1000)
    return {(one.purpose, " ".join(one.datasets), one.result) for one in lines if one.principal == who}


ABOUT = ("", "/devices", "/mandates", "/now", "/cases", "/decisions", "/journal", "/help")


@pytest.mark.parametrize("what", [*ABOUT, "/readings?dataset=home.blood_pressure"])
def test_another_residents_number_opens_nothing(house: House, asking: Asking, what: str) -> None:
    chen = asking("chen-guilan")
    assert chen.get(f"/residents/{house.mother}{what}").status_code == 200
    answer = chen.get(f"/residents/{somebody_else(house)}{what}")
    assert (answer.status_code, answer.headers["content-type"]) == (403, "application/problem+json")
    assert {"policy", "needed"} <= answer.json().keys()


def test_a_row_of_the_register_is_as_long_as_the_purpose_allows(house: House, asking: Asking) -> None:
    place = f"/residents/{house.mother}"
    own = asking("chen-guilan").get(place).json()
    assert own["resident_id"] == house.mother and own["address"] and own["born"]
    to_family = asking(FAMILY).get(place).json()
    assert to_family.keys() == {"resident_id", "name", "community"} and to_family["name"] == own["name"]
    officer = asking("li-min")
    assert officer.get(place).status_code == 403
    assert officer.get("/residents", params={"ids": f"{house.mother},nobody"}).json() == []
    house.open_case()
    assert officer.get(place).json().keys() == {"resident_id", "name", "community", "grid"}
    [named] = officer.get("/residents", params={"ids": f"{house.mother},{somebody_else(house)}"}).json()
    assert named["name"] == own["name"]
    assert asking("zhou-jing").get(place).status_code == 403
    assert ("mandate.access", "city.residents", "given") in looks(house, FAMILY)
    told = looks(house, "li-min")
    assert {("cases.work", "city.residents", "given"), ("cases.work", "city.residents", "refused")} <= told


def test_devices_are_told_to_whoever_they_measure(house: House, asking: Asking) -> None:
    rows = asking("chen-guilan").get(f"/residents/{house.mother}/devices").json()
    assert {"home.blood_pressure", "home.help"} <= {one["dataset"] for one in rows}
    assert all(one["gateway_id"] and one["resident_id"] == house.mother for one in rows)
    to_family = asking(FAMILY).get(f"/residents/{house.mother}/devices").json()
    assert len(to_family) == len(rows) and "gateway_id" not in to_family[0]
    assert asking("li-min").get(f"/residents/{house.mother}/devices").status_code == 403


def test_mandates_are_seen_by_both_sides_while_they_last(house: House, asking: Asking) -> None:
    family, chen, place = asking(FAMILY), asking("chen-guilan"), f"/residents/{house.mother}"
    [mandate] = chen.get(f"{place}/mandates").json()
    assert mandate["carer"] == FAMILY
    assert family.get("/mandates").json() == family.get(f"{place}/mandates").json() == [mandate]
    house.entering.end(house.who(LOCAL), "city.mandates", [mandate])
    for what in (place, f"{place}/mandates"):
        assert family.get(what).json()["policy"] == "mandate.in-force"
    assert family.get("/mandates").json() == []
    assert chen.get(f"{place}/mandates").json() == []
    assert {chen.get("/mandates").status_code, asking("li-min").get("/mandates").status_code} == {403}


def test_who_holds_no_mandate_is_told_so_and_sees_nobody(house: House, site: FastAPI, asking: Asking) -> None:
    family = house.who(FAMILY)
    stranger = Principal("zhao-lei", "carer", "赵磊", family.org)
    house.steward.rooms.principals.put([stranger])
    carer, place = asking(stranger.id), f"/residents/{house.mother}"
    assert (carer.get("/mandates").status_code, carer.get("/mandates").json()) == (200, [])
    for what in (place, f"{place}/mandates", f"{place}/devices", f"{place}/cases"):
        assert carer.get(what).status_code == 403, what
    gate: Any = house.steward.served["gate"]
    for read in (
        Read("city.mandates", "rows", where={"carer": FAMILY}),
        Read("city.mandates", "rows", where={"resident_id": [house.mother, somebody_else(house)]}),
        Read("city.mandates", "rows"),
    ):
        assert gate.look(stranger, "mandate.access", [read]) == [[]]
    for dataset in ("city.residents", "city.devices"):
        with pytest.raises(Refused):
            gate.look(stranger, "mandate.access", [Read(dataset, "rows")])
    page = TestClient(site)
    page.cookies.set(NAME, str(site.state.shell.sessions._signer.dumps(msgspec.to_builtins(Session(stranger, True)))))
    answer = page.get("/family", headers={"accept-language": "en"})
    assert answer.status_code == 200 and "Nobody has given you a mandate" in answer.text
    heads = house.journal.heads(house.who("zhou-jing"), 20)
    assert "given" in {one.result for one in heads if one.datasets == ("city.mandates",)}


def test_a_carer_reaches_as_far_as_her_scopes(house: House, asking: Asking) -> None:
    house.open_case()
    [decision] = house.decisions.of_person(house.chen, house.mother)
    family, place = asking(FAMILY), f"/residents/{house.mother}"
    [mandate] = family.get("/mandates").json()
    gets = ("/cases", "/decisions", "/now", "/journal", "/readings?dataset=home.blood_pressure")
    assert {family.get(place + what).status_code for what in gets} == {200}
    house.entering.register(house.who(LOCAL), "city.mandates", [{**mandate, "scopes": ["rights.journal"]}])
    assert [family.get(place + what).status_code for what in gets] == [403, 403, 403, 200, 403]
    needed = family.get(f"{place}/readings?dataset=home.blood_pressure").json()["needed"]
    assert needed == "a mandate that covers readings.read"
    assert family.post(f"/decisions/{decision.id}/appeals", json={"text": "袖带太松"}).status_code == 403
    assert family.get(f"{place}/help").status_code == 403


def test_ones_own_help_link_calls_until_its_device_ends(house: House, asking: Asking, site: FastAPI) -> None:
    chen = asking("chen-guilan")
    link = chen.get(f"/residents/{house.mother}/help").json()
    assert link["address"].endswith("/help/" + link["token"])
    stranger = TestClient(site, base_url="http://testserver/api/v1")
    assert stranger.get(f"/help/{link['token']}").json() == {"state": "idle", "text": ""}
    house.open_case()
    told = stranger.get(f"/help/{link['token']}?lang=en").json()
    assert told["state"] == "calling" and "Help is being called" in told["text"] and house.mother not in str(told)
    house.entering.end(house.who(LOCAL), "city.devices", [{"device_id": link["device_id"]}])
    assert stranger.get(f"/help/{link['token']}").status_code == 404
    assert chen.get(f"/residents/{house.mother}/help").status_code == 404


def test_what_happens_now_is_said_in_the_language_asked_for(house: House, asking: Asking) -> None:
    place = f"/residents/{house.mother}/now"
    assert asking("chen-guilan").get(place, params={"lang": "en"}).json()["stage"] == "quiet"
    house.find(a_finding(house.mother))
    for who, head in (("chen-guilan", "Help is being called"), (FAMILY, "Calling for help")):
        client = asking(who)
        said = client.get(place, headers={"accept-language": "en-GB"}).json()
        assert (said["stage"], said["head"]) == ("calling", head)
        assert client.get(place, params={"lang": "zh"}).json()["head"] != said["head"]


def test_a_mandate_is_granted_and_ended_and_the_resident_sees_by_whom(house: House, asking: Asking) -> None:
    operator, family, chen = asking(LOCAL), asking(FAMILY), asking("chen-guilan")
    place = f"/residents/{house.mother}"
    [old] = chen.get(f"{place}/mandates").json()
    assert family.get("/mandates").json() == family.get(f"{place}/mandates").json() == [old]
    assert operator.post(f"/mandates/{old['mandate_id']}/end").json() == {"ended": 1}
    answer = family.get(place)
    assert (answer.status_code, answer.json()["policy"]) == (403, "mandate.in-force")
    assert chen.get(f"{place}/mandates").json() == []
    assert operator.post(f"/mandates/{old['mandate_id']}/end").status_code == 404

    given = {"carer": FAMILY, "carer_name": "王丽娟", "scopes": ["cases.follow"]}
    answer = operator.post(f"{place}/mandates", json=given)
    assert answer.status_code == 201 and answer.json()["resident_id"] == house.mother
    [new] = family.get("/mandates").json()
    assert (new["mandate_id"], new["scopes"]) == (answer.json()["mandate_id"], ["cases.follow"])
    assert family.get(place).status_code == family.get(f"{place}/cases").status_code == 200
    lines = chen.get(f"{place}/journal").json()
    written = [one for one in lines if one["action"].startswith("registers.")]
    assert [(one["principal"], one["kind"], one["action"], one["purpose"], one["datasets"]) for one in written] == [
        (LOCAL, "deed", action, "registers.keep", ["city.mandates"]) for action in ("registers.write", "registers.end")
    ]
    assert [one["detail"]["rows"][0]["mandate_id"] for one in written] == [new["mandate_id"], old["mandate_id"]]


@pytest.mark.parametrize("who", ["chen-guilan", FAMILY, "li-min", "zhou-jing"])
def test_only_an_operator_enters_mandates(house: House, asking: Asking, who: str) -> None:
    client = asking(who)
    answer = client.post(f"/residents/{house.mother}/mandates", json={"carer": FAMILY, "scopes": ["cases.follow"]})
    assert (answer.status_code, answer.json()["policy"]) == (403, "node.operate")
    [mandate] = house.steward.rooms.registers.of_person("city.mandates", house.mother)
    assert client.post(f"/mandates/{mandate['mandate_id']}/end").status_code == 403
    assert house.steward.rooms.registers.of_person("city.mandates", house.mother) == [mandate]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "JSON"),
        (b"[]", "object"),
        (b"{}", "carer"),
        (b'{"carer": 5, "scopes": ["cases.follow"]}', "carer"),
        (b'{"carer": "nobody", "scopes": ["cases.follow"]}', "carer"),
        (b'{"carer": "li-min", "scopes": ["cases.follow"]}', "carer"),
        (b'{"carer": "wang-lijuan"}', "scopes"),
        (b'{"carer": "wang-lijuan", "scopes": []}', "scopes"),
        (b'{"carer": "wang-lijuan", "scopes": ["fly"]}', "scopes"),
        (b'{"carer": "wang-lijuan", "scopes": "cases.follow"}', "scopes"),
        (b'{"carer": "wang-lijuan", "scopes": ["cases.follow"], "valid_to": "2099-01-01T00:00:00"}', "valid_to"),
        (b'{"carer": "wang-lijuan", "scopes": ["cases.follow"], "valid_to": "2001-01-01T00:00:00Z"}', "valid_to"),
        (b'{"carer": "wang-lijuan", "scopes": ["cases.follow"], "until": "2099-01-01"}', "until"),
    ],
)
def test_a_body_that_does_not_fit_is_told_by_its_field(house: House, asking: Asking, body: bytes, field: str) -> None:
    before = house.steward.rooms.registers.of_person("city.mandates", house.mother)
    answer = asking(LOCAL).post(f"/residents/{house.mother}/mandates", content=body)
    problem = answer.json()
    assert answer.status_code == 400 and field in f"{problem['detail']} {problem['where']}"
    assert house.steward.rooms.registers.of_person("city.mandates", house.mother) == before


def test_a_mandate_from_nobody_is_not_entered(house: House, asking: Asking) -> None:
    answer = asking(LOCAL).post("/residents/r-none/mandates", json={"carer": FAMILY, "scopes": ["cases.follow"]})
    assert answer.status_code == 400 and "resident_id" in answer.json()["where"]
