"""Readings out of the broker in their order, and messages into it with a receipt.

The reader is an ephemeral consumer without acknowledgements that starts behind the offset its owner keeps: a high-water
offset is only right where delivery is in order, and redelivery to a durable consumer is not. The time of a message is
the broker's; nothing here reads the wall clock.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Mapping
from typing import Any

import msgspec
import nats
from msgspec import Struct
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.errors import Error as NatsError
from nats.js.errors import APIError, NotFoundError

from hucheng.base.broker import READINGS, folder, ports
from hucheng.base.credentials import INTERNAL, Credentials
from hucheng.base.erasing import Erasure
from hucheng.base.partition import partition_of
from hucheng.errors import StreamError
from hucheng.settings import Settings

PREFIX = "$MQTT.msgs."
EXPIRES_S = 5.0


class Message(Struct, frozen=True, gc=False):
    """One message of the stream: where it came from, its place, and the broker's time in µs since 1970 (UTC)."""

    seq: int
    received_us: int
    gateway: str
    device: str
    replay: bool
    right_partition: bool
    data: bytes
    erase: bool = False


async def connect(settings: Settings, user: str = INTERNAL, *, name: str = "hucheng") -> Client:
    """A connection that comes back by itself for as long as the process lives."""
    credential = Credentials(folder(settings)).get(user)
    return await nats.connect(
        ports(settings).url,
        name=name,
        user=credential.user,
        password=credential.token,
        max_reconnect_attempts=-1,
        reconnect_time_wait=0.2,
        ping_interval=5,
        max_outstanding_pings=3,
        pending_size=64 << 20,
        error_cb=_quiet,
    )


class Reader:
    """The messages of one partition from a given place on, in stream order, each exactly once per start."""

    def __init__(
        self, client: Client, settings: Settings, partition: int, after: int, *, base: int = 0, batch: int = 512
    ) -> None:
        """``base`` is added to the broker's numbers (see `current.Offset`); ``after`` counts with it."""
        self._client = client
        self._settings = settings
        self._partition = partition
        self._base = base
        self._batch = batch
        self._waiting: deque[Message] = deque()
        self._bytes = 0
        self._credit = 0
        self._arrived = asyncio.Event()
        self._consumer = ""
        self._next_delivery = 1
        self._last = after
        self._heard = 0.0
        self._broken = False
        self._reconnects = 0
        self._subscription: Any = None
        self.pending = 0
        self.received = after

    async def start(self) -> None:
        """Open the consumer behind the last message handed out."""
        await self.close()
        self._reconnects = self._client.stats["reconnects"]
        self._waiting.clear()
        self._bytes, self._credit, self._next_delivery = 0, 0, 1
        self._last, self._broken = self.received, False
        inbox = self._client.new_inbox()
        self._subscription = await self._client.subscribe(
            inbox, cb=self._take, pending_msgs_limit=-1, pending_bytes_limit=-1
        )
        self._inbox = inbox
        self._consumer = f"intake-{self._partition}-{secrets.token_hex(4)}"
        config = {
            "name": self._consumer,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": max(self._last - self._base, 0) + 1,
            "ack_policy": "none",
            "replay_policy": "instant",
            "filter_subjects": [
                *(
                    f"{PREFIX}{kind}.{form}"
                    for kind in ("readings", "replay")
                    for form in (f"{self._partition}.*.*", "*.*")
                ),
                f"{PREFIX}erase.{self._partition}.*.*",
            ],
            "inactive_threshold": 60 * 10**9,
            "mem_storage": True,
            "num_replicas": 1,
        }
        await self._api(f"CONSUMER.CREATE.{READINGS}.{self._consumer}", {"stream_name": READINGS, "config": config})
        self._heard = asyncio.get_running_loop().time()
        await self._ask()

    async def take(self, most_bytes: int, timeout_s: float) -> list[Message]:
        """What has arrived, at most about ``most_bytes``, waiting ``timeout_s`` for the first.

        An empty list means that nothing came. Raises StreamError when the broker cannot be asked (try again).
        """
        if self._broken or self._client.stats["reconnects"] != self._reconnects:
            await self.start()
        if not self._waiting:
            self._arrived.clear()
            try:
                await asyncio.wait_for(self._arrived.wait(), timeout_s)
            except TimeoutError:
                await self._check()
        taken: list[Message] = []
        size = 0
        while self._waiting and (size < most_bytes or not taken):
            message = self._waiting.popleft()
            size += len(message.data)
            taken.append(message)
        self._bytes -= size
        if taken:
            self.received = taken[-1].seq
        await self._ask()
        return taken

    @property
    def waiting(self) -> int:
        """How many messages are here and not yet taken."""
        return len(self._waiting)

    async def close(self) -> None:
        """Give the consumer back."""
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            try:
                await subscription.unsubscribe()
                if self._client.is_connected:
                    await self._client.publish(f"$JS.API.CONSUMER.DELETE.{READINGS}.{self._consumer}", b"")
            except NatsError:
                return

    async def _take(self, message: Msg) -> None:
        self._heard = asyncio.get_running_loop().time()
        status = message.headers.get("Status") if message.headers else None
        if status is not None:
            left = int((message.headers or {}).get("Nats-Pending-Messages", 0))
            self._credit -= left
            self._broken |= status == "503"  # nobody there: the consumer went with the broker
            self._arrived.set()
            return
        # $JS.ACK.<stream>.<consumer>.<deliveries>.<stream seq>.<consumer seq>.<time ns>.<pending>
        parts = message.reply.split(".")
        seq, delivery, stamp, pending = int(parts[-4]) + self._base, int(parts[-3]), int(parts[-2]), int(parts[-1])
        if delivery != self._next_delivery:  # a gap: something was dropped on the way; start again behind the last
            self._broken = True
            self._arrived.set()
            return
        self._next_delivery += 1
        self._credit -= 1
        self.pending = pending
        self._last = seq
        kind, *partition, gateway, device = message.subject.removeprefix(PREFIX).split(".")
        right = partition_of(gateway, self._settings.intakes) == self._partition
        if partition or right:  # without a partition in it, the subject was not mapped: see broker._user
            self._waiting.append(
                Message(seq, stamp // 1000, gateway, device, kind == "replay", right, message.data, kind == "erase")
            )
            self._bytes += len(message.data)
        self._arrived.set()

    async def _ask(self) -> None:
        """Keep the broker sending as long as there is room here."""
        if self._credit >= self._batch // 2 or self._bytes > (64 << 20) or not self._client.is_connected:
            return
        self._credit += self._batch
        body = json.dumps({"batch": self._batch, "expires": int(EXPIRES_S * 1e9)}).encode()
        await self._client.publish(f"$JS.API.CONSUMER.MSG.NEXT.{READINGS}.{self._consumer}", body, reply=self._inbox)

    async def _check(self) -> None:
        """After a silence: is the consumer still there? Otherwise open a new one behind the last message."""
        if asyncio.get_running_loop().time() - self._heard < EXPIRES_S + 1.0:
            return
        try:
            info = await self._api(f"CONSUMER.INFO.{READINGS}.{self._consumer}")
            ours = info["delivered"]["consumer_seq"] == self._next_delivery - 1 and not info["num_pending"]
        except NotFoundError:
            ours = False
        if ours:
            self._heard = asyncio.get_running_loop().time()
            self._credit = 0
        else:
            await self.start()

    async def _api(self, call: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return await api(self._client, call, body)


async def api(client: Client, call: str, body: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """One call of the JetStream API; StreamError when it cannot be made or is refused, NotFoundError for 404."""
    try:
        reply = await client.request(f"$JS.API.{call}", json.dumps(body).encode() if body else b"", timeout=5)
    except NatsError as error:
        raise StreamError(f"{call}: {error!r}", where="broker", mend="it is retried; see the broker's log") from error
    answer: dict[str, Any] = json.loads(reply.data)
    if problem := answer.get("error"):
        if problem.get("code") == 404:
            raise NotFoundError(code=404, err_code=problem.get("err_code"), description=problem.get("description"))
        raise StreamError(f"{call}: {problem.get('description')}", where="broker", mend="see the broker's log")
    return answer


async def stream_state(client: Client, stream: str = READINGS) -> dict[str, Any]:
    """State of a stream: messages, bytes, first_seq, last_seq."""
    state: dict[str, Any] = (await api(client, f"STREAM.INFO.{stream}"))["state"]
    return state


async def publish(client: Client, subject: str, data: bytes, msg_id: str | None = None) -> int:
    """Store one message and give its sequence; StreamError unless the broker says that it is stored."""
    headers = {"Nats-Msg-Id": msg_id} if msg_id else None
    try:
        return (await client.jetstream(timeout=10).publish(subject, data, headers=headers)).seq
    except (NatsError, APIError) as error:
        raise StreamError(f"not stored: {error!r}", where=subject, mend="try again; see the broker's log") from error


async def publish_reading(
    client: Client, settings: Settings, gateway: str, device: str, data: bytes, msg_id: str | None = None
) -> int:
    """Store readings that came by another way than MQTT (HTTP), where those of the gateway's own messages lie."""
    partition = partition_of(gateway, settings.intakes)
    return await publish(client, f"{PREFIX}readings.{partition}.{gateway}.{device}", data, msg_id)


async def erase_readings(client: Client, partition: int, order: Erasure, msg_id: str) -> int:
    """Have a partition forget a person's readings that came before this message, wherever it keeps them; its sequence.

    It travels in the readings' own stream, so that it is done in order, and again after any crash. ``msg_id``: the same
    again within minutes is stored once.
    """
    return await publish(client, f"{PREFIX}erase.{partition}.all.batch", msgspec.json.encode(order), msg_id)


async def trim(client: Client, partition: int, upto: int) -> None:
    """Take a partition's messages up to and including ``upto`` out of the stream: they are in the lake."""
    kinds = ("readings", "replay", "erase")
    for subject in (*(f"{kind}.{partition}.*.*" for kind in kinds), "probe.*"):
        body = {"filter": f"{PREFIX}{subject}", "seq": upto + 1}
        await api(client, f"STREAM.PURGE.{READINGS}", body)


async def _quiet(_: Exception) -> None:
    """The client reconnects by itself; whoever waits for an answer gets the error there."""
