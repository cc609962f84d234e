"""What a caller reads when an argument of a call has not the promised form."""

from __future__ import annotations

import re

import msgspec

from hucheng.errors import BadRequest

_AT = re.compile(r"(?P<what>.*?) - at `\$\.?(?P<at>[^`]*)`$", re.DOTALL)


def misfit(method: str, error: msgspec.DecodeError, mend: str) -> BadRequest:
    """The error with its place in words, rows counted from 1: ``$.rows[1].born`` is ``rows, row 2, born``."""
    what, place = told(error)
    return BadRequest(what, where=f"{method}: {place}" if place else method, mend=mend)


def told(error: msgspec.DecodeError) -> tuple[str, str]:
    """What is wrong, and its place in words; an empty place is the whole."""
    found = _AT.match(str(error))
    what, at = (found["what"], found["at"]) if found else (str(error), "")
    place = ", ".join(_spelt(part) for part in re.findall(r"\[[^\]]*\]|[^.\[\]]+", at))
    return what[:1].lower() + what[1:], place


def _spelt(part: str) -> str:
    inside = part.strip("[]")
    if part == inside:
        return part
    return f"row {int(inside) + 1}" if inside.isdigit() else "each"
