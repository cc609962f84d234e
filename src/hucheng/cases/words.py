"""What the history of a case says, in both languages; values are filled in by name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

EVENTS: Final[Mapping[str, dict[str, str]]] = {
    "opened": {"zh": "发现异常，开立事项：{text}", "en": "Noticed, case opened: {text}"},
    "joined": {"zh": "同类发现并入：{text}", "en": "Another finding of the same kind joined: {text}"},
    "called": {"zh": "第 {tier} 级呼叫：{name}（{role}）", "en": "Tier {tier} called: {name} ({role})"},
    "nobody": {
        "zh": "第 {tier} 级（{role}）无人值班，立即呼叫下一级",
        "en": "Nobody is on duty in tier {tier} ({role})",
    },
    "no_answer": {"zh": "第 {tier} 级在 {within}内无人应答", "en": "Tier {tier}: no answer within {within}"},
    "reminder": {"zh": "{title}", "en": "{title}"},
    "taken": {"zh": "{name}已接手", "en": "Taken by {name}"},
    "on_the_way": {"zh": "{name}已出发，约 {minutes} 分钟到", "en": "{name} is on the way, {minutes} min"},
    "visited": {"zh": "{name}已到场", "en": "{name} is there"},
    "handed_over": {"zh": "{name}移交给{to}", "en": "Handed over from {name} to {to}"},
    "handed_back": {"zh": "{name}交回值班表，重新呼叫", "en": "{name} handed it back to the roster: calling again"},
    "mandate_over": {
        "zh": "{name}的委托已终止，事项交回值班表，重新呼叫",
        "en": "The mandate of {name} is over: back to the roster, calling again",
    },
    "note": {"zh": "{name}作了记录", "en": "Note by {name}"},
    "answered": {"zh": "{name}已答复：{text}", "en": "{name} gave the answer: {text}"},
    "closed": {"zh": "{name}办结：{outcome}", "en": "Closed by {name}: {outcome}"},
    "delivered": {"zh": "通知已送达：{name}", "en": "Notice delivered: {name}"},
    "not_delivered": {"zh": "通知未送达：{name}", "en": "Notice not delivered: {name}"},
    "appealed": {"zh": "居民对决定提出申诉", "en": "The resident appeals against the decision"},
    "upheld": {"zh": "申诉成立，原决定不再有效", "en": "The appeal is upheld: the decision no longer holds"},
    "rejected": {"zh": "申诉不成立，维持原决定", "en": "The appeal is rejected: the decision stands"},
    "erased": {"zh": "居民数据已依法删除，事项终止", "en": "The resident's data was erased by law: the case ends"},
}

OWED: Final[Mapping[str, dict[str, str]]] = {
    "resident": {"zh": "告知居民处理结果", "en": "Tell the resident what came of it"},
    "called": {"zh": "告知{name}：事项已有人处理", "en": "Tell {name}, who was called, that it is in hand"},
    "promise": {"zh": "{title}", "en": "{title}"},
    "not_delivered": {
        "zh": "给{name}的通知未送达，请电话联系",
        "en": "The notice to {name} was not delivered: phone them",
    },
    "appeal": {"zh": "答复居民对决定的申诉", "en": "Answer the resident's appeal against the decision"},
}

ROSTER: Final = {"zh": "值班表", "en": "the roster"}

NOTICE: Final[Mapping[str, dict[str, str]]] = {
    "title": {"zh": "护城：第 {tier} 级呼叫 {case}", "en": "Hucheng: tier {tier} call, {case}"},
    "text": {
        "zh": "{title}（{community}）等待应答。请打开 {url} 接手。{simulated}",
        "en": "{title} ({community}) waits for an answer. Open {url} and take it. {simulated}",
    },
    "handed": {
        "zh": "事项 {case}（{community}）已移交给您。请打开 {url} 。{simulated}",
        "en": "Case {case} ({community}) was handed over to you. Open {url} . {simulated}",
    },
    "simulated": {"zh": "【模拟信号】", "en": "[simulated signal]"},
}

ERASED: Final = {"zh": "已依法删除", "en": "Erased by law"}


def length(seconds: float) -> dict[str, str]:
    """A wait as people say it.

    >>> length(60), length(540)["en"], length(5400)["zh"]
    ({'zh': '60 秒', 'en': '60 s'}, '9 min', '90 分钟')
    """
    whole = int(seconds)
    if whole < 120:
        return {"zh": f"{whole} 秒", "en": f"{whole} s"}
    if whole < 2 * 3600:
        return {"zh": f"{whole / 60:g} 分钟", "en": f"{whole / 60:g} min"}
    return {"zh": f"{whole / 3600:g} 小时", "en": f"{whole / 3600:g} h"}


def say(words: Mapping[str, str], **values: object) -> dict[str, str]:
    """The words filled in, in every language; a value that is a dict gives its own language.

    >>> say({"zh": "由{name}接手", "en": "by {name}"}, name={"zh": "李", "en": "Li"})
    {'zh': '由李接手', 'en': 'by Li'}
    """
    return {
        language: text.format(**{name: _in(language, value) for name, value in values.items()})
        for language, text in words.items()
    }


def _in(language: str, value: object) -> object:
    return value.get(language, value.get("en", "")) if isinstance(value, dict) else value
