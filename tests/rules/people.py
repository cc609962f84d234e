"""Random packs and random people, and the slow sure way to decide: try every completion of what is unknown."""

from __future__ import annotations

import itertools
import math
import random
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import duckdb

_DIVISION = re.compile(r"(round|floor|ceil)\(([^()]*) / ([^(),]*)(?:, (\d))?\)")


def rounded(how: str, top: str, bottom: str, places: int) -> Decimal:
    """Division as the documentation says it, on fractions."""
    exact = Fraction(top) / Fraction(bottom) * 10**places
    if how == "round":
        whole = math.floor(abs(exact) + Fraction(1, 2)) * (1 if exact >= 0 else -1)
    else:
        whole = math.floor(exact) if how == "floor" else math.ceil(exact)
    return Decimal(whole).scaleb(-places)


def _exactly(match: re.Match[str]) -> str:
    how, top, bottom, places = match.groups()
    return f"rounded('{how}', CAST({top} AS VARCHAR), CAST({bottom} AS VARCHAR), {places or 0})"


def completed_years(born: date, on: date) -> int:
    """Anniversaries that have come; that of 29 February is 1 March in common years."""

    def anniversary(years: int) -> date:
        try:
            return born.replace(year=born.year + years)
        except ValueError:
            return date(born.year + years, 3, 1)

    years = on.year - born.year
    return years if anniversary(years) <= on else years - 1


ORACLES: list[Any] = [
    ("rounded", rounded, ["VARCHAR", "VARCHAR", "VARCHAR", "INTEGER"]),
    ("age", completed_years, ["DATE", "DATE"]),
]
OPEN = "open"
IMPOSSIBLE = "impossible"


@dataclass
class Wild:
    """A random pack as text, with what the oracle needs: domains, raw SQL of constraints and outcomes."""

    text: str
    domains: dict[str, list[Any]]
    constraints: list[str]
    outcomes: dict[str, str]
    kinds: dict[str, str]
    facts: dict[str, str] = field(default_factory=dict)
    head: int = 0
    open: bool = False
    """While constraints are made: no division in them (the oracle rewrites outcomes only)."""

    def truth(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Every possible complete person and what the plain SQL gives them (two-valued: nothing is unknown)."""
        con = duckdb.connect(":memory:")
        for name, function, types in ORACLES:
            con.create_function(name, function, types, "BIGINT" if name == "age" else "DECIMAL(18,4)")
        types = {
            "integer": "BIGINT",
            "decimal": "DECIMAL(12,1)",
            "boolean": "BOOLEAN",
            "date": "DATE",
            "enum": "VARCHAR",
        }
        names = list(self.domains)
        for name in names:
            con.execute(f"CREATE TABLE d_{name} ({name} {types[self.facts[name]]})")
            con.executemany(f"INSERT INTO d_{name} VALUES (?)", [[value] for value in self.domains[name]])
        query = f"SELECT * FROM {', '.join(f'd_{name}' for name in names)}"
        for name, sql in self.outcomes.items():
            sql = _DIVISION.sub(_exactly, sql)
            query = f"SELECT *, {sql} AS {name} FROM ({query})"
        assert not any(_DIVISION.search(c) for c in self.constraints)
        where = " AND ".join(f"({c})" for c in self.constraints) or "TRUE"
        rows = con.sql(f"SELECT {', '.join([*names, *self.outcomes])} FROM ({query}) WHERE {where}").fetchall()
        con.close()
        width = len(names)
        return {row[:width]: dict(zip(self.outcomes, row[width:], strict=True)) for row in rows}


def brute(wild: Wild, truth: Mapping[tuple[Any, ...], dict[str, Any]], known: Mapping[str, Any], outcome: str) -> Any:
    """The outcome that every completion gives; OPEN if they differ, IMPOSSIBLE if there is none."""
    found = {truth[p][outcome] for p in completions(wild, known) if p in truth}
    return IMPOSSIBLE if not found else found.pop() if len(found) == 1 else OPEN


def completions(wild: Wild, known: Mapping[str, Any]) -> Iterator[tuple[Any, ...]]:
    """Every complete person that agrees with what is known."""
    return itertools.product(
        *([known[name]] if known.get(name) is not None else domain for name, domain in wild.domains.items())
    )


def wild_pack(rng: random.Random) -> Wild:
    """A pack of 2 to 6 facts with small domains, correlated conditions, constraints, dates and decimals."""
    facts: dict[str, str] = {}
    domains: dict[str, list[Any]] = {}
    lines = [
        "pack: wild",
        "title: {zh: 试, en: trial}",
        "basis: none",
        "versions:",
        "  - in_force: 2020-01-01",
        "    facts:",
    ]
    budget = 6000
    for place in range(rng.randint(2, 6)):
        kind = rng.choice(["integer", "integer", "boolean", "enum", "decimal", "date"])
        name = f"{kind[0]}{place}"
        if kind == "integer":
            low = rng.randint(-3, 3)
            size = rng.randint(2, 7)
            domain: list[Any] = list(range(low, low + size))
            said = f"type: integer, range: [{low}, {low + size - 1}]"
        elif kind == "decimal":
            size = rng.randint(2, 8)
            domain = [Decimal(i).scaleb(-1) for i in range(size)]
            said = f"type: decimal, scale: 1, range: [0, {domain[-1]}]"
        elif kind == "boolean":
            domain, said = [False, True], "type: boolean"
        elif kind == "enum":
            domain = list("abc"[: rng.randint(2, 3)])
            said = f"type: enum, values: [{', '.join(domain)}]"
        else:
            start = rng.choice([date(2024, 2, 27), date(2025, 2, 26), date(2024, 12, 30)])
            domain = [start + timedelta(days=i) for i in range(rng.randint(2, 6))]
            said = f"type: date, range: [{domain[0]}, {domain[-1]}]"
        if budget // len(domain) < 1:
            break
        budget //= len(domain)
        facts[name], domains[name] = kind, domain
        lines.append(f"      {name}: {{{said}}}")
    wild = Wild("", domains, [], {}, {}, facts)
    wild.open = True
    wild.constraints = [condition(rng, wild, 1) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    wild.open = False
    if wild.constraints:
        lines.append("    constraints:")
        lines += [f'      - "{c}"' for c in wild.constraints]
    lines.append("    outcomes:")
    wild.head = len(lines)
    for place in range(rng.randint(1, 3)):
        name = f"out{place}"
        form = rng.choice(["boolean", "first_of", "number", "case", "one_of"])
        if form == "boolean":
            sql = condition(rng, wild, 3)
            wild.kinds[name] = "boolean"
            lines.append(f'      {name}: {{type: boolean, value: "{sql}"}}')
        elif form == "one_of":
            when = condition(rng, wild, 2)
            sql = f"CASE WHEN {when} THEN 'x' ELSE 'z' END"
            wild.kinds[name] = "enum"
            lines.append(f"      {name}:\n        type: enum\n        values: [x, y, z]\n        one_of:")
            lines += [f'          - {{when: "{when}", value: x}}', f'          - {{when: "NOT ({when})", value: z}}']
        elif form == "first_of":
            whens = [(condition(rng, wild, 2), rng.choice("xyz")) for _ in range(rng.randint(1, 3))]
            other = rng.choice("xyz")
            sql = "CASE " + " ".join(f"WHEN {c} THEN '{v}'" for c, v in whens) + f" ELSE '{other}' END"
            wild.kinds[name] = "enum"
            lines.append(f"      {name}:\n        type: enum\n        values: [x, y, z]\n        first_of:")
            lines += [f'          - {{when: "{c}", value: {v}}}' for c, v in whens]
            lines.append(f"        else: {other}")
        else:
            sql = amount(rng, wild, 2) if form == "number" else choice(rng, wild)
            wild.kinds[name] = "number"
            lines.append(f'      {name}: {{type: decimal, scale: 4, value: "{sql}"}}')
            sql = f"CAST({sql} AS DECIMAL(18,4))"
        wild.outcomes[name] = f"({sql})"
    wild.text = "\n".join(lines) + "\n"
    return wild


def changed(rng: random.Random, wild: Wild) -> Wild:
    """The same pack with one number, comparison or word changed somewhere in its outcomes."""
    swaps = [(" < ", " <= "), (" > ", " >= "), (" = ", " <> "), (" AND ", " OR "), ("'x'", "'y'"), ("THEN 1", "THEN 2")]
    name = rng.choice(list(wild.outcomes))
    old = wild.outcomes[name]
    possible = [(a, b) for a, b in swaps if a in old and not (a == " AND " and "BETWEEN" in old)]
    if not possible:
        return wild
    a, b = rng.choice(possible)
    parts = old.split(a)
    cut = rng.randrange(1, len(parts))
    new = a.join(parts[:cut]) + b + a.join(parts[cut:])
    text = "\n".join(wild.text.splitlines()[: wild.head]) + "\n"
    outcomes = wild.outcomes | {name: new}
    for each, sql in outcomes.items():
        kind = {"boolean": "boolean", "enum": "enum, values: [x, y, z]", "number": "decimal, scale: 4"}[
            wild.kinds[each]
        ]
        inner = sql.removeprefix("(CAST(").removesuffix(" AS DECIMAL(18,4)))") if wild.kinds[each] == "number" else sql
        text += f'      {each}: {{type: {kind}, value: "{inner}"}}\n'
    return Wild(text, wild.domains, wild.constraints, outcomes, wild.kinds, wild.facts, wild.head)


def choice(rng: random.Random, wild: Wild) -> str:
    """A CASE that gives a number."""
    whens = " ".join(f"WHEN {condition(rng, wild, 2)} THEN {rng.randint(0, 3)}" for _ in range(rng.randint(1, 3)))
    return f"CASE {whens} ELSE {rng.choice(['0', '1', '2.5'])} END"


def amount(rng: random.Random, wild: Wild, depth: int) -> str:
    """An expression that gives a number."""
    numbers = [name for name, kind in wild.facts.items() if kind in ("integer", "decimal")]
    if depth == 0 or rng.random() < 0.25:
        return rng.choice([*numbers, str(rng.randint(0, 4)), f"{rng.randint(0, 3)}.5"])
    form = rng.choice(["+", "-", "*", "case", "least", "greatest", "divide"] if numbers else ["+", "-", "*", "case"])
    if form == "divide" and not wild.open:
        how, top = rng.choice(["round", "floor", "ceil"]), rng.choice(numbers)
        places = f", {rng.randint(0, 2)}" if how == "round" else ""
        return f"{how}({top} / {rng.choice(['3', '0.4', '7', '2'])}{places})"
    form = "+" if form == "divide" else form
    if form == "case":
        return f"({choice(rng, wild)})"
    left, right = amount(rng, wild, depth - 1), amount(rng, wild, depth - 1)
    if form == "*":
        right = str(rng.randint(-2, 3))
    return f"{form}({left}, {right})" if form in ("least", "greatest") else f"({left} {form} {right})"


def condition(rng: random.Random, wild: Wild, depth: int) -> str:
    """A condition; conditions on the same fact come often, so that they are correlated."""
    if depth > 0 and rng.random() < 0.6:
        form = rng.choice(["AND", "OR", "NOT", "AND", "OR"])
        if form == "NOT":
            return f"NOT ({condition(rng, wild, depth - 1)})"
        return f"({condition(rng, wild, depth - 1)} {form} {condition(rng, wild, depth - 1)})"
    earlier = [name for name, kind in wild.kinds.items() if kind == "boolean"]
    if earlier and rng.random() < 0.15:
        return rng.choice(earlier)
    worded = [name for name, kind in wild.kinds.items() if kind == "enum"]
    if worded and rng.random() < 0.15:
        return f"{rng.choice(worded)} {rng.choice(['=', '<>'])} '{rng.choice('xyz')}'"
    counted = [name for name, kind in wild.kinds.items() if kind == "number"]
    if counted and rng.random() < 0.2:
        return f"{rng.choice(counted)} {rng.choice(['<', '>=', '='])} {rng.randint(-1, 4)}"
    name = rng.choice(list(wild.facts))
    kind, domain = wild.facts[name], wild.domains[name]
    op = rng.choice(["=", "<>", "<", "<=", ">", ">="])
    if kind == "boolean":
        return rng.choice([name, f"{name} = FALSE"])
    if kind == "enum":
        return (
            f"{name} {rng.choice(['=', '<>'])} '{rng.choice(domain)}'"
            if rng.random() < 0.6
            else f"{name} IN ('a', 'b')"
        )
    if kind == "date":
        others = [other for other, k in wild.facts.items() if k == "date" and other != name]
        form = rng.randint(0, 6)
        day = f"DATE '{rng.choice(domain)}'"
        if others and form == 0:
            return f"{name} {op} {rng.choice(others)}"
        if others and form == 2:
            other = rng.choice(others)
            picked = rng.choice(["age({0}, {1}) >= 0", "LEAST({0}, {1}) {2} {3}", "{0} + INTERVAL 1 MONTH {2} {1}"])
            return picked.format(name, other, op, day)
        whole = [each for each, k in wild.facts.items() if k == "integer"]
        if whole and form == 3:
            unit = rng.choice(["DAY", "MONTH"])
            return f"{name} + INTERVAL ({rng.choice(whole)}) {unit} {op} {day}"
        if form == 4:
            on = date(domain[0].year + rng.randint(0, 4), *rng.choice([(2, 28), (3, 1), (2, 27), (1, 1), (12, 31)]))
            return f"age({name}, DATE '{on}') {op} {rng.randint(0, 3)}"
        if form == 1:
            return f"{name} + INTERVAL {rng.randint(1, 3)} {rng.choice(['DAY', 'MONTH', 'YEAR'])} {op} {day}"
        return f"{name} {op} {day}"
    if rng.random() < 0.3:
        return f"{amount(rng, wild, 1)} {op} {amount(rng, wild, 1)}"
    if rng.random() < 0.2:
        return f"{name} BETWEEN {domain[0]} AND {rng.choice(domain)}"
    if kind == "integer" and rng.random() < 0.2:
        return f"{name} IN ({', '.join(map(str, rng.sample(domain, min(2, len(domain)))))})"
    return f"{name} {op} {rng.choice(domain)}"


def person(rng: random.Random, wild: Wild, missing: float = 0.5) -> dict[str, Any]:
    """Someone of whom some facts are unknown."""
    return {name: None if rng.random() < missing else rng.choice(domain) for name, domain in wild.domains.items()}
