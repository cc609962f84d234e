"""Who comes in where: sign-in, refusals, forged cookies and forms, other people's addresses, ways out of the site."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hucheng.errors import Refused, SettingsError
from hucheng.portals.session import NAME, safe_back
from hucheng.portals.site import build
from hucheng.portals.tokens import PERSON_LIFE
from hucheng.settings import Settings

from .conftest import Site, made
from .fake import AUDITOR, DAUGHTER, NOW, OFFICER, WANG, FakeCity

ENTRANCES = {"/me": WANG, "/family": DAUGHTER, "/desk": OFFICER, "/audit": AUDITOR}


@pytest.mark.parametrize("path", ENTRANCES)
def test_an_entrance_opens_to_its_own_people_only(site: Site, path: str) -> None:
    assert site.client().get(path).headers["location"] == f"/sign-in?back=%2F{path[1:]}"
    for own, principal in ENTRANCES.items():
        assert site.client(principal).get(path).status_code == (200 if own == path else 403)


def test_demo_sign_in_leads_where_one_wanted(site: Site) -> None:
    client = site.client()
    form = {"persona": "p-wang", "back": "/me/journal", "form_word": site.form_word()}
    answer = client.post("/sign-in/demo", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/me/journal")
    assert client.get("/me/journal").status_code == 200
    cookie = next(value for value in answer.headers.get_list("set-cookie") if value.startswith(NAME))
    assert "HttpOnly" in cookie and "SameSite=lax" in cookie


def test_cookies_are_secure_on_tls() -> None:
    site = made()
    client = site.client(base_url="https://testserver")
    answer = client.post("/sign-in/demo", data={"persona": "p-wang", "form_word": site.form_word()})
    assert all("Secure" in value for value in answer.headers.get_list("set-cookie"))
    assert "max-age" in answer.headers["strict-transport-security"]


@pytest.mark.parametrize(
    "back", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "/\t/evil.example"]
)
def test_signing_in_never_leads_out_of_the_site(site: Site, back: str) -> None:
    answer = site.client().post("/sign-in/demo", data={"persona": "p-li", "back": back, "form_word": site.form_word()})
    assert answer.headers["location"] == "/desk"
    assert safe_back(back) == "/"


@pytest.mark.parametrize("word", ["", "forged", "a" * 64])
def test_a_form_that_is_not_ours_is_refused(site: Site, word: str) -> None:
    answer = site.client(OFFICER).post("/desk/cases/c-1/act", data={"action": "take", "form_word": word})
    assert answer.status_code == 403
    assert site.city.desk.cases["c-1"].state == "calling"


def test_every_form_needs_its_word(site: Site) -> None:
    """All that is done by POST from a page; the help button is open by its link alone, which no other site can know."""
    posts = [
        r.path
        for r in site.app.routes
        if "POST" in (getattr(r, "methods", None) or ()) and not r.path.startswith("/api")
    ]
    assert len(posts) >= 8
    for path in posts:
        if path == "/help/{token}":
            continue
        filled = path.format(case_id="c-1", decision_id="d-1", resident_id="r-1001")
        who = {"me": WANG, "family": DAUGHTER, "desk": OFFICER, "audit": AUDITOR}.get(filled.split("/")[1])
        assert site.client(who).post(filled, data={"action": "take", "persona": "p-li"}).status_code == 403, path


def test_a_form_sent_from_another_site_is_refused(site: Site) -> None:
    form = {"action": "take", "form_word": site.form_word()}
    answer = site.client(OFFICER).post("/desk/cases/c-1/act", data=form, headers={"sec-fetch-site": "cross-site"})
    assert answer.status_code == 403


def test_forged_and_expired_cookies_are_nobody(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    client = site.client()
    good = site.cookies(OFFICER)[NAME]
    for bad in ("x", good[:-2] + "xx", made_elsewhere()):
        client.cookies.set(NAME, bad)
        assert client.get("/desk").headers["location"].startswith("/sign-in")
    monkeypatch.setattr("hucheng.portals.session.LIFE_S", -1)
    client.cookies.set(NAME, good)
    assert client.get("/desk").headers["location"].startswith("/sign-in")


def made_elsewhere() -> str:
    """A cookie signed with another node's secret."""
    city = FakeCity()
    other = Site(build(city.services(secret=b"o" * 32), Settings(), city.apps), city, "")
    return other.cookies(OFFICER)[NAME]


def production(**more: Any) -> Site:
    return made(demo=False, oidc_issuer="http://127.0.0.1:9/issuer", oidc_client_id="hucheng", **more)


def test_production_refuses_demo_identities() -> None:
    site = production()
    assert "persona" not in site.client().get("/sign-in").text
    form = {"persona": "p-wang", "form_word": site.form_word()}
    assert site.client().post("/sign-in/demo", data=form).status_code == 403
    assert site.client(WANG, demo=True).get("/me").headers["location"].startswith("/sign-in")
    assert site.client(WANG, demo=False).get("/me").status_code == 200
    token = site.shell.tokens.person(WANG, NOW, demo=True)
    assert site.client().get("/api/v1/me", headers={"authorization": f"Bearer {token}"}).status_code == 401


def test_production_without_an_issuer_does_not_start() -> None:
    with pytest.raises(SettingsError, match="OpenID Connect"):
        made(demo=False)


def test_a_silent_sign_in_service_is_said(tmp_path: Path) -> None:
    site = production()
    answer = site.client().post("/sign-in/go", data={"form_word": site.form_word()})
    assert answer.status_code == 503
    assert site.client().get("/sign-in/back?code=x&state=y").status_code == 403


@pytest.mark.parametrize(
    "path", ["/me/cases/c-2", "/me/cases/c-3", "/family/r-1003", "/family/r-1002/readings", "/family/r-1003/cases/c-2"]
)
def test_another_persons_address_opens_nothing(site: Site, path: str) -> None:
    """Another resident's id in the address, and a mandate that ended (r-1003)."""
    who = WANG if path.startswith("/me") else DAUGHTER
    answer = site.client(who).get(path)
    assert answer.status_code in (403, 404)
    assert "孙桂芳" not in answer.text and "赵国强" not in answer.text


@pytest.mark.parametrize("typed", ["' OR 1=1 --", "1; DROP TABLE case_file", "<script>alert(1)</script>", "%", "c-%"])
def test_what_is_typed_is_compared_never_run(site: Site, typed: str) -> None:
    answer = site.client(OFFICER).get("/desk/find", params={"q": typed})
    assert answer.status_code == 200
    assert "没有找到" in answer.text and "<script>alert" not in answer.text


@pytest.mark.parametrize(
    "form",
    [
        {"action": "burn"},
        {"action": "close", "outcome": "forgotten"},
        {"action": "note", "note": " "},
        {"action": "note", "note": "x" * 2001},
        {"action": "hand_over"},
        {"action": "go", "eta_minutes": "-5"},
        {"action": "go", "eta_minutes": "99999"},
        {"action": "go", "eta_minutes": "٣"},
    ],
)
def test_a_deed_that_makes_no_sense_is_answered_clearly(site: Site, form: dict[str, str]) -> None:
    answer = site.client(OFFICER).post("/desk/cases/c-1/act", data={**form, "form_word": site.form_word()})
    assert answer.status_code == 400
    assert site.city.desk.cases["c-1"].state == "calling"


def test_the_slower_of_two_officers_is_told(site: Site) -> None:
    form = {"action": "take", "form_word": site.form_word()}
    assert site.client(OFFICER).post("/desk/cases/c-1/act", data=form).status_code == 303
    answer = site.client(OFFICER).post("/desk/cases/c-1/act", data=form)
    assert answer.status_code == 409 and "有人先了一步" in answer.text


def test_bad_numbers_in_the_address(site: Site) -> None:
    for query in ("offset=-1", "offset=9e9", "offset=x", "offset=%00"):
        assert site.client(OFFICER).get(f"/desk?{query}").status_code == 400
    assert site.client(WANG).get("/me/readings?dataset=home.secrets").status_code == 400


def test_headers_keep_a_browser_safe(site: Site) -> None:
    for path in ("/", "/nothing", "/health", "/static/dist/manifest.json"):
        headers = site.client().get(path).headers
        assert (
            "script-src 'self'" in headers["content-security-policy"]
            and "unsafe" not in headers["content-security-policy"]
        )
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert site.client(WANG).get("/me").headers["cache-control"] == "no-store"


def test_pages_hold_no_inline_code(site: Site) -> None:
    """What the content security policy would stop is not there in the first place."""
    for path, who in (
        ("/", None),
        ("/me", WANG),
        ("/desk", OFFICER),
        ("/desk/cases/c-1", OFFICER),
        ("/audit", AUDITOR),
    ):
        text = site.client(who).get(path).text
        assert " style=" not in text and " onclick=" not in text and "javascript:" not in text and "<style" not in text


def test_blind_is_said_not_hidden(site: Site) -> None:
    """The steward is down: the screen says so, and offers what still works."""
    site.city.desk.down = True
    answer = site.client(OFFICER).get("/desk")
    assert answer.status_code == 503 and "本屏目前看不见" in answer.text and answer.headers["retry-after"] == "5"
    assert site.client().get("/").status_code == 200
    assert site.client().get(f"/help/{site.help_link}").status_code == 200
    assert site.client().get("/health").status_code == 503
    assert 'hucheng_part_up{part="steward"} 0.0' in site.client().get("/metrics").text


def test_a_closed_case_shows_no_home_and_asks_for_none(site: Site) -> None:
    """To ask would be refused, and stand as a refusal in the resident's journal."""
    answer = site.client(OFFICER).get("/desk/cases/c-4")
    assert answer.status_code == 200 and "事项已办结" in answer.text and "4827#" not in answer.text
    assert not [one for one in site.city.gate.looks if one[1] == "care.respond"]
    assert "4827#" in site.client(OFFICER).get("/desk/cases/c-1").text


def test_a_refused_panel_says_what_would_open_it_and_no_code(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    look = site.city.gate.look

    async def refused(principal: Any, purpose: str, *args: Any, **more: Any) -> Any:
        if purpose == "care.respond":
            needed = {"policy": "care.respond.officer", "needed": "an open case", "needed_zh": "未结事项"}
            raise Refused("no care.respond for you", **needed)
        return await look(principal, purpose, *args, **more)

    monkeypatch.setattr(site.city.gate, "look", refused)
    text = site.client(OFFICER).get("/desk/cases/c-1").text
    assert "未结事项" in text and "care.respond" not in text


def test_a_refusal_says_what_happened_in_words(site: Site) -> None:
    """In the reader's language, without the id of a policy; who is signed in already is not told to sign in."""
    for language, happened, opens in (
        ("zh", "您的账号不能查看或办理此事。", "须为本人"),
        ("en", "You may not see or do this with your account.", "to be the resident herself"),
    ):
        text = site.client(DAUGHTER).get(f"/family/r-1002/cases/c-3?lang={language}").text
        assert happened in text and opens in text
        assert "self.access" not in text and "登录为本人" not in text


def test_the_alarm_panel_reads_for_this_case_only(site: Site) -> None:
    site.client(OFFICER).get("/desk/cases/c-1")
    reads = [
        (purpose, read.dataset, read.where)
        for _, purpose, reads in site.city.gate.looks
        for read in reads
        if read.dataset.startswith("care.")
    ]
    assert reads == [
        ("care.respond", "care.homes", {"resident_id": "r-1001"}),
        ("care.respond", "care.profiles", {"resident_id": "r-1001"}),
    ]


def test_tokens_of_another_kind_do_not_open(site: Site) -> None:
    tokens = site.shell.tokens
    with pytest.raises(Refused):
        tokens.read_person(tokens.gateway("g-1", NOW), NOW, demo_allowed=True)
    with pytest.raises(Refused):
        tokens.read_gateway(tokens.person(WANG, NOW, demo=True), NOW)
    with pytest.raises(Refused):
        tokens.read_person(
            tokens.person(WANG, NOW, demo=True), NOW + PERSON_LIFE + timedelta(seconds=1), demo_allowed=True
        )
    assert tokens.read_person(tokens.person(WANG, NOW, demo=True), NOW, demo_allowed=True) == WANG
