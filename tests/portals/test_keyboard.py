"""Each role's main task by keyboard alone: Tab, Enter, Space, arrows and typing; the focus is always seen."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from .conftest import Site, chromium, opened, serving
from .fake import AUDITOR, DAUGHTER, OFFICER, WANG, FakeCity, Principal

pytestmark = pytest.mark.browser
Drive = Callable[[Coroutine[Any, Any, Any]], Any]

FOCUSED = (Path(__file__).parent / "focused.js").read_text(encoding="utf-8")


class Keys:
    """Hands on a keyboard, and no mouse."""

    def __init__(self, page: Any) -> None:
        self.page = page

    async def to(self, text: str = "", *, name: str = "", value: str = "", most: int = 80) -> None:
        """Press Tab until the focus is on what says this text, or is the field of this name."""
        passed = []
        for _ in range(most):
            await self.page.keyboard.press("Tab")
            here = await self.page.evaluate(FOCUSED)
            if here is None:
                continue
            assert here["seen"], f"the focus cannot be seen on {here}"
            passed.append(here["text"] or here["name"])
            if text and text in here["text"] and (not name or here["name"] == name):
                return
            if name and not text and here["name"] == name and (not value or here["value"] == value):
                return
        pytest.fail(f"the keyboard never came to {text or name!r}; it passed {passed}")

    async def press(self, text: str = "", key: str = "Enter", **more: Any) -> None:
        """Go there and press a key; wait for the page that follows."""
        await self.to(text, **more)
        async with self.page.expect_navigation():
            await self.page.keyboard.press(key)

    async def type(self, text: str) -> None:
        await self.page.keyboard.type(text)


async def walked(
    site: Site, who: Principal | None, start: str, walk: Callable[[Keys], Coroutine[Any, Any, None]]
) -> None:
    async with chromium() as browser, opened(browser, site, who, locale="en-GB") as context:
        page = await context.new_page()
        await page.goto(start)
        await walk(Keys(page))


def test_an_officer_takes_goes_and_closes(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.press("Take Blood pressure crisis")
        await keys.to(name="eta_minutes")
        await keys.page.keyboard.press("Control+a")
        await keys.type("9")
        await keys.press("On the way")
        await keys.to("Close it")
        await keys.page.keyboard.press("Enter")
        await keys.to(name="outcome")
        await keys.page.keyboard.press("ArrowDown")
        await keys.page.keyboard.press("Space")
        await keys.press("Close the case")
        assert "It is closed" in await keys.page.inner_text("main")

    with serving() as site:
        drive(walked(site, OFFICER, "/desk", walk))
        case = site.city.desk.cases["c-1"]
        assert (case.state, case.assigned_name) == ("closed", "李敏")
        assert site.city.desk.eta["c-1"] == 9


def test_a_resident_reads_why_and_appeals(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.press("The blood pressure is at a critical level")
        await keys.to(name="text")
        await keys.type("The cuff was too loose")
        await keys.press("Send my appeal")
        assert "We have your appeal" in await keys.page.inner_text("main")

    with serving() as site:
        drive(walked(site, WANG, "/me", walk))
        assert site.city.decisions.decision.appeal.text == "The cuff was too loose"


def test_a_daughter_answers_and_sets_out(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.press("Open 王秀兰's page")
        await keys.press("I am looking after it")
        await keys.to(name="eta_minutes")
        await keys.press("I am on my way")
        assert "Someone is coming: 陈静" in await keys.page.inner_text("main")

    with serving() as site:
        drive(walked(site, DAUGHTER, "/family", walk))
        assert site.city.desk.cases["c-1"].assigned_name == "陈静"


def test_an_auditor_checks_the_journal(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.press("Check every entry now")
        assert "The journal is whole" in await keys.page.inner_text("#result")

    with serving() as site:
        drive(walked(site, AUDITOR, "/audit", walk))


def test_anybody_calls_for_help(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.to("Help")
        await keys.page.keyboard.press("Space")
        await keys.page.wait_for_selector("#help[data-state=sent]")

    city = FakeCity()
    city.desk.cases.clear()
    with serving(city) as site:
        drive(walked(site, None, f"/help/{site.help_link}", walk))
        assert len(site.city.pushed) == 1


def test_the_skip_link_passes_the_menu(drive: Drive) -> None:
    async def walk(keys: Keys) -> None:
        await keys.page.keyboard.press("Tab")
        await keys.page.keyboard.press("Enter")
        await keys.page.keyboard.press("Tab")
        assert await keys.page.evaluate("document.activeElement.closest('main') !== null")

    with serving() as site:
        drive(walked(site, OFFICER, "/desk", walk))


def test_without_scripts_an_officer_works_as_well(drive: Drive) -> None:
    async def main(site: Site) -> None:
        async with chromium() as browser, opened(browser, site, OFFICER, java_script_enabled=False) as context:
            page = await context.new_page()
            await page.goto("/desk")
            await page.get_by_role("button", name="Take Blood pressure crisis").click()
            await page.get_by_role("button", name="On the way").click()
            await page.get_by_text("Close it").click()
            await page.get_by_label("Helped at home").check()
            await page.get_by_role("button", name="Close the case").click()
            assert "It is closed" in await page.inner_text("main")

    with serving() as site:
        drive(main(site))
        assert site.city.desk.cases["c-1"].outcome == "helped_at_home"
