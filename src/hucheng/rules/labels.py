"""What a pack says to people: titles, labels and sentences by value, in both languages, read from the file."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from types import MappingProxyType as Fixed

from hucheng.rules.document import Item
from hucheng.rules.kinds import Kind
from hucheng.rules.model import Words
from hucheng.rules.tree import Fact, Node

_SLOT = re.compile(r"\{[^{}]*\}?|\}")


def words(fields: Mapping[str, Item], key: str, otherwise: str) -> Words:
    """The text under a key, or else a name as words."""
    return fields[key].words() if key in fields else Fixed({"zh": otherwise, "en": otherwise.replace("_", " ")})


def labels(fields: Mapping[str, Item], kind: Kind) -> Mapping[str, Words]:
    """Words by value."""
    return _by_value(fields["labels"], kind, ()) if "labels" in fields else Fixed({})


def texts(fields: Mapping[str, Item], kind: Kind, scope: Mapping[str, Node]) -> Mapping[str, Words]:
    """The sentences by value; a slot that nothing fills is refused."""
    if "text" not in fields:
        return Fixed({})
    found = _by_value(fields["text"], kind, ("unknown", "any"))
    known = ["value", *(name for name, node in scope.items() if isinstance(node, Fact))]
    for key, entry in fields["text"].entries().items():
        for language, item in entry.entries().items():
            for slot in _SLOT.findall(found[key][language]):
                if slot[1:-1] not in known:
                    near = difflib.get_close_matches(slot[1:-1], known, 1)
                    mend = f"did you mean “{{{near[0]}}}”?" if near else f"known: {', '.join(known)}"
                    raise item.error(f"nothing fills the slot {slot}", mend)
    return found


def _by_value(item: Item, kind: Kind, more: tuple[str, ...]) -> Mapping[str, Words]:
    values = kind.values if kind.name == "enum" else ("true", "false") if kind.name == "boolean" else ()
    return Fixed({key: entry.words() for key, entry in item.fields((), (*values, *more)).items()})
