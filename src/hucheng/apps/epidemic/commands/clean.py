"""``hucheng epidemic clean``: a line list as it comes, made fit for work."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import click

from hucheng.apps.epidemic.linelist import counting, reading, summary
from hucheng.apps.epidemic.linelist.cleaning import clean as cleaning
from hucheng.apps.epidemic.linelist.datereading import Order
from hucheng.errors import BadRequest
from hucheng.files import apart, suffix, write

FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@click.argument("linelist", metavar="LINELIST", type=FILE)
@click.option("--out", metavar="FILE", type=FILE, required=True, help="Where the clean list is written.")
@click.option("--map", "mapped", multiple=True, metavar="NAME=COLUMN", help="Say what a column is; several times.")
@click.option("--day-first", "order", flag_value="day", help="3/4/2020 is the 3rd of April.")
@click.option("--month-first", "order", flag_value="month", help="3/4/2020 is the 4th of March.")
@click.option("--year", type=int, help="Year of dates without one [that of the other dates].")
@click.option("--report", metavar="FILE", type=FILE, help="The report as JSON [beside the list, with one to read].")
@click.option("--rejected", metavar="FILE", type=FILE, help="Rejected rows with reasons [beside the list].")
@click.option("--counts", metavar="FILE", type=FILE, help="Write new cases by date and place, too; for rt, forecast.")
@click.option("--count-by", metavar="DATE", help="Date to count by [date_onset, else date_diagnosis, date_report].")
@click.option("--triangle", metavar="FILE", type=FILE, help="Write reports by onset and report date, too; for nowcast.")
@click.option("--count-duplicates", is_flag=True, help="Count rows that are marked as duplicates.")
def clean(
    linelist: Path, out: Path, mapped: tuple[str, ...], order: Order | None, year: int | None, report: Path | None,
    rejected: Path | None, counts: Path | None, count_by: str | None, triangle: Path | None, count_duplicates: bool,
) -> None:  # fmt: skip
    """Columns and values in Chinese or English, dates in whatever form, duplicates and impossible orders marked.

    No row is lost: what cannot be used goes to a file of its own with the reason; duplicates are marked and kept. Dates
    that could be read two ways are refused until you say which.
    """
    for path in (out, *(one for one in (rejected, counts, triangle) if one is not None)):
        suffix(path)
    apart((out, report, rejected, counts, triangle), [linelist])
    today = date.today()  # noqa: DTZ011
    rows, how = reading.read(linelist)
    found = cleaning(rows, today=today, order=order, year=year, told=_told(mapped))
    body = {"file": linelist.name, "read_as": how, **found.report}
    write(found.table, out)
    written = [str(out)]
    beside = report or out.with_name(f"{_stem(out)}.report.json")
    words = beside.with_suffix(".txt")
    try:
        beside.write_text(json.dumps(body, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        words.write_text(f"{linelist.name}, {how}\n{summary.text(found.report)}", encoding="utf-8")
    except OSError as error:
        raise BadRequest(f"cannot write: {error.strerror or error}", where=str(beside), mend="check it") from None
    written += [str(beside), str(words)]
    if found.rejected.num_rows:
        away = rejected or out.with_name(f"{_stem(out)}.rejected.csv")
        write(found.rejected, away)
        written.append(str(away))
    if counts is not None:
        write(counting.counts(found.table, count_by, count_duplicates, today), counts)
        written.append(str(counts))
    if triangle is not None:
        write(counting.triangle(found.table, duplicates=count_duplicates, today=today), triangle)
        written.append(str(triangle))
    click.echo(f"read as {how}")
    click.echo(summary.text(found.report), nl=False)
    click.echo(f"written: {', '.join(written)}")


def _told(mapped: tuple[str, ...]) -> dict[str, str]:
    found = {}
    for one in mapped:
        name, sign, column = one.partition("=")
        if not sign or not name or not column:
            raise BadRequest(f"“{one}” says nothing", mend="write --map date_onset=COLUMN")
        found[name.strip()] = column.strip()
    return found


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").rpartition(".")[0]
