"""Uses of data as the journal keeps them, in sentences; what says the same is told once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

import msgspec

from hucheng.cases.views import Event
from hucheng.portals.lexicon import Lexicon
from hucheng.portals.plain import KINDS
from hucheng.portals.words import Words, mark

VERBS: Mapping[str, str] = {
    "read": mark("%(who)s looked at: %(what)s"),
    "standing": mark("%(who)s watches the readings: %(what)s"),
    "standing.register": mark("%(who)s checked against a register to find alarms: %(what)s"),
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
            else str(name)
            if str(name).endswith(("）", ")"))  # the name says already who it is
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


TOGETHER, WATCH = timedelta(minutes=30), timedelta(hours=24)
"""How far apart the same use is told once; of what the node watches by itself."""


class Told(msgspec.Struct, frozen=True):
    """Uses of the journal that say the same, told once: the newest of them, how many, and when the first was."""

    entry: Any
    times: int
    first_at: datetime


def told(entries: Iterable[Any], without: str | None = None) -> list[Told]:
    """Entries, newest first, with the same use by the same principal within half an hour told once.

    What a service of the node does by itself is told once a day.

    ``without``: a principal whose own looks are left out.
    """
    found: list[Told] = []
    places: dict[tuple[Any, ...], int] = {}
    for entry in entries:
        if without is not None and entry.principal == without:
            continue
        use = _use(entry)
        place = places.get(use)
        if place is not None and found[place].entry.at - entry.at <= _apart(entry):
            found[place] = Told(found[place].entry, found[place].times + 1, entry.at)
        else:
            places[use] = len(found)
            found.append(Told(entry, 1, entry.at))
    return found


class Folded(msgspec.Struct, frozen=True):
    """A line of a case's history that came again and again: the last of them, how often, and when first."""

    event: Event
    times: int
    first_at: datetime


AGAIN = frozenset({"called", "no_answer", "nobody", "joined"})


def folded(events: Iterable[Event]) -> list[Folded]:
    """The history, oldest first, with calls and findings that say the same told once, where they came last."""
    found: dict[tuple[str, ...], Folded] = {}
    for place, event in enumerate(events):
        again = event.what in AGAIN and not event.note
        key = (event.what, *sorted(event.text.values())) if again else (str(place),)
        known = found.pop(key, None)
        found[key] = Folded(event, known.times + 1, known.first_at) if known else Folded(event, 1, event.at)
    return list(found.values())


def _apart(entry: Any) -> timedelta:
    return WATCH if entry.principal_kind == "service" else TOGETHER


def _use(entry: Any) -> tuple[Any, ...]:
    refused = entry.result == "refused"
    if entry.principal_kind == "service" and entry.kind == "standing":  # opened or closed: the same watch
        return entry.principal, entry.purpose, entry.action == "register", entry.kind, refused, entry.datasets
    return entry.principal, entry.purpose, entry.action, entry.kind, entry.result, entry.case, entry.datasets
