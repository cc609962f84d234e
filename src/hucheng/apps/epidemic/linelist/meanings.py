"""Values that mean the same: sex, outcome, classification, in both languages; ages in years, months and days."""

from __future__ import annotations

import re
import unicodedata

from hucheng.apps.epidemic.linelist.datereading import EMPTY

SEX = {
    "male": ("male", "m", "man", "boy", "男", "男性", "男孩"),
    "female": ("female", "f", "woman", "girl", "女", "女性", "女孩"),
    "unknown": ("unknown", "u", "未说明", "未知性别", "不详"),
}
SEX_CODES = {"1": "male", "2": "female", "0": "unknown", "9": "unknown"}
"""GB/T 2261.1, where a column holds nothing but these codes."""
OUTCOME = {
    "recovered": ("recovered", "cured", "discharged", "healed", "recovery",
                  "治愈", "痊愈", "康复", "出院", "已出院", "好转"),
    "died": ("died", "dead", "death", "deceased", "fatal", "死亡", "病亡", "已死亡", "去世"),
    "in_care": ("in_care", "hospitalised", "hospitalized", "in hospital", "under treatment", "on treatment",
                "inpatient", "isolated", "isolation", "住院", "在院", "治疗中", "在治", "隔离", "隔离治疗", "住院治疗"),
    "alive": ("alive", "survived", "stable", "存活", "生存", "未愈"),
    "unknown": ("unknown", "lost to follow-up", "pending", "不详", "未知", "失访"),
}  # fmt: skip
CLASSIFICATION = {
    "confirmed": ("confirmed", "laboratory confirmed", "lab confirmed", "lab-confirmed", "positive", "确诊", "确诊病例",
                  "实验室确诊", "实验室诊断病例"),
    "probable": ("probable", "clinical", "clinically diagnosed", "临床诊断", "临床诊断病例"),
    "suspected": ("suspected", "suspect", "possible", "疑似", "疑似病例"),
    "asymptomatic": ("asymptomatic", "无症状", "无症状感染者", "阳性检测"),
    "excluded": ("excluded", "not a case", "non-case", "negative", "discarded", "排除", "排除病例"),
}  # fmt: skip
LISTS = {"sex": SEX, "outcome": OUTCOME, "classification": CLASSIFICATION}
OLDEST = 125.0
NUMBER = re.compile(r"^\d+(?:\.\d+)?$")
AGE = re.compile(
    r"^(?:(?P<years>\d+(?:\.\d+)?)\s*(?:years?|yrs?|y|岁|周岁)(?:\s*old)?)?\s*"
    r"(?:(?P<months>\d+(?:\.\d+)?)\s*(?:months?|mos?|mths?|m|个月|月龄|月))?\s*"
    r"(?:(?P<weeks>\d+(?:\.\d+)?)\s*(?:weeks?|wks?|w|周龄|周))?\s*"
    r"(?:(?P<days>\d+(?:\.\d+)?)\s*(?:days?|d|天|日龄|日))?$"
)


def tidy(value: str) -> str:
    """A value without case, width and outer blanks."""
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", value)).strip().lower()


def meaning(column: str, values: set[str]) -> dict[str, str | None]:
    """Value as written → what it means, or None where it is not known; of a column of sex, outcome, classification."""
    known = {one: name for name, words in LISTS[column].items() for one in words}
    if column == "sex" and {tidy(value) for value in values} - EMPTY <= set(SEX_CODES):
        known |= SEX_CODES
    return {value: known.get(tidy(value)) for value in values}


def years(text: str) -> float | None:
    """An age in years; None where it says nothing. ValueError says why it is none.

    >>> years("35岁"), years("3个月"), years("18 months"), years("1y 6m")
    (35.0, 0.25, 1.5, 1.5)
    """
    plain = tidy(text)
    if plain in EMPTY:
        return None
    match = AGE.match(f"{plain}y" if NUMBER.match(plain) else plain)
    if not match or not any(match.groupdict().values()):
        raise ValueError(f"“{text}” is no age")
    part = {name: float(value or 0) for name, value in match.groupdict().items()}
    found = part["years"] + part["months"] / 12 + part["weeks"] * 7 / 365.25 + part["days"] / 365.25
    if found > OLDEST:
        raise ValueError(f"“{text}” is no age of a person")
    return round(found, 3)
