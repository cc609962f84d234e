"""What is wrong with a pack before anybody is decided by it: gaps, overlaps, unreachable branches, needless facts.

A version is proved for everybody on every day it is in force. Every finding says how to mend it, and comes with an
example person where there is one. What the solver cannot settle in time is a finding, too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import z3

from hucheng.rules import leftovers
from hucheng.rules.agreement import disagreements, same_kind
from hucheng.rules.cliffs import cliff, comparable, key
from hucheng.rules.days import Days, days, over
from hucheng.rules.exact import Exact, exact
from hucheng.rules.findings import Finding, Severity, merged, said
from hucheng.rules.grammar import TODAY
from hucheng.rules.kinds import Value, plain, written
from hucheng.rules.logic import Undecided
from hucheng.rules.model import OutcomeDeclared, Version
from hucheng.rules.relevance import matters
from hucheng.rules.tree import Case, Node, children

SHOWN = 4
"""Facts of an example that a message names."""
GIVE_UP = 6
"""Questions about a version that the solver may leave unsettled (each after some seconds); then no more are asked."""

People = Mapping[str, Value]


class Checker:
    """All checks of one version over the days it is in force; ``version`` has the day among its facts."""

    def __init__(self, version: Version, span: Days) -> None:
        self.written = version
        self.span = span
        self.version = over(version, span)
        self.readings: Exact = exact(self.version, None)
        self.logic = self.readings.logic
        self.solver = self.logic.solver()
        self.ever = " on any day" if version.dated else ""
        self.open = 0
        """Questions that were not settled."""

    def findings(self) -> list[Finding]:
        """Everything found, in the order of the file."""
        first = self.written.constraints[0].line if self.written.constraints else 1
        try:
            if not self.holds():
                message = f"the constraints exclude everybody{self.ever}; mend the one that is too strict"
                return [self.finding("impossible", first, message)]
        except Undecided as why:
            return [self.unsettled(first, "whether anybody meets the constraints", why)]
        found = [*leftovers.unused(self.written), *leftovers.misnamed(self.written)]
        for part in (self.branches, self.domains, self.constants, self.useless, self.cliffs, self.examples):
            found += part()
        if not any(finding.kind in ("gap", "overlap") for finding in found):  # where nobody says what is right
            found += self.agree()
        return sorted(found, key=lambda finding: (finding.line, finding.kind))

    # ---- how findings are made -----------------------------------------------------------------------------------

    def finding(
        self, kind: str, line: int, message: str, people: People | None = None, severity: Severity = "error"
    ) -> Finding:
        """A finding of this version; ``people`` is the example."""
        example = None
        if people is not None:
            example = {name: plain(self.version.facts[name].kind, value) for name, value in people.items()}
        where = f"{self.written.file}:{line}"
        return Finding(kind, severity, where, message, example, (self.written.in_force,))

    def unsettled(self, line: int, message: str, why: object) -> Finding:
        """The solver gave up: a human must look."""
        self.open += 1
        more = "; no further question about this version is asked" if self.open == GIVE_UP else ""
        days = f" for all days from {self.span.first} to {self.span.last}" if self.ever else ""
        message = (
            f"{message}: not settled in time{days} ({why}), so nothing is claimed{more}; narrow the ranges, or split "
            "the expression into outcomes"
        )
        return self.finding("unsettled", line, message, severity="warning")

    def holds(self, *conditions: Any) -> bool:
        """Whether the conditions can hold together for somebody."""
        return self.logic.check(self.solver, *conditions)

    def somebody(self) -> People:
        """The example that was found, with the day."""
        model = self.solver.model()
        facts = self.version.facts.items()
        return {name: self.logic.outer(fact.kind, model.eval(self.logic.facts[name], True)) for name, fact in facts}

    def told(self, outcome: str, people: People) -> str:
        """What an outcome sees of an example, as the pack would write it."""
        seen = [f"{n} = {written(self.version.facts[n].kind, people[n])}" for n in self.logic.mentioned(outcome)]
        return " and ".join(seen[:SHOWN]) + (" …" if len(seen) > SHOWN else "")

    def patient(self) -> bool:
        """Whether further questions are asked."""
        return self.open < GIVE_UP

    # ---- the checks ----------------------------------------------------------------------------------------------

    def branches(self) -> list[Finding]:
        """Gaps and overlaps of one_of, branches of ordered choices that nothing reaches."""
        found: list[Finding] = []
        for name, outcome in self.version.outcomes.items():
            for case in cases(outcome.tree):
                whens = [self.logic.of(when)[0] for when, _ in case.branches]
                lines = outcome.lines if case is outcome.tree and len(outcome.lines) == len(whens) else ()
                part = self.unordered if case.unordered else self.ordered
                found += part(name, outcome, whens, lines)
        return found

    def unordered(
        self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]
    ) -> Iterator[Finding]:
        """Everybody must be in just one branch."""
        if not self.patient():
            return
        try:
            if self.holds(z3.Not(z3.Or(*whens, self.logic.context))):
                people = self.somebody()
                message = (
                    f"{name}: no branch holds for some people; add a branch for {self.told(name, people)}, "
                    "or a constraint if nobody can be like this"
                )
                yield self.finding("gap", outcome.line, message, people)
            if len(whens) > 1 and self.holds(z3.Not(z3.AtMost(*whens, 1))):
                people, model = self.somebody(), self.solver.model()
                both = [i for i, when in enumerate(whens) if z3.is_true(model.eval(when, True))]
                message = (
                    f"{name}: branches {' and '.join(str(i + 1) for i in both)} hold together for some people; let one "
                    f"leave out {self.told(name, people)}, or write first_of and else: the first that holds counts"
                )
                yield self.finding("overlap", lines[both[1]] if lines else outcome.line, message, people)
        except Undecided as why:
            yield self.unsettled(outcome.line, f"{name}: whether its branches leave gaps or overlap", why)
        yield from self.reached(name, outcome, whens, lines)

    def ordered(
        self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]
    ) -> Iterator[Finding]:
        """Each branch, and the else, must be reached by somebody."""
        found = list(self.reached(name, outcome, whens, lines))
        yield from found
        if not self.patient() or any(finding.kind == "unreachable" for finding in found):
            return
        try:
            if not self.holds(z3.Not(z3.Or(*whens, self.logic.context))):
                message = (
                    f"{name}: nobody reaches the else{self.ever}; let it stand for the last branch, or mend the "
                    "branches, which take everybody"
                )
                yield self.finding("unreachable", outcome.line, message)
        except Undecided as why:
            yield self.unsettled(outcome.line, f"{name}: whether somebody reaches the else", why)

    def reached(
        self, name: str, outcome: OutcomeDeclared, whens: list[Any], lines: tuple[int, ...]
    ) -> Iterator[Finding]:
        """Branches that nobody reaches, with those before them."""
        self.solver.push()
        try:
            for place, when in enumerate(whens):
                line = lines[place] if lines else outcome.line
                try:
                    if self.patient() and not self.holds(when):
                        before = ", or those before it take all its people" if place else ""
                        message = (
                            f"{name}: nobody reaches branch {place + 1}{self.ever}; its condition never holds{before}: "
                            "remove it, mend it, or move it up"
                        )
                        yield self.finding("unreachable", line, message)
                except Undecided as why:
                    yield self.unsettled(line, f"{name}: whether somebody reaches branch {place + 1}", why)
                self.solver.add(z3.Not(when))
        finally:
            self.solver.pop()

    def domains(self) -> Iterator[Finding]:
        """Outcomes that can leave their declared range."""
        for name, outcome in self.version.outcomes.items():
            kind = outcome.kind
            if not (outcome.bounded and kind.name in ("number", "date") and self.patient()):
                continue
            value = self.logic.outcomes[name]
            ends = [date.fromordinal(end) if kind.name == "date" else end for end in (kind.low, kind.high)]
            low, high = (self.logic.inner(kind, end) for end in ends)
            try:
                if self.holds(z3.Or(value < low, value > high, self.logic.context)):
                    people = self.somebody()
                    message = (
                        f"{name}: leaves its declared range for some people; mend the expression for "
                        f"{self.told(name, people)}, or widen the range"
                    )
                    yield self.finding("domain", outcome.line, message, people)
            except Undecided as why:
                yield self.unsettled(outcome.line, f"{name}: whether it stays in its declared range", why)

    def constants(self) -> Iterator[Finding]:
        """Outcomes that are the same for everybody."""
        for name, outcome in self.version.outcomes.items():
            if not self.patient():
                return
            try:
                value = self.readings.outcome(name, {})
            except Undecided as why:
                yield self.unsettled(outcome.line, f"{name}: whether it is the same for everybody", why)
                continue
            if outcome.kind.holds(value) or isinstance(value, bool):
                message = (
                    f"{name}: is {said(outcome.kind, value)} for everybody{self.ever}; mend the expression, or remove "
                    "the outcome"
                )
                yield self.finding("constant", outcome.line, message)

    def useless(self) -> Iterator[Finding]:
        """Facts that can change no outcome: they may not be collected."""
        for name, fact in self.written.facts.items():
            if not self.patient():
                return
            try:
                with self.readings.cells.diagrams.lock:
                    used = any(matters(self.readings, outcome, name, {}) for outcome in self.version.outcomes)
                if not used:
                    message = f"{name}: can change no outcome{self.ever} and may not be collected; remove the fact"
                    yield self.finding("useless", fact.line, message)
            except Undecided as why:
                yield self.unsettled(fact.line, f"{name}: whether it can change an outcome", why)

    def cliffs(self) -> Iterator[Finding]:
        """Amounts of which one step more loses more than the step, and acknowledgements of cliffs that are none."""
        for name, outcome in self.version.outcomes.items():
            for fact, declared in self.written.facts.items():
                if not (comparable(outcome.kind, outcome.unit, declared.kind, declared.unit) and self.patient()):
                    continue
                meant = self.written.acknowledged.get(key(name, fact))
                try:
                    people = cliff(self.version, self.logic, name, fact)
                except Undecided as why:
                    if meant is None:
                        yield self.unsettled(outcome.line, f"{name}: whether one step more of {fact} can lose", why)
                    continue
                if people and meant is None:
                    message = (
                        f"{name}: one step more of {fact} loses more than the step; taper it, or, if it is meant, "
                        f"write  acknowledge: {{{key(name, fact)}: why}}"
                    )
                    yield self.finding("cliff", outcome.line, message, people, "warning")
                elif meant is not None and not people and not meant.inherited:
                    message = f"{key(name, fact)}: there is no such cliff{self.ever}; remove the acknowledgement"
                    yield self.finding("acknowledge", meant.line, message, severity="warning")

    def examples(self) -> Iterator[Finding]:
        """Worked examples that do not come out, or are for a day that is not this version's."""
        for example in self.written.examples:
            people = {f: plain(self.written.facts[f].kind, v) for f, v in example.facts.items()}
            if self.written.dated:
                people[TODAY] = example.on
            where = f"{self.written.file}:{example.line}"
            if example.on > self.span.last:
                message = (
                    f"the example is for {example.on}, the version holds until {self.span.last}; give it another day, "
                    "or move it to the version of that day"
                )
                yield Finding("example", "error", where, message, people, (self.written.in_force,))
                continue
            try:
                got = exact(self.written, example.on).outcomes(example.facts)
            except Undecided as why:
                yield self.unsettled(example.line, "whether the worked example comes out", why)
                continue
            for name, wanted in example.outcomes.items():
                kind = self.written.outcomes[name].kind
                value = got[name] if same_kind(kind, got[name]) else None
                if value != wanted or (value is None) != (wanted is None):
                    message = (
                        f"the example says {name} = {said(kind, wanted)}, the rules give {said(kind, got[name])}; "
                        "mend the one that is wrong"
                    )
                    yield Finding("example", "error", where, message, people, (self.written.in_force,))

    def agree(self) -> list[Finding]:
        """The readings of the version against each other."""
        try:
            return disagreements(self.written, self.span)
        except Undecided as why:
            return [self.unsettled(next(iter(self.written.outcomes.values())).line, "whether the readings agree", why)]


def cases(tree: Node) -> Iterator[Case]:
    """Every choice in a tree."""
    todo = [tree]
    while todo:
        node = todo.pop()
        if isinstance(node, Case):
            yield node
        todo.extend(children(node))


def check(versions: Sequence[Version], chosen: Sequence[Version], on: date | None = None) -> list[Finding]:
    """All findings of the chosen versions of a pack, each over all days it is in force. ``on``: see ``days``."""
    found: list[Finding] = []
    for version in chosen:
        found += Checker(version, days(versions, version, on)).findings()
    return merged(found)
