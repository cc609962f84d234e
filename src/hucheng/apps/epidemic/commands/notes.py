"""What was found in the data, in a few lines on the terminal."""

from __future__ import annotations

from collections.abc import Iterable

import click

from hucheng.apps.epidemic.series import Note

SHOWN = 12
DAYS = 3


def show(notes: Iterable[Note]) -> None:
    """Each note on a line of the error stream; many of one kind are counted."""
    kinds: dict[str, list[Note]] = {}
    for note in notes:
        kinds.setdefault(note.kind, []).append(note)
    for kind, found in kinds.items():
        for note in found[: SHOWN if len(kinds) == 1 else 4]:
            click.echo(f"  {kind}: {_place(note)}{note.what}{_days(note)}", err=True)
        if (more := len(found) - (SHOWN if len(kinds) == 1 else 4)) > 0:
            click.echo(f"  {kind}: the same in {more} more places", err=True)


def _place(note: Note) -> str:
    return "" if note.place is None else f"{note.place}: "


def _days(note: Note) -> str:
    if not note.days:
        return ""
    shown = ", ".join(map(str, note.days[:DAYS]))
    more = len(note.days) - DAYS
    return f" ({shown}{f' and {more} more' if more > 0 else ''})"
