"""The character NUL, which no text of ours needs and PostgreSQL cannot store: refused at the door."""

from __future__ import annotations

from typing import Any

import msgspec

from hucheng.errors import BadRequest


def refuse_nul(arguments: bytes | memoryview) -> None:
    """Raise BadRequest where a text in these msgpack arguments holds NUL; octets (bytes) may."""
    if b"\0" in bytes(arguments):
        _look(msgspec.msgpack.decode(arguments))


def _look(value: Any) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise BadRequest("a text holds the character NUL", mend="leave the character out")
    elif isinstance(value, dict):
        for pair in value.items():
            _look(pair[0])
            _look(pair[1])
    elif isinstance(value, list):
        for part in value:
            _look(part)
