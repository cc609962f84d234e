"""What a pack says, once it is read: facts, parameters, constraints, outcomes, one set of them a version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Literal

from hucheng.rules.kinds import Kind, Value
from hucheng.rules.tree import Node, Today, walk

Rounding = Literal["half_up", "floor", "ceil"]
Words = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class FactDeclared:
    """A fact that an outcome may depend on. ``rounding`` None: more places than declared are an error of the row."""

    name: str
    kind: Kind
    line: int
    title: Words
    unit: str | None = None
    source: str | None = None
    rounding: Rounding | None = None
    effort: int = 1
    intrusion: int = 1
    prior: tuple[float, ...] | None = None
    immutable: bool = False
    labels: Mapping[str, Words] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number, date or word that differs by place, with its source.

    ``used``: an expression mentions it; ``inherited``: it stands in the version that this one amends.
    """

    name: str
    kind: Kind
    value: Value
    line: int
    source: str
    unit: str | None
    title: Words
    used: bool = True
    inherited: bool = False


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """A cliff that is meant; ``inherited``: said in the version that this one amends."""

    reason: str
    line: int
    inherited: bool


@dataclass(frozen=True, slots=True)
class Constraint:
    """What can never be otherwise: people who break it do not exist."""

    text: str
    tree: Node
    line: int


@dataclass(frozen=True, slots=True)
class OutcomeDeclared:
    """One question the pack answers; ``kind`` is the declared domain (bounds None-like: those of the tree)."""

    name: str
    kind: Kind
    bounded: bool
    tree: Node
    form: Literal["value", "first_of", "one_of"]
    line: int
    lines: tuple[int, ...]
    title: Words
    basis: str | None
    unit: str | None
    texts: Mapping[str, Words]
    labels: Mapping[str, Words]


@dataclass(frozen=True, slots=True)
class Example:
    """A worked example: these facts on this date must give these outcomes."""

    title: Words
    on: date
    facts: Mapping[str, Value | None]
    outcomes: Mapping[str, Value | None]
    line: int


@dataclass(frozen=True)
class Version:
    """What is in force from a date until the next version's date; ``digest`` is the hash of this version alone."""

    in_force: date
    parameters: Mapping[str, Parameter]
    facts: Mapping[str, FactDeclared]
    constraints: tuple[Constraint, ...]
    outcomes: Mapping[str, OutcomeDeclared]
    examples: tuple[Example, ...]
    acknowledged: Mapping[str, Acknowledged]
    digest: str
    file: str

    @property
    def label(self) -> str:
        """Short name for records: date in force and the first 8 digits of the hash."""
        return f"{self.in_force.isoformat()}+{self.digest[:8]}"

    @property
    def dated(self) -> bool:
        """Whether any expression asks for the date of the decision."""
        trees = [c.tree for c in self.constraints] + [o.tree for o in self.outcomes.values()]
        return any(isinstance(node, Today) for tree in trees for node in walk(tree))


Row = Mapping[str, Any]
