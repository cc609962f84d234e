"""``hucheng epidemic contacts``: who met the cases, from an index, a file of visits, or proximity records."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pyarrow as pa

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.commands import PATH
from hucheng.errors import BadRequest
from hucheng.files import Writer, apart, read, suffix, write


@click.command()
@click.option("--index", "folder", type=PATH, help="index of visits, by hucheng epidemic index")
@click.option("--visits", type=PATH, help="CSV or Parquet: person, place, arrive, leave")
@click.option("--proximity", type=PATH, help="CSV or Parquet: t, i, j")
@click.option("--cases", required=True, type=PATH, help="CSV or Parquet: person, from, until; one row a period")
@click.option("--minutes", type=float, default=15, show_default=True, help="least length of an overlap")
@click.option("--out", required=True, type=PATH, help="CSV or Parquet: one row an overlap")
@click.option("--persons", type=PATH, help="CSV or Parquet: one row a person, the longest exposed first")
@click.option("--ring", type=click.IntRange(1, 2), default=1, show_default=True, help="2: contacts of contacts, too")
@click.option("--step", type=click.IntRange(1), help="seconds a proximity record lasts, if the times cannot tell")
@click.option("--left-out", type=PATH, help="CSV or Parquet: rows of --visits that cannot be stays")
@click.option("--json", "as_json", is_flag=True, help="print one JSON document")
def contacts(
    folder: Path | None,
    visits: Path | None,
    proximity: Path | None,
    cases: Path,
    minutes: float,
    out: Path,
    persons: Path | None,
    ring: int,
    step: int | None,
    left_out: Path | None,
    as_json: bool,
) -> None:
    """List who shared a place with a case, within the case's period, for MINUTES without a break.

    Times are seconds, or ISO 8601 with or without a zone (without: as they stand, all on one clock), and come out as
    they went in. Periods and stays are half-open: the end does not belong to them.
    """
    if sum(one is not None for one in (folder, visits, proximity)) != 1:
        raise BadRequest("it must be said where to look", mend="give one of --index, --visits, --proximity")
    outputs = [one for one in (out, persons, left_out) if one is not None]
    for one in outputs:
        suffix(one)
    apart(outputs, [visits, proximity, cases])
    if left_out is not None and visits is None:
        raise BadRequest("--left-out goes with --visits", mend="an index lists them itself, in left-out.csv")
    from hucheng.apps.epidemic.contacts.building import ahead

    asked = read(cases)
    notes: list[str] = []
    if folder is not None:
        found = _of_index(folder, asked, minutes, ring)
    elif visits is not None:
        found, notes = _of_visits(visits, asked, minutes, ring, left_out)
    else:
        found = _of_proximity(proximity, asked, minutes, ring, step)
    exposures = found.exposures()
    rows = 0
    with Writer(out) as writer:
        writer.write(found.schema().empty_table())
        for piece in ahead(found.pieces(exposures)):
            writer.write(piece)
            rows += piece.num_rows
    if persons is not None:
        write(found.ranked(exposures), persons)
    notes += found.notes()
    told = {"cases": len(asked), "overlaps": rows, "people": len(exposures), "minutes": minutes, "notes": notes}
    if as_json:
        click.echo(json.dumps(told, ensure_ascii=False))
        return
    click.echo(
        f"{some(len(asked), 'period')} of cases: {some(rows, 'overlap')}, {len(exposures):,} people met → {out}",
        err=True,
    )
    for line in notes:
        click.echo(f"  {line}", err=True)


def _of_index(folder: Path, cases: pa.Table, minutes: float, ring: int) -> Any:
    from hucheng.apps.epidemic.contacts.index import Index

    return Index.open(folder).contacts(cases, minutes, ring)


def _of_visits(
    visits: Path, cases: pa.Table, minutes: float, ring: int, left_out: Path | None
) -> tuple[Any, list[str]]:
    """A file that is asked once: indexed in memory, with the same answers and the same findings as an index on disk."""
    from hucheng.apps.epidemic.contacts.index import Index, LeftOut, sources

    rejected: Callable[[pa.Table], None] | None = None
    if left_out is not None:
        with LeftOut(left_out) as rejected:
            index = Index.of(sources(visits), rejected)
    else:
        index = Index.of(sources(visits))
    return index.contacts(cases, minutes, ring), index.report.words()


def _of_proximity(proximity: Path | None, cases: pa.Table, minutes: float, ring: int, step: int | None) -> Any:
    from hucheng.apps.epidemic.contacts.proximity import contacts as near

    assert proximity is not None
    return near(read(proximity), cases, minutes, ring, step)
