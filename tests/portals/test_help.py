"""Help behind a link: pressed by a form or a script, with or without a line, once, at its own time."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from hucheng.errors import HuchengError, JournalBroken, LedgerError
from hucheng.portals.help import Press, pressed_at

from .conftest import Site, chromium, opened, serving, until
from .fake import NOW, OFFICER, FakeCity, row


def test_the_plain_form_sends_a_reading_of_the_paired_device(site: Site) -> None:
    answer = site.client().post(f"/help/{site.help_link}")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/help/{site.help_link}?sent=1")
    gateway, sent = site.city.pushed[0]
    reading = sent["readings"][0]
    assert (gateway, sent["dataset"]) == ("g-east-1", "home.help")
    assert (reading["device_id"], reading["resident_id"], reading["metric"], reading["value"]) == (
        "d-help-1",
        "r-1001",
        "help",
        1,
    )
    assert datetime.fromisoformat(reading["observed_at"]) == NOW


def test_a_press_is_not_confirmed_before_the_broker_has_it(site: Site) -> None:
    site.city.line_down = True
    assert site.client().post(f"/help/{site.help_link}").status_code == 503


def test_help_is_taken_while_the_steward_is_down(site: Site) -> None:
    site.city.desk.down = True
    assert site.client().get(f"/help/{site.help_link}").status_code == 200
    assert site.client().post(f"/help/{site.help_link}").status_code == 303
    assert len(site.city.pushed) == 1


@pytest.mark.parametrize("error", [LedgerError("read-only"), JournalBroken("unwritable"), HuchengError("a bug")])
def test_help_is_taken_whatever_is_wrong_with_the_ledger_or_the_journal(
    site: Site, monkeypatch: pytest.MonkeyPatch, error: HuchengError
) -> None:
    async def look(*_: Any, **__: Any) -> Any:
        raise error

    monkeypatch.setattr(site.city.gate, "look", look)
    assert site.client().get(f"/help/{site.help_link}").status_code == 200
    assert site.client().post(f"/help/{site.help_link}").status_code == 303
    pressed = {"press_id": "1", "pressed_at": NOW.isoformat(), "sent_at": NOW.isoformat()}
    assert site.client().post(f"/api/v1/help/{site.help_link}", json=pressed).status_code == 202
    assert len(site.city.pushed) == 2


def test_a_press_on_an_ended_device_is_refused(site: Site) -> None:
    link = site.shell.tokens.help_link("r-1003", "d-help-9", "g-west-1")
    assert site.client().post(f"/help/{link}").status_code == 404
    assert not site.city.pushed


@pytest.mark.parametrize("link", ["x", "r-1001", "WyJwIiwiciJd.AAAA"])
def test_a_forged_link_calls_nobody(site: Site, link: str) -> None:
    assert site.client().get(f"/help/{link}").status_code == 404
    assert site.client().post(f"/help/{link}").status_code == 404
    assert not site.city.pushed


def test_a_link_ends_with_its_device(site: Site) -> None:
    link = site.shell.tokens.help_link("r-1003", "d-help-9", "g-west-1")
    assert site.client().get(f"/help/{link}").status_code == 404


def test_a_dead_link_leaves_nobody_alone(site: Site) -> None:
    """Whatever is wrong with the link, the number that answers stands on the page."""
    ended = site.shell.tokens.help_link("r-1003", "d-help-9", "g-west-1")
    for link in (ended, "not-a-link"):
        for ask in (site.client().get, site.client().post):
            answer = ask(f"/help/{link}")
            assert answer.status_code == 404 and 'href="tel:120"' in answer.text and "社区服务中心" in answer.text
    assert "tel:120" not in site.client().get("/nothing").text


def test_calling_does_not_look_calm(site: Site) -> None:
    """Only when somebody has it is the sentence green; after the first press the button calls again."""
    text = site.client().get(f"/help/{site.help_link}").text
    assert 'data-state="calling"' in text and "再次呼叫" in text
    assert site.client().get(f"/help/{site.help_link}/state").json()["state"] == "calling"
    site.city.desk.cases["c-1"] = row("c-1", "r-1001", "taken", assigned_name="李敏")
    page = site.client().get(f"/help/{site.help_link}").text
    assert 'data-state="coming"' in page and '<span class="nowrap">李敏</span>' in page
    assert site.client().get(f"/help/{site.help_link}/state").json()["name"] == "李敏"


def test_a_link_shows_whether_help_comes_and_nothing_else(site: Site) -> None:
    text = site.client().get(f"/help/{site.help_link}").text
    assert "正在为您呼叫帮助" in text
    for secret in ("王秀兰", "192", "4827#", "东园路", "c-1"):
        assert secret not in text
    assert site.client().get("/me").status_code == 303


@pytest.mark.parametrize(
    ("pressed", "sent", "expected"),
    [
        (timedelta(0), timedelta(0), timedelta(0)),
        (timedelta(minutes=-40), timedelta(0), timedelta(minutes=-40)),
        (timedelta(minutes=20), timedelta(minutes=60), timedelta(minutes=-40)),
        (timedelta(days=-400, minutes=-40), timedelta(days=-400), timedelta(minutes=-40)),
        (timedelta(hours=5), None, timedelta(0)),
        (timedelta(days=-3), timedelta(0), timedelta(0)),
    ],
    ids=["at once", "waited 40 min", "clock an hour fast", "clock a year slow", "future", "three days ago"],
)
def test_a_press_keeps_its_time_though_the_clock_is_wrong(
    pressed: timedelta, sent: timedelta | None, expected: timedelta
) -> None:
    """An alarm must not fail, or be thought old, because a phone's clock is wrong."""
    press = Press("1", NOW + pressed, NOW + sent if sent is not None else None)
    assert abs(pressed_at(press, NOW) - (NOW + expected)) < timedelta(seconds=1)


def test_the_same_press_again_has_the_same_time(site: Site) -> None:
    """So that the stream counts it as the duplicate it is."""
    at = (NOW - timedelta(minutes=3)).isoformat()
    for _ in range(2):
        site.client().post(
            f"/help/{site.help_link}", json={"press_id": "1", "pressed_at": at, "sent_at": NOW.isoformat()}
        )
    assert len({sent["readings"][0]["observed_at"] for _, sent in site.city.pushed}) == 1


@pytest.mark.browser
def test_a_press_without_a_line_is_kept_and_sent(drive: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """The page opens offline, takes the press, says so, sends it once when it can, and then says who is coming."""
    city = FakeCity()
    city.desk.cases.clear()
    with serving(city) as site:
        drive(without_a_line(site))


async def without_a_line(site: Site) -> None:
    async with chromium() as browser, opened(browser, site, None, locale="zh-CN") as context:
        page = await context.new_page()
        await page.goto(f"/help/{site.help_link}")
        await page.wait_for_selector("#help[data-offline=ready]")
        kept = "async (path) => !!(await caches.match(path, {ignoreSearch: true}))"
        await until(page, kept, f"/help/{site.help_link}")
        await context.set_offline(True)
        await page.reload()
        before = datetime.now(UTC)
        await page.get_by_role("button", name="求助").click()
        await page.wait_for_selector("#help[data-state=waiting]")
        assert await page.inner_text(".help-button") == "再次呼叫"
        assert "没有网络" in await page.inner_text("#help-said")
        assert not site.city.pushed
        await page.reload()
        await page.wait_for_selector("#help[data-state=waiting]")
        site.city.desk.cases["c-9"] = row("c-9", "r-1001", "taken", assigned_name="李敏")
        await site.city.desk.act(OFFICER, "c-9", "go", eta_minutes=12)
        await context.set_offline(False)
        await page.wait_for_selector("#help[data-state=coming]")
        said = await page.inner_text("#help-said")
        assert "李敏" in said and "12" in said
        assert len(site.city.pushed) == 1
        assert before - timedelta(seconds=5) < datetime.now(UTC)
        size = await page.evaluate("parseFloat(getComputedStyle(document.getElementById('help-said')).fontSize)")
        assert size >= 28
