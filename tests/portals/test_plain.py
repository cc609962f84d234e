"""What programs call by names is said in plain words: uses of data in sentences, the most telling reason first."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hucheng.gate.rights import Line
from hucheng.portals.now import now_of, stage_of
from hucheng.portals.plain import TOGETHER, Lexicon, looked, told
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
    assert looked(looked_up, None, lexicon, WORDS["en"]).endswith("looked something up to find alarms: Residents")


def test_a_family_hears_where_help_is_not_what_to_do() -> None:
    site = made()
    site.city.desk.cases["c-7"] = row("c-7", "r-1001", "calling", urgent=True)
    view = asyncio.run(site.city.desk.case(OFFICER, "c-7"))
    assert now_of(view, WORDS["zh"]).head == "正在为您呼叫帮助"
    assert now_of(view, WORDS["zh"], own=False).head == "正在呼叫帮助"


@pytest.mark.parametrize(
    ("text", "zh", "en"),
    [
        ("个人信息保护法 第54条 (PIPL art. 54)", "个人信息保护法 第54条", "PIPL art. 54"),
        ("协议（与家属约定） (care agreement (13(4)))", "协议（与家属约定）", "care agreement (13(4))"),
        ("2023 ESH Guidelines (office)", "2023 ESH Guidelines (office)", "2023 ESH Guidelines (office)"),
    ],
)
def test_a_law_is_cited_in_the_readers_language(text: str, zh: str, en: str) -> None:
    assert [WORDS[language].law(text) for language in ("zh", "en")] == [zh, en]


def test_what_was_measured_comes_first() -> None:
    reasons = [
        {"fact": "pregnant", "value": False},
        {"fact": "born", "value": "1953-03-07"},
        {"fact": "systolic", "value": 192},
    ]
    assert [one["fact"] for one in made().shell.lexicon.telling(reasons)] == ["systolic", "born", "pregnant"]


async def _view(state: str, **more: object) -> str:
    site = made()
    site.city.desk.cases["c-7"] = row("c-7", "r-1001", state, **more)
    view = await site.city.desk.case(OFFICER, "c-7")
    return f"{stage_of(view)}: {now_of(view, WORDS['en']).text}"


def test_a_person_hears_what_is_happening() -> None:
    assert asyncio.run(_view("calling")).startswith("calling: Help is being called")
    assert "It is not urgent" in asyncio.run(_view("calling", urgent=False))
    assert asyncio.run(_view("taken", assigned_name="李敏")).startswith("taken: 李敏 is looking after it")
    assert asyncio.run(_view("closed")).startswith("closed: It has been taken care of")
