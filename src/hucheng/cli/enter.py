"""``hucheng enter``: what a city tells its node about itself: places, people, rosters, registers. Files in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from hucheng.cli.beside import Beside, node_options
from hucheng.errors import BadRequest, HuchengError, Refused, Unavailable
from hucheng.files import tables

AT_ONCE = 20_000


@click.command()
@click.argument("what")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--end", is_flag=True, help="What the file names by its key holds no longer from now on.")
@click.option("--again", is_flag=True, help="People whose time ended may sign in again.")
@node_options
def enter(what: str, file: Path, end: bool, again: bool, home: Path | None, principal_id: str | None) -> None:
    """Enter the rows of FILE (.csv or .parquet), one column a field; an empty cell is "not known".

    \b
    WHAT is one of
      places     id, parent, level, zh, en
      people     id, kind, name, place, roles, resident_id, subject
      roster     id, scope, tier, name, who, shifts, weekdays, rank, phone, language, urls,
                 own_right
      a register, e.g. city.residents: the fields of its contract

    Several values in one cell are parted by spaces. What is known already changes nothing, so a file may be entered
    again. A row that is wrong is named; of the 20,000 rows around it nothing is entered.
    """
    from hucheng.node.steward.entering import Entering

    if again and (end or what != "people"):
        raise BadRequest("--again is for people", mend="leave it out")
    changed = rows = 0
    over: list[str] = []
    with Beside(home, principal_id) as node:
        desk, who = node.ask(Entering, "entering"), node.principal()
        for first, part in parts(file):
            try:
                if end:
                    changed += desk.end(who, what, part, first)
                elif what == "people":
                    entered = desk.people(who, part, first, again)
                    changed += entered.changed
                    over += entered.ended
                elif what in ("places", "roster"):
                    changed += getattr(desk, what)(who, part, first)
                else:
                    changed += desk.register(who, what, part, first)
            except HuchengError as error:
                if not isinstance(error, (Refused, Unavailable)):
                    error.where = f"{file}: {error.where}" if error.where else str(file)
                if first > 1:
                    error.mend = f"{error.mend or 'mend it'}; the {first - 1} rows before are done, run it again"
                raise
            rows += len(part)
    click.echo(f"{what}: {changed} of {rows} rows {'ended' if end else 'entered or changed'}")
    if over:
        some = ", ".join(over[:5]) + (" …" if len(over) > 5 else "")
        click.echo(f"  their time ended, left as they are: {len(over)} ({some}); --again lets them in")


def parts(file: Path) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """Rows of a file, some at a time, with the number of the first (from 1); empty cells are left out."""
    first = 1
    for table, _, _ in tables(file):
        for start in range(0, table.num_rows, AT_ONCE):
            some = table.slice(start, AT_ONCE).to_pylist()
            yield first, [{name: value for name, value in row.items() if value is not None} for row in some]
            first += len(some)
