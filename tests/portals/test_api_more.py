"""What pages show beside cases and decisions, by program: registers, mandates, devices, help, the live queue."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from hucheng.decisions.record import MAX_TEXT
from hucheng.portals.tokens import PERSON_LIFE

from .conftest import Site, serving
from .fake import DAUGHTER, NOW, OFFICER, WANG, Principal
from .test_api import asking

OPERATOR = Principal("operator:local", "operator", "", DAUGHTER.org)
GUIDE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def described(site: Site) -> dict[str, Any]:
    found: dict[str, Any] = site.client().get("/api/v1/openapi.json").json()
    return found


def test_the_guide_names_every_call(site: Site) -> None:
    text = GUIDE.read_text(encoding="utf-8")
    calls = {f"{method.upper()} {path}" for path, ops in described(site)["paths"].items() for method in ops}
    assert not [call for call in calls if f"`{call.replace('/api/v1', '', 1)}`" not in text]


def test_every_call_has_a_name_of_its_own_and_says_whether_it_needs_a_token(site: Site) -> None:
    operations = [op for ops in described(site)["paths"].values() for op in ops.values()]
    names = [op["operationId"] for op in operations]
    assert len(set(names)) == len(names) and all(op["summary"] for op in operations)
    free = {op["operationId"] for op in operations if op.get("security") == []}
    assert free == {"purposes", "rules", "outcomes", "status", "call_help", "help_state"}
    for name in set(names) - free - {"readings"}:
        [(method, path)] = [
            (m, p) for p, ops in described(site)["paths"].items() for m, op in ops.items() if op["operationId"] == name
        ]
        filled = path.format(case_id="c-1", decision_id="d-1", resident_id="r-1001", mandate_id="m-1")
        body = {"json": {"action": "take", "text": "x", "result": "upheld", "carer": "p-chen", "scopes": ["x"]}}
        answer = site.client().request(method, filled, **(body if method == "post" else {}))
        assert answer.status_code == 401, name


def test_the_page_about_calls_lists_every_call_under_a_heading_of_its_language(site: Site) -> None:
    for language, heading in (("zh", "委托"), ("en", "Mandates")):
        text = site.client().get(f"/api/v1?lang={language}").text
        assert f"<h2>{heading}</h2>" in text
        for path, operations in described(site)["paths"].items():
            assert all(f"<code>{method.upper()} {path}</code>" in text for method in operations)


def test_a_resident_reads_what_the_registers_say_of_her(site: Site) -> None:
    client = asking(site, WANG)
    assert client.get("/api/v1/residents/r-1001").json()["address"].startswith("东园路")
    devices = client.get("/api/v1/residents/r-1001/devices").json()
    assert {"d-bp-1", "d-help-1"} == {one["device_id"] for one in devices}
    assert [one["carer"] for one in client.get("/api/v1/residents/r-1001/mandates").json()] == ["p-chen"]
    for what in ("", "/devices", "/mandates", "/help", "/now"):
        assert client.get(f"/api/v1/residents/r-1002{what}").status_code == 403, what
    assert {purpose for _, purpose, _ in site.city.gate.looks} == {"self.access"}


def test_a_carer_asks_under_her_mandate(site: Site) -> None:
    client = asking(site, DAUGHTER)
    assert [one["resident_id"] for one in client.get("/api/v1/mandates").json()] == ["r-1001"]
    assert client.get("/api/v1/residents/r-1001").status_code == 200
    assert client.get("/api/v1/residents/r-1001/mandates").json()[0]["mandate_id"] == "m-1"
    assert client.get("/api/v1/residents/r-1003/mandates").status_code == 403
    assert {purpose for _, purpose, _ in site.city.gate.looks} == {"mandate.access"}
    assert {"carer": "p-chen", "resident_id": "r-1001"} in [
        r.where for _, _, reads in site.city.gate.looks for r in reads
    ]


def test_an_officer_asks_for_the_names_of_a_whole_queue_at_once(site: Site) -> None:
    client = asking(site, OFFICER)
    people = [case["resident_id"] for case in client.get("/api/v1/cases").json()["cases"]]
    rows = client.get("/api/v1/residents", params={"ids": ",".join(people)}).json()
    assert {one["resident_id"] for one in rows} == set(people) and all(one["name"] for one in rows)
    assert len(site.city.gate.looks) == 1 and site.city.gate.looks[0][1] == "cases.work"
    for ids in ("", ",", ",".join(f"r-{n}" for n in range(501))):
        assert client.get("/api/v1/residents", params={"ids": ids}).status_code == 400
    assert client.get("/api/v1/residents/r-none").status_code == 404


def test_a_mandate_is_granted_and_ended_by_program(site: Site) -> None:
    client = asking(site, OPERATOR)
    answer = client.post("/api/v1/residents/r-1004/mandates", json={"carer": "p-chen", "scopes": ["cases.follow"]})
    assert (answer.status_code, answer.json()["valid_to"]) == (201, None)
    name = answer.json()["mandate_id"]
    assert name in [one["mandate_id"] for one in asking(site, DAUGHTER).get("/api/v1/mandates").json()]
    assert client.post(f"/api/v1/mandates/{name}/end").json() == {"ended": 1}
    assert client.post(f"/api/v1/mandates/{name}/end").status_code == 404
    given = {"carer": "p-chen", "scopes": ["cases.follow", "fly"]}
    refused = client.post("/api/v1/residents/r-1004/mandates", json=given)
    assert (refused.status_code, refused.json()["where"]) == (400, "scopes")
    assert asking(site, WANG).post("/api/v1/residents/r-1001/mandates", json=given).status_code == 400
    given["scopes"] = ["cases.follow"]
    assert asking(site, WANG).post("/api/v1/residents/r-1001/mandates", json=given).status_code == 403
    assert site.client(OPERATOR).post("/api/v1/residents/r-1001/mandates", json=given).status_code == 401


def test_a_help_link_is_shown_to_its_person_and_says_whether_help_comes(site: Site) -> None:
    link = asking(site, WANG).get("/api/v1/residents/r-1001/help").json()
    assert link["device_id"] == "d-help-1" and link["address"].endswith("/help/" + link["token"])
    client = site.client()
    assert client.get(f"/api/v1/help/{link['token']}").json()["state"] == "calling"
    page = client.get(f"/help/{link['token']}/state?lang=en").json()
    assert client.get(f"/api/v1/help/{link['token']}?lang=en").json() == page
    ended = site.shell.tokens.help_link("r-1003", "d-help-9", "g-west-1")
    assert client.get(f"/api/v1/help/{ended}").status_code == client.get("/api/v1/help/x").status_code == 404
    assert asking(site, DAUGHTER).get("/api/v1/residents/r-1004/help").status_code == 403


def test_what_frames_the_pages_is_there_too(site: Site) -> None:
    client = asking(site, WANG)
    assert client.get("/api/v1/residents/r-1001/now?lang=en").json()["head"] == "Help is being called"
    offered = {one["id"]: one for one in client.get("/api/v1/datasets").json()}
    assert offered["home.blood_pressure"]["metrics"]["systolic_bp"]["unit"] == "mm[Hg]" and "home.help" not in offered
    assert client.get("/api/v1/datasets?purpose=city.statistics").json() == []
    assert client.get("/api/v1/places").json()["东园社区"]["en"] == "Dongyuan"
    assert site.client().get("/api/v1/status").json()["blind"][0]["detector"] == "bed_exit"
    assert asking(site, OFFICER).get("/api/v1/owed/count").json() == {"total": 1}


def test_the_queue_is_followed_by_program_while_the_token_lasts() -> None:
    with serving() as site:
        token = site.shell.tokens.person(OFFICER, NOW, demo=True)
        headers = {"authorization": f"Bearer {token}"}
        with httpx.stream("GET", site.address + "/api/v1/live", headers=headers, timeout=30) as answer:
            assert answer.headers["content-type"].startswith("text/event-stream")
            lines = (line for line in answer.iter_lines() if line)
            assert next(lines) == "event: changed"
            assert json.loads(next(lines).removeprefix("data: ")) == {"version": 1, "calling": 2, "urgent": 1}
            object.__setattr__(site.shell.services, "clock", lambda: NOW + PERSON_LIFE * 2)
            assert "event: changed" not in list(lines)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "text"),
        ({"text": ""}, "text"),
        ({"text": "长" * (MAX_TEXT + 1)}, "text"),
        ({"text": ["no"]}, "text"),
        ({"text": "复测正常", "result": "maybe"}, "result"),
    ],
)
def test_words_that_do_not_fit_are_told_by_their_field(site: Site, body: dict[str, Any], field: str) -> None:
    calls = [(OFFICER, "answers")] if "result" in body else [(OFFICER, "answers"), (WANG, "appeals")]
    for who, what in calls:
        answer = asking(site, who).post(f"/api/v1/decisions/d-1/{what}", json=body)
        assert answer.status_code == 400 and field in answer.json()["where"]
    assert site.city.decisions.decision.appeal is None and not site.city.decisions.results


@pytest.mark.parametrize("who", [WANG, DAUGHTER])
def test_the_live_queue_is_for_officers(site: Site, who: Principal) -> None:
    assert asking(site, who).get("/api/v1/live").status_code == 403
    assert site.city.turned_away == [("entrance", who.id, "/api/v1/live")]
