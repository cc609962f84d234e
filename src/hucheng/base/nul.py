"""The character NUL, which no text of ours needs and PostgreSQL cannot store: refused at the door."""

from __future__ import annotations

from typing import Any

import msgspec

from hucheng.errors import BadRequest


def refuse_nul(arguments: bytes | memoryview, call: str) -> None:
    """Raise BadRequest where a text in these msgpack arguments of a call holds NUL; octets (bytes) may."""
    if b"\0" in bytes(arguments):
        _look(msgspec.msgpack.decode(arguments), call, ())


def _look(value: Any, call: str, place: tuple[str, ...]) -> None:
    if isinstance(value, str):
        if "\0" in value:
            where = f"{call}: {', '.join(place)}" if place else call
            raise BadRequest("a text holds the character NUL", where=where, mend="leave the character out")
    elif isinstance(value, dict):
        for name, held in value.items():
            _look(name, call, (*place, "a name"))
            _look(held, call, (*place, str(name)))
    elif isinstance(value, list):
        for number, held in enumerate(value, 1):
            _look(held, call, (*place, f"row {number}"))
