"""Why one person's outcome is what it is: facts of which none can be left out, and the text that says so."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping
from datetime import date
from typing import Any

from hucheng.errors import RuleError
from hucheng.rules import evaluate
from hucheng.rules.diagram import Leaf
from hucheng.rules.exact import Exact, exact
from hucheng.rules.kinds import Value, plain
from hucheng.rules.logic import Undecided
from hucheng.rules.model import Row, Version
from hucheng.rules.nearest import nearest
from hucheng.rules.texts import told

Known = dict[str, Value | None]


def admitted(version: Version, row: Row) -> Known:
    """The facts of a row in internal units; keys that are no facts are ids, unless they look like a misspelt fact."""
    for key in row:
        if key not in version.facts:
            near = difflib.get_close_matches(str(key), [n for n in version.facts if n not in row], 1, 0.74)
            if near:
                raise RuleError(f"“{key}” is no fact of this pack", where=str(key), mend=f"did you mean “{near[0]}”?")
    return {name: evaluate.admit(fact, row.get(name)) for name, fact in version.facts.items()}


def settled(version: Version, readings: Exact, known: Mapping[str, Value | None]) -> dict[str, Value | None]:
    """Outcomes that every completion of the known facts gives; None where open. RuleError for impossible facts."""
    try:
        found = readings.outcomes(known)
    except Undecided as why:
        raise RuleError(f"the solver did not settle this person in time ({why})", mend="give more facts") from None
    for name, value in found.items():
        if value is Leaf.IMPOSSIBLE:
            raise RuleError(_contradiction(version, readings, known), mend="correct the facts at their source")
        if value in (Leaf.GAP, Leaf.OVERLAP):
            what = "no branch holds" if value is Leaf.GAP else "two branches hold"
            where = f"{version.file}:{version.outcomes[name].line}"
            raise RuleError(f"{name}: {what} for these facts", where=where, mend="mend the pack; see: rules check")
        kind = version.outcomes[name].kind
        if not isinstance(value, Leaf) and not kind.holds(value):
            raise RuleError(f"{name}: outside its declared range", mend="mend the pack; see: rules check")
    return {name: None if isinstance(value, Leaf) else value for name, value in found.items()}


def _contradiction(version: Version, readings: Exact, known: Mapping[str, Value | None]) -> str:
    for constraint in version.constraints:
        if evaluate.value(constraint.tree, known, {}, readings.on) is False:
            return f"the facts cannot be: {constraint.text}"
    return "the facts contradict the constraints of the pack"


def known_outcomes(version: Version, names: Collection[str] | None) -> None:
    """RuleError for a name that is no outcome."""
    for name in names or ():
        if name not in version.outcomes:
            raise RuleError(f"there is no outcome “{name}”", where=name, mend=f"known: {', '.join(version.outcomes)}")


def explain(
    version: Version,
    row: Row,
    on: date | None,
    basis: str,
    only: Collection[str] | None = None,
    change: bool = True,
) -> dict[str, Any]:
    """The explanation of every outcome (or of some), as ``Pack.explain`` gives it."""
    known_outcomes(version, only)
    known = admitted(version, row)
    readings = exact(version, on)
    found = settled(version, readings, known)
    answer = {}
    for name, outcome in version.outcomes.items():
        if only is not None and name not in only:
            continue
        reasons = [] if found[name] is None else needed(version, readings, known, name, found[name])
        changes: dict[str, Value] = {}
        if change and (value := found[name]) is not None:
            changes = nearest(version, readings, known, name, value)
        answer[name] = {
            "value": plain(outcome.kind, found[name]),
            "reasons": [{"fact": f, "value": plain(version.facts[f].kind, known[f])} for f in reasons],
            "nearest": [
                {"fact": f, "from": plain(version.facts[f].kind, known[f]), "to": plain(version.facts[f].kind, new)}
                for f, new in changes.items()
            ],
            "basis": outcome.basis or basis,
            "text": told(version, outcome, found[name], known, reasons),
        }
    return {"outcomes": answer}


def needed(version: Version, readings: Exact, known: Known, name: str, value: Value | None) -> list[str]:
    """Facts of which none can be left out without the outcome becoming open.

    One after the other is left out, from the last declared on, wherever the rest still gives the outcome: facts
    declared first, which people recognise best, stay longest.
    """
    kept = {fact for fact, got in known.items() if got is not None}
    test = _tester(readings, known, name, value)
    for fact in reversed(list(version.facts)):
        if fact in kept and test(kept - {fact}):
            kept.remove(fact)
    return [fact for fact in version.facts if fact in kept]


def _tester(readings: Exact, known: Known, name: str, value: Value | None) -> Callable[[set[str]], bool]:
    """Whether the outcome is the same from fewer facts."""
    cells = readings.cells
    if name in cells.exact:
        codes = dict(zip(cells.names, cells.codes(known), strict=True))
        nothing = {fact: len(cells.starts[fact]) for fact in cells.names}

        def by_cells(kept: set[str]) -> bool:
            return bool(
                cells.outcome(name, [codes[fact] if fact in kept else nothing[fact] for fact in cells.names]) == value
            )

        return by_cells

    def by_logic(kept: set[str]) -> bool:
        try:
            return bool(readings.logic.outcome(name, {fact: known[fact] for fact in kept}) == value)
        except Undecided:
            return False  # the fact stays: one reason more than needed, never one too few

    return by_logic
