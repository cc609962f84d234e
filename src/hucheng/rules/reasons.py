"""Why one person's outcome is what it is: facts of which none can be left out, and the text that says so."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from datetime import date
from typing import Any

from hucheng.errors import RuleError
from hucheng.rules import evaluate
from hucheng.rules.kinds import Value, plain
from hucheng.rules.model import Row, Version
from hucheng.rules.texts import told


def admitted(version: Version, row: Row) -> dict[str, Value | None]:
    """The facts of a row in internal units; keys that are no facts are ids, unless they look like a misspelt fact."""
    for key in row:
        if key not in version.facts:
            near = difflib.get_close_matches(str(key), [n for n in version.facts if n not in row], 1, 0.8)
            if near:
                raise RuleError(f"“{key}” is no fact of this pack", where=str(key), mend=f"did you mean “{near[0]}”?")
    return {name: evaluate.admit(fact, row.get(name)) for name, fact in version.facts.items()}


def outcomes(version: Version, known: Mapping[str, Value | None], on: date | None) -> dict[str, Value | None]:
    """Strict outcomes of one person."""
    found: dict[str, Value | None] = {}
    for name, outcome in version.outcomes.items():
        found[name] = evaluate.value(outcome.tree, known, found, on)
    return found


def explain(version: Version, row: Row, on: date | None, basis: str) -> dict[str, Any]:
    """The explanation of every outcome, as ``Pack.explain`` gives it."""
    known = admitted(version, row)
    for constraint in version.constraints:
        if evaluate.value(constraint.tree, known, {}, on) is False:
            raise RuleError(
                f"the facts cannot be: {constraint.text}",
                where=f"{version.file}:{constraint.line}",
                mend="correct the facts",
            )
    found = outcomes(version, known, on)
    answer = {}
    for name, outcome in version.outcomes.items():
        reasons = _minimal(version, known, name, found[name], on)
        answer[name] = {
            "value": plain(outcome.kind, found[name]),
            "reasons": [{"fact": f, "value": plain(version.facts[f].kind, known[f])} for f in reasons],
            "nearest": [],
            "basis": outcome.basis or basis,
            "text": told(version, outcome, found[name], known, reasons),
        }
    return {"outcomes": answer}


def _minimal(
    version: Version, known: Mapping[str, Value | None], name: str, value: Value | None, on: date | None
) -> list[str]:
    """Facts kept after leaving out, from the least recognisable on, each that is not needed."""
    if value is None:
        return []
    kept = {fact: got for fact, got in known.items() if got is not None}
    for fact in reversed(list(version.facts)):
        if fact in kept:
            got = kept.pop(fact)
            if outcomes(version, kept, on)[name] != value:
                kept[fact] = got
    return [fact for fact in version.facts if fact in kept]
