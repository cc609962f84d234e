"""``hucheng epidemic forecast``: counts in, a hubverse submission out."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date
from functools import partial
from itertools import islice
from multiprocessing import get_context
from os import cpu_count
from pathlib import Path

import click

from hucheng.apps.epidemic.commands.counts import column_options, named
from hucheng.apps.epidemic.forecasts import forecast as forecasting
from hucheng.apps.epidemic.forecasts import hubverse
from hucheng.apps.epidemic.series import Series, observed, population, vintages
from hucheng.commands import Day
from hucheng.errors import BadRequest
from hucheng.files import apart, read, suffix, write

FILE = click.Path(path_type=Path, dir_okay=False)
SHOWN = 3


@click.command()
@click.option("--observed", "counts", metavar="FILE", type=FILE, help="One version of the counts: date, place, value.")
@click.option("--reference-date", type=Day(), help="Last day of the week with horizon 0; with --observed.")
@click.option("--vintages", "versions", metavar="FILE", type=FILE, help="Many versions, each with its as_of date.")
@click.option("--target", required=True, help="Name of the target, as the hub writes it.")
@click.option("--model", required=True, help="Model id, as the hub writes it: team-model.")
@click.option("--population", "people_file", metavar="FILE", type=FILE, help="People by place: location, population.")
@click.option("--out", metavar="FILE|DIR", required=True, type=click.Path(path_type=Path),
              help="File to write; with --vintages a folder, one file a date.")  # fmt: skip
@click.option("--chart", metavar="FILE", type=FILE, help="Draw the forecast (.svg, .pdf, .png); with --observed.")
@click.option("--place", "shown", multiple=True, help="Place that the chart shows [the six largest].")
@click.option("--language", type=click.Choice(["zh", "en"]), default="en", show_default=True, help="Of the chart.")
@click.option("--workers", type=click.IntRange(1), default=cpu_count() or 1, show_default="one a core",
              help="Dates worked on at once; with --vintages.")  # fmt: skip
@column_options
def forecast(
    counts: Path | None, reference_date: date | None, versions: Path | None, target: str, model: str,
    people_file: Path | None, out: Path, chart: Path | None, shown: tuple[str, ...], language: str,
    workers: int,
    **columns: str | bool | None,
) -> None:  # fmt: skip
    """Forecast the week of the reference date and the three after it: 23 quantiles a place, as hubs take them.

    Only weeks that ended before the reference date are used. Places whose data carry no model get a wide baseline or
    nothing; the file <out>.report.json says which and why. Weekly or daily counts, running totals or new ones.
    """
    if (counts is None) == (versions is None):
        raise click.UsageError("give --observed FILE with --reference-date, or --vintages FILE")
    people = population(read(people_file)) if people_file is not None else {}
    how = named(columns, target)
    if versions is not None:
        if reference_date is not None or chart is not None:
            raise click.UsageError("--reference-date and --chart go with --observed")
        if out.name.endswith((".csv", ".parquet")):
            mend = "name one, such as forecasts"
            raise BadRequest("with --vintages the result is a folder", where=str(out), mend=mend)
        _of_versions(vintages(read(versions), how), people, target, model, out, workers)
        return
    if reference_date is None:
        raise click.UsageError("--observed needs --reference-date")
    suffix(out)
    apart((out, hubverse.beside(out), chart), [counts, people_file])
    series = observed(read(counts), how) if counts is not None else None
    assert series is not None
    made = forecasting.forecast(series, reference_date, people)
    hubverse.name(made, model)
    _write(made, target, out)
    click.echo(_said(made))
    for line in _why(made):
        click.echo(f"  {line}")
    click.echo(f"{out}")
    if chart is not None:
        from hucheng.apps.epidemic.charts import captions, fan, paper

        paper.save(fan.forecasts(series, made, shown, captions.say_in(language)), chart)
        click.echo(f"{chart}")


def _of_versions(
    versions: Iterator[tuple[date, Series]], people: dict[str, float], target: str, model: str, out: Path, workers: int
) -> None:
    """One file a date, several dates at once; a date whose data carry nothing is said and left out."""
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise BadRequest(f"cannot make the folder: {error.strerror}", where=str(out), mend="name another") from None
    work = partial(_one, people=people, target=target, model=model, out=out)
    done = failed = 0
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        while batch := list(islice(versions, 4 * workers)):
            for said, good in pool.map(work, batch):
                click.echo(said)
                done, failed = done + good, failed + (not good)
    click.echo(f"{done} dates forecast, {failed} not: {out}")
    if not done:
        raise BadRequest("no date could be forecast", mend="the reasons stand above")


def _one(
    version: tuple[date, Series], people: dict[str, float], target: str, model: str, out: Path
) -> tuple[str, bool]:
    """The forecast of one date as a file, and a line on it."""
    reference, series = version
    try:
        made = forecasting.forecast(series, reference, people, threads=1)
        _write(made, target, out / f"{hubverse.name(made, model)}.csv")
    except BadRequest as error:
        return f"{reference}  not forecast: {error}", False
    return _said(made), True


def _write(made: forecasting.Forecast, target: str, out: Path) -> None:
    write(hubverse.table(made, target), out)
    hubverse.beside(out).write_text(json.dumps(hubverse.report(made), ensure_ascii=False, indent=1), encoding="utf-8")


def _said(made: forecasting.Forecast) -> str:
    how = Counter(made.made.values())
    parts = [
        f"{how[kind]} by {word}"
        for kind, word in (("model", "the model"), ("baseline", "a wide baseline"))
        if how[kind]
    ]
    if how["refused"]:
        parts.append(f"{how['refused']} refused")
    return f"{made.reference}  {len(made.made)} places: {', '.join(parts)}"


def _why(made: forecasting.Forecast) -> Iterator[str]:
    """Reasons and notes in a few lines; all of them are in the report."""
    for reason, many in Counter(made.why.values()).items():
        places = [name for name, why in made.why.items() if why == reason]
        yield f"{made.made[places[0]]}: {reason} ({_some(places, many)})"
    for kind in dict.fromkeys(note.kind for note in made.notes):
        notes = [note for note in made.notes if note.kind == kind]
        places = [note.place for note in notes if note.place]
        yield f"{kind}: {notes[0].what}" + (f" ({_some(places, len(places))})" if places else "")


def _some(places: list[str], many: int) -> str:
    return ", ".join(places[:SHOWN]) + (f" and {many - SHOWN} more" if many > SHOWN else "")
