"""The process of one partition of homes: readings from the stream, judged, detected, stored.

In order: take what has arrived · keep what is new · detect · publish findings and wait until they are stored · only
then may the readings be committed, each second or each 100,000. So a crash at any place repeats at most what has an id
of its own. The steward may be down: nothing here needs it.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import signal
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

import msgspec
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.errors import NotFoundError

from hucheng.base import stream
from hucheng.base.broker import limit_readings
from hucheng.base.keeping import Keeper, Round
from hucheng.decisions.findings import Finding, encode
from hucheng.errors import Fenced, HuchengError, LakeError, StreamError
from hucheng.node.detection import Detection
from hucheng.settings import Settings

log = logging.getLogger(__name__)
COMMIT_S, COMMIT_ROWS, MOST_ROWS = 1.0, 100_000, 400_000
STEP_BYTES = 3 << 19
STATUS_S, CHORES_S, TRIM_LAG_S = 1.0, 5.0, 120.0
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Status(msgspec.Struct):
    """What an intake says of itself each second on ``status.intake.<partition>``; counts are those committed."""

    partition: int
    received: int
    accepted: int
    duplicate: int
    quarantined: int
    lag_s: float
    last_seq: int
    committed_seq: int
    problem: str | None
    at: datetime
    runs: dict[str, Any] = {}


class Notes(Protocol):
    """Journal entries of standing views that must come into the stream STANDING, oldest first."""

    def first(self) -> tuple[str, bytes] | None:
        """Id and message of the oldest that is not stored; None when all are."""
        ...

    def stored(self) -> None:
        """The oldest is stored."""
        ...


class Intake:
    """The loop. ``clock`` gives aware UTC: for ticks and the status, never for a reading.

    ``refresh`` is called every few seconds in a thread of its own; when it gives False, the intake ends, because what
    it may do is no longer what it does (whoever runs it starts it anew).
    """

    def __init__(
        self,
        settings: Settings,
        partition: int,
        keeper: Keeper,
        detection: Detection,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        refresh: Callable[[], bool] = lambda: True,
        notes: Notes | None = None,
    ) -> None:
        self.settings, self.partition, self.keeper, self.detection = settings, partition, keeper, detection
        self._clock, self._refresh, self._notes = clock, refresh, notes
        self._stop = asyncio.Event()
        self._commit: asyncio.Task[None] | None = None
        self._last_commit = 0.0
        self._landed = msgspec.structs.replace(keeper.offset)
        self._problems: dict[str, str] = {}
        self._trimmable: deque[tuple[float, int]] = deque()
        self._braked = False
        self._reader: stream.Reader | None = None

    def stop(self) -> None:
        """Commit what was taken, then end."""
        self._stop.set()

    async def run(self) -> None:
        """Until `stop`; raises Fenced when another intake writes this partition."""
        client = await stream.connect(self.settings, name=f"intake-{self.partition}")
        try:
            reader = await self._insist("stream", lambda: self._open(client))
            if reader is None:
                return
            self._reader = reader
            await self._insist("journal", lambda: self._write_notes(client))
            self.detection.warm(self.keeper.newest_tables(), self._reading_time())
            self._mark_ready()
            chores = [asyncio.create_task(self._report(client)), asyncio.create_task(self._chores(client))]
            try:
                while not self._stop.is_set():
                    await self._step(client, reader)
                    for chore in chores:
                        if chore.done():
                            chore.result()
                await self._finish()
            finally:
                for chore in chores:
                    chore.cancel()
                await reader.close()
                self.detection.close()
            await self._insist("journal", lambda: self._write_notes(client), tries=3)
        finally:
            await client.close()
            self.keeper.close()

    # ---- the step ------------------------------------------------------------------------------------------------

    async def _step(self, client: Client, reader: stream.Reader) -> None:
        busy = self._commit is not None or self.keeper.rows_waiting
        try:
            messages = await reader.take(STEP_BYTES, 0.05 if busy else 0.25)
            self._problems.pop("stream", None)
        except (StreamError, NotFoundError, NatsError) as error:
            self._problems["stream"] = str(error)
            await asyncio.sleep(PAUSES_S[1])
            messages = []
        if messages:
            kept = self.keeper.take(messages)
            findings = self.detection.look(kept.fresh, self._reading_time()) if kept.fresh else []
            await self._publish(client, findings)
        elif reader.pending == 0 and not self._problems:
            await self._publish(client, self.detection.due(self._clock()))
        await self._maybe_commit()

    async def _publish(self, client: Client, findings: Sequence[Finding]) -> None:
        """Store findings; goes on trying, because their readings must not be committed before them."""
        left = list(findings)
        pause = iter(PAUSES_S)
        while left:
            told = await asyncio.gather(
                *(stream.publish(client, f"findings.{f.kind}", encode(f), f.id) for f in left[:256]),
                return_exceptions=True,
            )
            for answer in told:
                if isinstance(answer, BaseException) and not isinstance(answer, StreamError):
                    raise answer
            failed = [f for f, answer in zip(left, told, strict=False) if isinstance(answer, StreamError)]
            if not failed:
                self._problems.pop("findings", None)
            else:
                self._problems["findings"] = str(next(a for a in told if isinstance(a, StreamError)))
                await asyncio.sleep(next(pause, PAUSES_S[-1]))
            left = failed + left[256:]

    async def _maybe_commit(self) -> None:
        if self._commit is not None and self._commit.done():
            self._commit.result()
            self._commit = None
        while self._commit is not None and self.keeper.rows_waiting > MOST_ROWS:
            await asyncio.wait([self._commit], timeout=1.0)
            if self._commit.done():
                self._commit.result()
                self._commit = None
        due = time.monotonic() - self._last_commit >= COMMIT_S or self.keeper.rows_waiting >= COMMIT_ROWS
        if self._commit is None and due and (flight := self.keeper.close_round()) is not None:
            self._last_commit = time.monotonic()
            self._commit = asyncio.create_task(self._write(flight))

    async def _write(self, flight: Round) -> None:
        """Commit a round, again and again until it is written: nothing is read on beyond what fits in memory."""
        pause = iter(PAUSES_S)
        while True:
            try:
                await asyncio.to_thread(self.keeper.commit, flight)
                break
            except Fenced:
                raise
            except LakeError as error:
                self._problems["lake"] = str(error)
                log.warning("not committed, tried again", extra={"fields": {"error": error.what[:200]}})
                await asyncio.sleep(next(pause, PAUSES_S[-1]))
        self._problems.pop("lake", None)
        self.keeper.landed(flight)
        self._landed = flight.offset
        self._trimmable.append((time.monotonic(), flight.offset.seq))
        try:
            await asyncio.to_thread(self.keeper.tidy)
        except LakeError as error:
            log.warning("not tidied", extra={"fields": {"error": error.what[:200]}})

    async def _finish(self) -> None:
        """The last commit before the end."""
        if self._commit is not None:
            await self._commit
            self._commit = None
        if (flight := self.keeper.close_round()) is not None:
            await self._write(flight)

    # ---- opening -------------------------------------------------------------------------------------------------

    async def _open(self, client: Client) -> stream.Reader:
        offset = self.keeper.offset
        state = await stream.stream_state(client)
        if offset.seq - offset.base > int(state["last_seq"]):
            log.warning("the broker's stream begins anew: its numbers are counted on from the last one committed")
            offset.base = max(offset.seq, offset.counted)
            offset.seq = offset.base
        reader = stream.Reader(client, self.settings, self.partition, offset.seq, base=offset.base)
        await reader.start()
        return reader

    async def _write_notes(self, client: Client) -> None:
        """Store what standing views owe the journal; nothing is looked at before they are said to be open."""
        while self._notes is not None and (note := self._notes.first()) is not None:
            await stream.publish(client, f"standing.{self.partition}", note[1], note[0])
            self._notes.stored()

    async def _insist(self, what: str, act: Callable[[], Any], tries: int | None = None) -> Any:
        """Do something that needs the broker, until it works, the tries are spent or the intake is stopped."""
        pause = iter(PAUSES_S)
        while tries is None or tries > 0:
            if tries is None and self._stop.is_set():
                return None
            tries = None if tries is None else tries - 1
            try:
                done = await act()
                self._problems.pop(what, None)
                return done
            except (StreamError, NotFoundError, NatsError) as error:
                self._problems[what] = str(error)
                log.warning("waiting for the broker", extra={"fields": {"error": str(error)[:200]}})
                await asyncio.sleep(next(pause, PAUSES_S[-1]))
        return None

    def _mark_ready(self) -> None:
        mark = self.settings.home / "run" / f"intake-{self.partition}.ready"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    def _reading_time(self) -> datetime:
        return datetime.fromtimestamp(self.keeper.offset.received_us / 1e6, UTC)

    # ---- chores --------------------------------------------------------------------------------------------------

    async def _report(self, client: Client) -> None:
        """Say how it is, each second; and at once when a replay's counts changed."""
        told_runs: dict[str, Any] = {}
        last = 0.0
        while True:
            runs = {name: msgspec.structs.asdict(counts) for name, counts in self._landed.runs.items()}
            if time.monotonic() - last >= STATUS_S or runs != told_runs:
                last, told_runs = time.monotonic(), runs
                try:
                    body = msgspec.json.encode(msgspec.structs.replace(self.status(), runs=runs))
                    if client.is_connected:
                        await client.publish(f"status.intake.{self.partition}", body)
                except (NatsError, OSError):
                    pass
            await asyncio.sleep(0.1)

    def status(self) -> Status:
        """How it is now."""
        counts, reader, landed = self._landed.counts, self._reader, self._landed
        behind = reader is not None and (reader.pending > 0 or reader.waiting)
        lag = (self._clock() - self._reading_time()).total_seconds() if behind else 0.0
        return Status(
            self.partition,
            counts.received,
            counts.accepted,
            counts.duplicate,
            counts.quarantined,
            round(max(0.0, lag), 3),
            self.keeper.offset.seq,
            landed.seq,
            " · ".join(self._problems.values()) or None,
            self._clock(),
        )

    async def _chores(self, client: Client) -> None:
        """Registers, old current values, what may leave the stream, and room on the disk."""
        last_trim = time.monotonic()
        while True:
            await asyncio.sleep(CHORES_S)
            try:
                if not await asyncio.to_thread(self._refresh):
                    log.warning("other detectors may run now than do: starting anew")
                    self.stop()
                await self._write_notes(client)
                self.keeper.sweep(CHORES_S / 3600)
                state = await stream.stream_state(client)
                if self.partition == 0:
                    await self._mind_the_disk(client, state)
                full = int(state["bytes"]) > self.settings.stream_max_gb * 5e8
                if full or time.monotonic() - last_trim > 30:
                    last_trim = time.monotonic()
                    await self._trim(client, 0.0 if full else TRIM_LAG_S)
            except (HuchengError, NatsError, NotFoundError, OSError) as error:
                log.warning("a chore waits", extra={"fields": {"error": str(error)[:200]}})

    async def _trim(self, client: Client, lag_s: float) -> None:
        upto = 0
        while self._trimmable and time.monotonic() - self._trimmable[0][0] >= lag_s:
            upto = self._trimmable.popleft()[1]
        if upto > self.keeper.offset.base:
            await stream.trim(client, self.partition, upto - self.keeper.offset.base)

    async def _mind_the_disk(self, client: Client, state: Mapping[str, Any]) -> None:
        """Short of room, have the broker acknowledge nothing more, before it switches its store off altogether."""
        usage = shutil.disk_usage(self.settings.home)
        reserve = min(512 << 20, usage.total // 10)
        if usage.free < reserve and not self._braked:
            await limit_readings(client, max(1, int(state["bytes"]) // 2))
            self._braked = True
            self._problems["disk"] = f"the disk is full ({usage.free >> 20} MiB left): nothing is acknowledged"
        elif self._braked and usage.free > reserve + reserve // 4:
            await limit_readings(client, int(self.settings.stream_max_gb * 1e9))
            self._braked = False
            self._problems.pop("disk", None)


async def serve(intake: Intake) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, intake.stop)
    await intake.run()


def run(settings: Settings, partition: int = 0) -> None:
    """The process ``intake``: put together from the ledger's register, the apps and the gate."""
    from hucheng.node.watching import assemble

    asyncio.run(serve(assemble(settings, partition)))
