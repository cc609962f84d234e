"""``hucheng epidemic score``: how good were these forecasts, alone and beside others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps.epidemic.scores import report, submissions
from hucheng.apps.epidemic.scores import score as scoring
from hucheng.errors import BadRequest
from hucheng.files import apart, read, write

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--truth", "came", metavar="FILE", type=FILE, required=True, help="What came to be: date, location, value."
)
@click.option("--against", metavar="DIR", type=click.Path(path_type=Path), help="Other models' forecasts.")
@click.option("--baseline", help="Model that counts as 1 [the only one called a baseline].")
@click.option("--target", help="Target that is scored, where files hold several.")
@click.option("--season-starts", type=click.IntRange(1, 12), default=scoring.SEASON_STARTS, show_default=True,
              help="Month with which a season begins.")  # fmt: skip
@click.option("--report", "page", metavar="FILE.html", type=FILE, help="Write a report with charts.")
@click.option("--tasks", metavar="FILE", type=FILE, help="Write the score of every single forecast.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def score(
    folder: Path, came: Path, against: Path | None, baseline: str | None, target: str | None, season_starts: int,
    page: Path | None, tasks: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Weighted interval score and its parts, coverage, PIT, and relative scores on common tasks.

    DIR holds hubverse files <date>-<model>.csv or .parquet at any depth; one file will do, too. A model that skips
    tasks is compared only on those it answers, and said to be incomplete.
    """
    apart((page, tasks), [came, *(one for one in (folder, against) if one is not None and one.is_file())])
    if page is not None and page.suffix not in (".html", ".htm"):
        raise BadRequest("the report is a page", where=str(page), mend="let its name end with .html")
    mine = submissions.folder(folder, target)
    names = sorted(pc.unique(mine.column("model")).to_pylist())
    rows = [mine]
    if against is not None:
        others = submissions.folder(against, target)
        theirs = set(pc.unique(others.column("model")).to_pylist())
        if clash := theirs & set(names):
            mine = mine.set_column(0, "model", pa.array(_own(mine.column("model").to_pylist(), clash)))
            names = sorted(_own(names, clash))
        rows = [mine, others]
    forecasts = submissions.complete(pa.concat_tables(rows), pc.unique(mine.column("level")).to_numpy())
    scores = scoring.score(forecasts, scoring.truth(read(came)), season_starts)
    there = sorted(pc.unique(scores.column("model")).to_pylist())
    anchor = scoring.baseline_of(there, baseline)
    seasons = scoring.summary(scores, forecasts, anchor, there)
    found = {"models": names, "levels": forecasts.levels.tolist(), "seasons": seasons}
    if tasks is not None:
        write(scores.drop_columns(["_forecast"]), tasks)
    if page is not None:
        report.write(found, scores, page)
    if as_json:
        click.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for season in seasons:
        _print(season, set(names))
    if page is not None:
        click.echo(f"\nreport: {page}")


def _own(names: list[str], clash: set[str]) -> list[str]:
    return [f"{name} (yours)" if name in clash else name for name in names]


def _print(season: dict[str, Any], mine: set[str]) -> None:
    """One season as a table; the models of DIR are marked."""
    beside = f", relative to {season['baseline']}" if season["baseline"] else " (no baseline: none is relative)"
    click.echo(f"\n{season['season']}: {season['tasks']} tasks{beside}")
    width = max(len(one["model"]) for one in season["models"]) + 2
    head = ("tasks", "WIS", "sharp", "over", "under", "log WIS", "rel", "rel log", "50 %", "95 %")
    click.echo(" " * width + "".join(f"{word:>9}" for word in head))
    for one in sorted(season["models"], key=lambda one: one["relative_wis"] or one["wis"]):
        figures = [
            f"{one['tasks']}", f"{one['wis']:.2f}", f"{one['dispersion']:.2f}", f"{one['overprediction']:.2f}",
            f"{one['underprediction']:.2f}", f"{one['wis_log']:.4f}", _or_dash(one["relative_wis"]),
            _or_dash(one["relative_wis_log"]), f"{one['coverage']['50']:.3f}", f"{one['coverage']['95']:.3f}",
        ]  # fmt: skip
        mark = "* " if one["model"] in mine else "  "
        click.echo(f"{mark}{one['model']:<{width - 2}}" + "".join(f"{figure:>9}" for figure in figures))
        for word in _warnings(one) if one["model"] in mine else _incomplete(one):
            click.echo(f"  {word}")


def _incomplete(one: dict[str, Any]) -> list[str]:
    if one["complete"]:
        return []
    return [f"answers {one['share']:.1%} of the tasks: relative figures favour whoever skips what is hard"]


def _warnings(one: dict[str, Any]) -> list[str]:
    found = _incomplete(one)
    if one["incomplete"]:
        found.append(f"{one['incomplete']} tasks lack a level and do not count")
    if one["crossing"]:
        found.append(f"{one['crossing']} tasks have quantiles out of order; they were sorted")
    if one["negative"]:
        found.append(f"{one['negative']} tasks have quantiles below zero")
    return found


def _or_dash(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"
