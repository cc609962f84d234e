"""A contract's row condition and coarsening, on rows or written as SQL; what cannot be applied stops the read."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Any

import duckdb
import pyarrow as pa
import sqlglot
from sqlglot import exp

from hucheng.base.contracts import Contract, Use
from hucheng.base.expressions import checked
from hucheng.base.lake import connection
from hucheng.errors import ContractError, HuchengError, Refused
from hucheng.gate.columns import Columns
from hucheng.gate.stores import Rows

_ARROW: dict[str, pa.DataType] = {
    "string": pa.string(),
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
    "time": pa.time64("us"),
    "array": pa.list_(pa.string()),
}
SQL_TYPES: dict[str, str] = {
    "string": "VARCHAR",
    "integer": "BIGINT",
    "number": "DOUBLE",
    "boolean": "BOOLEAN",
    "date": "DATE",
    "timestamp": "TIMESTAMP WITH TIME ZONE",
    "time": "TIME",
    "array": "VARCHAR[]",
}
_local = threading.local()


def quoted(name: str) -> str:
    """A name as a SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def use_of(contract: Contract, purpose: str) -> Use:
    """What the contract grants a purpose. Raises Refused when it grants nothing."""
    use = contract.uses.get(purpose)
    if use is None:
        raise Refused(
            f"{contract.id} is not for {purpose}",
            where=contract.id,
            policy="contract.use",
            needed=f"a use for {purpose} in the contract of {contract.id}, published by {contract.owner}",
        )
    return use


def control(contract: Contract, use: Use) -> None:
    """Check that condition and coarsening can be applied. Raises Refused when not: nothing is handed out then."""
    texts = tuple(text for text in (use.where, *use.coarsen.values()) if text is not None)
    problem = _problem(contract.field_names, use.fields, texts)
    if problem is not None:
        raise stopped(contract, HuchengError(problem))


@lru_cache(maxsize=4096)
def _problem(names: tuple[str, ...], wanted: tuple[str, ...], texts: tuple[str, ...]) -> str | None:
    """What keeps a use from being applied; None where nothing does."""
    for name in wanted:
        if name not in names:
            return f"no field {name!r}"
    for text in texts:
        try:
            checked(text, names, where="use")
        except ContractError as error:
            return error.what
    return None


def stopped(contract: Contract, error: Exception) -> Refused:
    """The refusal for a control that cannot be applied."""
    return Refused(
        f"a control cannot be applied: {getattr(error, 'what', error)}",
        where=contract.id,
        mend="mend the contract",
        policy="control.applies",
        needed="a row condition and a coarsening that can be applied",
    )


def columns(contract: Contract, use: Use) -> list[str]:
    """The SQL of each permitted field, coarsened where the use says so, under its own name and type."""
    found = []
    for name in use.fields:
        coarse = use.coarsen.get(name)
        kind = SQL_TYPES.get(contract.field(name).type)
        if coarse is None:
            found.append(quoted(name))
        elif kind in ("DATE", "TIMESTAMP WITH TIME ZONE"):
            found.append(f"CAST({coarse} AS {kind}) AS {quoted(name)}")
        else:
            found.append(f"({coarse}) AS {quoted(name)}")
    return found


def named_in(use: Use, contract: Contract) -> set[str]:
    """Fields that a use's fields, condition and coarsening need."""
    texts = [text for text in (use.where, *use.coarsen.values()) if text]
    inside = {c.name for text in texts for c in sqlglot.parse_one(text, dialect="duckdb").find_all(exp.Column)}
    return (inside | set(use.fields)) & set(contract.field_names)


def shape(contract: Contract, use: Use, rows: Rows) -> Rows:
    """The rows that meet the condition; for most uses, all."""
    if use.where is None or not rows:
        return rows
    table = _table(contract, rows, named_in(use, contract))
    kept = _answer(contract, table, f"SELECT row_number_ FROM shaped_rows WHERE {use.where} ORDER BY 1")
    places = [int(place) for (place,) in kept]
    return rows.take(places) if isinstance(rows, Columns) else [rows[place] for place in places]


def hand_out(contract: Contract, use: Use, rows: Rows) -> list[dict[str, Any]]:
    """The permitted fields of each row, coarsened. What a store gave may be changed in place."""
    if not rows:
        return []
    coarse = [name for name in use.fields if name in use.coarsen]
    coarsened: Sequence[tuple[Any, ...]] = ()
    if coarse:
        table = _table(contract, rows, named_in(use, contract))
        picked = [sql for name, sql in zip(use.fields, columns(contract, use), strict=True) if name in use.coarsen]
        coarsened = _answer(contract, table, f"SELECT {', '.join(picked)} FROM shaped_rows ORDER BY row_number_")
    if isinstance(rows, Columns):
        out = rows.rows(use.fields)
    elif coarse:
        out = [{name: row.get(name) for name in use.fields} for row in rows]
    else:
        out = _permitted(use.fields, rows)
    if coarse:
        for row, values in zip(out, coarsened, strict=True):
            row.update(zip(coarse, values, strict=True))
    return out


def _permitted(fields: Sequence[str], rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same rows with these fields and no others; what all of them have beyond goes at once."""
    permitted = set(fields)
    beyond = tuple(rows[0].keys() - permitted)
    for row in rows:
        for name in beyond:
            row.pop(name, None)
        if row.keys() != permitted:
            for name in row.keys() - permitted:
                del row[name]
            row.update(dict.fromkeys(permitted - row.keys()))
    return rows


def _answer(contract: Contract, table: pa.Table, sql: str) -> list[tuple[Any, ...]]:
    """What a control's SQL says of ``shaped_rows``. Raises Refused where it cannot be applied."""
    try:
        db = _db()
        db.register("shaped_rows", table)
        return db.execute(sql).fetchall()
    except (duckdb.Error, pa.ArrowException) as error:
        raise stopped(contract, error) from error


def _table(contract: Contract, rows: Rows, names: Collection[str]) -> pa.Table:
    arrays: dict[str, pa.Array] = {"row_number_": pa.array(range(len(rows)), pa.int64())}
    for name in sorted(names):
        kind = _ARROW.get(contract.field(name).type)
        if kind is not None:
            try:
                if isinstance(rows, Columns):
                    arrays[name] = rows.arrow(name, kind)
                else:
                    arrays[name] = pa.array([row.get(name) for row in rows], kind)
            except pa.ArrowException as error:
                raise stopped(contract, error) from error
    return pa.table(arrays)


def _db() -> duckdb.DuckDBPyConnection:
    found: duckdb.DuckDBPyConnection | None = getattr(_local, "db", None)
    if found is None:
        found = _local.db = connection()
    return found
