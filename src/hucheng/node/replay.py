"""Plays a readings file through the node's broker, as the operator, and says what became of it."""

from __future__ import annotations

import asyncio
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from nats.aio.msg import Msg

from hucheng.base import broker, stream
from hucheng.base.contracts import Contract
from hucheng.base.credentials import OPERATOR, Credentials
from hucheng.base.current import Counts
from hucheng.base.devices import DeviceRow
from hucheng.base.sources import Batch
from hucheng.base.sources.files import FileSource
from hucheng.base.sources.mqtt import Publisher
from hucheng.errors import Unavailable
from hucheng.settings import Settings

ROWS = 1_000
QUIET_S = 60.0
"""How long nothing may come from the intakes before we give up waiting (the readings are safe in the stream)."""


def replay(
    settings: Settings,
    file: Path,
    contract: Contract,
    devices: Mapping[str, DeviceRow],
    *,
    speed: float | None = None,
    live: bool = False,
    progress: Callable[[int, int], None] = lambda done, all_: None,
) -> Counts:
    """Publish every reading of ``file`` and wait until all are acknowledged and committed.

    ``devices`` says by which gateway each device's readings come; those of an unknown device go by the first gateway
    and end in quarantine. ``speed`` multiplies real time; None: as fast as acknowledged. ``live``: history raises
    findings too.
    Raises BadRequest for the file, StreamError and Unavailable for the node.
    """
    source = FileSource(file)
    source.check(contract)
    total = source.count()
    run = secrets.token_hex(6)
    with Committed(settings, run) as committed:
        where = broker.ports(settings)
        publisher = Publisher(Credentials(broker.folder(settings)).get(OPERATOR), where.mqtt, patience_s=QUIET_S)
        try:
            sent = _send(source, publisher, contract, devices, run, speed, live, lambda n: progress(n, total))
            if not publisher.wait(QUIET_S):
                raise Unavailable("the broker does not acknowledge", mend="see `hucheng status`: is the disk full?")
        finally:
            publisher.close()
        return committed.wait(sent)


def _send(
    source: FileSource,
    publisher: Publisher,
    contract: Contract,
    devices: Mapping[str, DeviceRow],
    run: str,
    speed: float | None,
    live: bool,
    progress: Callable[[int], None],
) -> int:
    """Publish; gives the number of readings."""
    started, first = time.monotonic(), None
    fallback = min((row.gateway_id for row in devices.values()), default="unknown")
    head = {"dataset": contract.id, "replay": "live" if live else "store", "run": run}
    sent = 0
    for batch in source.batches(ROWS):
        times = [at for at in batch.observed_at if isinstance(at, int)]
        if speed is not None and times:
            first = times[0] if first is None else first
            for part in _by_time(batch):
                at = next((t for t in part.observed_at if isinstance(t, int)), times[-1])
                time.sleep(max(0.0, started + (at - first) / 1e6 / speed - time.monotonic()))
                _publish(publisher, part, devices, fallback, head)
        else:
            _publish(publisher, batch, devices, fallback, head)
        sent += len(batch)
        progress(sent)
    return sent


def _by_time(batch: Batch) -> list[Batch]:
    """One part for each second of observation, so that a slow replay does not come in clumps."""
    groups: dict[int, list[int]] = {}
    for i, at in enumerate(batch.observed_at):
        groups.setdefault(at // 1_000_000 if isinstance(at, int) else 2**62, []).append(i)
    return [_part(batch, places) for _, places in sorted(groups.items())]


def _part(batch: Batch, places: list[int]) -> Batch:
    columns: dict[str, Any] = {name: [getattr(batch, name)[i] for i in places] for name in batch.__struct_fields__}
    return Batch(**columns)


def _publish(
    publisher: Publisher, batch: Batch, devices: Mapping[str, DeviceRow], fallback: str, head: Mapping[str, str]
) -> None:
    """One message a gateway. Rows that do not fit the columns' types go as objects, for quarantine to say why."""
    groups: dict[str, list[int]] = {}
    for i, device in enumerate(batch.device_id):
        row = devices.get(device)
        groups.setdefault(row.gateway_id if row else fallback, []).append(i)
    for gateway, places in groups.items():
        part = batch if len(places) == len(batch) else _part(batch, places)
        columns = msgspec.structs.asdict(part)
        if not all(part.resident_id):
            del columns["resident_id"]
        body: dict[str, Any] = {**head, "columns": columns}
        publisher.publish(f"replay/{gateway}/batch", msgspec.json.encode(body))


class Committed:
    """Listens to the intakes for what they committed of one replay, in a thread of its own."""

    def __init__(self, settings: Settings, run: str) -> None:
        self._settings, self._run = settings, run
        self._counts: dict[int, Counts] = {}
        self._changed = threading.Condition()
        self._heard = time.monotonic()
        self._problem: str | None = None
        self._ready = threading.Event()
        self._end: Callable[[], None] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._listen()), daemon=True)

    def __enter__(self) -> Committed:
        self._thread.start()
        if not self._ready.wait(10):
            raise Unavailable("the broker does not answer", mend="start the node with `hucheng up`")
        return self

    def __exit__(self, *_: object) -> None:
        self._end()
        self._thread.join(5)

    def wait(self, readings: int) -> Counts:
        """The counts once all readings are committed; Unavailable when the intakes say nothing for a minute."""
        with self._changed:
            self._heard = time.monotonic()
            while True:
                total = Counts()
                for counts in self._counts.values():
                    total.add(counts)
                if total.received >= readings:
                    return total
                if time.monotonic() - self._heard > QUIET_S:
                    raise Unavailable(
                        f"{total.received} of {readings} readings are committed, and nothing moves",
                        where=self._problem or "intake",
                        mend="they are safe in the stream; see `hucheng status`",
                    )
                self._changed.wait(1.0)

    async def _listen(self) -> None:
        loop, stop = asyncio.get_running_loop(), asyncio.Event()

        def end() -> None:
            loop.call_soon_threadsafe(stop.set)

        self._end = end
        client = await stream.connect(self._settings, OPERATOR, name="replay")
        await client.subscribe("status.intake.*", cb=self._take)
        await client.flush()
        self._ready.set()
        await stop.wait()
        await client.close()

    async def _take(self, message: Msg) -> None:
        told = msgspec.json.decode(message.data)
        found = told["runs"].get(self._run)
        with self._changed:
            self._problem = told["problem"]
            if found is not None:
                counts = msgspec.convert(found, Counts)
                if self._counts.get(told["partition"]) != counts:
                    self._heard = time.monotonic()
                self._counts[told["partition"]] = counts
            self._changed.notify_all()
