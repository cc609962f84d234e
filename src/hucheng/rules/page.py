"""A pack as a page that a citizen can read: what, who, how much, why, since when, with an example of each branch."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import jinja2
import z3

from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import exact
from hucheng.rules.kinds import Value
from hucheng.rules.logic import Undecided
from hucheng.rules.model import OutcomeDeclared, Version
from hucheng.rules.texts import LANGUAGES, law, said, unit_of
from hucheng.rules.tree import Case, Extreme, Node, children
from hucheng.rules.wording import Wording

Known = Mapping[str, Value | None]

MOST = 5
"""Examples of one amount."""

_T = {
    "zh": {
        "basis": "依据：", "since": "自", "until": "至", "facts": "用到哪些信息", "fact": "信息", "may": "可以是",
        "source": "来源", "parameters": "其中的数字", "number": "数字", "value": "值", "never": "对每个人都成立的前提",
        "example": "举例：", "sources": "出处", "mark": "规则包与校验值：", "review": "不同意怎么办", "sep": "；",
        "now": "现行", "coming": "尚未生效", "past": "已失效", "older": "以前的版本", "item": "登记项",
        "decided": "以下例子均以 {0} 为决定之日。",
        "appeal": "任何不利于您的结果都可以申请人工复核。信息有误的，可以要求从源头更正后重新决定。", "colon": "：",
    },
    "en": {
        "basis": "Basis:", "since": "Since", "until": "until", "facts": "What is asked", "fact": "Fact",
        "may": "May be", "source": "Source", "parameters": "Numbers in it", "number": "Number", "value": "Value",
        "never": "What holds for everybody", "example": "Example:", "sources": "Sources", "mark": "Pack and hash:",
        "now": "in force now", "coming": "not yet in force", "past": "no longer in force", "older": "Earlier versions",
        "item": "Register item", "decided": "The examples below are decided on {0}.",
        "review": "If you disagree", "sep": "; ", "colon": ": ",
        "appeal": "A human reviews any result that harms you, if you ask. Wrong facts are corrected at their source, "
        "and then decided again.",
    },
}  # fmt: skip


def page(pack: Any, on: date) -> str:
    """The page as HTML, Chinese and English, complete in itself: the version in force on a day first, then those to
    come, then those of the past. RuleError where none was in force."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = importlib.resources.files("hucheng.rules").joinpath("page.html").read_text("utf-8")
    now = pack.version(on)
    shown = [(version, *_day(pack.versions, place, on)) for place, version in enumerate(pack.versions)]
    shown.sort(key=lambda one: (one[0] is not now, one[0].in_force < now.in_force, abs(one[0].in_force - on)))
    somebody = [Somebody(version, day) for version, day, _ in shown]
    pages = []
    for language in LANGUAGES:
        versions = [
            _version(version, language, somebody[place], day, until)
            | {"state": "now" if version is now else "past" if version.in_force < now.in_force else "coming"}
            for place, (version, day, until) in enumerate(shown)
        ]
        pages.append(
            {"language": language, "title": pack.title[language], "t": _T[language], "versions": versions,
             "note": pack.note.get(language), "basis": law(pack.basis, language)}
        )  # fmt: skip
    return environment.from_string(template).render(
        pages=pages, title=pack.title, sources=pack.sources, id=pack.id, digest=pack.hash
    )


def _day(versions: Sequence[Version], place: int, on: date) -> tuple[date, date | None]:
    """A day on which a version decides: the one asked for, or the nearest to it; and its last day, where it has one."""
    last = versions[place + 1].in_force - timedelta(days=1) if place + 1 < len(versions) else None
    return max(versions[place].in_force, on if last is None else min(on, last)), last


def _version(version: Version, language: str, somebody: Somebody, day: date, until: date | None) -> dict[str, Any]:
    wording = Wording(version, language)
    facts = []
    for fact in version.facts.values():
        kind = fact.kind
        if kind.name == "boolean":
            domain = wording.words["yes"] + " / " + wording.words["no"]
        elif kind.name == "enum":
            domain = wording.words["sep"].join(said(kind, value, None, fact.labels, language) for value in kind.values)
        else:
            ends = (date.fromordinal(e) if kind.name == "date" else e for e in (kind.low, kind.high))
            domain = " – ".join(said(kind, end, None, {}, language) for end in ends) + unit_of(fact.unit, language)
        facts.append({"title": fact.title[language], "domain": domain, "source": fact.source or ""})
    parameters = [
        {"title": p.title[language], "value": said(p.kind, p.value, p.unit, {}, language), "source": p.source}
        for p in version.parameters.values()
    ]
    return {
        "since": version.in_force.isoformat(),
        "until": until and until.isoformat(),
        "decided": _T[language]["decided"].format(day.isoformat()) if version.dated else None,
        "facts": facts,
        "parameters": parameters,
        "constraints": [wording.of(constraint.tree) for constraint in version.constraints],
        "outcomes": [
            {
                "title": outcome.title[language],
                "basis": law(outcome.basis, language) if outcome.basis else None,
                "rules": _rules(version, outcome, wording, somebody),
            }
            for outcome in version.outcomes.values()
        ],
    }


def _rules(version: Version, outcome: OutcomeDeclared, wording: Wording, somebody: Somebody) -> list[dict[str, str]]:
    """Each branch with somebody whom it is for; a plain expression with somebody for yes and for no."""
    tree = outcome.tree
    texts: list[str] = []
    if isinstance(tree, Case):
        form = wording.words["only" if tree.unordered else "if"]
        texts = [form.format(wording.of(when), _result(outcome, value, wording)) for when, value in tree.branches]
        if tree.other is not None:
            texts.append(wording.words["else"].format(_result(outcome, tree.other, wording)))
    elif outcome.kind.name == "boolean":
        texts = [wording.of(tree), "", ""]
    else:
        texts = [wording.of(tree)]
    people = somebody.of(outcome)
    texts += [""] * (len(people) - len(texts))
    return [
        {"text": text, "example": "" if known is None else _example(version, outcome, wording, somebody, known)}
        for text, known in zip(texts, people, strict=True)
    ]


def _result(outcome: OutcomeDeclared, value: Any, wording: Wording) -> str:
    if hasattr(value, "value"):
        return said(value.kind, value.value, outcome.unit, outcome.labels, wording.language)
    return wording.of(value)


def _example(version: Version, outcome: OutcomeDeclared, wording: Wording, somebody: Somebody, known: Known) -> str:
    """Somebody in words, with the result."""
    language, t = wording.language, _T[wording.language]
    parts = [
        f"{fact.title[language]}{t['colon']}{said(fact.kind, known[name], fact.unit, fact.labels, language)}"
        for name, fact in version.facts.items()
        if name in somebody.mentioned[outcome.name]
    ]
    value = somebody.readings.outcome(outcome.name, known)
    if isinstance(value, Leaf):  # a gap or an overlap: check says so
        value = None
    shown = said(outcome.kind, value, outcome.unit, outcome.labels, language)
    return f"{t['sep'].join(parts)} → {outcome.title[language]}{t['colon']}{shown}"


class Somebody:
    """For each branch of an outcome a person whom it is for; looked for once, told in every language."""

    def __init__(self, version: Version, on: date) -> None:
        self.version = version
        self.readings = exact(version, on)
        self.mentioned = {name: set(self.readings.logic.mentioned(name)) for name in version.outcomes}
        self._found: dict[str, list[Known | None]] = {}

    def of(self, outcome: OutcomeDeclared) -> list[Known | None]:
        """Somebody for each branch and the else; of a condition nobody, then one for yes and one for no; None where
        there is nobody, or nobody is found in time."""
        if outcome.name not in self._found:
            self._found[outcome.name] = list(self._each(outcome))
        return self._found[outcome.name]

    def _each(self, outcome: OutcomeDeclared) -> Iterator[Known | None]:
        tree, logic = outcome.tree, self.readings.logic
        c, solver = logic.context, logic.solver()
        if isinstance(tree, Case):
            solver.push()
            try:
                for when, _ in tree.branches:
                    condition = logic.of(when)[0]
                    yield self._person(condition)
                    if not tree.unordered:
                        solver.add(z3.Not(condition, c))
                if tree.other is not None:
                    yield self._person()
            finally:
                solver.pop()
        elif outcome.kind.name == "boolean":
            yield None
            yield self._person(logic.outcomes[outcome.name])
            yield self._person(z3.Not(logic.outcomes[outcome.name], c))
        else:
            people = [self._person(*conditions) for conditions in self._bends(tree)]
            found: list[Known | None] = [known for known in people if known is not None]
            yield from found[:MOST] or [None]

    def _bends(self, node: Node) -> Iterator[list[Any]]:
        """Conditions under which an amount runs along one of its straight pieces: which part of each LEAST and
        GREATEST, from the outermost inwards, alone decides it."""
        if not isinstance(node, Extreme):
            yield from [found for part in children(node) for found in self._bends(part) if found] or [[]]
            return
        values = [self.readings.logic.of(part)[0] for part in node.parts]
        for place, value in enumerate(values):
            others = [other for at, other in enumerate(values) if at != place]
            beyond = [value < other if node.name == "least" else value > other for other in others]
            yield from (beyond + inner for inner in self._bends(node.parts[place]))

    def _person(self, *conditions: Any) -> Known | None:
        logic = self.readings.logic
        solver = logic.solver()
        try:
            if not logic.check(solver, *conditions):
                return None
        except Undecided:
            return None
        model = solver.model()
        return {n: logic.outer(f.kind, model.eval(logic.facts[n], True)) for n, f in self.version.facts.items()}
