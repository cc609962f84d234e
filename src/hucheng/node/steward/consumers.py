"""What the steward takes from the stream: findings, and journal entries of standing views. Acknowledged once durable.

Whatever cannot be taken now (a process that is missing, a disk that is full) is offered again later: nothing is thrown
away, and `problems` says so. What cannot be read at all is set aside with the reason after a few tries. What is durable
here is taken out of the stream in time, so that it never fills up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy
from nats.js.errors import APIError, NotFoundError

log = logging.getLogger(__name__)
DURABLE = "steward"
BATCH = 128
WAIT_S = 5.0
ACK_WAIT_S = 60.0
MAX_PENDING = 20_000
SWEEP_S = 30.0
PAUSES_S = (0.1, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)

TRIES = 3
UNREADABLE = (msgspec.DecodeError, zlib.error, UnicodeDecodeError)
"""What a message that no later try can read is refused with."""

Take = Callable[[Sequence[bytes]], None]
"""Takes messages, durable when it returns; raises when none of them could be taken."""

Aside = Callable[[str, int, str, bytes], None]
"""``aside(subject, tries, why, message)`` sets an unreadable message aside, durable when it returns."""


class Consumer:
    """One durable consumer that hands batches to ``take`` in a thread and acknowledges what was taken."""

    def __init__(self, client: Client, stream: str, subject: str, take: Take, aside: Aside) -> None:
        self.stream, self.subject = stream, subject
        self._client, self._take, self._aside = client, take, aside
        self._refused: set[int] = set()
        self.taken = 0
        self.ack_wait_s = ACK_WAIT_S
        self.problem: str | None = None

    @property
    def problems(self) -> list[str]:
        """What is wrong now, in words for the status."""
        found = [self.problem] if self.problem else []
        if self._refused:
            found.append(f"{len(self._refused)} messages of {self.stream} cannot be taken yet: see the log")
        return found

    async def run(self) -> None:
        """Until cancelled. A broker that is away is waited for."""
        failures = 0
        while True:
            try:
                subscription = await self._subscribe()
                failures, self.problem = 0, None
                try:
                    await self._loop(subscription)
                finally:
                    with contextlib.suppress(NatsError):
                        await subscription.unsubscribe()
            except (NatsError, APIError, OSError, TimeoutError) as error:
                failures += 1
                self.problem = f"{self.stream}: the broker does not answer ({type(error).__name__})"
            except Exception as error:  # whatever it is, the desk must not go deaf
                failures += 1
                self.problem = f"{self.stream}: cannot be read ({type(error).__name__}), see the log"
                log.exception("stream cannot be read, trying again", extra={"fields": {"stream": self.stream}})
            await asyncio.sleep(PAUSES_S[min(failures, 4)])

    async def _subscribe(self) -> Any:
        """The durable consumer, made where it is missing.

        What was handed to a steward that is gone, or over a connection that is gone, is offered again at once: the
        broker itself would wait `ACK_WAIT_S` for an acknowledgement that cannot come.
        """
        streams = self._client.jetstream()
        config = ConsumerConfig(
            durable_name=DURABLE,
            deliver_policy=DeliverPolicy.ALL,
            ack_policy=AckPolicy.EXPLICIT,
            ack_wait=self.ack_wait_s,
            max_ack_pending=MAX_PENDING,
            filter_subject=self.subject,
        )
        with contextlib.suppress(NotFoundError):
            before = await streams.consumer_info(self.stream, DURABLE)
            if before.num_ack_pending:
                floor = before.ack_floor.stream_seq if before.ack_floor else 0
                config.deliver_policy, config.opt_start_seq = DeliverPolicy.BY_START_SEQUENCE, floor + 1
                await streams.delete_consumer(self.stream, DURABLE)
        return await streams.pull_subscribe(self.subject, durable=DURABLE, stream=self.stream, config=config)

    async def _loop(self, subscription: Any) -> None:
        swept = asyncio.get_running_loop().time()
        while True:
            try:
                messages: list[Msg] = await subscription.fetch(BATCH, timeout=WAIT_S)
            except TimeoutError:  # nats-py's own, or asyncio's where its time ran out between two of its requests
                messages = []
            if messages:
                await self._offer(messages)
            now = asyncio.get_running_loop().time()
            if now - swept > SWEEP_S:
                swept = now
                await self._sweep(subscription)

    async def _offer(self, messages: list[Msg]) -> None:
        """All at once; where that fails, one by one, so that one bad message holds nobody up."""
        error = await self._try(messages)
        if error is None:
            return
        for message in messages:
            if len(messages) == 1 or (error := await self._try([message])) is not None:
                place = message.metadata.sequence.stream
                tries = message.metadata.num_delivered or 1
                if isinstance(error, UNREADABLE) and tries >= TRIES and await self._set_aside(message, tries, error):
                    continue
                self._refused.add(place)
                fields = {"stream": self.stream, "seq": place, "tries": tries}
                log.error("message not taken, will be offered again", extra={"fields": fields})
                await message.nak(delay=PAUSES_S[min(tries, len(PAUSES_S) - 1)])

    async def _set_aside(self, message: Msg, tries: int, error: Exception) -> bool:
        """Take what nobody can read out of the way; False where it cannot be kept elsewhere."""
        place = message.metadata.sequence.stream
        why = f"{type(error).__name__}: {error}"[:300]
        fields = {"stream": self.stream, "seq": place, "tries": tries, "why": type(error).__name__}
        try:
            await asyncio.to_thread(self._aside, message.subject, tries, why, message.data)
        except Exception:
            log.warning("unreadable message not set aside", extra={"fields": fields}, exc_info=True)
            return False
        await message.term()
        self._refused.discard(place)
        log.error("unreadable message set aside", extra={"fields": fields})
        return True

    async def _try(self, messages: list[Msg]) -> Exception | None:
        try:
            await asyncio.to_thread(self._take, [message.data for message in messages])
        except Exception as error:
            fields = {"stream": self.stream, "messages": len(messages), "why": type(error).__name__}
            log.warning("batch not taken", extra={"fields": fields}, exc_info=len(messages) == 1)
            return error
        for message in messages:
            self._refused.discard(message.metadata.sequence.stream)
            await message.ack()
        self.taken += len(messages)
        return None

    async def _sweep(self, subscription: Any) -> None:
        """Take out of the stream what is acknowledged without a gap."""
        info = await subscription.consumer_info()
        floor = info.ack_floor.stream_seq if info.ack_floor else 0
        if floor:
            await self._client.jetstream().purge_stream(self.stream, seq=floor + 1)
