"""Strict decisions over a whole table: one SQL statement on DuckDB, layer upon layer."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import duckdb

from hucheng.errors import RuleError
from hucheng.rules import spark
from hucheng.rules.columns import given, quoted, reading
from hucheng.rules.complaints import complaint
from hucheng.rules.kinds import Kind
from hucheng.rules.model import Version
from hucheng.rules.strict import Layers, literal

PROBLEM = "_problem"
"""Column of the result that says why a row was not decided; empty where it was."""

SOURCE = "hucheng_facts"
Columns = tuple[tuple[str, str], ...]
"""Names and SQL types of a table's columns."""

_local = threading.local()


def connection(threads: int = 1) -> duckdb.DuckDBPyConnection:
    """This thread's in-memory engine. One thread keeps the order of the rows; 0 takes all there are, for queries that
    say their order themselves."""
    name = f"of_{threads}"
    found: duckdb.DuckDBPyConnection | None = getattr(_local, name, None)
    if found is None:
        config: dict[str, Any] = {"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"}
        if threads:
            config["threads"] = threads
        found = duckdb.connect(":memory:", config=config)
        setattr(_local, name, found)
    return found


@dataclass(frozen=True)
class Program:
    """SQL text over a table named SOURCE."""

    decide: str
    facts: str
    ids: tuple[str, ...]


@lru_cache(maxsize=256)
def compiled(version: ByDigest, on: date | None, columns: Columns, text: bool) -> Program:
    """The statement for a table with these columns."""
    return _compile(version.version, on, columns, text)


class ByDigest:
    """A version as a key of the cache: equal if its digest is."""

    __slots__ = ("version",)

    def __init__(self, version: Version) -> None:
        self.version = version

    def __hash__(self) -> int:
        return hash(self.version.digest)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ByDigest) and other.version.digest == self.version.digest


def program(version: Version, on: date | None, columns: Columns, text: bool = False) -> Program:
    """The compiled statement; the date counts only where the version asks for it."""
    return compiled(ByDigest(version), on if version.dated else None, columns, text)


def _compile(version: Version, on: date | None, columns: Columns, text: bool) -> Program:
    types = dict(columns)
    ids = given([name for name, _ in columns], dict(version.facts), dict(version.outcomes))
    raw = [f"{quoted(name)} AS i_{place}" for place, name in enumerate(ids)]
    raw += [f"{quoted(name)} AS r_{name}" for name in version.facts]
    query = f"SELECT {', '.join(raw)} FROM {SOURCE}"
    read = {name: reading(fact, f"r_{name}", types[name], text) for name, fact in version.facts.items()}
    below = [f"{first} AS u_{name}" for name, (first, _) in read.items() if first]
    if below:
        query = f"SELECT *, {', '.join(below)} FROM ({query})"
    carried = [f"i_{place}" for place in range(len(ids))] + [f"r_{name}" for name in version.facts]
    query = f"SELECT {', '.join(carried + [f'{sql} AS f_{name}' for name, (_, sql) in read.items()])} FROM ({query})"
    wrong = [
        (f"r_{name} IS NOT NULL AND f_{name} IS NULL", complaint(fact, f"r_{name}", types[name]))
        for name, fact in version.facts.items()
    ]
    facts_only = f"SELECT {', '.join(f'f_{name}' for name in version.facts)} FROM ({query})"
    layers = Layers(version, on)
    for layer in layers.columns:
        query = f"SELECT *, {', '.join(f'{sql} AS {alias}' for alias, sql in layer.items())} FROM ({query})"
    wrong += [(condition, literal(what)) for condition, what in layers.broken]
    each = ", ".join(f"CASE WHEN {condition} THEN {what} END" for condition, what in wrong)
    some = " OR ".join(f"({condition})" for condition, _ in wrong)
    query = f"SELECT *, CASE WHEN {some} THEN concat_ws('; ', {each}) END AS problem FROM ({query})"
    out = [f"i_{place} AS {quoted(name)}" for place, name in enumerate(ids)]
    for name, outcome in version.outcomes.items():
        out.append(f"CASE WHEN problem IS NULL THEN {shown(outcome.kind, f'o_{name}')} END AS {name}")
    query = f"SELECT {', '.join(out)}, problem AS {PROBLEM} FROM ({query})"
    return Program(query, facts_only, tuple(ids))


def strict_sql(version: Version, schema: Any, on: date | None, dialect: str) -> str:
    """The statement for a table with an Arrow schema, in the words of an engine. RuleError as `Pack.sql` says."""
    sql = program(version, on, described(connection(), schema)).decide
    if dialect == "duckdb":
        return sql
    if dialect != "spark":
        raise RuleError(f"there is no dialect “{dialect}”", where=dialect, mend="known: duckdb, spark")
    spark.able(version, schema)
    return spark.spark(sql)


def sql_type(kind: Kind) -> str:
    """SQL type of a value as the outside knows it."""
    if kind.name == "number":
        size = max(abs(kind.low), abs(kind.high))
        if kind.scale:
            return f"DECIMAL({18 if size < 10**18 else 38},{kind.scale})"
        return "BIGINT" if size < 2**62 else "HUGEINT"
    return {"boolean": "BOOLEAN", "enum": "VARCHAR", "date": "DATE"}[kind.name]


def shown(kind: Kind, column: str) -> str:
    """SQL from internal units to the value as the outside knows it."""
    if kind.name == "number" and kind.scale:
        size = max(abs(kind.low), abs(kind.high))
        width = 18 if size < 10**18 else min(len(str(size)), 38 - kind.scale - 1)
        one = f"CAST('{10**-kind.scale:.{kind.scale}f}' AS DECIMAL({kind.scale + 1},{kind.scale}))"
        return f"CAST(CAST({column} AS DECIMAL({width},0)) * {one} AS {sql_type(kind)})"
    return f"CAST({column} AS {sql_type(kind)})"


def described(con: duckdb.DuckDBPyConnection, schema: Any) -> Columns:
    """Names and SQL types of an Arrow schema, as DuckDB will see them."""
    empty = schema.empty_table()
    con.register("hucheng_schema", empty)
    try:
        relation = con.sql("SELECT * FROM hucheng_schema")
        return tuple(zip(schema.names, map(str, relation.types), strict=True))
    finally:
        con.unregister("hucheng_schema")


def run(con: duckdb.DuckDBPyConnection, sql: str, table: Any) -> Any:
    """The statement over an Arrow table; gives an Arrow table in the same order."""
    con.register(SOURCE, table)
    try:
        return con.sql(sql).to_arrow_table()
    finally:
        con.unregister(SOURCE)


def names(columns: Sequence[tuple[str, str]]) -> list[str]:
    """Just the names."""
    return [name for name, _ in columns]
