"""A rule pack: what others hold in their hands. File in, decisions out; nothing is kept, nothing is asked outside."""

from __future__ import annotations

import importlib.resources
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa

from hucheng.errors import RuleError
from hucheng.rules import document, reading
from hucheng.rules.bulk import strict_sql
from hucheng.rules.check import check
from hucheng.rules.days import Days, days
from hucheng.rules.difference import diff
from hucheng.rules.findings import Finding
from hucheng.rules.model import Version, Words
from hucheng.rules.page import page
from hucheng.rules.questions import questions
from hucheng.rules.reasons import explain
from hucheng.rules.restate import restate
from hucheng.rules.tables import decide
from hucheng.tables import as_arrow, like

Day = date | str
"""A date of decision: a date, or ISO text."""


@dataclass(frozen=True, eq=False, repr=False)
class Pack:
    """A loaded rule pack; immutable, to be shared between threads. Dates may be given as ISO text, too."""

    id: str
    title: Words
    basis: str
    sources: tuple[str, ...]
    note: Words
    versions: tuple[Version, ...]
    hash: str
    file: str

    def __repr__(self) -> str:
        return f"Pack({self.id!r}, {self.hash[:8]}, from {self.versions[0].in_force})"

    def version(self, on: Day | None = None) -> Version:
        """The version in force on a date; without a date the latest. RuleError before the first."""
        day = day_of(on)
        if day is None:
            return self.versions[-1]
        for version in reversed(self.versions):
            if version.in_force <= day:
                return version
        raise RuleError(
            f"{self.id} is in force from {self.versions[0].in_force}; nothing was in force on {day}",
            where=f"{self.file}:{1}",
            mend="give a later date",
        )

    def decide(self, table: Any, on: Day | None = None) -> Any:
        """Decide every row of a table and give the same kind of table back.

        Arrow table or record batch, Polars or pandas frame, DuckDB relation: id columns (passed through) and one column
        a fact, NULL where it is not yet known. Gives the ids, one column an outcome, and ``_problem``: why a row was
        not decided (a fact outside its domain, a broken constraint). RuleError for a missing or wrongly typed column.

        >>> import pyarrow as pa
        >>> from hucheng.rules import load
        >>> table = pa.table({"id": ["a", "b"], "systolic": [185, 120], "diastolic": pa.array([None, 78], pa.int64())})
        >>> load("blood-pressure").decide(table).to_pydict()["crisis"]
        [True, False]
        """
        return decide(self.version(on), table, self._day(on))

    def explain(
        self,
        row: Mapping[str, Any],
        on: Day | None = None,
        outcomes: Collection[str] | None = None,
        *,
        nearest: bool = True,
    ) -> dict[str, Any]:
        """Why: outcomes of one person (all, or some) with reasons, basis and text in both languages.

        ``{"outcomes": {name: {"value", "reasons": [{"fact", "value"}], "nearest": [...], "basis", "text"}}}``; a fact
        that the row lacks is unknown. RuleError where a fact is outside its domain or a constraint is broken.
        ``nearest=False`` spares the search for the least change that would give another outcome.

        >>> from hucheng.rules import load
        >>> crisis = load("blood-pressure").explain({"systolic": 185, "diastolic": 95})["outcomes"]["crisis"]
        >>> crisis["value"], crisis["reasons"]
        (True, [{'fact': 'systolic', 'value': 185}])
        """
        return explain(self.version(on), row, self._day(on), self.basis, outcomes, nearest)

    def questions(
        self, known: Mapping[str, Any], on: Day | None = None, outcomes: Collection[str] | None = None
    ) -> dict[str, Any]:
        """What to ask next of one person, what may not be asked any more, and whether enough is known.

        ``{"decided", "outcomes", "ask", "irrelevant", "expected_questions", "policy"}``.

        >>> from hucheng.rules import load
        >>> found = load("blood-pressure").questions({"systolic": 185})
        >>> found["decided"], found["ask"], found["irrelevant"]
        (True, None, ['diastolic'])
        """
        return questions(self.version(on), known, self._day(on), outcomes)

    def check(self, on: Day | None = None) -> list[Finding]:
        """What is wrong with the pack: gaps, overlaps, unreachable branches, useless facts, cliffs, names of nothing.

        Each version is proved for everybody on every day it is in force (the last one: see ``days``); a finding names
        the versions it is in. ``on``: only the version in force on that date.

        >>> from hucheng.rules import load
        >>> load("blood-pressure").check()
        []
        """
        day = day_of(on)
        return check(self.versions, self.versions if day is None else [self.version(day)], day)

    def days(self, on: Day | None = None) -> Days:
        """Days for which ``check`` proves the version in force on a date (without a date: the latest)."""
        return days(self.versions, self.version(on), day_of(on))

    def diff(self, other: Pack, on: Day | None = None, other_on: Day | None = None) -> list[dict[str, Any]]:
        """Where the other pack (or this one on another date) decides differently: an example person an outcome.

        >>> from hucheng.rules import load
        >>> pack = load("blood-pressure")
        >>> pack.diff(pack)
        []
        """
        day = self._day(on) or self.version(on).in_force
        other_day = other._day(other_on or on) or other.version(other_on or on).in_force
        return diff(self.version(on), other.version(other_on or on), day, other_day)

    def sql(self, schema: pa.Schema, on: Day | None = None, dialect: Literal["duckdb", "spark"] = "duckdb") -> str:
        """The strict reading as one statement, for a table “hucheng_facts” with these columns, wherever it lies.

        ``schema``: Arrow's, of just that table (``df.limit(0).toArrow().schema`` in Spark): the text depends on the
        types. It gives the ids, one column an outcome, and ``_problem``, as ``decide`` does, but leaves more open
        (docs/rules.md says what). The date stands in the text. RuleError for a column that is missing or of a wrong
        type, and for numbers that the engine would not keep.

        >>> import pyarrow as pa
        >>> from hucheng.rules import load
        >>> schema = pa.schema({"id": pa.int64(), "systolic": pa.int64(), "diastolic": pa.int64()})
        >>> load("blood-pressure").sql(schema, dialect="spark").startswith("SELECT `i_0` AS `id`, CASE WHEN")
        True
        """
        return strict_sql(self.version(on), schema, self._day(on), dialect)

    def restate(self, earlier: Any, facts: Any, on: Day | None = None) -> Any:
        """Earlier decisions made again: who changes, by how much, from when.

        ``earlier``: ids, the outcomes as decided, and the column ``on`` with the date each was made for (or give the
        date of all). ``facts``: the same ids, one column a fact, and ``since`` (date) where they changed over time.
        Gives, in the kind of table that ``facts`` is, the ids and ``outcome, from, until, decisions, before, after,
        difference, total, _problem``; no row where nothing changes. RuleError for missing or doubled ids.

        >>> from datetime import date
        >>> import pyarrow as pa
        >>> from hucheng.rules import load
        >>> paid = pa.table({"id": ["a"], "on": [date(2026, 3, 1)], "monthly": ["100.00"]})
        >>> facts = pa.table({"id": ["a"], "born": [date(1935, 12, 1)], "registered_here": [True]})
        >>> found = load("old-age-allowance").restate(paid, facts).to_pylist()[0]
        >>> found["before"], found["after"], str(found["from"])
        ('100.00', '500.00', '2026-03-01')
        """
        return like(facts, restate(self.version, as_arrow(earlier), as_arrow(facts), day_of(on)))

    def page(self, on: Day | None = None) -> str:
        """The pack as an HTML page in Chinese and English, with an example of each branch on a date."""
        return page(self, day_of(on) or self.versions[-1].in_force)

    def _day(self, on: Day | None) -> date | None:
        day = day_of(on)
        if day is None and self.versions[-1].dated:
            raise RuleError(
                f"{self.id} reckons with the date of the decision", where=self.file, mend="give the date (--on)"
            )
        return day


def day_of(on: Day | None) -> date | None:
    """A date, also of ISO text (2026-01-31) and of an instant (its own calendar day); RuleError for anything else."""
    if isinstance(on, str):
        try:
            if len(on) == 10:
                return date.fromisoformat(on)
        except ValueError:
            pass
    elif on is None or isinstance(on, date):
        return on.date() if isinstance(on, datetime) else on
    raise RuleError(f"{on!r} is not a date", where="on", mend="give a date, or write it as 2026-01-31")


def load(path_or_name: str | Path, search: str | Path | Sequence[str | Path] = ()) -> Pack:
    """Load a pack from a file, or by its name from folders and from the apps that ship with Hucheng. RuleError.

    >>> from hucheng.rules import load
    >>> load("blood-pressure").title["en"]
    'Blood pressure grade'
    """
    path = Path(path_or_name)
    if path.suffix in (".yaml", ".yml") or path.is_file():
        return _load(path)
    name = str(path_or_name)
    for folder in map(Path, [search] if isinstance(search, str | Path) else search):
        if (folder / f"{name}.yaml").is_file():
            return _load(folder / f"{name}.yaml")
    shipped = names()
    if name in shipped:
        return _load(shipped[name])
    raise RuleError(
        f"there is no rule pack “{name}”", where=name, mend=f"give a path, or one of: {', '.join(sorted(shipped))}"
    )


def names() -> dict[str, Path]:
    """Packs that ship: those of nobody's app in particular, and those inside the apps; name to file."""
    with importlib.resources.as_file(importlib.resources.files("hucheng")) as root:
        paths = [*root.glob("rules/packs/*.yaml"), *root.glob("apps/*/rules/*.yaml")]
    return {path.stem: path for path in sorted(paths, key=lambda path: path.stem)}


def loads(text: str, file: str = "<text>") -> Pack:
    """A pack from its text; ``file`` names it in messages. RuleError."""
    return _made(text.encode(), file)


def _load(path: Path) -> Pack:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RuleError(f"cannot read the file: {error.strerror}", where=str(path), mend="check the path") from None
    return _made(data, str(path))


def _made(data: bytes, file: str) -> Pack:
    c = reading.contents(document.read(data, file))
    return Pack(c.id, c.title, c.basis, c.sources, c.note, c.versions, c.digest, c.file)
