"""The days on which a version decides, and the version over all of them: the date of decision as one fact more.

Every reading then proves over days as it proves over people, and an example person carries the day it is decided on.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

from hucheng.rules.grammar import CALENDAR, TODAY
from hucheng.rules.kinds import days as between
from hucheng.rules.model import Constraint, FactDeclared, Version
from hucheng.rules.tree import Fact, Node, Today, rebuilt

YEARS = 50
"""How far the last version is looked at, at the least: twelve leap days, and longer than an order stays unamended."""


@dataclass(frozen=True, slots=True)
class Days:
    """From the first to the last day, both included."""

    first: date
    last: date


def days(versions: Sequence[Version], version: Version, on: date | None = None) -> Days:
    """Days on which a version of a pack is in force: until the day before the next version.

    The last version has no end. It is looked at until the latest of: 50 years after its first day, the largest date
    that one of its facts can have, and ``on``.
    """
    later = [other.in_force for other in versions if other.in_force > version.in_force]
    if later:
        return Days(version.in_force, min(later) - timedelta(days=1))
    ends = [fact.kind.high for fact in version.facts.values() if fact.kind.name == "date"]
    ends.append(version.in_force.toordinal() + YEARS * 1461 // 4)
    if on is not None:
        ends.append(on.toordinal())
    return Days(version.in_force, date.fromordinal(max(version.in_force.toordinal(), min(max(ends), CALENDAR.high))))


def over(version: Version, span: Days) -> Version:
    """The version over its days, with the date of decision as a fact; the version itself if it asks for no date."""
    if not version.dated:
        return version
    day = Fact(between(span.first, span.last), TODAY)

    def dated(node: Node) -> Node:
        return day if isinstance(node, Today) else node

    fact = FactDeclared(TODAY, day.kind, 1, {"zh": "决定日期", "en": "date of the decision"})
    return replace(
        version,
        facts={**version.facts, TODAY: fact},
        constraints=tuple(Constraint(c.text, rebuilt(c.tree, dated), c.line) for c in version.constraints),
        outcomes={
            name: replace(outcome, tree=rebuilt(outcome.tree, dated)) for name, outcome in version.outcomes.items()
        },
        digest=hashlib.sha256(f"{version.digest} {span.first} {span.last}".encode()).hexdigest(),
    )
