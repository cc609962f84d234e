"""Plain words for what programs call by names: kinds of people, facts and units, uses of data, states of decisions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import msgspec
import yaml
from markupsafe import Markup

from hucheng.portals.words import Words, mark

KINDS: Mapping[str, str] = {
    "resident": mark("Resident"),
    "carer": mark("Family carer"),
    "officer": mark("Duty officer"),
    "auditor": mark("Auditor"),
    "operator": mark("Operator"),
    "service": mark("A service of the node"),
    "gateway": mark("Gateway"),
    "person": mark("Somebody at the site"),
}
SCOPES: Mapping[str, str] = {
    "readings.read": mark("See readings from devices at home"),
    "cases.follow": mark("See alarms, and answer them"),
    "rights.journal": mark("See who looked at the data"),
    "decisions.appeal": mark("Appeal against decisions"),
}
DECISION_STATES: Mapping[str, str] = {
    "in_force": mark("In force"),
    "superseded": mark("Replaced by a later one"),
    "expired": mark("Over"),
}
RESULTS: Mapping[str, str] = {
    "given": mark("given"),
    "refused": mark("refused"),
    "done": mark("done"),
    "opened": mark("opened"),
    "closed": mark("closed"),
    "failed": mark("failed"),
}
REQUEST_KINDS: Mapping[str, str] = {
    "purpose": mark("purpose"),
    "policies": mark("policies"),
    "uses": mark("uses of its data"),
}
REQUEST_STATES: Mapping[str, str] = {
    "requested": mark("waits"),
    "accepted": mark("accepted"),
    "refused": mark("refused"),
}
MENUS: Mapping[str, tuple[tuple[str, str], ...]] = {
    "resident": (
        ("/me", mark("Now")),
        ("/me/decisions", mark("Decided about me")),
        ("/me/readings", mark("My readings")),
        ("/me/journal", mark("Who looked at my data")),
    ),
    "carer": (("/family", mark("My family")),),
    "officer": (
        ("/desk", mark("Queue")),
        ("/desk/owed", mark("Still owed")),
        ("/desk/find", mark("Find a case")),
    ),
    "auditor": (
        ("/audit", mark("Overview")),
        ("/audit/journal", mark("Journal")),
        ("/audit/checkpoints", mark("Checkpoints")),
        ("/audit/requests", mark("Requests of apps")),
    ),
}


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
        if value is None:
            return Markup("{}").format(self.fact_title(name, words))
        shown = self.fact_value(name, value, read.get("unit"), words)
        return Markup("{} <b>{}</b>").format(self.fact_title(name, words), shown)

    def telling(self, reasons: Iterable[Any]) -> list[Any]:
        """Reasons with what was measured first, then what is so, then what is not so."""

        def weight(reason: Any) -> int:
            name = reason.get("fact") if isinstance(reason, Mapping) else getattr(reason, "fact", "")
            value = reason.get("value") if isinstance(reason, Mapping) else getattr(reason, "value", None)
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                return 0 if self.facts.get(str(name), {}).get("unit") else 1
            return 3 if value is False or value is None else 2

        return sorted(reasons, key=weight)

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
VERBS: Mapping[str, str] = {
    "read": mark("%(who)s looked at: %(what)s"),
    "standing": mark("%(who)s watches the readings: %(what)s"),
    "standing.register": mark("%(who)s looked something up to find alarms: %(what)s"),
    "bulk": mark("%(who)s counted over many people: %(what)s"),
    "refused": mark("%(who)s was refused: %(what)s"),
    "journal.read": mark("%(who)s read this journal"),
    "cases.take": mark("%(who)s took your alarm"),
    "cases.go": mark("%(who)s set out to you"),
    "cases.visit": mark("%(who)s was with you"),
    "cases.note": mark("%(who)s wrote a note in your case"),
    "cases.hand_over": mark("%(who)s handed your case over"),
    "cases.answer": mark("%(who)s answered you"),
    "cases.close": mark("%(who)s closed your case"),
    "cases.open": mark("%(who)s opened a case for you"),
    "decisions.appeal": mark("%(who)s appealed against a decision"),
    "decisions.review": mark("%(who)s answered an appeal"),
    "decisions.supersede": mark("%(who)s replaced a decision"),
    "devices.enrol": mark("%(who)s entered a device"),
    "registers.write": mark("%(who)s changed what a register says about you: %(what)s"),
    "registers.end": mark("%(who)s ended what a register says about you: %(what)s"),
    "principals.write": mark("%(who)s changed who may sign in for you"),
    "roster.write": mark("%(who)s changed who is called for you"),
    "quarantine.replay": mark("%(who)s looked at readings that were set aside"),
    "deed": mark("%(who)s did: %(action)s"),
}


OF_OTHERS: Mapping[str, str] = {
    "cases.take": mark("%(who)s took the alarm"),
    "cases.go": mark("%(who)s set out"),
    "cases.visit": mark("%(who)s was there"),
    "cases.note": mark("%(who)s wrote a note in the case"),
    "cases.hand_over": mark("%(who)s handed the case over"),
    "cases.answer": mark("%(who)s gave an answer"),
    "cases.close": mark("%(who)s closed the case"),
    "cases.open": mark("%(who)s opened a case"),
    "registers.write": mark("%(who)s changed what a register says: %(what)s"),
    "registers.end": mark("%(who)s ended what a register says: %(what)s"),
    "principals.write": mark("%(who)s changed who may sign in"),
    "roster.write": mark("%(who)s changed who is called"),
}
"""What is said otherwise to whom it is not about."""


def looked(entry: Any, me: str | None, lexicon: Lexicon, words: Words, *, own: bool = True) -> str:
    """One line of the journal in a sentence; ``own``: said to the person it is about."""
    action = str(getattr(entry, "action", "read") or "read")
    kind = str(getattr(entry, "kind", "look"))
    name = getattr(entry, "principal_name", None) or getattr(entry, "principal", "")
    if me and getattr(entry, "principal", None) == me:
        who = words.say("You")
    else:
        role = words.say(KINDS.get(str(getattr(entry, "principal_kind", "")), ""))
        who = (
            role
            if getattr(entry, "principal_kind", "") == "service" or not name
            else words.say("%(name)s (%(role)s)", name=name, role=role)
            if role
            else str(name)
        )
    verb = "refused" if getattr(entry, "result", "given") == "refused" or kind == "refused" else ""
    verb = verb or (kind if kind in ("standing", "bulk") else action if action in VERBS else "deed")
    if verb == "standing" and action == "register":
        verb = "standing.register"
    what = lexicon.data_titles(getattr(entry, "datasets", ()), words) or "—"
    said = VERBS[verb] if own else OF_OTHERS.get(verb, VERBS[verb])
    return words.say(said, who=who, what=what, action=action)


TOGETHER = timedelta(minutes=30)


class Told(msgspec.Struct, frozen=True):
    """Uses of the journal that say the same, told once: the newest of them, how many, and when the first was."""

    entry: Any
    times: int
    first_at: datetime


def told(entries: Iterable[Any], without: str | None = None) -> list[Told]:
    """Entries, newest first, with the same use by the same principal within half an hour told once.

    ``without``: a principal whose own looks are left out.
    """
    found: list[Told] = []
    places: dict[tuple[Any, ...], int] = {}
    for entry in entries:
        if without is not None and entry.principal == without:
            continue
        use = _use(entry)
        place = places.get(use)
        if place is not None and found[place].entry.at - entry.at <= TOGETHER:
            found[place] = Told(found[place].entry, found[place].times + 1, entry.at)
        else:
            places[use] = len(found)
            found.append(Told(entry, 1, entry.at))
    return found


def _use(entry: Any) -> tuple[Any, ...]:
    return entry.principal, entry.purpose, entry.action, entry.kind, entry.result, entry.case, entry.datasets


def _labels(fact: Mapping[str, Any]) -> dict[str, Any]:
    labels = fact.get("labels")
    return {"labels": labels} if isinstance(labels, Mapping) else {}
