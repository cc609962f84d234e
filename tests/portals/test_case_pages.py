"""What pages of cases and decisions say: which device, how long, whom one still owes, and no codes."""

from __future__ import annotations

import re

import msgspec
import pytest

from hucheng.errors import HuchengError

from . import fake_desk
from .conftest import Site
from .fake import AUDITOR, DAUGHTER, NOW, OFFICER, WANG, row


def text_of(site: Site, who: object, path: str, language: str = "en") -> str:
    """What a page says, without its elements."""
    page = site.client(who).get(f"{path}{'&' if '?' in path else '?'}lang={language}")  # type: ignore[arg-type]
    assert page.status_code == 200, path
    return re.sub(r"\s+", " ", re.sub(r"<script.*?</script>|<[^>]+>", " ", page.text, flags=re.DOTALL))


def test_a_silent_device_is_named(site: Site) -> None:
    """By what its readings are called, in the reader's language; its own kind is a code."""
    for language, name in (("zh", "智能床垫"), ("en", "Bed sensor")):
        said = text_of(site, OFFICER, "/desk/cases/c-3", language)
        assert name in said and "d-bed-2" in said and "mattress" not in said


def test_an_answer_is_offered_once_there_is_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    button = "I have answered"
    assert button in text_of(site, OFFICER, "/desk/owed") and button in text_of(site, OFFICER, "/desk/cases/c-2")
    monkeypatch.setattr(fake_desk, "OWED", msgspec.structs.replace(fake_desk.OWED, ready=False))
    assert button not in text_of(site, OFFICER, "/desk/owed")
    assert button not in text_of(site, OFFICER, "/desk/cases/c-2")


def test_what_is_owed_says_in_which_case(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    more = {"title": {"zh": "血压危急", "en": "Blood pressure crisis"}, "simulated": True, "opened_at": NOW}
    monkeypatch.setattr(fake_desk, "OWED", msgspec.structs.replace(fake_desk.OWED, **more))
    said = text_of(site, OFFICER, "/desk/owed")
    assert "Blood pressure crisis" in said and "c-2" in said and "Simulated" in said


def test_the_clock_says_a_sentence_that_is_true(site: Site) -> None:
    said = text_of(site, OFFICER, "/desk/cases/c-1")
    assert "Called now: Duty officer. The next are called:" in said
    site.city.desk.cases["c-1"] = row("c-1", "r-1001", tier=4)
    said = text_of(site, OFFICER, "/desk/cases/c-1")
    assert "Called again:" in said and "The next are called" not in said


def test_an_officer_finds_by_name_and_is_told_how_to_find(site: Site) -> None:
    assert "/desk/cases/c-1" in site.client(OFFICER).get("/desk/find?q=王秀兰").text
    assert "/desk/cases/c-1" not in site.client(OFFICER).get("/desk/find?q=王秀").text
    assert "as it is on record" in text_of(site, OFFICER, "/desk/find?q=nobody")


def test_no_code_is_shown_on_a_decision(site: Site) -> None:
    for who, base in ((WANG, "/me"), (DAUGHTER, "/family/r-1001")):
        said = text_of(site, who, f"{base}/decisions/d-1")
        for code in ("bp_crisis", "home.blood_pressure", "1a2b3c4d"):
            assert code not in said
        assert "wording of 21 June 2023" in said and "Blood pressure crisis yes" in said
    assert "bp_crisis" not in text_of(site, OFFICER, "/desk/cases/c-1")


def test_a_decision_without_facts_says_why(site: Site) -> None:
    assert "rests on the appeal" in text_of(site, WANG, "/me/decisions/d-9")
    decisions = site.city.decisions
    decisions.decision = msgspec.structs.replace(decisions.decision, facts=[])
    assert "A mandate shows the decision" in text_of(site, DAUGHTER, "/family/r-1001/decisions/d-1")
    assert "No facts are on record" in text_of(site, WANG, "/me/decisions/d-1")


def test_what_is_simulated_is_marked_wherever_it_is_told(site: Site) -> None:
    for who, path in ((WANG, "/me"), (DAUGHTER, "/family"), (DAUGHTER, "/family/r-1001"), (None, "/")):
        assert "Simulated" in text_of(site, who, path), path
    assert "Simulated" in text_of(site, None, f"/help/{site.help_link}")
    assert "every person here is invented" in text_of(site, None, "/")


def test_readings_are_offered_only_of_what_measures(site: Site) -> None:
    said = text_of(site, WANG, "/me/readings")
    assert "Home blood pressure" in said and "Vital-sign set" not in said and "Bed sensor" not in said


def test_an_auditor_reads_purposes_laws_and_offices(site: Site) -> None:
    said = text_of(site, AUDITOR, "/audit/journal")
    assert "Responding to a care alarm" in said and "老年人权益保障法" in said and "UTC+08:00" in said
    said = text_of(site, AUDITOR, "/audit/requests")
    assert "Data bureau" in said and "Care at home" in said and "care.respond" not in said
    assert "city." not in text_of(site, None, "/purposes").replace("city.statistics", "")


def test_pages_name_the_zone_of_their_times(site: Site) -> None:
    for who, path in ((WANG, "/me/journal"), (WANG, "/me/decisions"), (AUDITOR, "/audit/checkpoints"), (None, "/")):
        assert "UTC+08:00" in text_of(site, who, path), path


def test_the_front_page_says_down_only_where_that_is_so(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    async def odd() -> dict[str, object]:
        raise HuchengError("a bug")

    assert "partly down" not in text_of(site, None, "/")
    monkeypatch.setattr(site.city.status, "status", odd)
    assert "partly down" not in text_of(site, None, "/")
    monkeypatch.undo()
    site.city.desk.down = True
    assert "partly down" in text_of(site, None, "/")
