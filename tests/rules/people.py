"""Random packs and random people, and the slow sure way to decide: try every completion of what is unknown."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import duckdb

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

    def truth(self) -> dict[tuple[Any, ...], dict[str, Any]]:
        """Every possible complete person and what the plain SQL gives them (two-valued: nothing is unknown)."""
        con = duckdb.connect(":memory:")
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
            query = f"SELECT *, {sql} AS {name} FROM ({query})"
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
    wild.constraints = [condition(rng, wild, 1) for _ in range(rng.choice([0, 0, 1, 1, 2]))]
    if wild.constraints:
        lines.append("    constraints:")
        lines += [f'      - "{c}"' for c in wild.constraints]
    lines.append("    outcomes:")
    wild.head = len(lines)
    for place in range(rng.randint(1, 3)):
        name = f"out{place}"
        form = rng.choice(["boolean", "first_of", "number", "case"])
        if form == "boolean":
            sql = condition(rng, wild, 3)
            wild.kinds[name] = "boolean"
            lines.append(f'      {name}: {{type: boolean, value: "{sql}"}}')
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
    form = rng.choice(["+", "-", "*", "case", "least", "greatest"])
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
        form = rng.randint(0, 4)
        day = f"DATE '{rng.choice(domain)}'"
        if others and form == 0:
            return f"{name} {op} {rng.choice(others)}"
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
