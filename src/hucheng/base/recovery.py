"""How a partition finds out, after any stop, where it is and what it still has to do."""

from __future__ import annotations

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from hucheng.base import quarantine
from hucheng.base.current import Current, Offset, prefix_of
from hucheng.base.devices import DeviceRegister, Metrics
from hucheng.base.lake import Lake, Table
from hucheng.base.partition import partition_of
from hucheng.base.readings import READINGS

log = logging.getLogger(__name__)


@dataclass
class Reopened:
    """What a partition goes on with: reading starts behind ``offset.seq``; of each table, everything up to
    ``settled`` is written already, and readings up to ``offset.counted`` are counted already."""

    current: Current
    offset: Offset
    tables: dict[str, Table]
    settled: dict[str, int]


def offset_key(partition: int) -> str:
    """Under which name a commit to the lake carries the offset of its partition."""
    return f"hucheng.offset.{partition}"


def reopen(
    home: Path, lake: Lake, partition: int, partitions: int, metrics: Metrics, register: DeviceRegister
) -> Reopened:
    """Open every table and current values, and bring current values up to the lake."""
    app = f"intake-{partition}"
    tables = {quarantine.NAME: lake.writer(quarantine.NAME, quarantine.SCHEMA, app)}
    for dataset in metrics.datasets:
        tables[dataset] = lake.writer(dataset, READINGS, app)
    settled = {name: table.offset() for name, table in tables.items()}
    newest = Offset()
    for name, table in tables.items():
        if settled[name] and (text := table.carried(offset_key(partition))):
            found = msgspec.json.decode(text, type=Offset)
            newest = found if found.counted > newest.counted else newest
    path = home / "current" / f"p{partition}"
    hot = dict(zip(metrics.datasets, metrics.hot_us.tolist(), strict=True))
    current = Current(path)
    offset = current.offset()
    if offset is not None and any(kept < hot.get(name, 0) for name, kept in current.hot().items()):
        log.warning("current values reach less far back than the contracts now say: built anew from the lake")
        current.close()
        shutil.rmtree(path)
        current, offset = Current(path), None
    for number, dataset in enumerate(metrics.datasets):
        since = newest.received_us - int(metrics.hot_us[number])
        after = None if offset is None else offset.seq
        if settled[dataset] > (after or 0):
            _fill(current, lake, dataset, since, after, partition, partitions, register)
    if offset is None:
        offset = msgspec.structs.replace(newest, seq=0)
    elif newest.counted > offset.counted:
        offset = msgspec.structs.replace(newest, seq=offset.seq)
    current.write(offset)
    current.set_hot(hot)
    return Reopened(current, offset, tables, settled)


def _fill(
    current: Current,
    lake: Lake,
    dataset: str,
    since_us: int,
    after: int | None,
    partition: int,
    partitions: int,
    register: DeviceRegister,
) -> None:
    """Put this partition's readings from the lake into current values: those after an offset, or all that are hot."""
    owner = {row.device_id: partition_of(row.gateway_id, partitions) for row in register.rows()}
    for batch in lake.newest(dataset, since_us, after):
        device, metric = batch.column("device_id").to_pylist(), batch.column("metric").to_pylist()
        mine = [i for i, name in enumerate(device) if owner.get(name, partition) == partition]
        part = batch.take(pa.array(mine, pa.int64()))
        current.write(
            None,
            [prefix_of(device[i], metric[i]) for i in mine],
            part.column("observed_at").cast(pa.int64()).to_numpy(),
            part.column("value").to_numpy(),
            part.column("received_at").cast(pa.int64()).to_numpy(),
            part.column("seq").to_numpy(),
            np.array(part.column("simulated").to_pylist(), bool),
            current.people(part.column("resident_id").to_pylist()),
        )
