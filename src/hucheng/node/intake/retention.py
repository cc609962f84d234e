"""What is kept no longer than its contract says: readings past their retention go, and quarantine past its own.

Done by one intake only, beside its commits: a deletion that meets a commit is tried again. A day longer than the
contract says is kept, so that a reading that comes again is past its retention by any broker's clock by then, and is
refused as ``too_old`` instead of being stored as if it were new.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from nats.aio.client import Client

from hucheng.base import quarantine, stream
from hucheng.base.contracts import Contract
from hucheng.base.lake import Lake
from hucheng.errors import HuchengError
from hucheng.gate.entries import to_stream
from hucheng.node.home.people import SERVICE
from hucheng.node.retaining import EVERY_S, FIRST_S, SafeTime, expired

log = logging.getLogger(__name__)
SWEEP_S = 3_600.0
MARGIN = timedelta(days=1)


class Retention:
    """Looks once a day. ``clock`` is the machine's, ``heard`` the broker's time of the newest message taken."""

    def __init__(
        self,
        home: Path,
        contracts: Sequence[Contract],
        clock: Callable[[], datetime],
        heard: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lake = Lake(home / "lake")
        self._contracts = contracts
        self._clock, self._monotonic = clock, monotonic
        self._time = SafeTime(clock, monotonic, heard=heard)

    def once(self) -> dict[str, int]:
        """Delete what is past its time; how many rows of each dataset went. One that cannot be reached waits."""
        now = self._time.now()
        if now is None:
            return {}
        limits = {c.id: ("observed_at", now - c.retention - MARGIN) for c in self._contracts}
        limits[quarantine.NAME] = ("received_at", now - quarantine.KEEP - MARGIN)
        gone: dict[str, int] = {}
        for name, (column, before) in limits.items():
            try:
                if count := self._lake.expire(name, column, before):
                    gone[name] = count
                    fields = {"dataset": name, "readings": count, "before": before.isoformat()}
                    log.info("kept no longer", extra={"fields": fields})
            except HuchengError as error:
                log.warning("kept longer than allowed", extra={"fields": {"dataset": name, "why": error.what[:200]}})
        return gone

    def sweep(self) -> None:
        """Drop the files of what went an hour ago, and what a kill left behind; of registers' old copies too."""
        for name in (*self._lake.datasets(), quarantine.NAME):
            try:
                self._lake.sweep(name)
            except HuchengError as error:
                log.warning("not swept", extra={"fields": {"dataset": name, "why": error.what[:200]}})

    async def run(self, client: Client) -> None:
        """Until cancelled. What went is an entry of the journal."""
        await asyncio.sleep(FIRST_S)
        looked = -EVERY_S
        while True:
            try:
                await asyncio.to_thread(self.sweep)
                if self._monotonic() - looked >= EVERY_S:
                    looked = self._monotonic()
                    for name, count in (await asyncio.to_thread(self.once)).items():
                        await self._tell(client, name, count)
            except Exception as error:  # whatever it is, the readings go on, and it is tried again
                log.warning("retention waits", extra={"fields": {"error": f"{type(error).__name__}: {error}"[:200]}})
            await asyncio.sleep(SWEEP_S)

    async def _tell(self, client: Client, dataset: str, count: int) -> None:
        named = dataset if dataset != quarantine.NAME else None
        entry = expired(self._clock(), SERVICE, "readings.expire", named, {"readings": count})
        for number, message in enumerate(to_stream(entry)):
            name = f"expire.{dataset}.{entry.at.timestamp()}.{number}"
            await stream.publish(client, "standing.retention", message, name)
