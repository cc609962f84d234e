"""What earlier decisions should have been: corrected facts or a corrected pack against what was decided then.

Each earlier decision carries the date it was made for. It is made again with the version in force on that date and with
the facts that hold on it; what comes out otherwise is listed by person, outcome and stretch of time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from hucheng.errors import RuleError
from hucheng.rules import bulk
from hucheng.rules.bulk import PROBLEM
from hucheng.rules.columns import quoted
from hucheng.rules.kinds import close
from hucheng.rules.tables import decided

if TYPE_CHECKING:
    from hucheng.rules.model import OutcomeDeclared, Version

ON, SINCE = "on", "since"
"""Columns: the date a decision was made for; the date from which a row of facts holds."""
PLACE = "place_"
ROW = "row_"
RESULT = ("outcome", "from", "until", "decisions", "before", "after", "difference", "total", PROBLEM)
"""Columns of the result behind the ids: from when until when, how many decisions, by how much each and together."""

Versions = Callable[[date], "Version"]


def restate(
    versions: Versions, earlier: pa.Table, facts: pa.Table, on: date | None = None, *, text: bool = False
) -> pa.Table:
    """Who changes, by how much, from when: one row a person, outcome and stretch of equal changes.

    ``earlier``: ids, outcomes as they were decided, and ``on`` (else all were made for the date given). ``facts``: the
    same ids, one column a fact (``text``: as in a CSV file), and ``since`` where facts changed over time (without it
    they always held). Differences have the places of the finest outcome that was given. RuleError where ids are missing
    or stand twice, where a column has a wrong type, or where an earlier outcome is none of its words.
    """
    days = _days(earlier, on)
    known = versions(days[-1])
    declared = {name: outcome for day in days for name, outcome in versions(day).outcomes.items()}
    outcomes = [name for name in declared if name in earlier.column_names]
    if not outcomes:
        raise RuleError(
            "no column of the earlier decisions is an outcome of the pack",
            where=", ".join(earlier.column_names),
            mend=f"give some of: {', '.join(known.outcomes)}",
        )
    ids = _ids(earlier, facts, known)
    scale = finest([versions(day) for day in days], outcomes)
    con = bulk.connection(threads=0)
    earlier = _in_order(con, earlier, ids, days)
    pieces = []
    for day in days:
        version = versions(day)
        then = earlier.filter(pc.equal(earlier.column(ON), pa.scalar(day, pa.date32())))
        rows, missing = _as_known(con, then, facts, ids, version, day)
        again = decided(version, rows, day, text)
        for name in outcomes:
            if name in version.outcomes:
                _among(then, version.outcomes[name], ids)
                whose = then.select([*ids, ON, PLACE])
                pieces += _changed(whose, then.column(name), again, name, missing, scale)
    return _stretches(con, pieces, ids, list(declared), scale)


def _among(then: pa.Table, outcome: OutcomeDeclared, ids: Sequence[str]) -> None:
    """RuleError for an earlier word that the outcome does not have: it would pass for a change."""
    if outcome.kind.name != "enum":
        return
    words = _read(then.column(outcome.name), pa.string(), outcome.name)
    strange = pc.and_(pc.is_valid(words), pc.invert(pc.is_in(words, pa.array(outcome.kind.values, pa.string()))))
    rows = pc.indices_nonzero(strange)
    if len(rows):
        first = min(rows.to_pylist(), key=lambda place: then.column(ROW)[place].as_py())
        word, who = words[first].as_py(), ", ".join(str(then.column(name)[first].as_py()) for name in ids)
        near = close(word, outcome.kind.values)
        raise RuleError(
            f"the earlier “{outcome.name}” of {who} is “{word}”, which is not among its values",
            where=f"decisions, row {then.column(ROW)[first].as_py()}, column {outcome.name}",
            mend=f"did you mean “{near}”?" if near else f"known: {', '.join(outcome.kind.values)}",
        )


def _days(earlier: pa.Table, on: date | None) -> list[date]:
    if ON not in earlier.column_names:
        if on is None:
            raise RuleError(
                "the date of the earlier decisions is not said", where=ON, mend="give --on, or a column “on” with dates"
            )
        return [on]
    found = _dates(earlier.column(ON), ON)
    if found.null_count:
        raise RuleError("an earlier decision has no date", where=ON, mend="fill in the column")
    return sorted(pc.unique(found).to_pylist()) or [on or date.min]


def _dates(column: pa.ChunkedArray, name: str) -> pa.ChunkedArray:
    try:
        return column.cast(pa.date32())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RuleError(f"not a date: {error}", where=name, mend="write 2026-01-31") from None


def _in_order(con: Any, earlier: pa.Table, ids: Sequence[str], days: Sequence[date]) -> pa.Table:
    """The earlier decisions with their date, and which of its person's decisions each is."""
    if ON in earlier.column_names:
        dates = _dates(earlier.column(ON), ON)
        earlier = earlier.set_column(earlier.column_names.index(ON), ON, dates)
    else:
        earlier = earlier.append_column(ON, pa.array([days[0]] * earlier.num_rows, pa.date32()))
    earlier = earlier.append_column(ROW, pa.array(range(1, earlier.num_rows + 1), pa.int64()))
    key = ", ".join(quoted(name) for name in ids)
    con.register("earlier_", earlier)
    try:
        doubled = con.sql(f'SELECT {key}, "on" FROM earlier_ GROUP BY ALL HAVING count(*) > 1 LIMIT 1').fetchall()
        if doubled:
            *who, day = doubled[0]
            raise RuleError(
                f"two earlier decisions of {', '.join(map(str, who))} are for {day}",
                where=", ".join(ids),
                mend=f"one row a person and date (the date in the column “{ON}”)",
            )
        placed: pa.Table = con.sql(
            f'SELECT *, row_number() OVER (PARTITION BY {key} ORDER BY "on") AS {PLACE} FROM earlier_'
        ).to_arrow_table()
        return placed
    finally:
        con.unregister("earlier_")


def _ids(earlier: pa.Table, facts: pa.Table, version: Version) -> list[str]:
    """Columns that both have and that are nobody's facts or outcomes."""
    own = {*version.facts, *version.outcomes, ON, SINCE, PROBLEM}
    ids = [name for name in earlier.column_names if name in facts.column_names and name not in own]
    if not ids:
        raise RuleError(
            "the earlier decisions and the facts have no id column in common",
            where=", ".join(earlier.column_names),
            mend="give both the column that says who it is",
        )
    for name in ids:
        if earlier.schema.field(name).type != facts.schema.field(name).type:
            raise RuleError(
                f"the id “{name}” is {earlier.schema.field(name).type} in the decisions and "
                f"{facts.schema.field(name).type} in the facts",
                where=name,
                mend="give both the same type",
            )
    return ids


def _as_known(
    con: Any, then: pa.Table, facts: pa.Table, ids: Sequence[str], version: Version, day: date
) -> tuple[pa.Table, pa.Array]:
    """The facts of each decision on its day, in the order of the decisions, and whether nothing is known of whom."""
    wanted = [name for name in version.facts if name in facts.column_names]
    if len(wanted) < len(version.facts):
        gone = next(name for name in version.facts if name not in wanted)
        raise RuleError(
            f"the fact “{gone}” has no column",
            where=f"facts, column {gone}",
            mend="add it; leave it empty where unknown",
        )
    held = facts
    if SINCE in facts.column_names:
        since = _dates(facts.column(SINCE), SINCE)
        held = facts.set_column(facts.column_names.index(SINCE), SINCE, since)
        held = held.filter(pc.or_kleene(pc.is_null(since), pc.less_equal(since, pa.scalar(day, pa.date32()))))
    key = ", ".join(quoted(name) for name in ids)
    newest = f"QUALIFY row_number() OVER (PARTITION BY {key} ORDER BY {SINCE} DESC NULLS LAST) = 1"
    con.register("facts_", held)
    con.register("then_", then.select(list(ids)).append_column("place_", pa.array(range(then.num_rows), pa.int64())))
    try:
        doubled = con.sql(
            f"SELECT {key} FROM facts_ GROUP BY {key}{', ' + SINCE if SINCE in held.column_names else ''} "
            "HAVING count(*) > 1 LIMIT 1"
        ).fetchall()
        if doubled:
            raise RuleError(
                f"the facts of {', '.join(map(str, doubled[0]))} stand twice",
                where=", ".join(ids),
                mend=f"one row a person, or a column “{SINCE}” that says from when each holds",
            )
        columns = ", ".join(f"known_.{quoted(name)}" for name in wanted)
        same = " AND ".join(f"then_.{quoted(name)} = known_.{quoted(name)}" for name in ids)
        found = con.sql(
            f"WITH known_ AS (SELECT *, TRUE AS there_ FROM facts_ {newest if SINCE in held.column_names else ''}) "
            f"SELECT {columns}, known_.there_ IS NULL AS missing_ FROM then_ LEFT JOIN known_ ON {same} ORDER BY place_"
        ).to_arrow_table()
    finally:
        con.unregister("facts_")
        con.unregister("then_")
    return found.select(wanted), found.column("missing_").combine_chunks()


def finest(versions: Iterable[Version], outcomes: Iterable[str]) -> int:
    """Decimal places of the finest of some outcomes."""
    names = list(outcomes)
    kinds = (version.outcomes[name].kind for version in versions for name in names if name in version.outcomes)
    return max((kind.scale for kind in kinds), default=0)


def amount(scale: int) -> pa.DataType:
    """The type of a difference."""
    return pa.decimal128(38, scale)


def _changed(
    whose: pa.Table, then: pa.ChunkedArray, again: pa.Table, name: str, missing: pa.Array, scale: int
) -> list[pa.Table]:
    """The decisions on an outcome that come out otherwise, and those that cannot be made again."""
    exact, narrow = amount(scale), pa.decimal128(37, scale)  # one digit less, so that the difference fits
    problem = pc.if_else(missing, "no facts are given", again.column(PROBLEM))
    unable = pc.is_valid(problem)
    after = again.column(name)
    before = _read(then, after.type, name)
    same = pc.or_(pc.and_(pc.is_null(before), pc.is_null(after)), pc.fill_null(pc.equal(before, after), False))
    rows = pc.or_(pc.invert(same), unable)
    if not pc.any(rows).as_py():
        return []
    step = pa.chunked_array([pa.nulls(whose.num_rows, exact)])
    if pa.types.is_decimal(after.type) or pa.types.is_integer(after.type):
        step = pc.subtract(after.cast(narrow), before.cast(narrow)).cast(exact)
        step = pc.if_else(unable, pa.scalar(None, exact), step)
    columns = {
        "outcome": pa.array([name] * whose.num_rows, pa.string()),
        "before": before.cast(pa.string()),
        "after": pc.if_else(unable, pa.scalar(None, pa.string()), after.cast(pa.string())),
        "difference": step,
        PROBLEM: problem,
    }
    for column, values in columns.items():
        whose = whose.append_column(column, values)
    return [whose.filter(rows)]


def _read(column: pa.ChunkedArray, kind: pa.DataType, name: str) -> pa.ChunkedArray:
    """An earlier outcome in the type it has today."""
    if pa.types.is_null(column.type):
        return pa.chunked_array([pa.nulls(len(column), kind)])
    try:
        return column.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise RuleError(
            f"the earlier “{name}” cannot be compared: {error}", where=name, mend="give it as decide writes it"
        ) from None


def _stretches(con: Any, pieces: list[pa.Table], ids: Sequence[str], outcomes: Sequence[str], scale: int) -> pa.Table:
    """Changes of the same person and outcome that follow one another and are alike, joined."""
    key = ", ".join(quoted(name) for name in ids)
    if not pieces:
        dates, amounts = ("from", "until"), ("difference", "total")
        types = dict.fromkeys(RESULT, pa.string()) | dict.fromkeys(dates, pa.date32())
        types |= dict.fromkeys(amounts, amount(scale)) | {"decisions": pa.int64()}
        return pa.schema([*((name, pa.string()) for name in ids), *types.items()]).empty_table()
    con.register("changes_", pa.concat_tables(pieces))
    order = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(outcomes))
    alike = f"{key}, outcome, before, after, {PROBLEM}"
    try:
        found: pa.Table = con.sql(
            f"WITH numbered_ AS (SELECT *, {PLACE} - row_number() OVER (PARTITION BY {alike} ORDER BY {PLACE}) AS run_ "
            "FROM changes_) "
            f'SELECT {key}, outcome, min("on") AS "from", max("on") AS "until", count(*) AS decisions, before, after, '
            f"min(difference) AS difference, sum(difference) AS total, {PROBLEM} FROM numbered_ "
            f'GROUP BY {alike}, run_ ORDER BY {key}, CASE outcome {order} END, "from"'
        ).to_arrow_table()
        return found
    finally:
        con.unregister("changes_")


__all__ = ["ON", "RESULT", "SINCE", "finest", "restate"]
