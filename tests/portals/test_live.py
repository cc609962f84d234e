"""The queue lives: a new alarm is there by itself; a line that is down, or a steward that is down, is said at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from hucheng.errors import Unavailable
from hucheng.portals.watch import Watch

from .conftest import Site, chromium, opened, serving, until
from .fake import NOW, OFFICER, FakeCity, row

Drive = Callable[[Coroutine[Any, Any, Any]], Any]


def test_one_question_serves_all_screens() -> None:
    """However many screens are open at one desk, the steward is asked once."""

    async def main() -> None:
        city = FakeCity()
        asked = counted_for = 0
        changes, counts = city.desk.changes, city.desk.counts

        async def told(principal: Any = None) -> Any:
            nonlocal counted_for
            counted_for += 1
            return await counts(principal)

        city.desk.counts = told  # type: ignore[method-assign]

        async def counted(since: int, timeout_s: float) -> int:
            nonlocal asked
            asked += 1
            return await changes(since, timeout_s)

        city.desk.changes = counted  # type: ignore[method-assign]
        watch = Watch(city.desk)
        screens = [watch.events(OFFICER) for _ in range(20)]
        first = await asyncio.gather(*(anext(screen) for screen in screens))
        assert all(b'"version": 1' in event and b'"calling": 2' in event for event in first)
        city.desk.touch()
        second = await asyncio.gather(*(anext(screen) for screen in screens))
        assert all(b'"version": 2' in event for event in second)
        assert asked <= 3 and counted_for <= 3
        await asyncio.gather(*(screen.aclose() for screen in screens))

    asyncio.run(main())


def test_a_steward_that_is_down_is_told_and_so_is_its_return() -> None:
    async def main() -> None:
        city = FakeCity()
        watch = Watch(city.desk)
        screen = watch.events(OFFICER)
        assert b"event: changed" in await anext(screen)
        city.desk.down = True
        city.desk.touch()
        assert b"event: blind" in await anext(screen)
        city.desk.down = False
        while b"event: changed" not in await anext(screen):
            pass
        await screen.aclose()

    asyncio.run(main())
    with pytest.raises(Unavailable):
        down = FakeCity()
        down.desk.down = True
        asyncio.run(down.desk.counts())


@pytest.mark.browser
def test_a_new_alarm_appears_and_blindness_is_said(drive: Drive) -> None:
    with serving() as site:
        drive(watched(site))


async def watched(site: Site) -> None:
    async with chromium() as browser, opened(browser, site, OFFICER, locale="zh-CN") as context:
        page = await context.new_page()
        await page.goto("/desk")
        await until(page, "document.title.startsWith('(2) ')")
        site.city.desk.cases["c-8"] = row("c-8", "r-1003", opened_at=NOW)
        site.city.desk.touch()
        await page.wait_for_selector("#row-c-8")
        assert "有新的紧急告警" in await page.text_content("#live-said")
        assert await page.is_hidden("#blind")
        site.city.desk.down = True
        site.city.desk.touch()
        await page.wait_for_selector("#blind:visible")
        assert "本屏目前看不见" in await page.inner_text("#blind")
        site.city.desk.down = False
        await page.wait_for_selector("#blind", state="hidden")
