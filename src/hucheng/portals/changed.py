"""What a change of a register said, for the page of whoever it is about: fields by their titles, one line a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hucheng.portals.lexicon import Lexicon
from hucheng.portals.plain import SCOPES
from hucheng.portals.words import Words, mark

NOT_REPEATED = mark("not repeated here")
UNSAID = frozenset({"carer"})
"""Ids beside which the name stands."""


def changed(entry: Any, lexicon: Lexicon, words: Words) -> list[str]:
    """The rows of the change, each in one line; nothing where the entry says none or the key is gone."""
    rows = (getattr(entry, "detail", None) or {}).get("rows")
    datasets: Sequence[str] = getattr(entry, "datasets", ())
    if not isinstance(rows, list) or len(datasets) != 1:
        return []
    return [_line(row, lexicon.field_titles(datasets[0]), words) for row in rows if isinstance(row, dict)]


def _line(row: dict[str, Any], titles: dict[str, dict[str, str]], words: Words) -> str:
    shown = [name for name in row if not (name in UNSAID and row.get(f"{name}_name"))]
    return words.say("; ").join(
        words.say("%(name)s: %(value)s", name=words.tell(titles.get(name)) or name, value=_value(row[name], words))
        for name in shown
    )


def _value(value: Any, words: Words) -> str:
    if value is None:
        return words.say(NOT_REPEATED)
    if isinstance(value, bool):
        return words.say("yes") if value else words.say("no")
    if isinstance(value, list):
        return words.say(", ").join(words.say(SCOPES.get(one, one)) for one in map(str, value))
    return str(value)
