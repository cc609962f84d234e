"""``hucheng rules``: decide, explain, ask, check, compare and publish by a rule pack. Needs no node."""

from __future__ import annotations

import contextlib
import json
import re
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import click
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from hucheng.cli import print_json
from hucheng.cli.answering import Answering
from hucheng.commands import Day
from hucheng.errors import BadRequest, RuleError
from hucheng.files import Writer, differences, tables
from hucheng.rules import doubled, load
from hucheng.rules.bulk import PROBLEM
from hucheng.rules.columns import given
from hucheng.rules.model import Version
from hucheng.rules.restate import finest
from hucheng.rules.restate import restate as restated
from hucheng.rules.tables import decided, in_order, shared


def today() -> date:
    """The date on this machine's calendar: the date of a decision unless --on says another."""
    return datetime.now().astimezone().date()


on_option = click.option("--on", type=Day(), default=today, show_default="today", help="date of the decision")
json_option = click.option("--json", "as_json", is_flag=True, help="print one JSON document")


@click.group(cls=Answering)
def rules() -> None:
    """Decide, explain, ask, check, compare and publish by a rule pack.

    PACK is a file, or the name of a pack that ships with Hucheng. Exit status: 0 done (rows that could not be decided
    are counted and say why in _problem), 1 the pack, a fact or a column is wrong, or check and diff found something,
    2 the command or an input file cannot be understood. With --json an error is one JSON document, too.
    """


@rules.command()
@click.argument("pack")
@click.option("--facts", required=True, type=click.Path(path_type=Path), help="CSV or Parquet: ids and facts")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV or Parquet: ids and outcomes")
@on_option
@json_option
def decide(pack: str, facts: Path, out: Path, on: date, as_json: bool) -> None:
    """Decide every row of a file. Empty cells are facts not yet known; other columns are passed through."""
    loaded = load(pack)
    version, day = loaded.version(on), on
    if facts.exists() and out.exists() and facts.samefile(out):
        raise BadRequest("the decisions would replace the facts", where=str(out), mend="give --out another name")
    rows = reported = opened = 0
    marks: list[doubled.Marks] = []
    with Writer(out, differences) as writer, _progress(facts) as bar:

        def one(piece: tuple[pa.Table, bool, int]) -> tuple[pa.Table, doubled.Marks | None, int]:
            table, text, share = piece
            with _column_of(facts):
                ids = given(table.column_names, version.facts, version.outcomes)
                return decided(version, table, day, text=text), doubled.marks(table, ids) if ids else None, share

        for result, mark, share in in_order(one, shared(version, tables(facts, words_of(version)))):
            writer.write(result)
            if mark is not None:
                marks.append(mark)
            rows += result.num_rows
            problem = result.column(PROBLEM)
            reported += len(problem) - problem.null_count
            opened += sum(result.column(name).null_count for name in version.outcomes)
            bar.update(share)
        if pairs := doubled.suspects(marks):
            _refuse_doubled(facts, version, pairs)
    undecided = opened - reported * len(version.outcomes)
    if as_json:
        print_json(
            {"pack": loaded.id, "version": version.label, "on": on.isoformat(), "rows": rows, "reported": reported,
             "open": undecided}
        )  # fmt: skip
    else:
        click.echo(f"{loaded.id} {version.label}, on {on}: {some(rows, 'row')}", err=True)
        if undecided:
            stay = "stays" if undecided == 1 else "stay"
            click.echo(f"  {some(undecided, 'outcome')} {stay} open: facts are missing", err=True)
        if reported:
            were = "was" if reported == 1 else "were"
            click.echo(f"  {some(reported, 'row')} {were} not decided: see _problem", err=True)


@contextlib.contextmanager
def _fact_of(path: Path, row: Mapping[str, Any]) -> Iterator[None]:
    """A complaint about a fact says which file it stands in."""
    try:
        yield
    except (RuleError, BadRequest) as error:
        if error.where not in row:
            raise
        raise type(error)(error.what, where=f"{path}: {error.where}", mend=error.mend, **error.details) from None


@contextlib.contextmanager
def _column_of(path: Path) -> Iterator[None]:
    """A complaint about a column says which file it stands in."""
    try:
        yield
    except RuleError as error:
        if "column" not in error.details:
            raise
        raise RuleError(error.what, where=str(path), mend=error.mend, **error.details) from None


def _refuse_doubled(facts: Path, version: Version, pairs: list[tuple[int, int]]) -> None:
    """RuleError where two rows have the same ids: somebody would be decided twice."""
    ids = given(next(tables(facts))[0].column_names, version.facts, version.outcomes)
    if found := doubled.same((table for table, _, _ in tables(facts)), ids, pairs):
        first, second, values = found
        who = ", ".join(f"{name} = {written(value)}" for name, value in zip(ids, values, strict=True))
        raise RuleError(
            f"rows {first + 1} and {second + 1} have the same ids ({who})",
            where=str(facts),
            mend="keep one of them, or add a column that tells them apart, such as a date",
        )


@rules.command()
@click.argument("pack")
@click.option("--facts", required=True, type=click.Path(path_type=Path), help="JSON object: fact to value")
@on_option
@json_option
def explain(pack: str, facts: Path, on: date, as_json: bool) -> None:
    """Say for one person what comes out, and why."""
    loaded, person = load(pack), row(facts)
    with _fact_of(facts, person):
        answer = loaded.explain(person, on)
    if as_json:
        print_json(answer)
        return
    for name, each in answer["outcomes"].items():
        click.echo(f"{name}: {'?' if each['value'] is None else written(each['value'])}")
        for words in each["text"].values():
            click.echo(f"  {words}")
        if each["nearest"]:
            steps = (f"{step['fact']}: {written(step['from'])} → {written(step['to'])}" for step in each["nearest"])
            click.echo(f"  another outcome with  {', '.join(steps)}")
        click.echo(f"  {each['basis']}")


@rules.command()
@click.argument("pack")
@click.option("--known", required=True, type=click.Path(path_type=Path), help="JSON object: facts known so far")
@click.option("--outcomes", help="only these, separated by commas")
@on_option
@json_option
def questions(pack: str, known: Path, outcomes: str | None, on: date, as_json: bool) -> None:
    """Say which fact to ask for next, and which may not be asked for any more."""
    only = [name.strip() for name in outcomes.split(",") if name.strip()] if outcomes else None
    loaded, person = load(pack), row(known)
    with _fact_of(known, person):
        answer = loaded.questions(person, on, only)
    if as_json:
        print_json(answer)
        return
    for name, value in answer["outcomes"].items():
        click.echo(f"{name}: {'open' if value is None else written(value)}")
    if answer["ask"]:
        expected = answer["expected_questions"]
        click.echo(f"ask: {answer['ask']}" + (f" (about {expected} questions to go)" if expected else ""))
    if answer["irrelevant"]:
        click.echo(f"not to be asked: {', '.join(answer['irrelevant'])}")


@rules.command()
@click.argument("pack")
@click.option("--on", type=Day(), help="only the version in force on this date; otherwise all versions")
@json_option
def check(pack: str, on: date | None, as_json: bool) -> None:
    """Look for gaps, overlaps, unreachable branches, needless facts, cliffs, on every day that a version is in force.

    Exit status 1 if an error is found.
    """
    found: list[dict[str, Any]] = []
    proved: list[dict[str, Any]] = []
    several = False
    try:
        loaded = load(pack)
        found = [finding.as_dict() for finding in loaded.check(on)]
        chosen = [loaded.version(on)] if on else list(loaded.versions)
        several = len(loaded.versions) > 1
        for version in chosen:
            span = loaded.days(on or version.in_force)
            proved.append({"version": version.in_force, "from": span.first, "until": span.last})
    except RuleError as error:
        message = f"{error.what}; {error.mend}" if error.mend else error.what
        found = [
            {"kind": "load", "severity": "error", "where": error.where, "message": message, "example": None,
             "versions": []}
        ]  # fmt: skip
    if as_json:
        print_json({"findings": found, "days": proved})
    else:
        for each in found:
            which = f" [in force from {', '.join(each['versions'])}]" if several and each["versions"] else ""
            click.echo(f"{each['severity']}: {each['where']}: {each['message']}{which}")
            if each["example"]:
                click.echo(f"  e.g. {person(each['example'])}")
        days = ", ".join(f"{each['from']} to {each['until']}" for each in proved)
        click.echo(
            (some(len(found), "finding") if found else "nothing found") + (f"; {days}" if days else ""), err=True
        )
    if any(each["severity"] == "error" for each in found):
        raise SystemExit(1)


@rules.command()
@click.argument("pack_a")
@click.argument("pack_b")
@on_option
@click.option("--on-b", type=Day(), help="date for the second pack, if another")
@json_option
def diff(pack_a: str, pack_b: str, on: date, on_b: date | None, as_json: bool) -> None:
    """Say where two packs, or one pack on two dates, decide differently. Exit status 1 if they do."""
    found = load(pack_a).diff(load(pack_b), on, on_b)
    if as_json:
        print_json({"differences": found})
    else:
        for each in found:
            click.echo(each["message"])
            if each["example"]:
                click.echo(f"  e.g. {person(each['example'])}")
                if each["outcome"]:
                    click.echo(f"  a: {written(each['a'])}   b: {written(each['b'])}")
        click.echo(some(len(found), "difference") if found else f"no difference on {on}, proved", err=True)
    if found:
        raise SystemExit(1)


@rules.command()
@click.argument("pack")
@click.option("--decisions", required=True, type=click.Path(path_type=Path), help="CSV or Parquet: as decided then")
@click.option("--facts", required=True, type=click.Path(path_type=Path), help="CSV or Parquet: facts as known now")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="CSV or Parquet: what changes")
@click.option("--on", type=Day(), help="date of the earlier decisions, where their file has no column “on”")
@json_option
def restate(pack: str, decisions: Path, facts: Path, out: Path, on: date | None, as_json: bool) -> None:
    """Make earlier decisions again with corrected facts or a corrected pack: who changes, by how much, from when.

    The file of decisions has the ids, the outcomes as decided and a column “on” with the date each was made for; the
    file of facts may have a column “since”, from when each row holds.
    """
    loaded = load(pack)
    earlier, _ = _whole(decisions)
    known, text = _whole(facts)
    found = restated(loaded.version, earlier, known, on, text=text)
    with Writer(out, differences) as writer:
        writer.write(found)
    told = _summary(found)
    for name, each in told["outcomes"].items():
        if each["total"] is not None:
            each["total"] = round(each["total"], finest(loaded.versions, [name]))
    if as_json:
        print_json({"pack": loaded.id, "decisions": earlier.num_rows, **told})
        return
    click.echo(f"{loaded.id}: {earlier.num_rows} decisions made again, {told['people']} people change", err=True)
    for name, each in told["outcomes"].items():
        by = f", {each['total']:+f} in all" if each["total"] is not None else ""
        click.echo(f"  {name}: {each['decisions']} decisions since {each['from']}{by}", err=True)
    if told["not_made"]:
        click.echo(f"  {told['not_made']} could not be made again: see _problem", err=True)


def _whole(path: Path) -> tuple[pa.Table, bool]:
    """A file as one table, and whether its values are plain text."""
    pieces = [(table, text) for table, text, _ in tables(path)]
    return pa.concat_tables([table for table, _ in pieces]), any(text for _, text in pieces)


def _summary(found: pa.Table) -> dict[str, Any]:
    """People, and for each outcome the decisions that change, since when, and the sum of the differences."""
    ids = found.column_names[: found.column_names.index("outcome")]
    rows = found.filter(pc.is_null(found.column("_problem")))
    outcomes: dict[str, Any] = {}
    for name in dict.fromkeys(rows.column("outcome").to_pylist()):
        mine = rows.filter(pc.equal(rows.column("outcome"), name))
        outcomes[name] = {
            "decisions": pc.sum(mine.column("decisions")).as_py(),
            "from": pc.min(mine.column("from")).as_py(),
            "total": pc.sum(mine.column("total")).as_py(),
        }
    return {
        "people": rows.select(ids).group_by(ids).aggregate([]).num_rows,
        "not_made": found.select(ids)
        .filter(pc.is_valid(found.column("_problem")))
        .group_by(ids)
        .aggregate([])
        .num_rows,
        "outcomes": outcomes,
    }


@rules.command()
@click.argument("pack")
@click.option("--out", required=True, type=click.Path(path_type=Path, dir_okay=False), help="HTML file to write")
@on_option
def doc(pack: str, out: Path, on: date) -> None:
    """Write the pack as a page that a citizen can read, in Chinese and English."""
    text = load(pack).page(on)
    try:
        out.write_text(text, "utf-8")
    except OSError as error:
        raise BadRequest(f"cannot write the file: {error.strerror}", where=str(out), mend="check the folder") from None


def row(path: Path) -> dict[str, Any]:
    """One person's facts from a JSON file; numbers stay exact."""
    try:
        text = path.read_text("utf-8")
        found = json.loads(text, parse_float=Decimal, object_pairs_hook=lambda pairs: _once(pairs, text, path))
    except OSError as error:
        raise BadRequest(f"cannot read the file: {error.strerror}", where=str(path), mend="check the path") from None
    except UnicodeDecodeError:
        raise BadRequest("the file is not UTF-8", where=str(path), mend="save it as UTF-8") from None
    except json.JSONDecodeError as error:
        raise BadRequest(f"not JSON: {error.msg}", where=f"{path}:{error.lineno}", mend="mend the file") from None
    if not isinstance(found, dict):
        raise BadRequest("a JSON object is expected", where=str(path), mend='write {"fact": value, …}')
    return found


def _once(pairs: list[tuple[str, Any]], text: str, path: Path) -> dict[str, Any]:
    """The object, if every key stands in it once."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        places = [match.start() for match in re.finditer(re.escape(json.dumps(twice)) + r"\s*:", text)]
        line = f":{text.count(chr(10), 0, places[1]) + 1}" if len(places) > 1 else ""
        raise BadRequest(f"“{twice}” is there twice", where=f"{path}{line}", mend="keep one of them")
    return found


def written(value: Any) -> str:
    """A value as JSON and packs write it: true, false, null."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)


def person(example: dict[str, Any]) -> str:
    """An example person in one line."""
    return ", ".join(f"{name} = {written(value)}" for name, value in example.items())


def _progress(path: Path) -> Any:
    """A bar on standard error, for files that take a while."""
    size = 0
    if path.is_file():
        try:
            size = parquet.ParquetFile(path).metadata.num_rows if path.suffix == ".parquet" else path.stat().st_size
        except pa.ArrowInvalid:
            size = 0  # what is wrong with the file is said where it is read
    stream = sys.stderr
    return click.progressbar(length=max(size, 1), label="deciding", file=stream, hidden=not stream.isatty())


def some(number: int, what: str) -> str:
    """1 row, 2 rows."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def words_of(version: Version) -> list[str]:
    """Facts that are words: columns with few different values."""
    return [name for name, fact in version.facts.items() if fact.kind.name == "enum"]
