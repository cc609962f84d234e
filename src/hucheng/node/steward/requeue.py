"""Readings in quarantine as an operator meets them: how many and why, which ones, and sending them again."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from hucheng.base import aside, stream
from hucheng.base.deviceregister import LedgerDevices
from hucheng.base.ledger import Ledger
from hucheng.base.quarantine import Quarantine, Waiting
from hucheng.base.rpc import exposed
from hucheng.errors import BadRequest, LakeError, StreamError
from hucheng.gate import Gate, Principal
from hucheng.settings import Settings

AT_ONCE = 1000
"""Readings that are sent before they are taken out of quarantine."""
QUOTED = re.compile(r'"([^"\\]{1,64})"')
"""A word in a JSON message, also in one that is broken."""
UNREADABLE = "unreadable_"
"""Reasons of messages that the steward could not read begin so: unreadable_findings, unreadable_standing."""


@dataclass
class Requeue:
    """Served over the local socket; the first argument is always who asks."""

    settings: Settings
    gate: Gate
    ledger: Ledger
    clock: Callable[[], datetime]

    def aside(self, subject: str, tries: int, why: str, message: bytes) -> None:
        """Set aside what the steward cannot read from the stream."""
        reason = UNREADABLE + subject.partition(".")[0]
        with self.ledger.begin() as conn:
            aside.put(conn, reason, self.clock(), subject, tries, why, message)

    @exposed(within_s=60)
    def counts(self, principal: Principal) -> dict[str, int]:
        """How many readings, and messages to the steward, were set aside for each reason; names nobody."""
        self.gate.authorise(principal, "node.status")
        with self.ledger.read() as conn:
            return self._quarantine().counts() | aside.counts(conn)

    @exposed(within_s=60)
    def rows(self, principal: Principal, reason: str | None = None, limit: int = 20) -> list[dict[str, Any]]:
        """The newest readings set aside, whole. A deed of the operator, an entry for whoever is in them."""
        if not 0 < limit <= 1000:
            raise BadRequest(f"limit {limit}", mend="1 to 1000")
        with self.ledger.read() as conn:
            known = self._quarantine().counts() | aside.counts(conn)
        looked = reason if reason in known else "all" if reason is None else "another"  # never what somebody typed
        rows: list[dict[str, Any]]
        if reason is not None and reason.startswith(UNREADABLE):
            with self.ledger.read() as conn:
                kept = aside.some(conn, reason, limit)
            rows = [msgspec.structs.asdict(one) | {"data": one.data.decode("utf-8", "replace")} for one in kept]
            texts = [row["data"] for row in rows]
        else:
            rows = msgspec.to_builtins(self._quarantine().rows(reason, limit=limit), builtin_types=())
            texts = [f'"{row["device_id"]}" {row["raw"]}' for row in rows]
        plain = {"looked": looked, "rows": limit}
        self.gate.authorise(principal, "quarantine.replay", plain=plain, people=self._named_in(texts))
        return rows

    def _named_in(self, texts: Iterable[str]) -> set[str]:
        """What may name a resident in messages, readable ones or not: every quoted word, and who wears a device."""
        words = {word for text in texts for word in QUOTED.findall(text)}
        worn = LedgerDevices(self.ledger, self.clock).rows() if words else ()
        return words | {row.resident_id for row in worn if row.device_id in words and row.resident_id}

    @exposed(within_s=3600)
    async def replay(self, principal: Principal, reason: str, device: str | None = None) -> int:
        """Publish everything set aside for a reason again, as if it came now; gives how many messages.

        What is in the stream again is set aside no more; what still breaks its contract is set aside anew. What a crash
        left sent and still set aside is sent again: within minutes the broker stores it once, later what was stored
        counts as a duplicate.
        """
        known = await asyncio.to_thread(self.counts, principal)
        if reason not in known:
            raise BadRequest(f"nothing is set aside as {reason!r}", mend="known: " + (", ".join(known) or "none"))
        await asyncio.to_thread(
            self.gate.authorise, principal, "quarantine.replay", plain={"reason": reason, "readings": known[reason]}
        )
        if reason.startswith(UNREADABLE):
            return await self._publish_again(reason)
        here = self._quarantine()
        waiting = await asyncio.to_thread(here.waiting, reason, device=device)
        client = await stream.connect(self.settings, name="requeue")
        done = 0
        try:
            for some in _whole_messages(waiting):
                for one in some:
                    data = one.raw.encode()
                    await stream.publish_reading(client, self.settings, one.gateway, "requeue", data, one.name)
                await asyncio.to_thread(here.take, reason, some, device=device)
                done += len(some)
        except (StreamError, LakeError) as error:
            raise type(error)(
                f"stopped after {done} of {len(waiting)}: {error.what}",
                where=error.where,
                mend="run it again: what is stored counts as a duplicate",
            ) from error
        finally:
            await client.close()
        return done

    async def _publish_again(self, reason: str) -> int:
        """Messages to the steward, one by one: what is in the stream again is set aside no more."""
        with self.ledger.read() as conn:
            kept = aside.some(conn, reason)
        client = await stream.connect(self.settings, name="requeue")
        try:
            for one in reversed(kept):
                await stream.publish(client, one.subject, one.data)
                with self.ledger.begin() as conn:
                    aside.take(conn, [one.id])
        finally:
            await client.close()
        return len(kept)

    def _quarantine(self) -> Quarantine:
        return Quarantine(self.settings.home / "lake")


def _whole_messages(waiting: Sequence[Waiting]) -> Iterator[list[Waiting]]:
    """Parts of some length; what came in one message stays together."""
    some: list[Waiting] = []
    for one in waiting:
        if len(some) >= AT_ONCE and (one.partition, one.seq) != (some[-1].partition, some[-1].seq):
            yield some
            some = []
        some.append(one)
    if some:
        yield some
