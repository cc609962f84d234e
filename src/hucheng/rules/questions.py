"""Which question to ask next, which ones may not be asked any more, and when enough is known.

The exact policy: the question with the least expected cost of everything that is asked from then on, by dynamic
programming over the restricted diagrams (facts independent but for the constraints, each value of a fact equally likely
unless the pack gives priors). Where that would take too many states, the cheapest way to the most certainty is taken,
and the answer says so.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import date
from typing import Any

from hucheng.errors import RuleError
from hucheng.rules.diagram import Diagrams, Leaf
from hucheng.rules.exact import Exact, exact
from hucheng.rules.kinds import plain
from hucheng.rules.logic import Undecided
from hucheng.rules.model import FactDeclared, Row, Version
from hucheng.rules.reasons import Known, admitted, known_outcomes, settled
from hucheng.rules.relevance import differs, matters, restricted

MOST_STATES = 8_000
"""New states one question may work out; what it has worked out is kept for the next."""


class TooMany(Exception):
    """The exact policy would need too many states."""


def questions(version: Version, row: Row, on: date | None, only: Collection[str] | None = None) -> dict[str, Any]:
    """The answer of ``Pack.questions``; RuleError for impossible facts and unknown names of outcomes."""
    known_outcomes(version, only)
    readings = exact(version, on)
    known = admitted(version, row)
    found = settled(version, readings, known)
    wanted = [name for name in version.outcomes if only is None or name in only]
    open_ = [name for name in wanted if found[name] is None]
    with readings.cells.diagrams.lock:
        try:
            relevant = [
                fact
                for fact in version.facts
                if known[fact] is None and any(matters(readings, name, fact, known) for name in open_)
            ]
            ask, expected, policy = _next(version, readings, known, open_, relevant)
        except Undecided as why:
            raise RuleError(f"the solver did not settle a question in time ({why})", mend="give more facts") from None
    return {
        "decided": not open_,
        "outcomes": {name: plain(version.outcomes[name].kind, found[name]) for name in wanted},
        "ask": ask,
        "irrelevant": [fact for fact in version.facts if known[fact] is None and fact not in relevant],
        "expected_questions": expected,
        "policy": policy,
    }


def _next(
    version: Version, readings: Exact, known: Known, open_: list[str], relevant: list[str]
) -> tuple[str | None, float | None, str]:
    if not open_:
        return None, 0.0, "exact"
    if any(name not in readings.cells.roots for name in open_):
        guide = _guide(version, readings, known, open_)
        if guide:
            try:
                return policy_of(readings).best(guide)[2], None, "exact for the outcomes before the amounts"
            except TooMany:
                return policy_of(readings).greedy(guide), None, "greedy: too many states for the exact policy"
        # where constraints tie facts to one another, none alone may matter although they matter together
        possible = relevant or [fact for fact in version.facts if known[fact] is None]
        cheapest = min(possible, key=lambda fact: cost(version.facts[fact]))
        return cheapest, None, "cheapest first: not every outcome can be cut into cells"
    policy = policy_of(readings)
    state = tuple(dict.fromkeys(restricted(readings, name, known) for name in open_))
    try:
        _, count, fact = policy.best(state)
        return fact, round(count, 3), "exact"
    except TooMany:
        return policy.greedy(state), None, "greedy: too many states for the exact policy"


def _guide(version: Version, readings: Exact, known: Known, open_: list[str]) -> tuple[int, ...]:
    """What is still open of the outcomes that cells can give, those on which the others rest included: whether
    something is due comes before how much."""
    resting = {*open_, *(each for name in open_ for each in readings.cells.uses(version.outcomes[name].tree))}
    roots = (
        restricted(readings, name, known) for name in version.outcomes if name in resting & {*readings.cells.roots}
    )
    policy = policy_of(readings)
    return tuple(dict.fromkeys(root for root in roots if not policy.decided(root)))


def cost(fact: FactDeclared) -> int:
    """Price of a question: effort and intrusion, at least a little."""
    return max(1, fact.effort + fact.intrusion)


def policy_of(readings: Exact) -> Policy:
    """The policy of a version, kept with its diagrams."""
    store = readings.cells.diagrams
    key = ("policy",)
    if key not in store.answers:
        store.answers[key] = Policy(readings)
    found: Policy = store.answers[key]
    return found


class Policy:
    """Least expected cost from a state: the diagrams of the outcomes that are still open."""

    def __init__(self, readings: Exact) -> None:
        cells = readings.cells
        self.store: Diagrams = cells.diagrams
        self.names = cells.names
        self.free = not readings.version.constraints
        facts = [readings.version.facts[name] for name in cells.names]
        self.costs = [cost(fact) for fact in facts]
        self.weights = [list(_weights(fact, cells.starts[fact.name])) for fact in facts]
        self.memo: dict[tuple[int, ...], tuple[float, float, str | None]] = {}
        self.new = 0

    def best(self, state: tuple[int, ...]) -> tuple[float, float, str | None]:
        """Expected cost, expected number of questions, and the fact to ask. TooMany beyond MOST_STATES new states."""
        self.new = 0
        return self._best(state)

    def _best(self, state: tuple[int, ...]) -> tuple[float, float, str | None]:
        found = self.memo.get(state)
        if found is not None:
            return found
        self.new += 1
        if self.new > MOST_STATES:
            raise TooMany
        levels = self.levels(state)
        if not levels:
            found = (0.0, 0.0, None)
        else:
            found = (float("inf"), 0.0, None)
            for level in sorted(levels, key=lambda level: (self.costs[level], level)):
                if self.costs[level] >= found[0]:
                    continue
                total, count = float(self.costs[level]), 1.0
                for share, after in self.after(state, level):
                    spent, asked, _ = self._best(after)
                    total += share * spent
                    count += share * asked
                    if total >= found[0]:
                        break
                if total < found[0] - 1e-12:
                    found = (total, count, self.names[level])
        self.memo[state] = found
        return found

    def levels(self, state: tuple[int, ...]) -> list[int]:
        """Facts that can still change something; where constraints tie them so that none does alone, all there are."""
        present = set().union(*(self.present(root) for root in state))
        if self.free:  # nobody is impossible: a node is there only because its fact matters
            return list(present)
        return [level for level in present if any(differs(self.store, root, level) for root in state)] or list(present)

    def present(self, root: int) -> frozenset[int]:
        """Levels of the nodes of a diagram."""
        key = ("present", root)
        if key not in self.store.answers:
            self.store.answers[key] = frozenset(self.store.level[node] for node in self.below(root))
        found: frozenset[int] = self.store.answers[key]
        return found

    def below(self, root: int) -> list[int]:
        """Nodes of a diagram that are no leaves."""
        key = ("below", root)
        if key not in self.store.answers:
            found = [node for node in self.store.reachable(root) if node not in self.store.values]
            self.store.answers[key] = found
        nodes: list[int] = self.store.answers[key]
        return nodes

    def after(self, state: tuple[int, ...], level: int) -> Iterator[tuple[float, tuple[int, ...]]]:
        """States after the answer, with their probabilities among the people whom the constraints allow."""
        shares: dict[tuple[int, ...], float] = {}
        for code, weight in enumerate(self.weights[level]):
            after = tuple(dict.fromkeys(self.store.fix(root, level, code) for root in state))
            weight *= self.possible(after[0])  # the same people are impossible in every outcome
            if not weight:
                continue
            left = tuple(root for root in after if not self.decided(root))
            shares[left] = shares.get(left, 0.0) + weight
        total = sum(shares.values()) or 1.0
        for left, share in sorted(shares.items(), key=lambda pair: -pair[1]):
            yield share / total, left

    def possible(self, root: int) -> float:
        """Share of the people of a diagram whom the constraints allow."""
        if self.free:
            return 1.0
        if root in self.store.values:
            return 0.0 if self.store.values[root] is Leaf.IMPOSSIBLE else 1.0
        key = ("possible", root)
        if key not in self.store.answers:
            weights = self.weights[self.store.level[root]]
            kids = zip(weights, self.store.kids[root], strict=True)
            self.store.answers[key] = sum(weight * self.possible(kid) for weight, kid in kids)
        found: float = self.store.answers[key]
        return found

    def decided(self, root: int) -> bool:
        """Whether all possible people in a diagram get one value."""
        key = ("decided", root)
        if key not in self.store.answers:
            leaves = {self.store.values[n] for n in self.store.reachable(root) if n in self.store.values}
            self.store.answers[key] = len(leaves - {Leaf.IMPOSSIBLE}) <= 1
        return bool(self.store.answers[key])

    def greedy(self, state: tuple[int, ...]) -> str:
        """The fact after which the least is open, for its price."""

        def left(level: int) -> float:
            size = sum(share * sum(len(self.below(r)) for r in after) for share, after in self.after(state, level))
            before = sum(len(self.below(root)) for root in state)
            return (before - size) / self.costs[level]

        return self.names[max(self.levels(state), key=lambda level: (left(level), -level))]


def _weights(fact: FactDeclared, starts: list[int]) -> Iterator[float]:
    """How likely each cell is: by the pack's priors, else by how many values it holds."""
    if fact.prior is not None and len(fact.prior) == len(starts) == fact.kind.size:
        total = sum(fact.prior) or 1.0
        yield from (share / total for share in fact.prior)
        return
    ends = [*starts[1:], (fact.kind.high if fact.kind.name in ("number", "date") else len(starts) - 1) + 1]
    for start, end in zip(starts, ends, strict=True):
        yield (end - start) / fact.kind.size
