"""What a change of a register says to those it is about: which row, what stands in it, and whether it was ended."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, NamedTuple

from hucheng.base.contracts import Contract

FEW = 200
"""Up to so many people in one call are each told what was changed; of more, each is told that it was."""


class Telling(NamedTuple):
    """``people``: whom the change is about; ``each``: what it says to each of them, to be sealed under their keys."""

    people: frozenset[str]
    each: dict[str, dict[str, Any]]


def telling(contract: Contract, rows: Iterable[Mapping[str, Any]]) -> Telling:
    """What rows of a register that are entered or ended say to the people in them; nobody where it names none.

    Sensitive fields are named and not repeated.
    """
    person = contract.person
    if person is None:
        return Telling(frozenset(), {})
    about: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        if row.get(person):
            about.setdefault(str(row[person]), []).append(_said(contract, row))
    each = {one: {"rows": said} for one, said in about.items()} if len(about) <= FEW else {}
    return Telling(frozenset(about), each)


def _said(contract: Contract, row: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a row in the contract's order, without whom it is about; None for what is not repeated."""
    return {
        field.name: None if field.classification == "sensitive" else _plain(row[field.name])
        for field in contract.fields
        if field.name != contract.person and row.get(field.name) not in (None, "", [], ())
    }


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, (list, tuple, set, frozenset)):
        return [str(one) for one in value]
    return value if isinstance(value, (str, int, float, bool)) else str(value)
