"""Readings that are committed and that a detector could not look at to the end: which they are, and to read them again.

Written down in the offset of their own round (`hucheng.base.current.Offset`), so that a restart finds both or neither.
It names messages of the stream, never people.
"""

from __future__ import annotations

import pyarrow as pa
from msgspec import Struct

from hucheng.base.devices import Devices
from hucheng.base.lake import Lake
from hucheng.base.partition import partition_of
from hucheng.base.readings import READINGS


class Waiting(Struct, frozen=True):
    """Readings of one dataset from one sequence of the stream to another, both included.

    ``rows``: how many there were to be looked at; ``now_us``: the time of the look (µs since 1970, UTC).
    """

    detector: str
    dataset: str
    first: int
    last: int
    rows: int
    now_us: int


def read_again(lake: Lake, waiting: Waiting, freshness_us: int) -> pa.Table:
    """What waits, from the lake, as `READINGS`: those that were fresh when they came.

    What a live replay let in beside them is not told apart any more, and other partitions' readings may be among them
    (`of_partition`).
    """
    where = "WHERE seq BETWEEN ? AND ? AND epoch_us(received_at) - epoch_us(observed_at) <= ? ORDER BY seq"
    values = [waiting.first, waiting.last, freshness_us]
    found = lake.read(waiting.dataset, ", ".join(READINGS.names), where, values)
    return found.cast(READINGS) if found.num_columns else READINGS.empty_table()


def of_partition(table: pa.Table, devices: Devices, partition: int, partitions: int) -> pa.Table:
    """Of readings those of one partition: each counts its own stream. Devices out of service are everybody's."""
    if partitions == 1:
        return table
    numbers = devices.index.of(table.column("device_id").to_pylist()).tolist()
    rows = devices.rows
    ours = [n < 0 or partition_of(rows[n].gateway_id, partitions) == partition for n in numbers]
    return table.filter(pa.array(ours, pa.bool_()))
