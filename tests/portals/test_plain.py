"""What programs call by names is said in plain words: uses of data in sentences, the most telling reason first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.cases.views import Event
from hucheng.gate.rights import Line
from hucheng.portals.lexicon import Lexicon
from hucheng.portals.now import before, now_of, quiet, stage_of
from hucheng.portals.uses import TOGETHER, folded, looked, told
from hucheng.portals.words import Catalogues

from .conftest import made
from .fake import NOW, OFFICER, row

WORDS = Catalogues([], "Asia/Shanghai")


def line(seq: int, who: str = "p-li", minutes: int = 0, **more: object) -> Line:
    given = {
        "seq": seq,
        "at": NOW - timedelta(minutes=minutes),
        "kind": "look",
        "principal": who,
        "principal_name": "李敏",
        "principal_kind": "officer",
        "org": "c",
        "purpose": "care.respond",
        "basis": "",
        "datasets": ("city.residents",),
        "fields": (),
        "action": "read",
        "case": None,
        "result": "given",
        "policy": "",
        "counts": {},
    }
    return Line(**{**given, **more})  # type: ignore[arg-type]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 90)), max_size=30))
def test_telling_once_loses_no_use(looks: list[tuple[str, int]]) -> None:
    """Every use is counted exactly once, and nothing stands together that is further apart than said."""
    entries = [line(n, who, minutes) for n, (who, minutes) in enumerate(sorted(looks, key=lambda one: one[1]))]
    lines = told(entries)
    assert sum(one.times for one in lines) == len(entries)
    assert all(one.entry.at - one.first_at <= TOGETHER for one in lines)
    assert sum(one.times for one in told(entries, without="a")) == sum(who != "a" for who, _ in looks)


def test_a_use_is_said_in_a_sentence() -> None:
    site = made()
    lexicon: Lexicon = site.shell.lexicon
    zh, en = WORDS["zh"], WORDS["en"]
    assert looked(line(1), None, lexicon, zh) == "李敏（值班人员）查看了：居民"
    assert looked(line(1), "p-li", lexicon, en) == "You looked at: Residents"
    assert looked(line(1, result="refused"), None, lexicon, en).startswith("李敏 (Duty officer) was refused")
    assert (
        looked(line(1, kind="deed", action="cases.take", datasets=()), None, lexicon, zh)
        == "李敏（值班人员）接手了您的告警"
    )


def test_a_family_is_not_spoken_to_as_the_person_herself() -> None:
    zh, lexicon = WORDS["zh"], made().shell.lexicon
    taken = line(1, kind="deed", action="cases.take", datasets=())
    assert looked(taken, None, lexicon, zh, own=False) == "李敏（值班人员）接手了告警"
    looked_up = line(1, kind="standing", action="register")
    assert looked(looked_up, None, lexicon, WORDS["en"]).endswith(
        "checked against a register to find alarms: Residents"
    )


def test_a_family_hears_where_help_is_not_what_to_do() -> None:
    site = made()
    site.city.desk.cases["c-7"] = row("c-7", "r-1001", "calling", urgent=True)
    view = asyncio.run(site.city.desk.case(OFFICER, "c-7"))
    assert now_of(view, WORDS["zh"], NOW).head == "正在为您呼叫帮助"
    assert now_of(view, WORDS["zh"], NOW, own=False).head == "正在呼叫帮助"
    view.row.tier = 2
    assert now_of(view, WORDS["en"], NOW).line.startswith("Your key holder or your family has been told. Somebody")
    assert now_of(view, WORDS["en"], NOW, own=False).line.startswith("The key holder or the family has been told.")


@pytest.mark.parametrize(
    ("passed_s", "head", "line"),
    [
        (0, "Someone is coming: 李敏, 12 minutes", "Expected at 10:42. About:"),
        (5 * 60, "Someone is coming: 李敏, 7 minutes", "Expected at 10:42. "),
        (11 * 60 + 1, "Someone is coming: 李敏, 1 minute", "Expected at 10:42. "),
        (12 * 60, "李敏 should be there by now", "Expected at 10:42. "),
        (60 * 60, "李敏 should be there by now", "Expected at 10:42. "),
    ],
)
def test_help_comes_nearer_with_every_minute(passed_s: int, head: str, line: str) -> None:
    site = made()
    site.city.desk.cases["c-7"] = row("c-7", "r-1001", "taken", assigned_name="李敏")
    asyncio.run(site.city.desk.act(OFFICER, "c-7", "go", eta_minutes=12))
    view = asyncio.run(site.city.desk.case(OFFICER, "c-7"))
    now = now_of(view, WORDS["en"], NOW + timedelta(seconds=passed_s))
    assert now.head == head and now.line.startswith(line) and (now.stage, now.name) == ("coming", "李敏")


def test_all_is_well_does_not_hide_an_appeal_that_waits() -> None:
    assert quiet(WORDS["en"]).line.endswith("Nobody needs to do anything.")
    assert "Your appeal waits" in quiet(WORDS["en"], appeal=True).line
    assert quiet(WORDS["en"], own=False).line == "No alarm is open."


def test_what_is_in_progress_is_not_told_as_past() -> None:
    rows = [row("c-1", "r-1001"), row("c-2", "r-1001", "taken"), row("c-3", "r-1001", "closed")]
    now = quiet(WORDS["en"]).__class__("calling", "", "", "", "c-1")
    over, others = before(rows, now)
    assert [one.id for one in over] == ["c-3"] and [one.id for one in others] == ["c-2"]


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("个人信息保护法 第54条 (PIPL art. 54)", "个人信息保护法 第54条", "PIPL art. 54"),
        ("协议（与家属约定） (care agreement (13(4)))", "协议（与家属约定）", "care agreement (13(4))"),
        ("演示城市：PIPL。 Demo city: none is real.", "演示城市：PIPL。", "Demo city: none is real."),
        ("2023 ESH Guidelines (office)", "2023 ESH Guidelines (office)", "2023 ESH Guidelines (office)"),
    ],
)
def test_a_law_is_cited_in_the_readers_language(text: str, zh: str, en: str) -> None:
    assert [WORDS[language].law(text) for language in ("zh", "en")] == [zh, en]


def test_what_was_measured_comes_first() -> None:
    """And beside it what only lets a rule apply says nothing; alone it does."""
    lexicon = made().shell.lexicon
    apply = [{"fact": "pregnant", "value": False}, {"fact": "born", "value": "1953-03-07"}]
    measured = [{"fact": "minutes_silent", "value": 40}, {"fact": "systolic", "value": 192}]
    assert [one["fact"] for one in lexicon.telling([*apply, *measured])] == ["minutes_silent", "systolic"]
    assert [one["fact"] for one in lexicon.telling(apply)] == ["born", "pregnant"]
    assert lexicon.fact({"fact": "pressed", "value": True}, WORDS["en"]) == "Help button pressed"


def test_codes_are_said_in_words() -> None:
    lexicon, en = made().shell.lexicon, WORDS["en"]
    assert lexicon.source("home.blood_pressure.systolic_bp", en) == "Home blood pressure"
    assert lexicon.source("home.blood_pressure", en) == "Home blood pressure"
    assert lexicon.source("a report", en) == "a report" and lexicon.source(None, en) == "—"
    assert lexicon.rules["bp_crisis"] == "blood-pressure"
    assert ("NEWS2 total", "9") in lexicon.outcomes("news2", {"score": 9, "replaces": "d-1"}, en)
    grade = lexicon.outcomes("blood-pressure", {"crisis": True, "grade": "grade_3"}, en)
    assert grade == [("Blood pressure crisis", "yes"), ("Blood pressure grade", "grade 3 hypertension")]
    assert [one["en"] for one in lexicon.steps["consciousness"]][:2] == ["alert", "new confusion"]


def test_the_same_watch_of_a_day_is_told_once() -> None:
    watch = {"kind": "standing", "principal_kind": "service"}
    entries = [line(n, "node", 60 * n, **watch, result=("opened", "closed")[n % 2]) for n in range(40)]
    assert [one.times for one in told(entries)] == [25, 15]
    assert [one.times for one in told([line(n, "p-li", 60 * n) for n in range(3)])] == [1, 1, 1]


def test_a_name_that_says_its_office_is_not_given_it_again() -> None:
    lexicon = made().shell.lexicon
    named = line(1, "operator:local", principal_name="吴工（运维）", principal_kind="operator")
    assert looked(named, None, lexicon, WORDS["zh"]).startswith("吴工（运维）查看了")


async def _view(state: str, **more: object) -> str:
    site = made()
    site.city.desk.cases["c-7"] = row("c-7", "r-1001", state, **more)
    view = await site.city.desk.case(OFFICER, "c-7")
    return f"{stage_of(view)}: {now_of(view, WORDS['en'], NOW).text}"


def test_a_person_hears_what_is_happening() -> None:
    assert asyncio.run(_view("calling")).startswith("calling: Help is being called")
    assert "It is not urgent" in asyncio.run(_view("calling", urgent=False))
    assert asyncio.run(_view("taken", assigned_name="李敏")).startswith("taken: 李敏 is looking after it")
    assert asyncio.run(_view("closed")).startswith("closed: It has been taken care of")


def test_a_night_of_calls_is_a_few_lines() -> None:
    """What came again is told once, where it came last; deeds and notes are each told."""
    said = ["called", "no_answer"] * 30 + ["note", "note", "taken"]
    events = [
        Event(NOW + timedelta(minutes=n), "system", "", what, {"en": what}, "x" if what == "note" else None)
        for n, what in enumerate(said)
    ]
    found = folded(events)
    assert [(one.event.what, one.times) for one in found] == [
        ("called", 30),
        ("no_answer", 30),
        ("note", 1),
        ("note", 1),
        ("taken", 1),
    ]
    assert found[0].first_at == NOW and found[0].event.at == NOW + timedelta(minutes=58)
