"""``hucheng epidemic index``: an index of visits, built or added to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.commands import PATH


@click.command()
@click.argument("visits", nargs=-1, required=True, type=PATH)
@click.option("--out", required=True, type=PATH, help="folder of the index; made if it is not there")
@click.option("--replace", is_flag=True, help="days that are there already are replaced by these")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def index(visits: tuple[Path, ...], out: Path, replace: bool, as_json: bool) -> None:
    """Build an index of visits (person, place, arrive, leave), or add days to it.

    VISITS are CSV or Parquet files, in any order; a stay belongs to the day on which it begins. A day that is in the
    index already is refused unless it is the same. Visits that cannot be stays are left out, counted, and listed in
    OUT/left-out.csv. The index is whole at every moment: a build that is broken off leaves it as it was.
    """
    from hucheng.apps.epidemic.contacts.index import LEFT_OUT, Index

    tell = None if as_json or not sys.stderr.isatty() else (lambda day: click.echo(f"  {day}", err=True))
    found, added = Index.build(list(visits), out, replace, tell)
    report = added.report
    if as_json:
        click.echo(
            json.dumps(
                {"added": added.added, "replaced": added.replaced, "same": added.same, "days": len(found.days),
                 "stays": found.stays, "people": len(found.people), "places": len(found.places)} | report.as_json(),
                ensure_ascii=False,
            )
        )  # fmt: skip
        return
    for days, words in ((added.added, "added"), (added.replaced, "replaced"), (added.same, "there already, the same")):
        if days:
            click.echo(
                f"{some(len(days), 'day')} {words}: {days[0]}" + (f" to {days[-1]}" if len(days) > 1 else ""), err=True
            )
    click.echo(
        f"{out}: {found.stays:,} stays of {len(found.people):,} people at {len(found.places):,} places, "
        f"{some(len(found.days), 'day')}",
        err=True,
    )
    for line in report.words():
        click.echo(f"  {line}", err=True)
    if report.left_out:
        click.echo(f"  all that was left out: {out / LEFT_OUT}", err=True)
