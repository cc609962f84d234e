"""``hucheng epidemic nowcast``: what recent counts will come to when all is reported."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path

import click
import pyarrow.compute as pc

from hucheng.apps.epidemic.columns import some
from hucheng.apps.epidemic.commands import notes as told
from hucheng.apps.epidemic.commands.timings import timing
from hucheng.apps.epidemic.now import tables
from hucheng.apps.epidemic.now.triangle import Named
from hucheng.apps.epidemic.series import Note
from hucheng.files import apart, read, suffix, write

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.option("--triangle", "source", metavar="FILE", type=FILE, required=True,
              help="A row a case, or counts, by event date and report date [and place].")  # fmt: skip
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Where quantiles are written (.csv, .parquet).")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Only what was known by this day.")
@click.option("--back", type=int, help="Steps that are nowcast [28 days or 6 weeks].")
@click.option("--delay", metavar="FILE", type=FILE, help="Delay from event to report: days, probability.")
@click.option("--delay-mean", type=float, help="Or its mean in days, as a gamma.")
@click.option("--delay-sd", type=float, help="And its standard deviation.")
@click.option("--known/--increments", default=None, help="Counts are all known by then, or new by then [by looking].")
@click.option("--event-column", help="Column of the event date [found by name].")
@click.option("--report-column", help="Column of the report date [found by name].")
@click.option("--place-column", help="Column of the place [found by name].")
@click.option("--value-column", help="Column of the count [found by name; none: a row a case].")
@click.option("--target", help="Target that is meant, where the file holds several.")
@click.option("--chart", metavar="FILE", type=FILE, help="Draw the epidemic curve with the nowcast (.svg, .pdf, .png).")
@click.option("--place", "shown", multiple=True, help="Place to draw; several times for several [the largest].")
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True, help="Of the chart.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of what is drawn by chance.")
def nowcast(
    source: Path, out: Path, as_of: datetime | None, back: int | None, delay: Path | None, delay_mean: float | None,
    delay_sd: float | None, known: bool | None, event_column: str | None, report_column: str | None,
    place_column: str | None, value_column: str | None, target: str | None, chart: Path | None,
    shown: tuple[str, ...], language: str, seed: int,
) -> None:  # fmt: skip
    """Quantiles of the final counts of recent days or weeks, learned from how earlier counts grew or were revised.

    Understood are line lists (dates of event and report), counts of new reports by both dates, and versions of a whole
    history (vintages). All places learn from each other.
    """
    notes: list[Note] = []
    suffix(out)
    apart((out, chart), [source, delay])
    named = Named(event_column, report_column, place_column, value_column, target, known)
    rows = read(source)
    found = tables.nowcast(
        rows, delay=timing(delay, delay_mean, delay_sd, "delay"), as_of=None if as_of is None else as_of.date(),
        today=date.today(), back=back, named=named, seed=seed, notes=notes,  # noqa: DTZ011
    )  # fmt: skip
    write(found, out)
    if chart is not None:
        from hucheng.apps.epidemic.charts import epicurve, paper
        from hucheng.apps.epidemic.charts.captions import say_in

        paper.save(epicurve.nowcast(found, epicurve.history(rows, named, as_of), list(shown), say_in(language)), chart)
    version = found.column("reference_date")[0].as_py() if found.num_rows else None
    places = len(pc.unique(found.column("location")))
    basis = ", ".join(sorted(pc.unique(found.column("basis")).to_pylist()))
    click.echo(f"as of {version}: {some(places, 'place')}, learned from: {basis}; written to {out}")
    told.show(notes)
