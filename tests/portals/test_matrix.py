"""Every page × two languages × phone and desktop × standard and elder view × with and without scripts passes axe.

The pages are the site's own routes: a new route is in the matrix by itself, and a route whose address has a part that
nobody gave an example for fails here. Beside axe each page is measured: nothing runs out of a phone's width, targets
are 44 px (60 in the elder view), and no text in the elder view is under 18 px.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from hucheng.portals.shell import Door

from .conftest import AXE, Site, chromium, made, opened, serving
from .fake import AUDITOR, DAUGHTER, OFFICER, WANG, ZHAO, FakeCity, Principal

PEOPLE: dict[str, Principal] = {"resident": WANG, "carer": DAUGHTER, "officer": OFFICER, "auditor": AUDITOR}
EXAMPLES = {"case_id": "c-1", "decision_id": "d-1", "resident_id": "r-1001", "pack_id": "blood-pressure"}
VARIANTS = list(itertools.product(("zh", "en"), ("phone", "desktop"), ("standard", "elder")))
VIEWPORTS = {"phone": {"width": 390, "height": 844}, "desktop": {"width": 1440, "height": 900}}
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]

Page = tuple[str, Principal | None]

RUN = (Path(__file__).parent / "axe_run.js").read_text(encoding="utf-8")
CUT = """() => {
  const bad = [], wide = document.documentElement.scrollWidth;
  if (wide > innerWidth + 1) bad.push(`wider than the window: ${wide}`);
  for (const one of document.querySelectorAll("a[href]:not(.skip), button")) {
    const { left, right, width } = one.getBoundingClientRect();
    if (width <= 1 || one.closest(".table-wrap, .diagram, .tabs, pre")) continue;
    if (left < -1 || right > innerWidth + 1) bad.push(`cut: ${one.outerHTML.slice(0, 90)}`);
  }
  return bad;
}"""
BODY = "document.body.outerHTML"
MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8")


def doors(site: Site) -> list[tuple[str, Door]]:
    """Every page route of the site."""
    found = [
        (route.path, route.endpoint.door)
        for route in site.app.routes
        if hasattr(getattr(route, "endpoint", None), "door")
    ]
    return [(path, door) for path, door in found if door.is_page]


def address(path: str, door: Door, site: Site) -> str:
    """The route's address with its parts filled in. Fails where nobody gave an example."""
    given = {**EXAMPLES, "token": site.help_link, **door.example}
    try:
        return path.format(**given)
    except KeyError as missing:
        pytest.fail(f"{path} has no example for {missing}: give one with Entrance.page(…, example=…)")


def pages(site: Site, states: bool = True) -> list[Page]:
    """Every page, and the states of pages that one address alone does not show."""
    found: list[Page] = [
        (address(path, door, site), PEOPLE[door.kinds[0]] if door.kinds else None) for path, door in doors(site)
    ]
    if not states:
        return found
    return [
        *found,
        ("/me", ZHAO),
        ("/me/readings", ZHAO),
        ("/me/journal", ZHAO),
        ("/me/readings?dataset=home.bed", WANG),
        ("/desk?show=all", OFFICER),
        ("/desk/cases/c-2", OFFICER),
        ("/desk/cases/c-2/decisions", OFFICER),
        ("/me/decisions/d-8", WANG),
        ("/me/decisions/d-9", WANG),
        ("/desk/cases/c-3", OFFICER),
        ("/desk/cases/c-4", OFFICER),
        ("/desk/find?q=nobody", OFFICER),
        ("/help/not-a-link", None),
        ("/nothing-here", WANG),
        ("/desk", WANG),
    ]


def test_every_page_route_is_in_the_matrix(site: Site) -> None:
    """A page is in it by being a route; there are as many as the entrances have."""
    routes = {path for path, _ in doors(site)}
    assert {"/", "/sign-in", "/me", "/family", "/desk", "/audit", "/help/{token}", "/api/v1"} <= routes
    assert len(pages(site)) > len(routes) >= 27


def test_a_route_without_an_example_fails(site: Site) -> None:
    with pytest.raises(pytest.fail.Exception, match="no example"):
        address("/somewhere/{unknown_part}", Door((), True), site)
    assert address("/x/{unknown_part}", Door((), True, {"unknown_part": "1"}), site) == "/x/1"


def test_every_route_says_who_may_come() -> None:
    """No address is open by being forgotten."""
    open_ones = {"/health", "/metrics", "/help-worker.js", "/static"}
    unsaid = [
        r.path
        for r in made().app.routes
        if not hasattr(getattr(r, "endpoint", None), "door") and r.path not in open_ones
    ]
    assert not unsaid


@pytest.mark.browser
@pytest.mark.parametrize(("language", "screen", "view"), VARIANTS, ids=map("_".join, VARIANTS))
def test_pages_pass_axe(
    language: str, screen: str, view: str, drive: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    with serving() as site:
        states = (screen, view) in (("phone", "elder"), ("desktop", "standard"))
        bad = drive(examined(site, pages(site, states), language, screen, view))
    assert not bad, "\n".join(bad)


@pytest.mark.browser
@pytest.mark.parametrize("language", ["zh", "en"])
def test_empty_blind_and_dark_pages_pass_axe(language: str, drive: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """The states a page is in when there is nothing to show, and when the steward is down; and the dark colours."""
    empty = FakeCity()
    empty.desk.cases.clear()
    with serving(empty) as site:
        bad = drive(
            examined(site, [("/desk", OFFICER), ("/me", WANG), ("/family", DAUGHTER)], language, "phone", "elder")
        )
    blind = FakeCity()
    blind.desk.down = True
    with serving(blind) as site:
        calm: list[Page] = [("/desk", OFFICER), ("/me", WANG), ("/", None), (f"/help/{site.help_link}", None)]
        bad += drive(examined(site, calm, language, "desktop", "standard"))
    if language == "zh":  # the colours are the same in both
        with serving() as site:
            bad += drive(examined(site, pages(site, False), language, "desktop", "standard", dark=True))
    assert not bad, "\n".join(bad)


@pytest.mark.browser
@pytest.mark.parametrize("language", ["zh", "en"])
def test_pages_fit_a_small_phone_in_the_largest_type(
    language: str, drive: Callable[[Coroutine[Any, Any, Any]], Any]
) -> None:
    """320 CSS px in the elder view at size 30, 390 px in the standard view at twice the text (WCAG 1.4.4, 1.4.10)."""
    with serving() as site:
        bad = drive(too_wide(site, language))
    assert not bad, "\n".join(bad)


async def too_wide(site: Site, language: str) -> list[str]:
    bad: list[str] = []
    async with chromium() as browser:
        for width, view in ((320, "elder"), (390, "standard")):
            for who, mine in itertools.groupby(
                sorted(dict.fromkeys(pages(site, False)), key=lambda page: page[1].id if page[1] else ""),
                key=lambda page: page[1],
            ):
                async with opened(browser, site, who, viewport={"width": width, "height": 700}) as context:
                    kept = {"lang": language, "view": view, "size": "30"}
                    await context.add_cookies([{"name": k, "value": v, "url": site.address} for k, v in kept.items()])
                    page = await context.new_page()
                    for path, _ in mine:
                        await page.goto(path, wait_until="load")
                        if view == "standard":
                            await page.evaluate("document.documentElement.style.fontSize = '200%'")
                        bad += [f"{path} at {width} px: {one}" for one in await page.evaluate(CUT)]
    return bad


@pytest.mark.browser
def test_the_help_button_is_on_the_first_screen(drive: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """Whoever needs it, on a phone and in large type, sees it without scrolling, whatever else is happening."""

    async def walk(site: Site) -> dict[str, float]:
        found = {}
        async with chromium() as browser, opened(browser, site, WANG, viewport=VIEWPORTS["phone"]) as context:
            page = await context.new_page()
            for language, size in itertools.product(("zh", "en"), ("18", "22", "26", "30")):
                await page.goto(f"/me?lang={language}&view=elder&size={size}")
                found[f"{language} {size}"] = await page.evaluate(
                    "document.querySelector('.help-first a').getBoundingClientRect().bottom"
                )
        return found

    with serving() as site:
        below = {which: at for which, at in drive(walk(site)).items() if at > VIEWPORTS["phone"]["height"]}
    assert not below


async def examined(
    site: Site, all_pages: list[Page], language: str, screen: str, view: str, dark: bool = False
) -> list[str]:
    """What is wrong with these pages in this variant, with scripts and without."""
    bad: list[str] = []
    look = {"viewport": VIEWPORTS[screen], "color_scheme": "dark" if dark else "light", "reduced_motion": "reduce"}
    cookies = {"lang": language, "view": view, "size": "22"}
    by_person = sorted(dict.fromkeys(all_pages), key=lambda page: page[1].id if page[1] else "")
    async with chromium() as browser:  # one page after the other: a second window only slows the first
        for who, mine in itertools.groupby(by_person, key=lambda page: page[1]):
            async with opened(browser, site, who, **look) as context:
                await context.add_cookies([{"name": k, "value": v, "url": site.address} for k, v in cookies.items()])
                await context.add_init_script(path=AXE)
                page, plain = await context.new_page(), await context.new_page()
                await plain.route("**/*.js", lambda route: route.abort())
                for path, _ in mine:
                    found, body = await wrong(page, path, view)
                    without, _ = await wrong(plain, path, view, body)
                    said = f"{path} ({who.id if who else None})"
                    bad += [f"{said}: {one}" for one in found] + [f"{said}, no scripts: {one}" for one in without]
    return bad


async def wrong(page: Any, path: str, view: str, known: str | None = None) -> tuple[list[str], str]:
    """What is wrong with one page (errors of its scripts, axe's violations, what it measures), and what it holds.

    ``known``: what the same page holds with scripts. One that they leave as it is need not be looked at twice.
    """
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(f"script error: {error}"))
    page.on(
        "console",
        lambda message: said.append(f"console: {message.text}") if "Content Security Policy" in message.text else None,
    )
    await page.goto(path, wait_until="load")
    body: str = await page.evaluate(BODY)
    if body == known and "without-js" not in body:
        return said, body
    await page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    found = await page.evaluate(RUN, [TAGS])
    measured = await page.evaluate(MEASURE, [60 if view == "elder" else 44, 18 if view == "elder" else 12])
    return [*said, *found, *measured], body
