"""The SQL that a contract may hold: a row condition or a coarsening over the contract's own fields, nothing else.

A whitelist of syntax nodes (sqlglot, DuckDB dialect): what is not listed is refused when the contract is loaded, so
that no contract can reach a second table, a file or a function with effects.
"""

from __future__ import annotations

from collections.abc import Collection

import sqlglot
from sqlglot import exp

from hucheng.errors import ContractError

ALLOWED: tuple[type[exp.Expression], ...] = (
    exp.Column, exp.Identifier, exp.Literal, exp.Boolean, exp.Null, exp.Paren, exp.Neg,
    exp.And, exp.Or, exp.Not, exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between, exp.Is,
    exp.Add, exp.Sub, exp.Mul, exp.Case, exp.If, exp.Cast, exp.DataType, exp.Coalesce, exp.Least, exp.Greatest,
    exp.Left, exp.Right, exp.Substring, exp.Upper, exp.Lower, exp.Concat, exp.DPipe,
    exp.Floor, exp.Round, exp.Year, exp.Month, exp.DateTrunc, exp.TimestampTrunc, exp.Interval, exp.Var,
)  # fmt: skip


def checked(text: str, fields: Collection[str], *, where: str) -> str:
    """The expression unchanged, if every part of it is allowed and it names only ``fields``.

    Raises ContractError naming the part that is not allowed.
    """
    try:
        tree = sqlglot.parse_one(text, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise ContractError(
            f"{text!r} is not an expression",
            where=where,
            mend="write one SQL expression over the contract's fields",
        ) from error
    for node in tree.walk():
        if isinstance(node, exp.Column):
            if node.table:
                raise ContractError(f"{node.sql()!r} names a table", where=where, mend="name the field alone")
            if node.name not in fields:
                raise ContractError(
                    f"field {node.name!r} is not in this contract",
                    where=where,
                    mend="known: " + ", ".join(fields),
                )
        elif not isinstance(node, ALLOWED):
            raise ContractError(
                f"{node.sql(dialect='duckdb')!r} ({type(node).__name__}) is not allowed here",
                where=where,
                mend="comparisons, AND OR NOT, IN, BETWEEN, CASE, + - *, CAST, date_trunc, left, round and their like",
            )
    return text
