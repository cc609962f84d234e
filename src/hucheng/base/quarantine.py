"""Readings that broke their contract: kept whole with the reason, and published again once the cause is mended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Struct

from hucheng.base.erasing import Erasure, older, quoted
from hucheng.base.lake import Lake

NAME = "_quarantine"
SCHEMA = pa.schema(
    [
        ("received_at", pa.timestamp("us", "UTC")),
        ("seq", pa.int64()),
        ("row", pa.int32()),
        ("partition", pa.int32()),
        ("gateway", pa.string()),
        ("device_id", pa.string()),
        ("reason", pa.string()),
        ("detail", pa.string()),
        ("raw", pa.string()),
        ("run", pa.string()),
    ]
)


KEEP = timedelta(days=90)
"""How long a reading stays in quarantine: time enough to mend the cause and send it again."""
STRUCK = '"erased"'


class Held(Struct, frozen=True):
    """One reading in quarantine. ``raw`` is the message it came in, or a message of its own; ``received_us`` µs UTC."""

    received_us: int
    seq: int
    row: int
    partition: int
    gateway: str
    device_id: str | None
    reason: str
    detail: str
    raw: str
    run: str | None = None


class Waiting(Struct, frozen=True):
    """One reading in quarantine, to be published again; ``name`` is its own, so that a broker stores it once."""

    partition: int
    seq: int
    row: int
    gateway: str
    raw: str

    @property
    def name(self) -> str:
        """The same whenever it is sent."""
        return f"requeue-{self.partition}-{self.seq}-{self.row}"


def as_table(held: Sequence[Held]) -> pa.Table:
    """Rows for the quarantine's table."""
    columns: dict[str, Any] = {name: [getattr(h, name) for h in held] for name in SCHEMA.names if name != "received_at"}
    stamps = pa.array([h.received_us for h in held], pa.int64()).cast(pa.timestamp("us", "UTC"))
    return pa.table({"received_at": stamps, **columns}, schema=SCHEMA)


def erasing(order: Erasure, upto: int) -> list[tuple[str, dict[str, str]]]:
    """What takes a person out of the table, up to a sequence: (condition, changes), see `Table.erase`.

    Readings of the person's devices go. Other messages (whole batches that could not be read, readings of other
    devices that name the person) stay, with what names the person struck out.
    """
    before = f"seq <= {upto}"
    steps: list[tuple[str, dict[str, str]]] = []
    for device, until in order.devices.items():
        theirs = "" if until is None else f" AND {older('received_at', datetime.fromtimestamp(until / 1e6, UTC))}"
        steps.append((f"{before} AND device_id = {quoted(device)}{theirs}", {}))
    for name in (order.person, *(device for device, until in order.devices.items() if until is None)):
        word = quoted(msgspec.json.encode(name).decode())
        steps.append((f"{before} AND strpos(raw, {word}) > 0", {"raw": f"replace(raw, {word}, '{STRUCK}')"}))
    return steps


class Quarantine:
    """The readers' side of the table ``lake/_quarantine``."""

    def __init__(self, root: Path) -> None:
        self._lake = Lake(root)

    def counts(self) -> dict[str, int]:
        """How many readings there are for each reason."""
        rows = self._lake.read(NAME, "reason, count(*) AS n", "GROUP BY reason ORDER BY reason")
        return {row["reason"]: row["n"] for row in rows.to_pylist()}

    def rows(
        self, reason: str | None = None, *, device: str | None = None, since: datetime | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """The newest readings in quarantine."""
        where, values = ["true"], []
        for column, sign, value in (("reason", "=", reason), ("device_id", "=", device), ("received_at", ">=", since)):
            if value is not None:
                where.append(f"{column} {sign} ?")
                values.append(value)
        rows = self._lake.read(
            NAME, "*", f"WHERE {' AND '.join(where)} ORDER BY received_at DESC, seq DESC LIMIT {int(limit)}", values
        )
        found: list[dict[str, Any]] = rows.to_pylist()
        return found

    def waiting(self, reason: str, *, device: str | None = None) -> list[Waiting]:
        """Everything set aside for a reason, oldest first, fit to be published again."""
        more, values = ("AND device_id = ?", [device]) if device else ("", [])
        rows = self._lake.read(
            NAME,
            "partition, seq, row, gateway, raw",
            f"WHERE reason = ? {more} ORDER BY partition, seq, row",
            [reason, *values],
        )
        return [Waiting(**row) for row in rows.to_pylist()]

    def take(self, reason: str, sent: Sequence[Waiting], *, device: str | None = None) -> int:
        """Take out what is in the stream again; gives how many rows.

        ``sent``: all that `waiting` gave of their messages, for the same device. Raises LakeError: try again.
        """
        theirs = f" AND device_id = {quoted(device)}" if device else ""
        gone = 0
        for partition in {one.partition for one in sent}:
            places = ", ".join(sorted({str(one.seq) for one in sent if one.partition == partition}))
            where = f"reason = {quoted(reason)} AND partition = {partition} AND seq IN ({places}){theirs}"
            gone += self._lake.take_out(NAME, where)
        return gone
