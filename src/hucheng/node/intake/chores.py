"""What an intake does beside its readings: say how it is, drop what is old, and mind the disk and the broker."""

from __future__ import annotations

import asyncio
import logging
import shutil
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from hucheng.base import broker, stream
from hucheng.base.tidying import command
from hucheng.errors import HuchengError

if TYPE_CHECKING:
    from hucheng.node.intake.process import Intake

log = logging.getLogger(__name__)
STATUS_S, CHORES_S, PROBE_S, TRIM_LAG_S = 1.0, 5.0, 10.0, 120.0


class Chores:
    """The tasks beside one intake's loop."""

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._braked: bool | None = None  # not known: an intake before this one may have left the brake on
        self._stream_full = False
        self._last_trim = time.monotonic()

    async def report(self, client: Client) -> None:
        """Say how it is, each second; and at once when a replay's counts changed."""
        told_runs: dict[str, Any] = {}
        last = 0.0
        while True:
            runs = {name: msgspec.structs.asdict(counts) for name, counts in self.intake.keeper.committed.runs.items()}
            if time.monotonic() - last >= STATUS_S or runs != told_runs:
                last, told_runs = time.monotonic(), runs
                try:
                    body = msgspec.json.encode(msgspec.structs.replace(self.intake.status(), runs=runs))
                    if client.is_connected:
                        await client.publish(f"status.intake.{self.intake.partition}", body)
                except (NatsError, OSError):
                    pass
            await asyncio.sleep(0.1)

    async def keep_house(self, client: Client) -> None:
        """Registers, old current values, what may leave the stream, and room on the disk."""
        while True:
            await asyncio.sleep(CHORES_S)
            await self.round(client)

    async def round(self, client: Client) -> None:
        """Each chore once. One that fails holds up no other: it is in the status, and tried again the next time."""
        chores: dict[str, Callable[[], Awaitable[None]]] = {
            "detectors": self._refresh,
            "journal": lambda: self.intake.write_notes(client),
            "devices": self._load_devices,  # a device that was ended is nobody's from now on
            "current": self._sweep,
            "room": lambda: self._mind_the_room(client),
            "second looks": self.intake.recall,
        }
        failed = []
        for name, chore in chores.items():
            try:
                await chore()
            except Exception as error:  # whatever it is, the readings go on
                failed.append(f"{name} ({type(error).__name__}: {error})"[:200])
        if failed:
            self.intake.problems["chores"] = "not done, tried again: " + ", ".join(failed)
            log.warning("a chore waits", extra={"fields": {"error": "; ".join(failed)}})
        else:
            self.intake.problems.pop("chores", None)

    async def _refresh(self) -> None:
        if not await asyncio.to_thread(self.intake.refresh):
            log.warning("other detectors may run now than do: starting anew")
            self.intake.stop()

    async def _load_devices(self) -> None:
        self.intake.keeper.load_devices()

    async def _sweep(self) -> None:
        self.intake.keeper.sweep(CHORES_S / 3600)

    async def _mind_the_room(self, client: Client) -> None:
        state = await stream.stream_state(client)
        if self.intake.partition == 0:
            await self._mind_the_disk(client, state)
        full = int(state["bytes"]) > self.intake.settings.stream_max_gb * 5e8
        self._stream_full = int(state["bytes"]) > self.intake.settings.stream_max_gb * 9e8
        if self._stream_full:
            self.intake.problems["room"] = "the stream is nearly full of readings that are not committed yet"
        else:
            self.intake.problems.pop("room", None)
        if full or time.monotonic() - self._last_trim > 30:
            self._last_trim = time.monotonic()
            await self._trim(client, 0.0 if full else TRIM_LAG_S)

    async def _trim(self, client: Client, lag_s: float) -> None:
        upto = 0
        while self.intake.trimmable and time.monotonic() - self.intake.trimmable[0][0] >= lag_s:
            upto = self.intake.trimmable.popleft()[1]
        if upto > self.intake.keeper.offset.base:
            await stream.trim(client, self.intake.partition, upto - self.intake.keeper.offset.base)

    async def _mind_the_disk(self, client: Client, state: Mapping[str, Any]) -> None:
        """Short of room, have the broker acknowledge nothing more, before it switches its store off altogether."""
        usage = shutil.disk_usage(self.intake.settings.home)
        reserve = min(512 << 20, usage.total // 10)
        if usage.free < reserve and self._braked is not True:
            self._braked = True
            self.intake.problems["disk"] = f"the disk is full ({usage.free >> 20} MiB left): nothing is acknowledged"
            await broker.limit_readings(client, max(1, int(state["bytes"]) // 2))
        elif self._braked is not False and usage.free > reserve + reserve // 4:
            await broker.limit_readings(client, int(self.intake.settings.stream_max_gb * 1e9))
            self._braked = False
            self.intake.problems.pop("disk", None)

    async def mind_the_lake(self) -> None:
        """Have small files joined, by a process of its own that ends with this one."""
        while True:
            await asyncio.sleep(CHORES_S)
            for table in self.intake.keeper.crowded():
                tidying = await asyncio.create_subprocess_exec(
                    *command([table]), stdin=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE
                )
                try:
                    _, told = await tidying.communicate()
                finally:
                    if tidying.returncode is None:
                        tidying.kill()
                if tidying.returncode:
                    fields = {"dataset": table.name, "error": told.decode(errors="replace")[-200:]}
                    log.warning("not tidied, tried again", extra={"fields": fields})

    async def mind_the_broker(self, client: Client) -> None:
        """A broker that stores nothing although there is room is started anew (see `broker.probe`)."""
        settings, problems = self.intake.settings, self.intake.problems
        while True:
            await asyncio.sleep(PROBE_S)
            if self._braked or await asyncio.to_thread(broker.probe, settings):
                problems.pop("broker", None)
                continue
            problems["broker"] = "the broker acknowledges nothing"
            try:
                before = (await stream.stream_state(client))["last_seq"]
                again = await asyncio.to_thread(broker.probe, settings)
                moved = (await stream.stream_state(client))["last_seq"] != before
            except (HuchengError, NatsError, NotFoundError):
                continue  # it is down or starting: that is its supervisor's affair
            if not (again or moved or self._stream_full or self._braked):
                log.error("the broker acknowledges nothing: started anew")
                broker.bounce(settings)
