"""Erasing a person, to the end: what the ledger holds at once, then, from a row of what is owed, everything else.

In one transaction everything in the ledger goes and the erasure is entered as owed. From then on, again and again
until it is done: the apps' own keepings, the lake's copies of registers, and an order through the stream by which each
intake takes readings out of lake, current values and quarantine. It is done when nothing is found any more. So it
outlives a steward that dies, a broker that is down and an intake that is late.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection

from hucheng.base import aside, quarantine, stream
from hucheng.base.currentreader import CurrentReader
from hucheng.base.deviceregister import worn_by
from hucheng.base.erasing import Erasure
from hucheng.base.lake import Lake
from hucheng.cases import erasure as cases
from hucheng.cases.rosters import Rosters
from hucheng.decisions import record
from hucheng.errors import BadRequest, HuchengError, NotFound, StreamError
from hucheng.gate import Entry, Gate, Journal, Principal, erasures
from hucheng.gate.entries import asked_by
from hucheng.gate.erasures import Owed
from hucheng.gate.stores import MANDATES
from hucheng.node.home.people import SERVICE
from hucheng.node.home.rooms import Rooms

log = logging.getLogger(__name__)
PURPOSE: Final = "rights.erasure"
RETRY_S = 1.0
ANSWER_S = 5.0
PATIENCE_S = 600.0
"""An order that no intake has obeyed for so long is sent again."""
LATE_S = 60.0
"""From then on the status says that an erasure is owed."""


class Erased(msgspec.Struct, frozen=True):
    """What an erasure took out of the ledger; ``id``: by which its end can be asked for."""

    id: str
    cases: int
    decisions: int
    registers: int
    roster: int
    readings: int
    journal_key: bool
    identity: bool


class Progress(msgspec.Struct, frozen=True):
    """How far an erasure is. ``waits``: what for, in words; None once nothing is left."""

    id: str
    asked_at: datetime
    done_at: datetime | None
    counts: dict[str, int]
    waits: str | None


@dataclass
class Forgetting:
    """Takes a person out; `due` works off what is owed (a poller of the steward calls it)."""

    rooms: Rooms
    gate: Gate
    journal: Journal
    rosters: Rosters
    clock: Callable[[], datetime]
    woken: Callable[[], None] = lambda: None
    _waits: dict[str, str] = field(default_factory=dict)
    _since: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with self.rooms.ledger.read() as conn:
            self._digests = erasures.digests(conn)

    def ask(self, principal: Principal, resident_id: str, reason: str) -> Erased:
        """Erase a person. Raises BadRequest without a reason or where it names them, NotFound for nobody, Refused."""
        reason = reason.strip()
        if len(reason) < 10:
            raise BadRequest("an erasure needs a reason", mend="say which request or law it follows")
        row = self.rooms.registers.live("city.residents", resident_id, sealed=False)
        if row is None:
            raise NotFound(f"no resident {resident_id!r}")
        if any(name in reason for name in (resident_id, str(row.get("name") or resident_id))):
            raise BadRequest(
                "the reason names the person", mend="it stays in the journal: say which request or law it follows"
            )
        who = self.gate.permit(principal, PURPOSE, "people.erase", person=resident_id)
        lake = Lake(self.rooms.settings.home / "lake")
        with self.rooms.ledger.read() as conn:
            devices = worn_by(conn, resident_id)
        readings = 0
        for dataset in self._datasets(lake):
            rows = lake.read(dataset, "device_id, count(*) AS n", "WHERE resident_id = ? GROUP BY 1", [resident_id])
            readings += sum(row["n"] for row in rows.to_pylist())
            devices = dict.fromkeys(row["device_id"] for row in rows.to_pylist()) | devices
        order = Erasure(resident_id, devices)
        self._note(who, "people.erase", {}, {"reason": reason})
        with self.rooms.ledger.begin() as conn:
            counts, identity, key = self._from_ledger(conn, resident_id)
            counts["readings"] = readings
            digest = self._digest(resident_id)
            name = erasures.ask(conn, order, digest, who.id, self.clock(), counts)
        self._digests.add(digest)
        self.rooms.keys.scrub()
        self.woken()
        return Erased(name, **counts, journal_key=key, identity=identity)

    def erased(self, resident_id: str) -> bool:
        """Whether this person was erased, and not entered again since: what still comes about them is not kept."""
        if self._digest(resident_id) not in self._digests:
            return False
        return self.rooms.registers.live("city.residents", resident_id, sealed=False) is None

    def progress(self, name: str) -> Progress:
        """How far an erasure is. Raises NotFound."""
        with self.rooms.ledger.read() as conn:
            owed = erasures.get(conn, name)
        waits = self._waits.get(name, "for its turn") if owed.done_at is None else None
        return Progress(owed.id, owed.asked_at, owed.done_at, owed.counts, waits)

    @property
    def problems(self) -> list[str]:
        """What is owed for long and why it is not done, in words for the status; names nobody."""
        late = [name for name, since in self._since.items() if time.monotonic() - since > LATE_S]
        return [f"erasure {name} waits: {self._waits.get(name, '')}" for name in sorted(late)]

    def due(self) -> float | None:
        """Work off what is owed; seconds until the next look (None: nothing is owed)."""
        with self.rooms.ledger.read() as conn:
            left = erasures.left(conn)
        for owed in left:
            self._since.setdefault(owed.id, time.monotonic())
            try:
                self._waits[owed.id] = self._further(owed)
            except Exception as error:  # whatever it is, the others go on, and it is tried again
                self._waits[owed.id] = f"{type(error).__name__}: it is tried again"
                fields = {"erasure": owed.id, "why": f"{type(error).__name__}: {error}"[:200]}
                log.warning("an erasure waits", extra={"fields": fields})
            if not self._waits[owed.id]:
                del self._waits[owed.id], self._since[owed.id]
        return RETRY_S if self._waits else None

    def _further(self, owed: Owed) -> str:
        """Do what can be done now; what it waits for then, empty when it is done."""
        order = owed.order
        assert order is not None
        if not owed.sent:
            for app in self.rooms.apps:
                for eraser in app.erasers:
                    eraser(order.person)
            self.gate.renew_copies()
            places = asyncio.run(self._send(owed.id, order))
            with self.rooms.ledger.begin() as conn:
                erasures.sent(conn, owed.id, places)
            return "for the intake"
        current = CurrentReader(self.rooms.settings.home, self.rooms.settings.intakes)
        try:
            offsets = current.offsets()
            places = {p: place + offsets[p].base for p, place in owed.sent.items()}
            if any(offsets[p].seq < place for p, place in places.items()):
                if time.monotonic() - self._since[owed.id] > PATIENCE_S:  # a broker that lost its tail lost the order
                    self._again(owed)
                return "for the intake"
            if self._found(order, places, current):
                self._again(owed)
                return "something is left: the order is sent again"
        finally:
            current.close()
        with self.rooms.ledger.begin() as conn:
            self._from_ledger(conn, order.person)  # a finding that was under way may have come meanwhile
        self._note(self._asker(owed.by), "people.erased", owed.counts, {"erasure": owed.id})
        with self.rooms.ledger.begin() as conn:
            erasures.done(conn, owed.id, self.clock())
        self.rooms.ledger.scrub(erasures.erasure)
        log.info("erased", extra={"fields": {"erasure": owed.id, **owed.counts}})
        return ""

    def _from_ledger(self, conn: Connection, person: str) -> tuple[dict[str, int], bool, bool]:
        """Take a person out of every table; what went, and whether there were an identity and a key."""
        principals = self.rooms.principals.erase(person, conn=conn)
        held = {MANDATES: ("carer", principals)} if principals else None
        counts = {
            "cases": cases.erase(conn, person, self.clock(), principals),
            "decisions": record.erase(conn, person, principals),
            "roster": self.rosters.erase(conn, person, principals),
            "registers": self.rooms.registers.erase(person, named=held, conn=conn),
        }
        aside.erase(conn, person)
        identity = self.rooms.vault.erase(person, conn=conn)
        return counts, identity, self.rooms.keys.destroy(person, conn=conn) is not None

    async def _send(self, name: str, order: Erasure) -> dict[int, int]:
        settings = self.rooms.settings
        try:
            async with asyncio.timeout(ANSWER_S):
                client = await stream.connect(settings, name="forgetting")
                try:
                    stamp = self.clock().strftime("%H%M%S%f")
                    return {
                        p: await stream.erase_readings(client, p, order, f"{name}.{p}.{stamp}")
                        for p in range(settings.intakes)
                    }
                finally:
                    await client.close()
        except (TimeoutError, OSError) as error:
            raise StreamError("the broker does not answer", mend="it is tried again") from error

    def _again(self, owed: Owed) -> None:
        self._since[owed.id] = time.monotonic()
        with self.rooms.ledger.begin() as conn:
            erasures.sent(conn, owed.id, {})

    def _found(self, order: Erasure, places: dict[int, int], current: CurrentReader) -> bool:
        """Whether anything of the person is left where readings lie; in quarantine, of what came before the order."""
        lake = Lake(self.rooms.settings.home / "lake")
        values = [order.person]
        if any(lake.read(name, "1", "WHERE resident_id = ? LIMIT 1", values).num_rows for name in self._datasets(lake)):
            return True
        metrics = sorted({m for c in self.rooms.catalogue.observations() for m in c.metrics})
        for device in order.devices:
            if any(order.person in one.wearers() for p in places for one in current.last(p, device, metrics)):
                return True
        theirs = [device for device, until in order.devices.items() if until is None]
        named = [msgspec.json.encode(name).decode() for name in (order.person, *theirs)]
        names = " OR ".join(["list_contains(?, device_id)", *("contains(raw, ?)" for _ in named)])
        query = f"WHERE partition = ? AND seq <= ? AND ({names}) LIMIT 1"
        return any(lake.read(quarantine.NAME, "1", query, [p, s, theirs, *named]).num_rows for p, s in places.items())

    def _digest(self, person: str) -> str:
        return self.rooms.keys.digest("erased people", person).hex()

    def _datasets(self, lake: Lake) -> list[str]:
        there = set(lake.datasets())
        return [contract.id for contract in self.rooms.catalogue.observations() if contract.id in there]

    def _asker(self, name: str) -> Principal:
        try:
            return self.rooms.principals.get(name)
        except HuchengError:
            return self.rooms.principals.get(SERVICE)

    def _note(self, who: Principal, action: str, counts: dict[str, int], detail: dict[str, Any]) -> None:
        basis = next(one.legal_basis for one in self.rooms.purposes.all() if one.id == PURPOSE)
        self.journal.append(
            [
                Entry(
                    at=self.clock(),
                    kind="deed",
                    purpose=PURPOSE,
                    basis=basis,
                    action=action,
                    policy="people.erase",
                    counts=counts,
                    detail=detail,
                    **asked_by(who),
                )
            ]
        )
