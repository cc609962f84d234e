"""From a file to the model of a pack; every complaint names file, line and what to change."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from types import MappingProxyType as Fixed
from typing import Any

import yaml

from hucheng.errors import RuleError
from hucheng.rules import arithmetic as sums
from hucheng.rules import labels
from hucheng.rules.amending import inherited, refuse_added, whole
from hucheng.rules.document import Item
from hucheng.rules.grammar import CALENDAR, MOST_BRANCHES, TODAY, Names, Translation, parse
from hucheng.rules.kinds import BOOLEAN, FINEST, LARGEST, Kind, Value, close, enum, number
from hucheng.rules.model import (
    Acknowledged,
    Constraint,
    Example,
    FactDeclared,
    OutcomeDeclared,
    Parameter,
    Version,
    Words,
)
from hucheng.rules.tree import Const, Earlier, Fact, Node

MOST_FACTS = 400
_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
_WORD = re.compile(r"[A-Za-z_]\w*")
_PACK = re.compile(r"[a-z][a-z0-9-]{0,62}")
_TYPES = ("boolean", "integer", "decimal", "enum", "date")
_WORDS = """and or not in between case when then else end true false null is age least greatest round floor ceil
date interval day month year"""
_RESERVED = {TODAY, *_WORDS.split()}


@dataclass(frozen=True, slots=True)
class Contents:
    """All a file says."""

    id: str
    title: Words
    basis: str
    sources: tuple[str, ...]
    note: Words
    versions: tuple[Version, ...]
    digest: str
    file: str


def contents(root: Item) -> Contents:
    """The pack in a file. Raises RuleError."""
    top = root.fields(("pack", "title", "basis", "versions"), ("sources", "note"))
    name = top["pack"].text()
    if not _PACK.fullmatch(name):
        raise top["pack"].error(f"“{name}” is no name for a pack", "lower-case letters, digits and hyphens")
    sources = tuple(item.text() for item in top["sources"].items()) if "sources" in top else ()
    versions: list[Version] = []
    written: list[Item] = []
    for item in top["versions"].items():
        written.append(whole(item, written))
        version = _version(written[-1], item)
        refuse_added(item, version, versions)
        same = next((place for place, each in enumerate(versions) if each.in_force == version.in_force), None)
        if same is not None:
            raise item.error(
                f"two versions are in force from {version.in_force}; the other is in line {written[same].line}",
                "give one of them another date, or make one version of both",
            )
        if versions and version.in_force <= versions[-1].in_force:
            raise item.error(
                f"in force from {version.in_force}, not after {versions[-1].in_force}", "list versions from old to new"
            )
        versions.append(version)
    if not versions:
        raise top["versions"].error("no version", "add  - in_force: 2026-01-01  with facts and outcomes")
    return Contents(
        name,
        top["title"].words(),
        top["basis"].text(),
        sources,
        top["note"].words() if "note" in top else Fixed({}),
        tuple(versions),
        digest(root.node),
        root.file,
    )


def digest(node: yaml.Node) -> str:
    """SHA-256 of what a node says: comments, quoting, spacing and the order of keys do not count, except the
    order of facts and outcomes, which decides how reasons are told."""
    return hashlib.sha256(json.dumps(_plain(node), ensure_ascii=False, separators=(",", ":")).encode()).hexdigest()


def _plain(node: yaml.Node, ordered: bool = False) -> Any:
    if isinstance(node, yaml.MappingNode):
        pairs = [[k.value, _plain(v, k.value in ("facts", "outcomes"))] for k, v in node.value]
        return {"ordered": pairs} if ordered else {"map": sorted(pairs, key=lambda pair: str(pair[0]))}
    if isinstance(node, yaml.SequenceNode):
        return [_plain(each) for each in node.value]
    return " ".join(str(node.value).split())


def _version(item: Item, said: Item) -> Version:
    """A version written out; ``said``: what stands in the file."""
    fields = item.fields(
        ("in_force", "facts", "outcomes"), ("parameters", "constraints", "examples", "acknowledge", "note")
    )
    in_force = fields["in_force"].date()
    scope = Names()
    parameters: dict[str, Parameter] = {}
    if "parameters" in fields:
        for name, entry in fields["parameters"].entries().items():
            parameters[name] = _parameter(_named(name, entry, scope), entry)
            scope[name] = Const(parameters[name].kind, parameters[name].value)
    facts: dict[str, FactDeclared] = {}
    entries = fields["facts"].entries()
    if len(entries) > MOST_FACTS:
        raise fields["facts"].error(f"{len(entries)} facts, at most {MOST_FACTS}", "split the pack")
    for name, entry in entries.items():
        facts[name] = _fact(_named(name, entry, scope), entry)
        scope[name] = Fact(facts[name].kind, name)
    constraints = []
    if "constraints" in fields:
        for entry in fields["constraints"].items():
            tree = parse(entry.text(), scope, entry.error)
            if tree.kind.name != "boolean":
                raise entry.error("a constraint must be true or false")
            constraints.append(Constraint(" ".join(entry.text().split()), tree, entry.line))
    outcomes: dict[str, OutcomeDeclared] = {}
    later = fields["outcomes"].entries()
    for name, entry in later.items():
        _named(name, entry, scope)
        outcomes[name] = _outcome(name, entry, scope, tuple(later))
        scope[name] = Earlier(outcomes[name].kind, name)
    if not outcomes:
        raise fields["outcomes"].error("no outcome", "a pack answers at least one question")
    acknowledged = {}
    if "acknowledge" in fields:
        for name, entry in fields["acknowledge"].entries().items():
            acknowledged[name] = Acknowledged(entry.text(), entry.line, inherited(entry, said))
    examples = []
    if "examples" in fields:
        examples = [_example(entry, facts, outcomes, in_force) for entry in fields["examples"].items()]
    for name, parameter in parameters.items():
        entry = fields["parameters"].entries()[name]
        parameters[name] = replace(parameter, used=name in scope.used, inherited=inherited(entry, said))
    return Version(
        in_force, Fixed(parameters), Fixed(facts), tuple(constraints), Fixed(outcomes), tuple(examples),
        Fixed(acknowledged), digest(item.node), item.file,
    )  # fmt: skip


def _named(name: str, entry: Item, scope: Mapping[str, Node]) -> str:
    if not _NAME.fullmatch(name) or name in _RESERVED:
        raise entry.error(f"“{name}” cannot be a name", "lower-case letters, digits, _; no word of SQL")
    if name in scope:
        raise entry.error(f"the name “{name}” is already taken in this version", "rename one of them")
    return name


def _kind(item: Item, fields: Mapping[str, Item], ranged: bool) -> Kind:
    """The declared kind; without a range: as wide as may be, where ``ranged`` is false."""
    name = fields["type"].choice(*_TYPES)
    for key, types in (("values", ("enum",)), ("scale", ("decimal",)), ("range", ("integer", "decimal", "date"))):
        if key in fields and name not in types:
            raise fields[key].error(f"has no meaning for {name}", "remove it")
    if name == "boolean":
        return BOOLEAN
    if name == "enum":
        if "values" not in fields:
            raise item.error("an enum needs its values", "add  values: [a, b]")
        values = tuple(each.text() for each in fields["values"].items())
        if not values or len(set(values)) < len(values):
            raise fields["values"].error("values must be there, and each once")
        return enum(values)
    scale = 0
    if name == "decimal":
        if "scale" not in fields:
            raise item.error("a decimal needs its scale", "add  scale: 2")
        scale = fields["scale"].number(0)
        if not 1 <= scale <= FINEST:
            raise fields["scale"].error(f"must be 1 to {FINEST}")
    if "range" not in fields:
        if ranged:
            raise item.error(f"a fact of type {name} needs its range", "add  range: [lowest, highest]")
        return CALENDAR if name == "date" else number(-LARGEST, LARGEST, scale)
    ends = fields["range"].items()
    if len(ends) != 2:
        raise fields["range"].error("a range has two ends", "write  range: [lowest, highest]")
    if name == "date":
        low, high = (end.date().toordinal() for end in ends)
        if low < CALENDAR.low or high > CALENDAR.high:
            raise fields["range"].error("dates lie between 1800-01-01 and 2200-12-31")
        kind = Kind("date", low=low, high=high)
    else:
        kind = number(ends[0].number(scale), ends[1].number(scale), scale)
        if max(abs(kind.low), abs(kind.high)) >= 10**18:
            raise fields["range"].error("a fact has at most 18 digits")
    if kind.low > kind.high:
        raise fields["range"].error("the first end is larger than the second", "swap them")
    return kind


def _value(item: Item, kind: Kind) -> Value:
    """A value of a kind, as written in the file."""
    if kind.name == "boolean":
        return item.boolean()
    value: Value = (
        item.date() if kind.name == "date" else item.number(kind.scale) if kind.name == "number" else item.text()
    )
    if not kind.holds(value):
        near = close(item.text(), kind.values)
        raise item.error(f"{item.text()} is outside the declared domain", near and f"did you mean “{near}”?")
    return value


def _parameter(name: str, item: Item) -> Parameter:
    fields = item.fields(("type", "value", "source"), ("scale", "values", "range", "unit", "title"))
    kind = _kind(item, fields, ranged=False)
    value = _value(fields["value"], kind)
    if kind.name == "number":
        kind = number(int(value), int(value), kind.scale)  # type: ignore[arg-type]
    elif isinstance(value, date):
        kind = Kind("date", low=value.toordinal(), high=value.toordinal())
    return Parameter(
        name,
        kind,
        value,
        item.line,
        fields["source"].text(),
        _text(fields, "unit"),
        labels.words(fields, "title", name),
    )


def _fact(name: str, item: Item) -> FactDeclared:
    fields = item.fields(
        ("type",),
        ("values", "range", "scale", "unit", "source", "ask", "title", "round", "immutable", "labels", "note"),
    )
    kind = _kind(item, fields, ranged=True)
    rounding = fields["round"].choice("half_up", "floor", "ceil") if "round" in fields else None
    if rounding and kind.name != "number":
        raise fields["round"].error("only numbers are rounded", "remove it")
    effort, intrusion, prior = 1, 1, None
    if "ask" in fields:
        ask = fields["ask"].fields((), ("effort", "intrusion", "prior"))
        effort = ask["effort"].number(0) if "effort" in ask else 1
        intrusion = ask["intrusion"].number(0) if "intrusion" in ask else 1
        if min(effort, intrusion) < 0:
            raise fields["ask"].error("effort and intrusion are not negative")
        if "prior" in ask:
            prior = tuple(each.number(FINEST) / 10**FINEST for each in ask["prior"].items())
    return FactDeclared(
        name, kind, item.line, labels.words(fields, "title", name), _text(fields, "unit"), _text(fields, "source"),
        rounding, effort, intrusion, prior,  # type: ignore[arg-type]
        "immutable" in fields and fields["immutable"].boolean(), labels.labels(fields, kind),
    )  # fmt: skip


def _outcome(name: str, item: Item, scope: Mapping[str, Node], later: tuple[str, ...]) -> OutcomeDeclared:
    fields = item.fields(
        ("type",),
        ("value", "first_of", "else", "one_of", "scale", "range", "values", "unit", "title", "basis", "text",
         "labels", "note"),
    )  # fmt: skip
    kind = _kind(item, fields, ranged=False)
    forms = [form for form in ("value", "first_of", "one_of") if form in fields]
    if len(forms) != 1:
        raise item.error("an outcome has one of: value, first_of, one_of", "keep one of them")
    form = forms[0]
    lines: tuple[int, ...] = (fields[form].line,)
    if form == "value":
        tree = _part(fields["value"], kind, scope, later)
    else:
        branches, other = [], None
        entries = fields[form].items()
        if not entries or len(entries) > MOST_BRANCHES:
            raise fields[form].error(f"{len(entries)} branches; 1 to {MOST_BRANCHES} are allowed")
        for entry in entries:
            each = entry.fields(("when", "value"))
            when = parse(each["when"].text(), scope, _failing(each["when"], later))
            if when.kind.name != "boolean":
                raise each["when"].error(f"a condition is needed, this is {when.kind}")
            branches.append((when, _part(each["value"], kind, scope, later)))
        lines = tuple(entry.line for entry in entries)
        if (form == "first_of") != ("else" in fields):
            raise item.error(
                "first_of needs an else" if form == "first_of" else "one_of has no else: its branches cover all"
            )
        if "else" in fields:
            other = _part(fields["else"], kind, scope, later)
        tree = Translation(scope, fields[form].error).choose(branches, other, form == "one_of")
    if form == "value" and "else" in fields:
        raise fields["else"].error("else belongs to first_of", "remove it")
    return OutcomeDeclared(
        name, _fitting(item, kind, tree), "range" in fields, sums.raised(tree, kind.scale, item.error)
        if kind.name == "number" else tree,
        form, item.line, lines, labels.words(fields, "title", name), _text(fields, "basis"), _text(fields, "unit"),
        labels.texts(fields, kind, scope), labels.labels(fields, kind),
    )  # fmt: skip


def _failing(item: Item, later: tuple[str, ...]) -> Any:
    def fail(what: str, mend: str | None = None) -> RuleError:
        for name in later:
            if what == f"the name “{name}” is not defined":
                return item.error(
                    f"the outcome “{name}” is used before it is defined, or by itself",
                    "an outcome may use only earlier ones; reorder them, or break the circle",
                )
        return item.error(what, mend)

    return fail


def _part(item: Item, kind: Kind, scope: Mapping[str, Node], later: tuple[str, ...]) -> Node:
    """An expression that gives (a part of) an outcome; the bare word of an enum is its value."""
    text = item.text()
    if kind.name == "enum" and text in kind.values:
        if text in scope:
            raise item.error(f"“{text}” is both a value and a name here", f"write \"'{text}'\" for the value")
        return Const(enum((text,)), text)
    if kind.name == "enum" and _WORD.fullmatch(text) and text not in scope and (near := close(text, kind.values)):
        raise item.error(f"“{text}” is not among its values", f"did you mean “{near}”?")
    tree = parse(text, scope, _failing(item, later))
    if tree.kind.name != kind.name:
        raise item.error(f"gives {tree.kind}, but the outcome is {kind}")
    return tree


def _fitting(item: Item, kind: Kind, tree: Node) -> Kind:
    """The declared kind, if the tree can be it; bounds that were not declared come from the tree."""
    if kind.name == "enum":
        extra = [value for value in tree.kind.values if value not in kind.values]
        if extra:
            raise item.error(f"gives {', '.join(extra)}, not among its values", "add the value, mind its case")
        return kind
    if kind.name == "number":
        if tree.kind.scale > kind.scale:
            raise item.error(
                f"the result has {tree.kind.scale} decimal places, {kind.scale} are declared",
                f"round it: round(…, {kind.scale})",
            )
        step = 10 ** (kind.scale - tree.kind.scale)
        low, high = tree.kind.low * step, tree.kind.high * step
        if high < kind.low or kind.high < low:
            raise item.error("the result always lies outside the declared range", "mend the range or the expression")
        return number(max(kind.low, low), min(kind.high, high), kind.scale)
    if kind.name == "date":
        return replace(kind, low=tree.kind.low, high=tree.kind.high) if kind is CALENDAR else kind
    return kind


def _text(fields: Mapping[str, Item], key: str) -> str | None:
    return fields[key].text() if key in fields else None


def _example(
    item: Item, facts: Mapping[str, FactDeclared], outcomes: Mapping[str, OutcomeDeclared], start: date
) -> Example:
    fields = item.fields(("facts", "outcomes"), ("title", "on"))
    on = fields["on"].date() if "on" in fields else start
    if on < start:
        raise fields["on"].error("is before this version")

    def values(part: Item, declared: Mapping[str, Any]) -> Mapping[str, Value | None]:
        found = part.fields((), declared)
        return Fixed({n: None if i.text() == "unknown" else _value(i, declared[n].kind) for n, i in found.items()})

    given = values(fields["facts"], facts)
    return Example(
        fields["title"].words() if "title" in fields else {}, on, given, values(fields["outcomes"], outcomes), item.line
    )
