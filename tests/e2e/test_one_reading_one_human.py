"""One reading, one human: in a real browser, against a real node, from the cuff to the resident's own page."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.running import RunningNode, until

from ..portals.conftest import FLAGS

pytestmark = pytest.mark.browser
WAIT_MS = 20_000
CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as play:
        opened = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def signed_in(browser: Browser, node: RunningNode) -> Iterator[Callable[[str], Page]]:
    """A page of somebody who has signed in as a demo identity, in English."""
    contexts = []

    def open_as(who: str) -> Page:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.goto(f"{node.url}/sign-in?lang=en")
        page.locator(f"form:has([value='{who}']) button").first.click()
        page.wait_for_load_state()
        return page

    yield open_as
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def resident(node: RunningNode) -> str:
    """The resident of the demo: Chen Guilan."""
    personas = json.loads((node.home / "personas.json").read_text(encoding="utf-8"))
    return next(p["principal"]["resident_id"] for p in personas if p["principal"]["id"] == "chen-guilan")


Measure = Callable[[str, float], dict[str, Any]]


@pytest.fixture
def measure(node: RunningNode, resident: str, tmp_path: Path, write_readings: Callable[..., Path]) -> Measure:
    """Let a cuff of the resident measure now; gives the case it opened."""

    def now(device: str, systolic: float) -> dict[str, Any]:
        at = datetime.now(UTC).isoformat()
        before = {case["id"] for case in node.cases()}
        rows = [
            (resident, device, "systolic_bp", at, systolic, "mm[Hg]"),
            (resident, device, "diastolic_bp", at, 96, "mm[Hg]"),
        ]
        file = write_readings(tmp_path / f"{device}.csv", rows)
        node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol")
        return until(lambda: next((c for c in node.cases() if c["id"] not in before), None), 20, "the alarm")

    return now


def test_an_officer_takes_it_and_the_resident_reads_why_who_came_and_who_looked(
    signed_in: Callable[[str], Page], measure: Measure, node: RunningNode
) -> None:
    officer = signed_in("li-min")
    officer.goto(f"{node.url}/desk?order=newest")  # on its first page, however many are open
    case = measure("cuff-e2e-1", 186)
    assert case["reasons"] == [{"fact": "systolic", "value": 186}]
    row = officer.locator(f"a[href='/desk/cases/{case['id']}']").first
    expect(row).to_be_visible(timeout=WAIT_MS)  # without a reload: the queue is live

    row.click()
    expect(officer.get_by_text("186").first).to_be_visible()
    officer.get_by_role("button", name="Take it").click()
    expect(officer.get_by_text("In the hands of").first).to_be_visible()
    main = officer.locator("main")
    for told in ("Door code", "Key holder", "Medication"):
        expect(main.get_by_text(re.compile(told, re.I)).first).to_be_visible()
    officer.get_by_label("Minutes until somebody is there").fill("12")
    officer.get_by_role("button", name="On the way").click()
    expect(officer.get_by_role("button", name="Somebody is there")).to_be_visible()

    chen = signed_in("chen-guilan")
    chen.goto(f"{node.url}/me")
    expect(chen.get_by_text(re.compile("12 minutes")).first).to_be_visible()
    expect(chen.get_by_text("李敏").first).to_be_visible()
    chen.goto(f"{node.url}/me/decisions")
    chen.locator("main a[href^='/me/decisions/']").first.click()
    expect(chen.get_by_text("186").first).to_be_visible()
    expect(chen.get_by_text(re.compile("appeal", re.I)).first).to_be_visible()
    chen.goto(f"{node.url}/me/journal")
    expect(chen.get_by_text("李敏").first).to_be_visible()

    officer.get_by_role("button", name="Somebody is there").click()
    officer.get_by_text("Close it", exact=True).click()
    officer.get_by_label("Helped at home").check()
    officer.get_by_role("button", name="Close the case").click()
    until(lambda: next(c for c in node.cases() if c["id"] == case["id"])["state"] == "closed", 10, "closed")
    done = next(c for c in node.cases() if c["id"] == case["id"])
    assert (done["assigned_to"], done["outcome"]) == ("li-min", "helped_at_home")


def test_nobody_at_the_desk_and_it_climbs_to_the_daughter_who_answers(
    signed_in: Callable[[str], Page], measure: Measure, node: RunningNode, resident: str
) -> None:
    case = measure("cuff-e2e-2", 191)

    def tier() -> int:
        return int(next(c for c in node.cases() if c["id"] == case["id"])["tier"])

    until(lambda: tier() >= 2, 90, "the second tier")
    daughter = signed_in("wang-lijuan")
    daughter.goto(f"{node.url}/family/{resident}/cases/{case['id']}")
    daughter.get_by_role("button", name=re.compile("Take it|I will|I am", re.I)).first.click()
    until(lambda: next(c for c in node.cases() if c["id"] == case["id"])["state"] != "calling", 10, "taken")
    assert next(c for c in node.cases() if c["id"] == case["id"])["assigned_to"] == "wang-lijuan"

    chen = signed_in("chen-guilan")
    chen.goto(f"{node.url}/me")
    expect(chen.get_by_text("王丽娟").first).to_be_visible()


def test_somebody_elses_page_stays_shut(signed_in: Callable[[str], Page], node: RunningNode, resident: str) -> None:
    daughter = signed_in("wang-lijuan")
    answer = daughter.goto(f"{node.url}/family/R-somebody-else")
    assert answer is not None and answer.status in (403, 404)
    chen = signed_in("chen-guilan")
    answer = chen.goto(f"{node.url}/desk")
    assert answer is not None and answer.status in (403, 404)
