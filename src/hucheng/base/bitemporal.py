"""The table of bitemporal rows, and the arithmetic of their two intervals (half open; None is without end)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    Select,
    Table,
    Text,
    and_,
    or_,
    select,
)

from hucheng.base.ledger import Instant, Json, metadata

register = Table(
    "register",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("dataset", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("resident_id", Text, nullable=True),
    Column("valid_from", Instant, nullable=False),
    Column("valid_to", Instant, nullable=True),
    Column("known_from", Instant, nullable=False),
    Column("known_to", Instant, nullable=True),
    Column("data", Json, nullable=False),
    Column("sealed", LargeBinary, nullable=True),
    Index("ix_register_key", "dataset", "key", "known_to"),
    Index("ix_register_person", "resident_id", "dataset"),
)

register_version = Table(
    "register_version",
    metadata,
    Column("dataset", Text, primary_key=True),
    Column("version", BigInteger, nullable=False),
    Column("known_at", Instant, nullable=False, comment="the newest known_from: time here never runs backwards"),
)


def joined(key: str | Sequence[str]) -> str:
    """A key of several fields as one text."""
    return key if isinstance(key, str) else "\x1f".join(key)


def utc(moment: datetime) -> datetime:
    """The moment in UTC; ValueError when it is naive."""
    if moment.tzinfo is None:
        raise ValueError(f"{moment!r} has no time zone")
    return moment.astimezone(UTC)


def as_known(dataset: str) -> Select[Any]:
    """Rows of a register as we know them now."""
    return select(register).where(register.c.dataset == dataset, register.c.known_to.is_(None))


def holding(at: datetime) -> ColumnElement[bool]:
    """Whether a row holds at a moment, in SQL."""
    return and_(register.c.valid_from <= at, or_(register.c.valid_to.is_(None), register.c.valid_to > at))


def over(before: datetime, of: Any = register) -> ColumnElement[bool]:
    """Whether a row ceased to hold, or to be what we know, at a moment or before, in SQL. ``of``: the table."""
    return or_(of.c.valid_to <= before, of.c.known_to <= before)


def holds(row: Any, at: datetime) -> bool:
    """Whether a row holds at a moment."""
    return bool(row.valid_from <= at and (row.valid_to is None or row.valid_to > at))


def covers(row: Any, start: datetime, end: datetime | None) -> bool:
    """Whether a row holds during the whole of an interval."""
    return bool(row.valid_from <= start and (row.valid_to is None or (end is not None and row.valid_to >= end)))


def rests(row: Any, start: datetime, end: datetime | None, now: datetime) -> list[dict[str, Any]]:
    """What is left of a row on both sides of an interval, as new rows known from ``now``."""
    base = {
        "dataset": row.dataset,
        "key": row.key,
        "resident_id": row.resident_id,
        "known_from": now,
        "known_to": None,
        "data": row.data,
        "sealed": row.sealed,
    }
    left = []
    if row.valid_from < start:
        left.append(base | {"valid_from": row.valid_from, "valid_to": start})
    if end is not None and (row.valid_to is None or row.valid_to > end):
        left.append(base | {"valid_from": end, "valid_to": row.valid_to})
    return left


def equal(name: str, kind: str, value: Any) -> ColumnElement[bool]:
    """Whether a field equals a value, in SQL; a list means one of them. ``kind`` is the contract's type."""
    cell: Any = register.c.data[name]
    found: ColumnElement[bool]
    if value is None:
        found = cell.as_string().is_(None)
        return found
    many = _several(value)
    if kind == "boolean":
        found = cell.as_boolean().in_([bool(v) for v in many])
    elif kind in ("integer", "number"):
        found = cell.as_float().in_([float(v) for v in many])
    else:
        found = cell.as_string().in_(texts(value))
    return found


def texts(value: Any) -> list[str]:
    """A searched value, or each of several, as text."""
    return [v if isinstance(v, str) else _text(v) for v in _several(value)]


def _several(value: Any) -> list[Any]:
    return list(value) if isinstance(value, (list, tuple, set, frozenset)) else [value]


def _text(value: Any) -> str:
    if isinstance(value, (date, datetime)):
        return str(msgspec.to_builtins(value))
    return str(value)
