"""A second look across restarts: what waits is in the offset of its own round, and is read again from the lake."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from hucheng.base.keeping import Keeper
from hucheng.base.lake import Lake
from hucheng.base.waiting import Waiting, of_partition, read_again
from hucheng.node.intake.detection import Detection
from hucheng.node.intake.later import LONGEST, Kept, Later


class Recalling:
    """``left``: what is written down from before the start and is not in a detector's hands again yet."""

    def __init__(self, keeper: Keeper, detection: Detection, partitions: int) -> None:
        self._keeper, self._detection, self._partitions = keeper, detection, partitions
        # What was not committed in its own dataset comes again from the stream, and is looked at then.
        self.left = [one for one in keeper.offset.waiting if one.first <= keeper.settled.get(one.dataset, 0)]

    def write_down(self) -> None:
        """Into the offset that the next round carries. Call it before a round is closed."""
        waiting = [one for watch in self._detection.watches for one in watch.later.written]
        if waiting or self.left or self._keeper.offset.waiting:
            self._keeper.offset.waiting = [*self.left, *waiting]

    async def once(self, now: datetime) -> None:
        """Give detectors what waits for them, read beside the loop. Raises LakeError: then it is tried again.

        What waits for a detector that does not run now is kept for it as long as anything waits.
        """
        watches = {watch.detector.name: watch for watch in self._detection.watches}
        for one in list(self.left):
            at = datetime.fromtimestamp(one.now_us / 1e6, UTC)
            watch = watches.get(one.detector)
            if now - at > LONGEST:
                self._drop(one)
            elif watch is not None:
                freshness = self._freshness_us(one.dataset)
                table = await asyncio.to_thread(read_again, Lake(self._keeper.lake.root), one, freshness)
                table = of_partition(table, self._keeper.devices, self._keeper.partition, self._partitions)
                self.left.remove(one)
                if one.last <= self._keeper.settled[one.dataset]:
                    watch.later.lost(one.rows - table.num_rows)
                if table.num_rows:
                    self._detection.recall(watch, Kept("readings", table, at, one, alone=True))

    def _freshness_us(self, dataset: str) -> int:
        metrics = self._keeper.metrics
        return int(metrics.freshness_us[metrics.datasets.index(dataset)])

    def _drop(self, one: Waiting) -> None:
        self.left.remove(one)
        watch = next((w for w in self._detection.watches if w.detector.name == one.detector), None)
        (watch.later if watch is not None else Later(one.detector)).lost(one.rows)
