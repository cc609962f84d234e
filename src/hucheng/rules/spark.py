"""The strict SQL as Apache Spark says it. sqlglot carries the text over; what it does not know about Spark is here.

Spark 4 with ANSI mode on, as it is by default: a number that does not fit stops the query instead of becoming NULL.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from hucheng.errors import RuleError
from hucheng.rules.model import Version
from hucheng.rules.strict import SMALL
from hucheng.rules.tree import Rounded, walk

DIGITS = 38
"""Decimal digits of Spark's widest number."""
_STEPS = {"TO_MONTHS": "ADD_MONTHS", "TO_DAYS": "DATE_ADD"}


def spark(sql: str) -> str:
    """A statement of DuckDB's, in Spark's dialect."""
    try:
        return str(sqlglot.parse_one(sql, dialect="duckdb").transform(_node).sql(dialect="spark", identify=True))
    except RecursionError:
        raise RuleError("the pack is nested too deeply to be written for Spark", mend="split the outcomes") from None


def able(version: Version, schema: pa.Schema) -> None:
    """RuleError for what Spark would not give exactly."""
    for name in version.facts:
        if name in schema.names and pa.types.is_float32(schema.field(name).type):
            raise RuleError(
                f"the column “{name}” is a float of 32 bits, which Spark writes in other digits",
                where=name,
                mend="give it as a decimal or a double",
            )
    for name, outcome in version.outcomes.items():
        kind = outcome.kind
        size = len(str(max(abs(kind.low), abs(kind.high)))) if kind.name == "number" else 0
        # the product that sets the decimal point keeps all places, or six at least
        if kind.scale > 6 and size + kind.scale + 2 > DIGITS:
            raise RuleError(
                f"“{name}” may have {size} digits and {kind.scale} decimal places, more than Spark keeps",
                where=f"{version.file}:{outcome.line}",
                mend="narrow the ranges, or round it",
            )
    trees = [(c.tree, c.line) for c in version.constraints] + [(o.tree, o.line) for o in version.outcomes.values()]
    for tree, line in trees:
        for node in walk(tree):
            if isinstance(node, Rounded) and max(abs(node.kind.low), abs(node.kind.high)) >= SMALL:
                raise RuleError(
                    "a division may give more than 64 bits, which Spark's does not",
                    where=f"{version.file}:{line}",
                    mend="narrow the ranges of what is divided",
                )


def _node(node: Any) -> Any:
    if isinstance(node, exp.DataType) and node.this == exp.DataType.Type.INT128:
        return exp.DataType.build(f"DECIMAL({DIGITS}, 0)", dialect="spark")
    if isinstance(node, exp.Cast) and isinstance(node.this, exp.Add):
        step = node.this.expression
        name = "TO_DAYS" if isinstance(step, exp.ToDays) else str(step.this) if isinstance(step, exp.Anonymous) else ""
        if name.upper() in _STEPS:
            count = step.this if isinstance(step, exp.ToDays) else step.expressions[0]
            parts = [part.transform(_node) for part in (node.this.this, count)]  # a new node's parts are not visited
            return exp.Anonymous(this=_STEPS[name.upper()], expressions=parts)
    return node
