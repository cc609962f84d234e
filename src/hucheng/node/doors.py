"""Who was turned away at a door, into the journal: a topic that is not theirs, a wrong credential, a token, a size; at
the site an entrance that is not theirs, a form of another site, a sign-in.

The first of a kind is an entry at once; what follows within a minute is one entry with its count, so that a flood of
attempts is no flood of entries. Entries go through the stream, where they wait while the steward is down.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from nats.aio.client import Client

from hucheng.base import stream
from hucheng.base.broker import folder
from hucheng.base.brokerlog import Place, Refusal, read_on
from hucheng.base.credentials import Credentials, write_private
from hucheng.gate import Entry
from hucheng.gate.entries import to_stream
from hucheng.settings import Settings

log = logging.getLogger(__name__)
SUBJECT = "standing.doors"
POLICY = "door."
GATEWAY, PERSON = ("gateway", "readings.send"), ("person", "site.ask")
DOORS = {
    "topic": GATEWAY,
    "credential": GATEWAY,
    "token": GATEWAY,
    "size": GATEWAY,
    "person-token": PERSON,
    "entrance": PERSON,
    "form": PERSON,
    "sign-in": PERSON,
}
"""Each door with the kind of those who come to it, and what they ask there."""
LOOK_S, QUIET_S = 1.0, 60.0
NAMED = 5
"""So many topics or names are told in one entry; the others are counted."""
STRANGER = "unknown"
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,64}")


class Count(msgspec.Struct):
    """What one was turned away for, and is not in the journal yet. ``told``: µs since 1970 of the last entry."""

    times: int = 0
    what: list[str] = []
    since: datetime | None = None
    told: int = 0


class Tally(msgspec.Struct):
    """Counts by door and by who it was, and up to where the broker's log is in them."""

    place: Place = Place()
    counts: dict[str, Count] = {}

    def add(self, refusal: Refusal, known: Iterable[str]) -> None:
        """Count one. Whoever is not known by name is a stranger: invented names make no entries of their own."""
        name = refusal.user
        who = name if name is not None and name in known else STRANGER
        count = self.counts.setdefault(f"{refusal.door} {who}", Count())
        count.times += 1
        count.since = count.since or refusal.at
        said = refusal.topic or (name if who == STRANGER and name and _NAME.fullmatch(name) else None)
        if said and said not in count.what and len(count.what) < NAMED:
            count.what.append(said)

    def due(self, now: datetime) -> list[tuple[str, Entry]]:
        """Entries to write now, each with an id of its own, the same until `told`."""
        found = []
        for key, count in self.counts.items():
            if count.times and _us(now) - count.told >= QUIET_S * 1e6:
                door, _, who = key.partition(" ")
                assert count.since is not None
                kind, action = DOORS.get(door, GATEWAY)
                entry = Entry(
                    at=count.since,
                    kind="refused",
                    principal=who,
                    principal_kind=kind,
                    org="",
                    purpose="",
                    basis="",
                    action=action,
                    result="refused",
                    policy=POLICY + door,
                    counts={"times": count.times},
                    detail={"what": count.what} if count.what else {},
                )
                found.append((f"door.{key}.{_us(count.since)}.{count.times}", entry))
        return found

    def told(self, entries: Iterable[tuple[str, Entry]], now: datetime) -> None:
        """These are stored."""
        for _, entry in entries:
            self.counts[f"{entry.policy.removeprefix(POLICY)} {entry.principal}"] = Count(told=_us(now))
        quiet = _us(now) - QUIET_S * 1e6
        self.counts = {key: count for key, count in self.counts.items() if count.times or count.told > quiet}


class BrokerDoor:
    """Follows the broker's log for as long as the node runs; kept in ``broker/doors.json``, so that nothing is missed
    or told twice across restarts."""

    def __init__(self, settings: Settings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._settings, self._clock = settings, clock
        self._path: Path = folder(settings) / "doors.json"
        try:
            self.tally = msgspec.json.decode(self._path.read_bytes(), type=Tally)
        except (OSError, msgspec.DecodeError):
            self.tally = Tally()

    async def run(self, client: Client) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.look(client)
            except Exception as error:  # whatever it is, the readings go on, and it is tried again
                fields = {"error": f"{type(error).__name__}: {error}"[:200]}
                log.warning("the broker's refusals wait", extra={"fields": fields})
            await asyncio.sleep(LOOK_S)

    async def look(self, client: Client) -> None:
        """Read on, and write what is due."""
        refusals, place = await asyncio.to_thread(read_on, self._settings, self.tally.place)
        if refusals:
            known = {credential.user for credential in Credentials(folder(self._settings)).all()}
            for refusal in refusals:
                self.tally.add(refusal, known)
        now = self._clock()
        due = self.tally.due(now)
        if not refusals and not due and place == self.tally.place:
            return
        await tell(client, due)
        self.tally.told(due, now)
        self.tally.place = place
        write_private(self._path, msgspec.json.encode(self.tally).decode())


class WebDoor:
    """Refusals of a process that has no log to read again; written at once, or when their minute is over."""

    def __init__(self, connected: Callable[[], object], clock: Callable[[], datetime]) -> None:
        self._connected, self._clock = connected, clock
        self._tally = Tally()
        self._waiting: asyncio.Task[None] | None = None
        self.known: set[str] = set()

    def heard(self, door: str, who: str | None, what: str | None) -> None:
        """Note that somebody was turned away; returns at once."""
        if who is not None and _NAME.fullmatch(who) and len(self.known) < 10_000:
            self.known.add(who)
        self._tally.add(Refusal(door, who, what, self._clock()), self.known)
        if self._waiting is None or self._waiting.done():
            self._waiting = asyncio.create_task(self._write())

    async def _write(self) -> None:
        pause = 0.0
        while any(count.times for count in self._tally.counts.values()):
            await asyncio.sleep(pause)
            pause = LOOK_S
            now = self._clock()
            if not (due := self._tally.due(now)):
                continue
            try:
                client = await self._connected()  # type: ignore[misc]
                await tell(client, due)
                self._tally.told(due, now)
            except Exception as error:  # the broker is away: it is tried again
                log.warning("refusals wait", extra={"fields": {"error": type(error).__name__}})
                pause = 5.0


async def tell(client: Client, entries: Iterable[tuple[str, Entry]]) -> None:
    """Store entries in the stream from which the steward journals. Raises StreamError."""
    for name, entry in entries:
        for number, message in enumerate(to_stream(entry)):
            await stream.publish(client, SUBJECT, message, f"{name}.{number}")


def _us(at: datetime) -> int:
    return int(at.timestamp() * 1e6)
