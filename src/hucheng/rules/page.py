"""A pack as a page that a citizen can read: what, who, how much, why, since when, with an example of each branch."""

from __future__ import annotations

import importlib.resources
from datetime import date
from typing import Any

import jinja2
import z3

from hucheng.rules.exact import exact
from hucheng.rules.kinds import Value
from hucheng.rules.logic import Undecided
from hucheng.rules.model import OutcomeDeclared, Version
from hucheng.rules.texts import LANGUAGES, said, unit_of
from hucheng.rules.tree import Case
from hucheng.rules.wording import Wording

_T = {
    "zh": {
        "basis": "依据：", "since": "自", "until": "至", "facts": "用到哪些信息", "fact": "信息", "may": "可以是",
        "source": "来源", "parameters": "其中的数字", "number": "数字", "value": "值", "never": "对每个人都成立的前提",
        "example": "举例：", "sources": "出处", "mark": "规则包与校验值：", "review": "不同意怎么办", "sep": "；",
        "appeal": "任何不利于您的结果都可以申请人工复核。信息有误的，可以要求从源头更正后重新决定。", "colon": "：",
    },
    "en": {
        "basis": "Basis:", "since": "Since", "until": "until", "facts": "What is asked", "fact": "Fact",
        "may": "May be", "source": "Source", "parameters": "Numbers in it", "number": "Number", "value": "Value",
        "never": "What holds for everybody", "example": "Example:", "sources": "Sources", "mark": "Pack and hash:",
        "review": "If you disagree", "sep": "; ", "colon": ": ",
        "appeal": "A human reviews any result that harms you, if you ask. Wrong facts are corrected at their source, "
        "and then decided again.",
    },
}  # fmt: skip


def page(pack: Any, on: date) -> str:
    """The page as HTML, Chinese and English, complete in itself."""
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = importlib.resources.files("hucheng.rules").joinpath("page.html").read_text("utf-8")
    pages = []
    for language in LANGUAGES:
        versions = []
        for place, version in enumerate(pack.versions):
            later = pack.versions[place + 1 :]
            until = later[0].in_force if later else None
            versions.append(_version(version, language, max(on, version.in_force), until))
        pages.append(
            {"language": language, "title": pack.title[language], "t": _T[language], "versions": versions,
             "note": pack.note.get(language)}
        )  # fmt: skip
    return environment.from_string(template).render(
        pages=pages, title=pack.title, basis=pack.basis, sources=pack.sources, id=pack.id, digest=pack.hash
    )


def _version(version: Version, language: str, on: date, until: date | None) -> dict[str, Any]:
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
        "facts": facts,
        "parameters": parameters,
        "constraints": [wording.of(constraint.tree) for constraint in version.constraints],
        "outcomes": [
            {"title": outcome.title[language], "basis": outcome.basis, "rules": _rules(version, outcome, wording, on)}
            for outcome in version.outcomes.values()
        ],
    }


def _rules(version: Version, outcome: OutcomeDeclared, wording: Wording, on: date) -> list[dict[str, str]]:
    """Each branch with somebody whom it is for; a plain expression with somebody for yes and for no."""
    tree, logic = outcome.tree, exact(version, on).logic
    c = logic.context
    found = []
    if isinstance(tree, Case):
        whens = [logic.of(when)[0] for when, _ in tree.branches]
        for place, (when, value) in enumerate(tree.branches):
            form = wording.words["only" if tree.unordered else "if"]
            text = form.format(wording.of(when), _result(outcome, value, wording))
            before = [] if tree.unordered else [z3.Not(each, c) for each in whens[:place]]
            found.append({"text": text, "example": _example(version, outcome, wording, on, whens[place], *before)})
        if tree.other is not None:
            text = wording.words["else"].format(_result(outcome, tree.other, wording))
            example = _example(version, outcome, wording, on, *(z3.Not(each, c) for each in whens))
            found.append({"text": text, "example": example})
    else:
        found.append({"text": wording.of(tree), "example": _example(version, outcome, wording, on)})
        if outcome.kind.name == "boolean":
            sides = (logic.outcomes[outcome.name], z3.Not(logic.outcomes[outcome.name], c))
            found += [{"text": "", "example": _example(version, outcome, wording, on, side)} for side in sides]
            found[0]["example"] = ""
    return found


def _result(outcome: OutcomeDeclared, value: Any, wording: Wording) -> str:
    if hasattr(value, "value"):
        return said(value.kind, value.value, outcome.unit, outcome.labels, wording.language)
    return wording.of(value)


def _example(version: Version, outcome: OutcomeDeclared, wording: Wording, on: date, *conditions: Any) -> str:
    """Somebody for whom the conditions hold, with the result; empty if there is nobody."""
    readings = exact(version, on)
    logic, language, t = readings.logic, wording.language, _T[wording.language]
    solver = logic.solver()
    try:
        if not logic.check(solver, *conditions):
            return ""
    except Undecided:
        return ""
    model = solver.model()
    used = set(logic.mentioned(outcome.name))
    known: dict[str, Value | None] = {
        name: logic.outer(fact.kind, model.eval(logic.facts[name], True)) for name, fact in version.facts.items()
    }
    parts = [
        f"{fact.title[language]} {said(fact.kind, known[name], fact.unit, fact.labels, language)}"
        for name, fact in version.facts.items()
        if name in used
    ]
    value = readings.outcome(outcome.name, known)
    shown = said(outcome.kind, value, outcome.unit, outcome.labels, language)
    return f"{t['sep'].join(parts)} → {outcome.title[language]}{t['colon']}{shown}"
