"""The citizen's page: the version in force first, examples on a day on which it holds, sentences that read."""

from __future__ import annotations

import re
from datetime import date

import pytest

from hucheng.errors import RuleError
from hucheng.rules import loads

PACK = """
pack: help
title: {zh: 帮助, en: Help}
basis: 某法第一条 (Some Act, s. 1)
versions:
  - in_force: 2020-01-01
    facts:
      born: {type: date, range: [1900-01-01, 2030-12-31], title: {zh: 出生日期, en: date of birth}}
      income: {type: decimal, scale: 2, range: [0, 1000], unit: CNY/month, title: {zh: 收入, en: income}}
      alone: {type: boolean, title: {zh: 独居, en: lives alone}}
    outcomes:
      old: {type: boolean, title: {zh: 年满, en: old enough}, value: "age(born, decision_date) >= 60"}
      sum:
        type: decimal
        scale: 2
        title: {zh: 金额, en: amount}
        value: "LEAST(GREATEST(500.00 - income, 0.00), 300.00)"
      desk:
        type: enum
        values: [a, b]
        title: {zh: 窗口, en: desk}
        first_of: [{when: "NOT alone", value: a}]
        else: b
  - in_force: 2024-01-01
    amends: 2020-01-01
  - in_force: 2027-01-01
    amends: 2024-01-01
"""


def words(on: date, language: str = "en") -> str:
    """The text of one language's half of the page."""
    html = loads(PACK).page(on)
    half = html[html.index(f'<article id="{language}"') :]
    half = half[: half.index("</article>")]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", half))


def test_the_version_in_force_comes_first_then_those_to_come_then_those_of_the_past() -> None:
    text = words(date(2026, 5, 5))
    marks = [
        text.index(mark) for mark in ("in force now", "not yet in force", "Earlier versions", "no longer in force")
    ]
    assert marks == sorted(marks)
    assert "Since 2024-01-01 until 2026-12-31 in force now" in text


def test_examples_are_decided_on_a_day_on_which_their_version_holds_and_say_so() -> None:
    text = words(date(2026, 5, 5))
    said = re.findall(r"decided on (\d{4}-\d\d-\d\d)", text)
    assert said == ["2026-05-05", "2027-01-01", "2023-12-31"]


def test_an_amount_has_an_example_where_it_bends() -> None:
    text = words(date(2026, 5, 5), "zh")
    amounts = re.findall(r"金额：([\d.]+)", text)
    assert {"300.00", "0.00"} <= set(amounts) and any(0 < float(one) < 300 for one in amounts)


def test_sentences_read_in_both_languages() -> None:
    zh, en = words(date(2026, 5, 5), "zh"), words(date(2026, 5, 5))
    assert "若独居：否，则a" in zh and "If lives alone: no, then a" in en
    assert "中较小的" in zh and "the smaller of" in en
    assert "某法第一条" in zh and "Some Act, s. 1" in en and "某法" not in en
    assert "True" not in en and "None" not in en


def test_no_page_before_the_first_version() -> None:
    with pytest.raises(RuleError, match="nothing was in force"):
        words(date(2019, 12, 31))
