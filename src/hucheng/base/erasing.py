"""Taking rows out of a Delta table so that no file keeps them: not the data, not an old version, not the log's words.

Statistics of a table are kept on times and sequences only (`tracked`), because the log would repeat the smallest and
largest of every other column in clear. What the log says of a deletion itself (its condition) is struck out.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError
from msgspec import Struct

from hucheng.base.tidying import sole_rewriter
from hucheng.errors import LakeError

ATTEMPTS = 5
TRACKED = ("observed_at", "received_at", "seq")
SPOKEN = ("DELETE", "UPDATE")
"""Operations whose condition the log repeats."""


class Erasure(Struct, frozen=True):
    """Whose readings are to go: every one of the person, and what was set aside from their devices.

    ``devices``: each device the person ever wore, with the time until which it was theirs (µs UTC; None: to this day).
    """

    person: str
    devices: dict[str, int | None]


def tracked(schema: pa.Schema) -> dict[str, str]:
    """The table setting by which the log keeps statistics of times and sequences alone."""
    columns = [name for name in TRACKED if name in schema.names]
    if columns:
        return {"delta.dataSkippingStatsColumns": ",".join(columns)}
    return {"delta.dataSkippingNumIndexedCols": "0"}


def quoted(text: str) -> str:
    """A text as SQL spells it."""
    return "'" + text.replace("'", "''") + "'"


def older(column: str, moment: datetime) -> str:
    """The condition that a time lies before a moment: a text, because other forms do not compare in µs UTC."""
    return f"{column} < {quoted(moment.astimezone(UTC).isoformat(timespec='microseconds'))}"


def take_out(
    table: DeltaTable, path: Path, where: str, changes: Mapping[str, str] | None = None, *, keep_h: int = 0
) -> int:
    """Delete rows (with ``changes``: set columns in them), and the files that held them; gives how many rows.

    Files younger than ``keep_h`` hours stay for those who are reading them. Raises LakeError: try again.
    """
    with sole_rewriter(path):
        for attempt in range(ATTEMPTS):
            try:
                table.update_incremental()
                told = table.update(predicate=where, updates=dict(changes)) if changes else table.delete(where)
                count = int(told.get("num_updated_rows" if changes else "num_deleted_rows") or 0)
                table.vacuum(retention_hours=keep_h, dry_run=False, enforce_retention_duration=False)
                strike_out(path)
                return count
            except CommitFailedError as error:  # somebody else committed meanwhile
                if attempt == ATTEMPTS - 1:
                    raise LakeError(f"not erased: {error}", where=str(path), mend="it is tried again") from error
            except (DeltaError, OSError) as error:
                raise LakeError(f"not erased: {error}", where=str(path), mend="it is tried again") from error
    return 0


def strike_out(path: Path) -> None:
    """Take the conditions of deletions out of the log: they name whoever was erased."""
    for entry in sorted((path / "_delta_log").glob("*.json")):
        with contextlib.suppress(FileNotFoundError):  # joined into a checkpoint meanwhile
            text = entry.read_text(encoding="utf-8")
            if not any(f'"operation":"{name}"' in text for name in SPOKEN):
                continue
            lines = [json.loads(line) for line in text.splitlines() if line]
            spoken = [line["commitInfo"] for line in lines if line.get("commitInfo", {}).get("operation") in SPOKEN]
            if not any(said.get("operationParameters") for said in spoken):
                continue
            for said in spoken:
                said["operationParameters"] = {}
            _replace(entry, "\n".join(json.dumps(line, ensure_ascii=False) for line in lines))


def _replace(entry: Path, text: str) -> None:
    """A file in the place of another, with its time, on the disk before it takes the name."""
    before = entry.stat()
    fresh = entry.with_name(f"_{entry.name}.new")
    with fresh.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    os.utime(fresh, ns=(before.st_atime_ns, before.st_mtime_ns))
    fresh.replace(entry)
