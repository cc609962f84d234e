"""Readings for tests: a table in the canonical schema from a few plain tuples."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pyarrow as pa

START = datetime(2026, 3, 1, 4, 0, tzinfo=UTC)
"""12:00 in Shanghai."""

SCHEMA = pa.schema(
    [
        ("resident_id", pa.string()),
        ("device_id", pa.string()),
        ("metric", pa.string()),
        ("observed_at", pa.timestamp("us", tz="UTC")),
        ("value", pa.float64()),
        ("unit", pa.string()),
        ("received_at", pa.timestamp("us", tz="UTC")),
        ("seq", pa.int64()),
        ("simulated", pa.bool_()),
    ]
)


def at(seconds: float) -> datetime:
    """So many seconds after noon."""
    return START + timedelta(seconds=seconds)


def readings(rows: Iterable[tuple[str, str, float, float]], of: str | None = None) -> pa.Table:
    """A batch from (device, metric, seconds after noon, value); device d measures resident r-d, or the one given."""
    listed = [
        {
            "resident_id": of or f"r-{device}",
            "device_id": device,
            "metric": metric,
            "observed_at": at(second),
            "value": value,
            "unit": "1",
            "received_at": at(second),
            "seq": number,
            "simulated": True,
        }
        for number, (device, metric, second, value) in enumerate(rows)
    ]
    return pa.Table.from_pylist(listed, schema=SCHEMA)
