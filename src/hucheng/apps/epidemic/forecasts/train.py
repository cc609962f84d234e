"""For developers: make the rows that ship from the versions of histories.

    python -m hucheng.apps.epidemic.forecasts.train VINTAGES… [--population FILE] --out FILE

A row is what one version knew at its end, or a settled history, and where the count went. It carries the day on which
that was known, so that a forecast of any day can leave out what was not known yet; and the day on which a revised
count took its place.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import pairwise
from pathlib import Path

import click
import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet
from numpy.typing import NDArray

from hucheng.apps.epidemic.forecasts import growth, learned
from hucheng.apps.epidemic.forecasts.features import features, filled
from hucheng.apps.epidemic.forecasts.growth import Steps
from hucheng.apps.epidemic.forecasts.implausible import believed
from hucheng.apps.epidemic.forecasts.rows import STEP, Rows, of_history
from hucheng.apps.epidemic.forecasts.rows import ahead as ahead_of
from hucheng.apps.epidemic.forecasts.scaling import rooted, scales
from hucheng.apps.epidemic.series import WEEK, Columns, Series, population, vintages
from hucheng.files import read

STEPS = (1, 2, 3, 4, 5)
READ = (0, 1, 4)
"""Weeks after which the count of a week is read again: as first seen, then as revised."""
SETTLED = 2
"""Weeks after which a history is taken for what it was."""
EVERY = 8
"""Versions from one whose history is taken as settled to the next."""
NEVER = date(9999, 1, 1)


@dataclass(frozen=True)
class Part:
    """Rows that were known from one day on until another."""

    known: date
    until: date
    rows: Rows


def steps(known: Mapping[date, Series]) -> Steps:
    """How counts grew from each version of one history to the next."""
    days = sorted(known)
    gain = [growth.step(known[one], known[other]) for one, other in pairwise(days)]
    return Steps(np.array(days[1:], "datetime64[D]"), np.reshape(gain, (-1, growth.AGES)))


def parts(known: Mapping[date, Series], people: Mapping[str, float], grew: Steps) -> Iterator[Part]:
    """All rows of the versions of one history, each week grown by what was expected of it when it was read."""
    known = {
        day: replace(series, values=growth.grown(series.values, growth.expected(grew, np.datetime64(day))))
        for day, series in known.items()
    }
    days = sorted(known)
    for place, day in enumerate(days):
        yield from as_reported(known[day], [(one, known[one]) for one in days[place + 1 :]], people)
    since = -np.inf
    for day in days[::EVERY]:
        series = known[day]
        scale = scales(series.places, series.values, people)
        found = of_history(series.values, series.days, scale, STEPS)
        ahead = found.week + found.known[:, STEP]
        upto = _week(series) - SETTLED
        kept = (ahead > since) & (ahead <= upto) & (found.week % 2 == 0)  # neighbouring weeks tell nearly the same
        since = upto
        yield Part(day, NEVER, _some(found, kept))


def as_reported(series: Series, later: Sequence[tuple[date, Series]], people: Mapping[str, float]) -> Iterator[Part]:
    """Rows of the end of one version, against what later ones said of the weeks ahead, as first seen and as revised."""
    scale = scales(series.places, series.values, people)
    values, _ = believed(series.values, scale)
    end = len(values) - 1
    given = features(values, series.days, scale, [end])
    roots = filled(values, scale)[end]
    for step in STEPS:
        ahead = series.days[end] + np.timedelta64(WEEK * step, "D")
        seen = [
            next(((day, one) for day, one in later if one.days[-1] >= ahead + np.timedelta64(WEEK * age, "D")), None)
            for age in READ
        ]
        readings = [reading for reading in seen if reading is not None]
        for place, (day, one) in enumerate(readings):
            until = readings[place + 1][0] if place + 1 < len(readings) else NEVER
            at = np.flatnonzero(one.days == ahead)
            if until == day or not len(at):
                continue
            order = {name: column for column, name in enumerate(one.places)}
            came = np.array([one.values[at[0], order[name]] if name in order else np.nan for name in series.places])
            change = rooted(came, scale) - roots
            known = ahead_of(given, step, True)
            whole = Rows(known, change, np.ones(len(known)), np.full(len(known), _week(series)))
            yield Part(day, until, _some(whole, ~np.isnan(change)))


def _some(rows: Rows, kept: NDArray[np.bool_]) -> Rows:
    return Rows(rows.known[kept], rows.change[kept], rows.weight[kept], rows.week[kept])


def _week(series: Series) -> int:
    return int(series.days[-1].astype("datetime64[D]").astype(np.int64)) // WEEK


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--population", "people_file", type=click.Path(path_type=Path, exists=True))
@click.option("--out", type=click.Path(path_type=Path), required=True)
def main(files: Sequence[Path], people_file: Path | None, out: Path) -> None:
    """Write the rows of the versions in FILES."""
    people = population(read(people_file)) if people_file else {}
    histories = [dict(vintages(read(file), Columns())) for file in files]
    each = [steps(known) for known in histories]
    grew = Steps(np.concatenate([one.known for one in each]), np.concatenate([one.gain for one in each]))
    table = pa.concat_tables(_table(part) for known in histories for part in parts(known, people, grew))
    parquet.write_table(
        table, out, compression="zstd", compression_level=15, use_dictionary=["known", "until", "week", "step"]
    )
    gains = {f"age_{age}": grew.gain[:, age].astype(np.float32) for age in range(growth.AGES)}
    parquet.write_table(pa.table({"known": grew.known, **gains}), out.with_name(learned.GROWTH))
    click.echo(f"{table.num_rows} rows, {out.stat().st_size / 1e6:.1f} MB: {out}")


def _table(part: Part) -> pa.Table:
    found = part.rows
    columns = {name: pa.array(found.known[:, place].astype(np.float16)) for place, name in enumerate(learned.COLUMNS)}
    return pa.table(
        {
            **columns,
            "change": pa.array(found.change.astype(np.float32)),
            "week": pa.array(found.week.astype(np.int32)),
            "known": pa.array(np.full(len(found), np.datetime64(part.known))),
            "until": pa.array(np.full(len(found), np.datetime64(part.until))),
        }
    )


if __name__ == "__main__":
    main()
