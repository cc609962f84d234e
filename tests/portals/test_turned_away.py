"""Whoever the site turns away is on record: the error page says so, and so it is."""

from __future__ import annotations

from datetime import timedelta

import pytest

from hucheng.portals.tokens import PERSON_LIFE, Tokens

from .conftest import Site
from .fake import NOW, OFFICER, WANG


def test_an_entrance_that_is_not_ones_own(site: Site) -> None:
    answer = site.client(WANG).get("/desk/cases/c-1?lang=en")
    assert answer.status_code == 403 and "the attempt is on record" in answer.text
    assert site.city.turned_away == [("entrance", WANG.id, "/desk/cases/{case_id}")]


def test_a_form_that_is_not_ours(site: Site) -> None:
    assert site.client(OFFICER).post("/desk/cases/c-1/act", data={"action": "take"}).status_code == 403
    assert site.city.turned_away == [("form", OFFICER.id, "/desk/cases/{case_id}/act")]
    assert site.client(OFFICER).post("/api/v1", data={}).status_code == 403
    assert site.city.turned_away[1:] == [("form", OFFICER.id, "/api/v1")]


def test_a_session_that_would_do_something_without_a_token(site: Site) -> None:
    client = site.client(OFFICER)
    assert client.get("/api/v1/cases").status_code == 200 and site.city.turned_away == []
    assert client.post("/api/v1/cases/c-1/actions", json={"action": "take"}).status_code == 401
    assert site.city.turned_away == [("form", OFFICER.id, "/api/v1")]


@pytest.mark.parametrize("wrong", ["nonsense", "forged", "expired", "demo"])
def test_a_persons_token_that_is_none(site: Site, wrong: str) -> None:
    token = {
        "nonsense": "x.y.z",
        "forged": Tokens(b"other" * 8).person(OFFICER, NOW, demo=True),
        "expired": site.shell.tokens.person(OFFICER, NOW - PERSON_LIFE - timedelta(minutes=1), demo=True),
        "demo": site.shell.tokens.person(OFFICER, NOW, demo=True),
    }[wrong]
    if wrong == "demo":
        from .conftest import made

        site = made(site.city, demo=False, oidc_issuer="https://id.example", oidc_client_id="hucheng")
    answer = site.client().get("/api/v1/cases", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 401
    [(door, who, _)] = site.city.turned_away
    assert (door, who) == ("person-token", None)


def test_who_comes_in_is_not_among_them(site: Site) -> None:
    assert site.client(OFFICER).get("/desk").status_code == 200
    assert site.client(WANG).get("/me").status_code == 200
    assert site.city.turned_away == []
