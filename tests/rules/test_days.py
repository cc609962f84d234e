"""A version is proved for every day it is in force: what check says of a dated pack is what all days and people say."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hucheng.rules import agreement, cuts, exact, loads
from hucheng.rules.findings import Finding

PACKS = int(os.environ.get("HUCHENG_WILD_PACKS", "40"))
HEAD = """pack: dated
title: {{zh: 日, en: dated}}
basis: none
versions:
  - in_force: {first}
    facts:
      born: {{type: date, range: [{born_low}, {born_high}]}}
      n: {{type: integer, range: [0, 2]}}
      flag: {{type: boolean}}
"""
AGE = "floor((year({1})*10000 + month({1})*100 + day({1}) - year({0})*10000 - month({0})*100 - day({0})) / 10000.0)"


@dataclass
class Dated:
    """A random pack that reckons with the day: its text, and its conditions for the oracle."""

    first: date
    last: date
    born: tuple[date, date]
    constraint: str | None
    boolean: str
    one_of: list[str]
    first_of: list[str]
    con: Any = field(default_factory=lambda: duckdb.connect(":memory:"))

    def written(self) -> str:
        """The pack; a second version ends the first."""
        body = f'    constraints: ["{self.constraint}"]\n' if self.constraint else ""
        body += f'    outcomes:\n      a: {{type: boolean, value: "{self.boolean}"}}\n'
        body += "      b:\n        type: integer\n        one_of:\n"
        body += "".join(f'          - {{when: "{when}", value: {i}}}\n' for i, when in enumerate(self.one_of))
        body += "      c:\n        type: integer\n        first_of:\n"
        body += "".join(f'          - {{when: "{when}", value: {i}}}\n' for i, when in enumerate(self.first_of))
        body += "        else: 9\n"
        head = HEAD.format(first=self.first, born_low=self.born[0], born_high=self.born[1])
        after = self.last + timedelta(days=1)
        second = f"  - in_force: {after}\n    facts: {{n: {{type: integer, range: [0, 2]}}}}\n"
        return head + body + second + '    outcomes: {a: {type: boolean, value: "n = 0"}}\n'

    def tried(self) -> None:
        """Everybody on every day, and which conditions hold, in a table."""
        conditions = {"a": self.boolean}
        conditions |= {f"b{i}": when for i, when in enumerate(self.one_of)}
        conditions |= {f"c{i}": when for i, when in enumerate(self.first_of)}
        columns = ", ".join(f"({plain(sql)}) AS {name}" for name, sql in conditions.items())
        self.con.execute(
            f"CREATE TABLE everybody AS SELECT born, n, flag, decision_date, {columns} FROM "
            f"(SELECT CAST(unnest(generate_series(DATE '{self.born[0]}', DATE '{self.born[1]}', INTERVAL 1 DAY)) "
            "AS DATE) AS born), (SELECT unnest([0, 1, 2]) AS n), (SELECT unnest([true, false]) AS flag), "
            f"(SELECT CAST(unnest(generate_series(DATE '{self.first}', DATE '{self.last}', INTERVAL 1 DAY)) AS DATE)"
            f" AS decision_date) WHERE {plain(self.constraint or 'TRUE')}"
        )

    def some(self, condition: str) -> bool:
        """Whether somebody on some day is like this."""
        return bool(self.con.sql(f"SELECT 1 FROM everybody WHERE {condition} LIMIT 1").fetchall())

    def matters(self, fact: str) -> bool:
        """Whether two people alike but for one fact are decided differently on one day."""
        others = [name for name in ("born", "n", "flag", "decision_date") if name != fact]
        b = "CASE " + " ".join(f"WHEN b{i} THEN {i}" for i in range(len(self.one_of))) + " END"
        c = "CASE " + " ".join(f"WHEN c{i} THEN {i}" for i in range(len(self.first_of))) + " ELSE 9 END"
        sql = (
            f"SELECT 1 FROM everybody GROUP BY {', '.join(others)} "
            f"HAVING count(DISTINCT a) > 1 OR count(DISTINCT {b}) > 1 OR count(DISTINCT {c}) > 1 LIMIT 1"
        )
        return bool(self.con.sql(sql).fetchall())


def plain(sql: str) -> str:
    """The expression as DuckDB has it."""
    return sql.replace("age(born, decision_date)", "(" + AGE.format("born", "decision_date") + ")")


def condition(rng: random.Random, pack: tuple[date, date, date, date], depth: int) -> str:
    """A condition in which the day of the decision comes often."""
    first, last, low, high = pack
    if depth and rng.random() < 0.5:
        form = rng.choice(["AND", "OR", "NOT"])
        if form == "NOT":
            return f"NOT ({condition(rng, pack, depth - 1)})"
        return f"({condition(rng, pack, depth - 1)} {form} {condition(rng, pack, depth - 1)})"
    op = rng.choice(["<", "<=", ">", ">=", "=", "<>"])
    unit = rng.choice(["DAY", "MONTH", "YEAR"])
    return rng.choice(
        [
            f"age(born, decision_date) {op} {rng.randint(-1, 3)}",
            f"age(born, decision_date) {op} {rng.randint(0, 2)}",
            f"age(born, decision_date) {op} n",
            f"born {op} decision_date",
            f"born + INTERVAL {rng.randint(1, 3)} {unit} {op} decision_date",
            f"born + INTERVAL (n) {rng.choice(['DAY', 'MONTH'])} {op} decision_date",
            f"decision_date {op} DATE '{first + timedelta(days=rng.randint(0, (last - first).days))}'",
            f"born {op} DATE '{low + timedelta(days=rng.randint(0, (high - low).days))}'",
            f"n {op} {rng.randint(0, 2)}",
            "flag",
        ]
    )


def dated(rng: random.Random) -> Dated:
    """A random pack; leap days are often within reach."""
    first = date(2020, 1, 1) + timedelta(days=rng.randint(0, 800))
    last = first + timedelta(days=rng.choice([0, 3, 40, 200]))
    low = first - timedelta(days=rng.choice([5, 400, 800, 1500]))
    high = low + timedelta(days=rng.choice([0, 3, 70, 150]))
    span = (first, last, low, high)
    half = condition(rng, span, 1)
    one_of = [half, f"NOT ({half})"] if rng.random() < 0.6 else [condition(rng, span, 1) for _ in range(2)]
    first_of = [condition(rng, span, 1) for _ in range(rng.randint(1, 3))]
    constraint = condition(rng, span, 1) if rng.random() < 0.3 else None
    return Dated(first, last, (low, high), constraint, condition(rng, span, 2), one_of, first_of)


@pytest.mark.parametrize("reading", ["cells", "logic"])
@settings(
    max_examples=PACKS // 2, deadline=None,
    suppress_health_check=[*HealthCheck],
)  # fmt: skip
@given(st.integers(0, 2**40))
def test_findings_are_those_of_all_days_and_people(reading: str, seed: int) -> None:
    rng = random.Random(seed)
    pack = dated(rng)
    pack.tried()
    text = pack.written()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exact, "_made", {})
        if reading == "logic":
            patch.setattr(cuts, "PAIRS", 0)
        found = loads(text).check(pack.first)
    said = {(f.kind, f.message.partition(":")[0], branch(f)) for f in found if f.kind not in ("constant", "useless")}
    if not pack.some("TRUE"):
        assert [f.kind for f in found] == ["impossible"], text
        return
    wanted = set()
    whole = True
    held = " + ".join(f"CAST(b{i} AS INTEGER)" for i in range(len(pack.one_of)))
    for kind, how in (("gap", f"{held} = 0"), ("overlap", f"{held} > 1")):
        if pack.some(how):
            wanted.add((kind, "b", None))
            whole = False
            example = next(f.example for f in found if f.kind == kind)
            assert example is not None and pack.some(f"{how} AND {like(example)}"), (text, example)
    for name, whens in (("b", pack.one_of), ("c", pack.first_of)):
        before = "TRUE"
        for i in range(len(whens)):
            if not pack.some(f"{name}{i} AND {before}"):
                wanted.add(("unreachable", name, str(i + 1)))
            before += f" AND NOT {name}{i}"
        if name == "c" and not any(each[:2] == ("unreachable", "c") for each in wanted) and not pack.some(before):
            wanted.add(("unreachable", "c", "else"))
    if any(kind == "unsettled" for kind, _, _ in said):  # said, and nothing claimed
        assert {each for each in said if each[0] != "unsettled"} <= wanted, (text, found)
        return
    assert said == wanted, (text, found)
    same = {f.message.partition(":")[0] for f in found if f.kind == "constant"}
    assert ("a" in same) is not (pack.some("a") and pack.some("NOT a")), text
    if whole:
        useless = {f.message.partition(":")[0] for f in found if f.kind == "useless"}
        assert useless == {fact for fact in ("born", "n", "flag") if not pack.matters(fact)}, text


def branch(finding: Finding) -> str | None:
    """Which branch a finding is about."""
    if finding.kind != "unreachable":
        return None
    return "else" if "the else" in finding.message else finding.message.partition("branch ")[2].split()[0].rstrip(";")


def like(example: dict[str, Any]) -> str:
    """The example as a condition."""
    return " AND ".join(
        f"{name} = DATE '{value}'" if isinstance(value, date) else f"{name} = {value}"
        for name, value in example.items()
    )


SCHOOL = """pack: school
title: {{zh: 学, en: school}}
basis: none
versions:
  - in_force: 2024-01-01
    facts:
      born: {{type: date, range: [2015-01-01, 2020-12-31]}}
      n: {{type: integer, range: [0, 2]}}
    outcomes:
      due:
        type: integer
        first_of:
          - {{when: "age(born, decision_date) < {age}", value: 0}}
          - {{when: "n > 1", value: 1}}
        else: 2
{more}"""
NEXT = """  - in_force: 2026-01-01
    facts: {n: {type: integer, range: [0, 2]}}
    outcomes: {a: {type: boolean, value: "n = 0"}}
"""


def school(age: int, more: str = NEXT) -> list[Finding]:
    return loads(SCHOOL.format(age=age, more=more), "school.yaml").check(date(2024, 6, 1))


def test_a_branch_that_is_reached_on_the_last_day_only_is_reached() -> None:
    """The youngest are 3 on the first day, the oldest turn 10 on 2025-01-01, and 11 with the year after the last."""
    assert school(10) == []
    found = school(11)
    assert {f.kind for f in found} == {"unreachable", "useless", "constant"}
    assert all("on any day" in f.message for f in found)


def test_a_gap_of_a_single_day_is_found_and_its_example_carries_the_day() -> None:
    text = SCHOOL.format(age=5, more="").replace("first_of:", "one_of:").replace("        else: 2\n", "")
    text = text.replace("age(born, decision_date) < 5", "decision_date <> DATE '2024-02-29'")
    text = text.replace("n > 1", "decision_date = DATE '2024-02-29' AND born < DATE '2020-12-31'")
    (found,) = [f for f in loads(text).check() if f.kind == "gap"]
    assert found.example is not None
    assert (found.example["born"], found.example["decision_date"]) == (date(2020, 12, 31), date(2024, 2, 29))
    assert "add a branch for born = 2020-12-31 and decision_date = 2024-02-29" in found.message


def test_the_last_version_is_looked_at_until_the_last_date_of_its_facts_or_fifty_years() -> None:
    def until(text: str, on: date | None = None) -> date:
        return loads(text).days(on).last

    alone = SCHOOL.format(age=5, more="")
    assert until(alone) == date(2073, 12, 31)
    assert until(alone.replace("2020-12-31", "2100-06-30")) == date(2100, 6, 30)
    assert until(alone, date(2080, 1, 1)) == date(2080, 1, 1)
    assert until(SCHOOL.format(age=5, more=NEXT), date(2024, 6, 1)) == date(2025, 12, 31)


def test_what_is_so_in_several_versions_is_said_once_with_their_dates() -> None:
    text = SCHOOL.format(
        age=5, more="  - in_force: 2025-01-01\n    amends: 2024-01-01\n    facts: {n: {type: integer, range: [0, 3]}}\n"
    )
    text = text.replace("    outcomes:", "      spare: {type: boolean}\n    outcomes:")
    first, second = date(2024, 1, 1), date(2025, 1, 1)
    still = text.replace("age(born, decision_date) < 5", "born < DATE '2016-01-01'")
    (spare,) = [f for f in loads(still).check() if f.message.startswith("spare")]
    assert spare.versions == (first, second) and spare.as_dict()["versions"] == ["2024-01-01", "2025-01-01"]


def test_readings_are_compared_on_the_first_the_last_and_other_days(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    apart = agreement.apart

    def watched(readings: exact.Exact, known: agreement.Known) -> Any:
        seen.add(readings.on)
        return apart(readings, known)

    monkeypatch.setattr(agreement, "apart", watched)
    assert school(10) == []
    assert {date(2024, 1, 1), date(2025, 12, 31)} < seen and len(seen) == agreement.DAYS


def test_a_fault_of_a_reading_is_reported_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "_made", {})
    right = agreement.evaluate.value
    monkeypatch.setattr(agreement.evaluate, "value", lambda *args: 2 if right(*args) is not None else None)
    found = [f for f in school(10) if f.kind == "disagreement"]
    assert len(found) == 1 and "Leaf" not in found[0].message and "report it" in found[0].message
    assert found[0].example is not None and "decision_date" in found[0].example


def test_a_pack_with_two_wide_dates_amounts_and_steps_of_days_is_settled() -> None:
    """Ages between two dates, months and days later, and an amount that depends on them."""
    text = """pack: grant
title: {zh: 试, en: grant}
basis: none
versions:
  - in_force: 2024-01-01
    facts:
      born: {type: date, range: [1900-01-01, 2100-12-31]}
      granted: {type: date, range: [2000-01-01, 2100-12-31]}
      income: {type: decimal, scale: 2, range: [0, 100000], unit: CNY/month}
    constraints: ["born <= granted", "granted <= decision_date"]
    outcomes:
      old: {type: boolean, value: "age(born, decision_date) >= 60 OR age(born, granted) >= 50"}
      renewal: {type: date, value: "granted + INTERVAL 6 MONTH"}
      late: {type: boolean, value: "renewal + INTERVAL 14 DAY < decision_date"}
      monthly:
        type: decimal
        scale: 2
        unit: CNY/month
        first_of:
          - {when: "NOT old", value: 0.00}
          - {when: late, value: "GREATEST(0.00, 450.00 - round(income * 0.5, 2))"}
        else: 300.00
"""
    assert loads(text).check() == []


def test_a_gap_of_two_versions_is_said_once_with_the_first_example() -> None:
    more = "  - in_force: 2025-01-01\n    amends: 2024-01-01\n    facts: {n: {type: integer, range: [0, 3]}}\n"
    text = SCHOOL.format(age=5, more=more).replace("first_of:", "one_of:").replace("        else: 2\n", "")
    text = text.replace("n > 1", "n > 1 AND age(born, decision_date) >= 5")
    (gap,) = loads(text).check()
    assert gap.kind == "gap" and gap.versions == (date(2024, 1, 1), date(2025, 1, 1))
    assert gap.example is not None and gap.example["decision_date"] < date(2025, 1, 1)
