"""What facts, datasets, rules and their reasons are called: from contracts and packs, read once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date
from functools import cached_property
from typing import Any

import yaml
from markupsafe import Markup

from hucheng.portals.words import Words, mark

_DAY = re.compile(r"\d{4}-\d\d-\d\d")


class Lexicon:
    """Titles of facts, datasets and rule packs: from contracts and packs, read once."""

    def __init__(self, catalogue: Any, apps: Any) -> None:
        self._catalogue = catalogue
        self._apps = apps

    @cached_property
    def packs(self) -> dict[str, dict[str, Any]]:
        """The published rule packs as their authors wrote them, by name; ``text`` is the file itself."""
        found: dict[str, dict[str, Any]] = {}
        for app in self._apps:
            for path in app.packs:
                text = path.read_text(encoding="utf-8")
                said = yaml.safe_load(text)
                found[path.stem] = {**said, "file": path.stem, "app": app.titles, "text": text}
        return found

    @cached_property
    def facts(self) -> dict[str, dict[str, Any]]:
        """Title and unit of every fact and metric, by name."""
        found: dict[str, dict[str, Any]] = {}
        for contract in self._catalogue:
            for name, metric in contract.metrics.items():
                found[name] = {"title": metric.title, "unit": metric.unit}
        for pack in self.packs.values():
            for version in pack.get("versions", [pack]):
                for name, fact in (version.get("facts") or {}).items():
                    found[name] = {"title": fact.get("title", name), "unit": fact.get("unit"), **_labels(fact)}
        return found

    @cached_property
    def steps(self) -> dict[str, list[Mapping[str, str]]]:
        """What the whole values of a metric from 0 on are called: by the fact of the same name, in its order."""
        found: dict[str, list[Mapping[str, str]]] = {}
        whole = {
            name: int(metric.high) + 1
            for contract in self._catalogue
            for name, metric in contract.metrics.items()
            if metric.integer and metric.low == 0 and metric.high is not None
        }
        for pack in self.packs.values():
            for version in pack.get("versions", [pack]):
                for name, fact in (version.get("facts") or {}).items():
                    labels = _labels(fact).get("labels", {})
                    if labels and len(labels) == whole.get(name):
                        found[name] = [labels[value] for value in fact.get("values", labels)]
        return found

    @cached_property
    def rules(self) -> dict[str, str]:
        """The pack behind each rule that detectors follow."""
        return {one.rule: one.pack for app in self._apps for one in app.detectors}

    def outcomes(self, pack: str, outcome: Mapping[str, Any], words: Words) -> list[tuple[str, str]]:
        """What a pack's outcomes are called and what they are, in its order; only those that it declares."""
        known = self.packs.get(pack, {})
        declared: dict[str, Any] = {}
        for version in known.get("versions", [known]):  # a later one may say only what it amends
            declared |= version.get("outcomes") or {}
        found = []
        for name, said in declared.items():
            value = outcome.get(name)
            if value is None:
                continue
            label = _labels(said).get("labels", {}).get(value) if isinstance(value, str) else None
            title = words.tell(said.get("title")) or name.replace("_", " ")
            shown = words.tell(label) if label else words.number(value, said.get("unit"))
            found.append((title[:1].upper() + title[1:], shown))
        return found

    def source(self, source: str | None, words: Words) -> str:
        """A source as people call it: ``dataset`` or ``dataset.field``."""
        name = source or ""
        dataset = name if name in self._catalogue else name.rpartition(".")[0]
        return words.tell(self._catalogue.get(dataset).title) if dataset in self._catalogue else name or "—"

    @staticmethod
    def headline(text: str) -> str:
        """The sentence before the reasons that a pack puts behind it.

        >>> Lexicon.headline("The device is silent. Because: silent for 190 min.")
        'The device is silent.'
        """
        for reasons, stop in ((". Because: ", "."), ("。理由：", "。")):
            head, found, _ = text.partition(reasons)
            if found:
                return head + stop
        return text

    def fact_title(self, name: str, words: Words) -> str:
        """What a fact is called."""
        title = words.tell(self.facts.get(name, {}).get("title")) or name.replace("_", " ")
        return title[:1].upper() + title[1:]

    def fact_value(self, name: str, value: Any, unit: str | None, words: Words) -> str:
        """A fact's value with its unit, or the label of what it may be."""
        known = self.facts.get(name, {})
        if isinstance(value, str) and value in known.get("labels", {}):
            return words.tell(known["labels"][value])
        return words.number(value, unit or known.get("unit"))

    def fact(self, reason: Any, words: Words) -> Markup:
        """One reason: the fact and its value."""
        read = reason if isinstance(reason, Mapping) else {n: getattr(reason, n, None) for n in ("fact", "value")}
        name, value = str(read.get("fact") or read.get("name") or ""), read.get("value")
        if value is None or value is True:
            return Markup("{}").format(self.fact_title(name, words))
        shown = self.fact_value(name, value, read.get("unit"), words)
        return Markup("{} <b>{}</b>").format(self.fact_title(name, words), shown)

    def telling(self, reasons: Iterable[Any]) -> list[Any]:
        """Reasons with what was measured first, then what is so, then what is not so.

        Beside a measurement the conditions that only let a rule apply (a date, something that is not so) say nothing;
        they stand among the facts of the decision.
        """

        def weight(reason: Any) -> int:
            name = reason.get("fact") if isinstance(reason, Mapping) else getattr(reason, "fact", "")
            value = reason.get("value") if isinstance(reason, Mapping) else getattr(reason, "value", None)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return 0 if self.facts.get(str(name), {}).get("unit") else 1
            return 3 if value is False or value is None else 2

        ordered = sorted(reasons, key=weight)
        measured = bool(ordered) and weight(ordered[0]) == 0
        return [one for one in ordered if not measured or not _condition(one)]

    def field_titles(self, dataset: str) -> dict[str, dict[str, str]]:
        """What the fields of a dataset are called."""
        if dataset not in self._catalogue:
            return {}
        return {field.name: field.title for field in self._catalogue.get(dataset).fields}

    def data_titles(self, datasets: Any, words: Words) -> str:
        """Datasets by their titles."""
        titles = []
        for name in datasets or ():
            known = name in self._catalogue
            titles.append(words.tell(self._catalogue.get(name).title) if known else EXTRA_TITLES.get(name, name))
        return words.say(", ").join(words.say(title) for title in dict.fromkeys(titles))


EXTRA_TITLES: Mapping[str, str] = {
    "cases.cases": mark("Cases"),
    "decisions.decisions": mark("Decisions"),
    "journal": mark("Journal"),
}


def _condition(reason: Any) -> bool:
    """Whether a reason only says that a rule applies."""
    value = reason.get("value") if isinstance(reason, Mapping) else getattr(reason, "value", None)
    return value is False or (isinstance(value, (date, str)) and _DAY.fullmatch(str(value)[:10]) is not None)


def _labels(fact: Mapping[str, Any]) -> dict[str, Any]:
    labels = fact.get("labels")
    return {"labels": labels} if isinstance(labels, Mapping) else {}
