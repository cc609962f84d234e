"""For developers: make the rows that ship from the versions of histories.

    python -m hucheng.apps.epidemic.forecasts.train VINTAGES… [--population FILE] --out FILE

A row is what one version knew at its end, or a settled history, and where the count went; it is dated by the version
in which that was first read a week old, so that a forecast of any day can leave out what was not known yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from hucheng.apps.epidemic.forecasts.features import NAMES, features, filled
from hucheng.apps.epidemic.forecasts.implausible import believed
from hucheng.apps.epidemic.forecasts.rows import Rows, of_history
from hucheng.apps.epidemic.forecasts.scaling import rooted, scales
from hucheng.apps.epidemic.series import WEEK, Columns, Series, population, vintages
from hucheng.files import read

STEPS = (1, 2, 3, 4, 5)
SETTLED = 1
"""Weeks after which a count is taken for what it was."""
EVERY = 8
"""Versions from one whose history is taken as settled to the next."""


def rows(known: Mapping[date, Series], people: Mapping[str, float]) -> Iterator[tuple[date, bool, Rows]]:
    """Day it was known, whether as first reported, and the rows; of the versions of one history."""
    days = sorted(known)
    for place, day in enumerate(days):
        yield from as_reported(known[day], [(one, known[one]) for one in days[place + 1 :]], people)
    until = None
    for day in days[::EVERY]:
        series = known[day]
        scale = scales(series.places, series.values, people)
        found = of_history(series.values, series.days, scale, STEPS)
        first = -np.inf if until is None else until
        kept = (found.week + found.known[:, -1] > first) & (found.week + found.known[:, -1] <= _week(series) - SETTLED)
        until = _week(series) - SETTLED
        yield day, False, Rows(found.known[kept], found.change[kept], found.weight[kept], found.week[kept])


def as_reported(
    series: Series, later: Sequence[tuple[date, Series]], people: Mapping[str, float]
) -> Iterator[tuple[date, bool, Rows]]:
    """Rows of the end of one version, against the first later one in which the week ahead had settled."""
    scale = scales(series.places, series.values, people)
    values, _ = believed(series.values, scale)
    end = len(values) - 1
    given = features(values, series.days, scale, [end])
    roots = filled(values, scale)[end]
    for step in STEPS:
        ahead = series.days[end] + np.timedelta64(WEEK * step, "D")
        settled = ahead + np.timedelta64(WEEK * SETTLED, "D")
        for day, one in later:
            if one.days[-1] < settled:
                continue
            at = np.flatnonzero(one.days == ahead)
            if not len(at):
                break
            order = {name: place for place, name in enumerate(one.places)}
            came = np.array([one.values[at[0], order[name]] if name in order else np.nan for name in series.places])
            change = rooted(came, scale) - roots
            kept = ~np.isnan(change)
            known = np.column_stack([given, np.full(len(given), step, np.float32)])[kept]
            yield day, True, Rows(known, change[kept], np.ones(len(known)), np.full(len(known), _week(series)))
            break


def _week(series: Series) -> int:
    return int(series.days[-1].astype("datetime64[D]").astype(np.int64)) // WEEK


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--population", "people_file", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(files: Sequence[Path], people_file: Path | None, out: Path) -> None:
    """Write the rows of the versions in FILES."""
    people = population(read(people_file)) if people_file else {}
    parts = [part for file in files for part in rows(dict(vintages(read(file), Columns())), people)]
    table = pa.concat_tables(_table(*part) for part in parts)
    parquet.write_table(table, out, compression="zstd", compression_level=15, use_dictionary=["known", "week", "step"])
    click.echo(f"{table.num_rows} rows, {out.stat().st_size / 1e6:.1f} MB: {out}")


def _table(day: date, first: bool, found: Rows) -> pa.Table:
    columns = {name: pa.array(found.known[:, place].astype(np.float16)) for place, name in enumerate([*NAMES, "step"])}
    return pa.table(
        {
            **columns,
            "change": pa.array(found.change.astype(np.float32)),
            "week": pa.array(found.week.astype(np.int32)),
            "known": pa.array(np.full(len(found), np.datetime64(day))),
            "as_reported": pa.array(np.full(len(found), first)),
        }
    )


if __name__ == "__main__":
    main()
