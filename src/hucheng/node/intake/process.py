"""The process of one partition of homes: readings from the stream, judged, detected, stored.

In order: take what has arrived · keep what is new · detect · publish findings and wait until they are stored · only
then may the readings be committed, each second or each 100,000. So a crash at any place repeats at most what has an id
of its own. The steward may be down: nothing here needs it.
"""

from __future__ import annotations

import asyncio
import logging
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
from hucheng.base.keeping import Keeper
from hucheng.base.rounds import Round
from hucheng.decisions.findings import Finding, encode
from hucheng.errors import Fenced, LakeError, StreamError
from hucheng.node.doors import BrokerDoor
from hucheng.node.intake.chores import Chores
from hucheng.node.intake.detection import Detection
from hucheng.node.intake.recalling import Recalling
from hucheng.node.intake.retention import Retention
from hucheng.settings import Settings

log = logging.getLogger(__name__)
COMMIT_S, COMMIT_ROWS, MOST_ROWS = 1.0, 400_000, 1_500_000
STEP_BYTES = 3 << 19
ABREAST_S = 2.0
DEAF = {"stream", "broker", "disk", "room"}
"""Problems under which devices cannot be heard."""
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
    blind: dict[str, str] = {}
    """Detectors that do not look, or not at everything, and why."""


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
        self._clock, self.refresh, self._notes = clock, refresh, notes
        self.recalling = Recalling(keeper, detection, settings.intakes)
        self._stop = asyncio.Event()
        self._commit: asyncio.Task[None] | None = None
        self._last_commit = 0.0
        self.problems: dict[str, str] = {}
        self.trimmable: deque[tuple[float, int]] = deque()
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
            await self._insist("journal", lambda: self.write_notes(client))
            self.detection.warm(self.keeper.newest_tables(), self._reading_time())
            self.detection.note(self._clock())
            await self._insist("journal", lambda: self.write_notes(client))
            self._mark_ready()
            beside = Chores(self)
            chores = [
                asyncio.create_task(beside.report(client)),
                asyncio.create_task(beside.keep_house(client)),
                asyncio.create_task(beside.mind_the_lake()),
            ]
            if self.partition == 0:
                chores.append(asyncio.create_task(beside.mind_the_broker(client)))
                contracts = self.keeper.metrics.contracts
                kept = Retention(self.settings.home, contracts, self._clock, self._reading_time)
                chores.append(asyncio.create_task(kept.run(client)))
                chores.append(asyncio.create_task(BrokerDoor(self.settings, self._clock).run(client)))
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
            await self._insist("journal", lambda: self.write_notes(client), tries=3)
        finally:
            await client.close()
            self.keeper.close()

    # ---- the step ------------------------------------------------------------------------------------------------

    async def _step(self, client: Client, reader: stream.Reader) -> None:
        busy = self._commit is not None or self.keeper.rows_waiting
        try:
            messages = await reader.take(STEP_BYTES, 0.05 if busy else 0.25)
            self.problems.pop("stream", None)
        except (StreamError, NotFoundError, NatsError) as error:
            self.problems["stream"] = str(error)
            await asyncio.sleep(PAUSES_S[1])
            messages = []
        if messages:
            kept = self.keeper.take(messages)
            findings = self.detection.look(kept.fresh, self._reading_time()) if kept.fresh else []
            await self._publish(client, findings)
        if self._abreast(reader):
            await self._publish(client, self.detection.due(self._clock()))
        await self._maybe_commit()

    def _abreast(self, reader: stream.Reader) -> bool:
        """Whether we hear what is sent now: only then does silence mean anything, and time alone may find something."""
        if DEAF & self.problems.keys() or reader.waiting:
            return False
        return reader.pending == 0 or abs((self._clock() - self._reading_time()).total_seconds()) < ABREAST_S

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
                self.problems.pop("findings", None)
            else:
                self.problems["findings"] = str(next(a for a in told if isinstance(a, StreamError)))
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
        if self._commit is None and due and (flight := self._close_round()) is not None:
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
                self.problems["lake"] = str(error)
                log.warning("not committed, tried again", extra={"fields": {"error": error.what[:200]}})
                await asyncio.sleep(next(pause, PAUSES_S[-1]))
        self.problems.pop("lake", None)
        self.keeper.landed(flight)
        self.trimmable.append((time.monotonic(), flight.offset.seq))

    async def _finish(self) -> None:
        """The last commit before the end."""
        if self._commit is not None:
            await self._commit
            self._commit = None
        if (flight := self._close_round()) is not None:
            await self._write(flight)

    def _close_round(self) -> Round | None:
        """What was taken since the last round, and with it what of it waits for a second look."""
        self.recalling.write_down()
        return self.keeper.close_round()

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

    async def recall(self) -> None:
        """Take up what waited for a second look before the start."""
        await self.recalling.once(self._clock())

    async def write_notes(self, client: Client) -> None:
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
                self.problems.pop(what, None)
                return done
            except (StreamError, NotFoundError, NatsError) as error:
                self.problems[what] = str(error)
                log.warning("waiting for the broker", extra={"fields": {"error": str(error)[:200]}})
                await asyncio.sleep(next(pause, PAUSES_S[-1]))
        return None

    def _mark_ready(self) -> None:
        mark = self.settings.home / "run" / f"intake-{self.partition}.ready"
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.touch()

    def _reading_time(self) -> datetime:
        return datetime.fromtimestamp(self.keeper.offset.received_us / 1e6, UTC)

    def status(self) -> Status:
        """How it is now."""
        committed, reader = self.keeper.committed, self._reader
        counts = committed.counts
        behind = reader is not None and (reader.pending > 0 or reader.waiting)
        lag = (self._clock() - self._reading_time()).total_seconds() if behind else 0.0
        blind = self.detection.problems
        settled = self.detection.settled()
        faults = {name: why for name, why in blind.items() if name not in settled}
        return Status(
            self.partition,
            counts.received,
            counts.accepted,
            counts.duplicate,
            counts.quarantined,
            round(max(0.0, lag), 3),
            self.keeper.offset.seq,
            committed.seq,
            " · ".join([*self.problems.values(), *_said(faults)]) or None,
            self._clock(),
            blind=blind,
        )


def _said(blind: Mapping[str, str]) -> list[str]:
    """Which detectors do not look, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for name, why in blind.items():
        reasons.setdefault(why, []).append(name)
    return [f"not looked for: {', '.join(names)} ({why})" for why, names in reasons.items()]


async def serve(intake: Intake) -> None:
    """Run until SIGTERM or SIGINT."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, intake.stop)
    await intake.run()


def run(settings: Settings, partition: int = 0) -> None:
    """The process ``intake``: put together from the ledger's register, the apps and the gate."""
    from hucheng.node.intake.watching import assemble

    asyncio.run(serve(assemble(settings, partition)))
