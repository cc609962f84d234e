"""``hucheng epidemic rt``: R_t and growth by place and date."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import click
import pyarrow.compute as pc

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.commands import notes as told
from hucheng.apps.epidemic.commands.counts import column_options, named
from hucheng.apps.epidemic.commands.timings import timing
from hucheng.apps.epidemic.now import tables
from hucheng.apps.epidemic.series import Note
from hucheng.files import apart, read, suffix, write

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--observed", metavar="FILE", type=FILE, required=True,
              help="Counts by date [and place], daily or weekly; or a file of nowcast.")  # fmt: skip
@click.option("--nowcast", "nowcasted", metavar="FILE", type=FILE, help="What nowcast wrote for the last of them.")
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Where estimates are written (.csv, .parquet).")
@click.option("--generation", metavar="FILE", type=FILE, help="Generation time: days, probability.")
@click.option("--generation-mean", type=float, help="Or its mean in days [5.2, and said to be assumed].")
@click.option("--generation-sd", type=float, help="And its standard deviation [2.8].")
@click.option("--delay", metavar="FILE", type=FILE, help="Delay from infection to the date of the counts.")
@click.option("--delay-mean", type=float, help="Or its mean in days [no delay: R_t is dated as the counts are].")
@click.option("--delay-sd", type=float, help="And its standard deviation.")
@click.option("--reporting-delay", metavar="FILE", type=FILE, help="Delay from that date to the report: fills the end.")
@click.option("--method", type=click.Choice([tables.SMOOTH, tables.CORI]), default=tables.SMOOTH, show_default=True,
              help="Smooth curve of infections, or the sliding window of Cori et al.")  # fmt: skip
@click.option("--window", type=click.IntRange(1), default=tables.WINDOW, show_default=True, help="Days of that window.")
@click.option("--target", help="Target that is meant, where the file holds several.")
@click.option("--chart", metavar="FILE", type=FILE, help="Draw R_t (.svg, .pdf, .png).")
@click.option("--place", "shown", multiple=True, help="Place to draw; several times for several [the largest].")
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True, help="Of the chart.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn by chance.")
@column_options
def rt(
    observed: Path, nowcasted: Path | None, out: Path, generation: Path | None, generation_mean: float | None,
    generation_sd: float | None, delay: Path | None, delay_mean: float | None, delay_sd: float | None,
    reporting_delay: Path | None, method: str, window: int, target: str | None, chart: Path | None,
    shown: tuple[str, ...], language: str, seed: int, **columns: str | bool | None,
) -> None:  # fmt: skip
    """R_t, growth a day and doubling time, each with its uncertainty, and what each estimate rests on.

    “few cases” marks days that are ruled by what was assumed beforehand, “break” days around a batch of old cases or
    another case definition.
    """
    notes: list[Note] = []
    suffix(out)
    apart((out, chart), [observed, nowcasted, generation, delay, reporting_delay])
    found = tables.rt(
        read(observed), generation_time=timing(generation, generation_mean, generation_sd, "generation time"),
        delay=timing(delay, delay_mean, delay_sd, "delay"),
        reporting_delay=timing(reporting_delay, None, None, "reporting delay"),
        nowcasted=None if nowcasted is None else read(nowcasted), method=method, window=window,
        named=named(columns, target), today=date.today(), seed=seed, notes=notes,  # noqa: DTZ011
    )  # fmt: skip
    write(found, out)
    if chart is not None:
        from hucheng.apps.epidemic.charts import paper, reproduction
        from hucheng.apps.epidemic.charts.captions import say_in

        paper.save(reproduction.ribbon(found, list(shown), say_in(language)), chart)
    basis = found.column("basis")
    few = (pc.sum(pc.not_equal(basis, "data")).as_py() or 0) / max(found.num_rows, 1)
    places = len(pc.unique(found.column("location")))
    many = f"{some(places, 'place')}, {some(found.num_rows, 'estimate')}"
    click.echo(f"{many}, {few:.0%} of them not carried by data; written to {out}")
    told.show(notes)
