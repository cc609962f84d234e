"""Words for people: values with their labels and units, and the sentence that gives an outcome with its reasons."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import date

from hucheng.rules.kinds import Kind, Value, written
from hucheng.rules.model import OutcomeDeclared, Version, Words

LANGUAGES = ("zh", "en")
_YES = {"zh": ("否", "是"), "en": ("no", "yes")}
_UNKNOWN = {"zh": "未知", "en": "unknown"}
_UNITS = {
    "min": ("分钟", "min"), "h": ("小时", "h"), "d": ("天", "days"), "a": ("岁", "years"), "mm[Hg]": ("mmHg", "mmHg"),
    "/min": ("次/分", "/min"), "Cel": ("℃", "°C"), "CNY": ("元", "CNY"), "CNY/month": ("元/月", "CNY a month"),
    "CNY/a": ("元/年", "CNY a year"), "CNY/year": ("元/年", "CNY a year"), "m": ("米", "m"), "m2": ("平方米", "m²"),
}  # fmt: skip
"""How people write units (UCUM codes to Chinese and English); others stand as they are."""
_SLOT = re.compile(r"\{([a-z][a-z0-9_]*)\}")


def said(kind: Kind, value: Value | None, unit: str | None, labels: Mapping[str, Words], language: str) -> str:
    """A value as a person reads it."""
    if value is None:
        return _UNKNOWN[language]
    label = labels.get(written(kind, value))
    if label:
        return label[language]
    if isinstance(value, bool):
        return _YES[language][value]
    text = written(kind, value)
    if isinstance(value, date) and language == "zh":
        text = f"{value.year}年{value.month}月{value.day}日"
    return text + unit_of(unit, language)


def unit_of(unit: str | None, language: str) -> str:
    """A unit as it follows a number, with the space before it."""
    if not unit:
        return ""
    shown = _UNITS.get(unit, (unit, unit))[language == "en"]
    return shown if shown == "%" else f" {shown}"


def told(
    version: Version,
    outcome: OutcomeDeclared,
    value: Value | None,
    known: Mapping[str, Value | None],
    reasons: Sequence[str],
) -> dict[str, str]:
    """The outcome and its reasons in both languages."""
    found = {}
    key = "unknown" if value is None else written(outcome.kind, value)
    template = outcome.texts.get(key) or ({} if value is None else outcome.texts.get("any", {}))
    for language in LANGUAGES:

        def slot(match: re.Match[str], language: str = language) -> str:
            name = match[1]
            if name == "value":
                return said(outcome.kind, value, outcome.unit, outcome.labels, language)
            if name not in version.facts:
                return match[0]
            fact = version.facts[name]
            return said(fact.kind, known.get(name), fact.unit, fact.labels, language)

        if template:
            head = _SLOT.sub(slot, template[language])
        else:
            colon = "：" if language == "zh" else ": "
            head = outcome.title[language] + colon + said(outcome.kind, value, outcome.unit, outcome.labels, language)
        found[language] = _sentence(head, [_reason(version, name, known, language) for name in reasons], language)
    return found


def _reason(version: Version, name: str, known: Mapping[str, Value | None], language: str) -> str:
    """A fact and what it is: a number after a space, anything else after a colon."""
    fact = version.facts[name]
    colon = "：" if language == "zh" else ": "
    between = " " if fact.kind.name == "number" else colon
    return f"{fact.title[language]}{between}{said(fact.kind, known.get(name), fact.unit, fact.labels, language)}"


def _sentence(head: str, reasons: Sequence[str], language: str) -> str:
    stop = "。" if language == "zh" else "."
    head = head.rstrip("。.")
    if not reasons:
        return head + stop
    if language == "zh":
        return f"{head}。理由：{'；'.join(reasons)}。"
    return f"{head}. Because: {'; '.join(reasons)}."


_BOTH = re.compile(r"(.*[\u4e00-\u9fff].*?) \(([^\u4e00-\u9fff]+)\)")
"""A text in both languages: Chinese, and English in brackets behind it."""
_BESIDE = re.compile(r"([^a-z]*[\u4e00-\u9fff][^a-z]*。) ?([A-Z][^\u4e00-\u9fff]+)")
"""A text in both languages: whole sentences in Chinese, then in English."""


def law(text: str, language: str) -> str:
    """A text written as ``中文 (English)`` or ``中文。English.``: its half in this language; else the whole.

    >>> law("老年人权益保障法 第38条 (Law on the Rights of the Elderly art. 38)", "en")
    'Law on the Rights of the Elderly art. 38'
    """
    both = _BOTH.fullmatch(text) or _BESIDE.fullmatch(text)
    return both[1 if language == "zh" else 2] if both else text
