"""Facts of the pack ``cold-home``: the room's temperature, whether it is winter, and when the resident was born."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

WINTER = (11, 12, 1, 2, 3)


@dataclass
class Last:
    """When each sensor last spoke; an older reading that comes late says nothing about now."""

    at: dict[str, datetime] = field(default_factory=dict)


def rooms_now(batch: pa.Table, state: Last, registers: Mapping[str, pa.Table], now: datetime) -> pa.Table:
    """One row a reading that is the newest of its sensor so far."""
    residents = registers["city.residents"]
    born = dict(zip(residents["resident_id"].to_pylist(), residents["born"].to_pylist(), strict=True))
    rows = []
    for row in batch.filter(pc.equal(batch["metric"], "room_temperature")).to_pylist():
        device, at = row["device_id"], row["observed_at"]
        if device in state.at and at <= state.at[device]:
            continue
        state.at[device] = at
        rows.append(
            {
                "resident_id": row["resident_id"],
                "device_id": device,
                "observed_at": at,
                "temperature": row["value"],
                "winter": at.astimezone(now.tzinfo).month in WINTER,
                "born": born.get(row["resident_id"]),
            }
        )
    return pa.Table.from_pylist(rows, schema=FACTS)


FACTS = pa.schema(
    [
        ("resident_id", pa.string()),
        ("device_id", pa.string()),
        ("observed_at", pa.timestamp("us", tz="UTC")),
        ("temperature", pa.float64()),
        ("winter", pa.bool_()),
        ("born", pa.date32()),
    ]
)
