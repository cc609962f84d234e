"""Values of a contract's fields: what may be entered, and what of it lies in the ledger's JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

from hucheng.base.contracts import Contract, Field
from hucheng.errors import BadRequest

KINDS: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": float,
    "boolean": bool,
    "date": date,
    "timestamp": datetime,
    "time": time,
    "array": list[str],
    "object": dict[str, Any],
}
EXAMPLES = {
    "string": "a text",
    "integer": "e.g. 3",
    "number": "e.g. 3.5",
    "boolean": "true or false",
    "date": "e.g. 1950-02-03",
    "timestamp": "with its offset, e.g. 2026-02-03T08:00:00+08:00",
    "time": "e.g. 08:00:00",
    "array": "texts parted by spaces, or a list of them",
    "object": 'names and values, e.g. {"a": 1}',
}


def entered(contract: Contract, row: dict[str, Any], place: int) -> dict[str, Any]:
    """A row as its contract has it, texts that mean a date or a number converted.

    Raises BadRequest with the row's ``place`` (from 1), the field and what it takes.
    """
    where = f"{contract.id} row {place}"
    for name in row:
        if name not in contract.field_names:
            known = ", ".join(contract.field_names)
            raise BadRequest(f"field {name!r} is not in the contract", where=where, mend=f"known: {known}")
    made = dict(row)
    for field in contract.fields:
        value = row.get(field.name)
        if value is None:
            if field.required:
                raise BadRequest(f"field {field.name!r} is missing", where=where, mend="give it")
            continue
        try:
            made[field.name] = _typed(field, value)
        except (msgspec.ValidationError, ValueError) as error:
            # The value itself is not said: a message goes into logs, and it may be about a person.
            raise BadRequest(
                f"field {field.name!r} is no {field.type}: {error}", where=where, mend=EXAMPLES[field.type]
            ) from None
    return made


def shaped(fields: Iterable[Field], data: dict[str, Any]) -> dict[str, Any]:
    """These fields in their order out of the ledger's JSON. ValueError names a field that holds something else.

    Numbers and truth values are what JSON made of them; dates and times are made of texts.
    """
    row: dict[str, Any] = {}
    for field in fields:
        value = data.get(field.name)
        if value is not None:
            try:
                if field.type == "date":
                    value = date.fromisoformat(value)
                elif field.type == "timestamp":
                    value = datetime.fromisoformat(value)
                elif field.type == "time":
                    value = time.fromisoformat(value)
                elif not isinstance(value, _STORED[field.type]):
                    raise ValueError
            except (TypeError, ValueError):
                raise ValueError(f"field {field.name!r} holds no {field.type}") from None
        row[field.name] = value
    return row


_STORED: dict[str, Any] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def _typed(field: Field, value: Any) -> Any:
    if field.type in ("date", "timestamp") and isinstance(value, (int, float)):
        raise ValueError("a number")
    if field.type == "time" and isinstance(value, str):
        return time.fromisoformat(value)
    if field.type == "array" and isinstance(value, str):  # as a cell of a table has it
        value = value.split()
    if field.type == "object" and isinstance(value, str):
        value = msgspec.json.decode(value)
    made = msgspec.convert(value, KINDS[field.type], strict=False)
    if isinstance(made, datetime):
        if made.tzinfo is None:
            raise ValueError("it has no offset from UTC")
        return made.astimezone(UTC)
    if isinstance(made, float) and not math.isfinite(made):
        raise ValueError("it is not finite")
    if isinstance(made, int) and not -(1 << 63) <= made < 1 << 63:
        raise ValueError("it does not fit 64 bits")
    if "\0" in _texts(made):
        raise ValueError("it holds the character NUL")
    return made


def _texts(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return "".join(_texts(part) for pair in value.items() for part in pair)
    return "".join(map(_texts, value)) if isinstance(value, list) else ""
