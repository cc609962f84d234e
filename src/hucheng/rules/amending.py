"""A version that amends an earlier one: what it does not say is as it was there.

The result is a whole version, as if somebody had written it out; its hash is that of the text written out.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence

import yaml

from hucheng.rules.document import Item
from hucheng.rules.model import Version

AMENDS = "amends"
BY_NAME = ("parameters", "facts", "outcomes", "acknowledge")
"""Sections in which an entry replaces the one of its name, or is added behind the others."""
AS_IT_WAS = ("constraints", "note")
"""Sections that are taken over whole where the amending version has none. Worked examples never are."""


def whole(item: Item, earlier: Sequence[Item]) -> Item:
    """The version written out. ``earlier``: the versions before it, each written out. RuleError for an unknown date."""
    fields = item.entries()
    if AMENDS not in fields:
        return item
    wanted = fields[AMENDS].date()
    base = next((each.entries() for each in earlier if each.entries()["in_force"].date() == wanted), None)
    if base is None:
        known = ", ".join(str(each.entries()["in_force"].date()) for each in earlier)
        raise fields[AMENDS].error(
            f"no earlier version is in force from {wanted}",
            f"known: {known}" if known else "the first version is written out",
        )
    said = {key: each.node for key, each in fields.items() if key != AMENDS}
    for section in BY_NAME:
        if section in base:
            said[section] = _named(base[section], fields[section]) if section in fields else base[section].node
    for section in AS_IT_WAS:
        if section in base:
            said.setdefault(section, base[section].node)
    return Item(_mapping(item, said), item.file, item.path)


def inherited(entry: Item, version: Item) -> bool:
    """Whether an entry stands before the version in the file: in the one that it amends."""
    return bool(entry.node.start_mark.index < version.node.start_mark.index)


def refuse_added(said: Item, version: Version, earlier: Sequence[Version]) -> None:
    """Refuse a number that an amending version adds and nothing uses: the one that it is meant for stays as it was."""
    entries = said.entries()
    if AMENDS not in entries or "parameters" not in entries:
        return
    amended = next(each for each in earlier if each.in_force == entries[AMENDS].date())
    for name, entry in entries["parameters"].entries().items():
        if name not in amended.parameters and not version.parameters[name].used:
            near = difflib.get_close_matches(name, amended.parameters, 1)
            raise entry.error(
                f"is a number that the version of {amended.in_force} does not have and that nothing uses here",
                f"did you mean “{near[0]}”?" if near else "use it in an expression, or remove it",
            )


def _named(before: Item, now: Item) -> yaml.Node:
    old, new = before.entries(), now.entries()
    return _mapping(now, {name: each.node for name, each in {**old, **new}.items()})


def _mapping(place: Item, entries: dict[str, yaml.Node]) -> yaml.Node:
    """A mapping that says it stands where ``place`` stands."""
    node = place.node
    keys = [yaml.ScalarNode("tag:yaml.org,2002:str", key, each.start_mark) for key, each in entries.items()]
    pairs = list(zip(keys, entries.values(), strict=True))
    return yaml.MappingNode("tag:yaml.org,2002:map", pairs, node.start_mark, node.end_mark)
