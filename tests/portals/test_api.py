"""What a page does, the API does too: as the same person, described by OpenAPI, with problems one can act on."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import msgspec
import pytest

from hucheng.portals.tokens import PERSON_LIFE

from .conftest import Site, made
from .fake import AUDITOR, DAUGHTER, NOW, OFFICER, WANG, Principal


def asking(site: Site, principal: Principal | None) -> Any:
    client = site.client()
    if principal is not None:
        client.headers["authorization"] = "Bearer " + site.shell.tokens.person(principal, NOW, demo=True)
    return client


def test_the_description_covers_every_call(site: Site) -> None:
    described = site.client().get("/api/v1/openapi.json").json()
    routes = {
        (method.lower(), route.path)
        for route in site.app.routes
        for method in (getattr(route, "methods", None) or ())
        if route.path.startswith("/api/v1/") and method != "HEAD" and not route.path.endswith("openapi.json")
    }
    assert {(method, path) for path, ops in described["paths"].items() for method in ops} == routes
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', str(described).replace("'", '"')))
    assert references <= set(described["components"]["schemas"])


def test_an_officer_works_a_case_by_program(site: Site) -> None:
    client = asking(site, OFFICER)
    queue = client.get("/api/v1/cases").json()
    assert queue["total"] == 3 and {"id", "kind", "rule", "reasons"} <= queue["cases"][0].keys()
    assert client.get("/api/v1/cases/c-1/panel").json()["home"]["door_code"] == "4827#"
    for deed, state in (
        ({"action": "take"}, "taken"),
        ({"action": "go", "eta_minutes": 12}, "visiting"),
        ({"action": "close", "outcome": "well"}, "closed"),
    ):
        answer = client.post("/api/v1/cases/c-1/actions", json=deed)
        assert (answer.status_code, answer.json()["row"]["state"]) == (200, state)
    assert client.get("/api/v1/owed").status_code == client.get("/api/v1/counts").status_code == 200


def test_a_resident_reads_and_appeals_by_program(site: Site) -> None:
    client = asking(site, WANG)
    decided = client.get("/api/v1/residents/r-1001/decisions").json()[0]
    assert decided["reasons"] == [{"fact": "systolic", "value": 192}]
    assert client.post(f"/api/v1/decisions/{decided['id']}/appeals", json={"text": "袖带太松"}).status_code == 201
    readings = client.get("/api/v1/residents/r-1001/readings", params={"dataset": "home.blood_pressure"}).json()
    assert {"metric", "value", "unit", "observed_at"} <= readings[0].keys()
    assert client.get("/api/v1/residents/r-1002/decisions").status_code == 403
    assert asking(site, DAUGHTER).get("/api/v1/residents/r-1003/cases").status_code == 403


def test_an_auditor_verifies_by_program(site: Site) -> None:
    client = asking(site, AUDITOR)
    assert client.post("/api/v1/journal/verify").json()["count"] == 60
    assert len(client.get("/api/v1/journal?limit=7").json()) == 7
    assert client.get("/api/v1/requests").json()[0]["state"] == "accepted"


def test_without_a_token_only_what_is_public_answers(site: Site) -> None:
    client = asking(site, None)
    assert client.get("/api/v1/purposes").status_code == client.get("/api/v1/rules").status_code == 200
    answer = client.get("/api/v1/cases")
    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert {"type", "title", "status", "detail", "mend"} <= answer.json().keys()


def test_a_session_may_read_but_deeds_need_a_token(site: Site) -> None:
    """So that another site cannot make a browser act."""
    client = site.client(OFFICER)
    assert client.get("/api/v1/cases").status_code == 200
    assert client.post("/api/v1/cases/c-1/actions", json={"action": "take"}).status_code == 401


@pytest.mark.parametrize("kind", ["forged", "expired", "other node", "none", "empty", "gateway"])
def test_bad_tokens(site: Site, kind: str) -> None:
    tokens = site.shell.tokens
    good = tokens.person(OFFICER, NOW, demo=True)
    head, body, sign = good.split(".")
    bad = {
        "forged": f"{head}.{body}.{sign[:-4]}AAAA",
        "expired": tokens.person(OFFICER, NOW - PERSON_LIFE - timedelta(seconds=1), demo=True),
        "other node": Site_with(b"o" * 32).shell.tokens.person(OFFICER, NOW, demo=True),
        "none": "eyJhbGciOiJub25lIn0." + body + ".",
        "empty": "",
        "gateway": tokens.gateway("g-east-1", NOW),
    }[kind]
    assert site.client().get("/api/v1/cases", headers={"authorization": f"Bearer {bad}"}).status_code == 401


def Site_with(secret: bytes) -> Site:
    site = made()
    from hucheng.portals.site import build
    from hucheng.settings import Settings

    return Site(build(site.city.services(secret=secret), Settings(), site.city.apps), site.city, "")


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"action": 5}', 400),
        (b'{"note": "x"}', 400),
        (b'{"action": "burn"}', 400),
        (b"\xff\xfe", 400),
        (b"[]", 400),
    ],
)
def test_malformed_bodies(site: Site, body: bytes, status: int) -> None:
    answer = asking(site, OFFICER).post("/api/v1/cases/c-1/actions", content=body)
    assert answer.status_code == status and answer.json()["detail"]


def test_bad_queries(site: Site) -> None:
    client = asking(site, WANG)
    for query in (
        "",
        "dataset=home.unknown",
        "dataset=city.residents",
        "dataset=home.bed&since=yesterday",
        "dataset=home.bed&since=2026-03-01T00:00:00",
    ):
        assert client.get(f"/api/v1/residents/r-1001/readings?{query}").status_code in (400, 404), query


@pytest.mark.parametrize("query", ["purpose=nosuch", "limit=5&colour=red"])
def test_a_name_in_the_query_that_says_nothing_there_is_refused_not_ignored(site: Site, query: str) -> None:
    client = asking(site, OFFICER)
    answer = client.get(f"/api/v1/cases?{query}")
    assert answer.status_code == 400 and "order" in answer.json()["mend"]
    assert client.get("/api/v1/cases?lang=en&limit=5").status_code == 200


def test_readings_are_answered_only_when_the_broker_has_them(site: Site) -> None:
    token = site.shell.tokens.gateway("g-east-1", NOW)
    body = msgspec.json.encode({"dataset": "home.blood_pressure", "readings": []})
    push = {"content": body, "headers": {"authorization": f"Bearer {token}"}}
    answer = site.client().post("/api/v1/readings", **push)
    assert (answer.status_code, answer.json()) == (201, {"sequence": 1})
    assert site.city.pushed[0][0] == "g-east-1"
    site.city.line_down = True
    assert site.client().post("/api/v1/readings", **push).status_code == 503
    assert len(site.city.pushed) == 1
    assert site.client().post("/api/v1/readings", content=body).status_code == 401


def test_a_body_of_100_mb_is_turned_away(site: Site) -> None:
    token = site.shell.tokens.gateway("g-east-1", NOW)
    headers = {"authorization": f"Bearer {token}"}
    announced = site.client().post(
        "/api/v1/readings", content=b"", headers={**headers, "content-length": str(100 * 1024**2)}
    )
    assert (announced.status_code, announced.headers["content-type"]) == (413, "application/problem+json")

    def poured() -> Any:
        for _ in range(100):
            yield b"x" * 1024**2

    assert site.client().post("/api/v1/readings", content=poured(), headers=headers).status_code == 413
    assert site.client(OFFICER).post("/desk/cases/c-1/act", content=b"x" * 9 * 1024**2).status_code == 413
    assert not site.city.pushed


def test_a_token_is_made_on_the_page(site: Site) -> None:
    page = site.client(OFFICER).post("/api/v1", data={"form_word": site.form_word()})
    token = re.search(r"<code>(eyJ[^<]+)</code>", page.text)
    assert token and site.shell.tokens.read_person(token[1], NOW, demo_allowed=True) == OFFICER
    assert site.client(OFFICER).post("/api/v1", data={}).status_code == 403


def test_measures_name_no_person(site: Site) -> None:
    site.client(OFFICER).get("/desk/cases/c-1")
    text = site.client().get("/metrics").text
    assert 'hucheng_http_requests_total{method="GET",route="/desk/cases/{case_id}",status="200"} 1.0' in text
    assert 'hucheng_readings{what="accepted"} 1.20431e+06' in text
    assert "r-1001" not in text and "王秀兰" not in text
    health = site.client().get("/health")
    assert health.status_code == 200 and health.json()["status"] == "ready"
