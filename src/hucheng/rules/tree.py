"""The one syntax tree that every reading (strict SQL, cells, logic) starts from.

Nodes are frozen and hashable: equal expressions are one. Numbers carry their scale and bounds in ``kind``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from hucheng.rules.kinds import BOOLEAN, Kind, Value


@dataclass(frozen=True, slots=True)
class Const:
    """A literal or a parameter."""

    kind: Kind
    value: Value


@dataclass(frozen=True, slots=True)
class Fact:
    """A fact by its name; NULL is not yet known."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Earlier:
    """An outcome declared before this one."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Today:
    """The date of the decision, given from outside (``--on``)."""

    kind: Kind


@dataclass(frozen=True, slots=True)
class Compare:
    """left op right, both of one kind and scale."""

    op: Literal["=", "<>", "<", "<=", ">", ">="]
    left: Node
    right: Node

    @property
    def kind(self) -> Kind:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Every:
    """AND."""

    parts: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Some:
    """OR."""

    parts: tuple[Node, ...]

    @property
    def kind(self) -> Kind:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Not:
    """NOT."""

    part: Node

    @property
    def kind(self) -> Kind:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Among:
    """part IN (values), values at the scale of part."""

    part: Node
    values: tuple[Value, ...]

    @property
    def kind(self) -> Kind:
        return BOOLEAN


@dataclass(frozen=True, slots=True)
class Case:
    """First branch that holds; where ``unordered``, just one may hold and ``other`` is absent."""

    kind: Kind
    branches: tuple[tuple[Node, Node], ...]
    other: Node | None
    unordered: bool = False


@dataclass(frozen=True, slots=True)
class Sum:
    """left + right or left − right, at one scale."""

    kind: Kind
    op: Literal["+", "-"]
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Product:
    """left × right; the scales add."""

    kind: Kind
    left: Node
    right: Node


@dataclass(frozen=True, slots=True)
class Rounded:
    """``numerator × factor ÷ divisor`` in whole units, rounded as ``mode`` says; the divisor is positive."""

    kind: Kind
    mode: Literal["half_up", "floor", "ceil"]
    numerator: Node
    factor: int
    divisor: Node


@dataclass(frozen=True, slots=True)
class Extreme:
    """LEAST or GREATEST; unknown as soon as one part is."""

    kind: Kind
    name: Literal["least", "greatest"]
    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Shift:
    """date + count × unit; a day that the month lacks becomes its last day."""

    kind: Kind
    date: Node
    unit: Literal["day", "month"]
    count: Node


@dataclass(frozen=True, slots=True)
class Age:
    """Completed years from ``born`` to ``on``; who was born on 29 February completes one on 1 March."""

    kind: Kind
    born: Node
    on: Node


Node = (
    Const | Fact | Earlier | Today | Compare | Every | Some | Not | Among | Case | Sum | Product | Rounded
    | Extreme | Shift | Age
)  # fmt: skip


def children(node: Node) -> tuple[Node, ...]:
    """The nodes directly below this one."""
    match node:
        case Compare(_, left, right) | Sum(_, _, left, right) | Product(_, left, right):
            return (left, right)
        case Every(parts) | Some(parts) | Extreme(_, _, parts):
            return parts
        case Not(part) | Among(part, _):
            return (part,)
        case Case(_, branches, other, _):
            inner = tuple(part for branch in branches for part in branch)
            return inner if other is None else (*inner, other)
        case Rounded(_, _, numerator, _, divisor):
            return (numerator, divisor)
        case Shift(_, day, _, count):
            return (day, count)
        case Age(_, born, on):
            return (born, on)
    return ()


def walk(node: Node) -> Iterator[Node]:
    """Every node of a tree, this one first."""
    todo = [node]
    while todo:
        node = todo.pop()
        yield node
        todo.extend(reversed(children(node)))


def rebuilt(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with ``change`` applied to each of its leaves; equal parts stay one."""
    done: dict[Node, Node] = {}

    def of(part: Node) -> Node:
        if part not in done:
            done[part] = built(part)
        return done[part]

    def built(part: Node) -> Node:
        match part:
            case Compare(_, left, right) | Sum(_, _, left, right) | Product(_, left, right):
                return replace(part, left=of(left), right=of(right))
            case Every(parts) | Some(parts) | Extreme(_, _, parts):
                return replace(part, parts=tuple(map(of, parts)))
            case Not(inner) | Among(inner, _):
                return replace(part, part=of(inner))
            case Case(_, branches, other, _):
                whens = tuple((of(when), of(value)) for when, value in branches)
                return replace(part, branches=whens, other=None if other is None else of(other))
            case Rounded(_, _, numerator, _, divisor):
                return replace(part, numerator=of(numerator), divisor=of(divisor))
            case Shift(_, day, _, count):
                return replace(part, date=of(day), count=of(count))
            case Age(_, born, on):
                return replace(part, born=of(born), on=of(on))
        return change(part)

    return of(node)


def facts(node: Node) -> frozenset[str]:
    """Names of the facts that stand in the tree itself (not those behind earlier outcomes)."""
    return frozenset(part.name for part in walk(node) if isinstance(part, Fact))
