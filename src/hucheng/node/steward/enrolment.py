"""Devices that come into service from a file, the links of those that call for help, and erasure.

Every deed is authorised and journaled by the gate before it is done. Devices with a simulated commissioning test are
entered in a demo city only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec

from hucheng.base import broker
from hucheng.base.deviceregister import LedgerDevices
from hucheng.base.devices import DeviceRow
from hucheng.base.rpc import exposed
from hucheng.errors import BadRequest, NotFound, Refused, UnknownDataset
from hucheng.gate import Gate, Principal
from hucheng.node.home.pairing import DEVICES, Pairing
from hucheng.node.home.rooms import Rooms
from hucheng.node.steward.entering import few
from hucheng.node.steward.forgetting import Erased, Forgetting, Progress

BORN = date(1950, 1, 1)
"""Date of birth of residents who come from a file that has none: they are nobody in particular."""


class NewDevice(msgspec.Struct, frozen=True):
    """A device of a readings file: whose it is and what it measures."""

    device_id: str
    resident_id: str
    dataset: str


class Enrolled(msgspec.Struct, frozen=True):
    """A device as it stands in the register now; ``new``: it was entered by this call."""

    device_id: str
    resident_id: str
    gateway_id: str
    dataset: str
    new: bool


@dataclass
class Enrolment:
    """Served over the local socket; the first argument is always who asks."""

    rooms: Rooms
    gate: Gate
    clock: Callable[[], datetime]
    forgetting: Forgetting
    changed: Callable[[], None] = lambda: None

    def __post_init__(self) -> None:
        self.pairing = Pairing(self.rooms, self.gate, self.clock)

    @exposed
    def help_link(self, principal: Principal, device_id: str) -> str:
        """Address behind which a device's help lies. Raises NotFound, BadRequest, Refused."""
        return self.pairing.link(principal, device_id)

    @exposed(within_s=300)
    def devices(self, principal: Principal, devices: list[NewDevice]) -> list[Enrolled]:
        """Enter the residents and devices of a readings file, with a simulated commissioning test.

        Residents who are not known yet are entered without a name, in the city's first community; they and their
        devices are labelled simulated. Raises Refused outside a demo city, BadRequest for a device that is somebody
        else's.
        """
        few(devices)
        if not self.rooms.settings.demo:
            raise Refused(
                "devices are not enrolled from files here", policy="devices.enrol.demo", needed="a commissioning test"
            )
        about = {one.resident_id for one in devices}
        self.gate.authorise(principal, "devices.enrol", plain={"rows": len(devices)}, people=about)
        for name in {one.dataset for one in devices}:
            if self.rooms.catalogue.get(name).kind != "observation":
                raise UnknownDataset(f"{name} is not measured by devices", mend="name a dataset of observations")
        held = self._held(devices)
        fresh = [one for one in dict.fromkeys(devices) if one.device_id not in held]
        community = self._community()
        self._enter_residents(sorted({one.resident_id for one in fresh}), community)
        now = self.clock()
        entered = {one.device_id: self._device(one, community, now) for one in fresh}
        if len(entered) != len(fresh):
            raise BadRequest("one device stands under two residents or datasets", mend="mend the file")
        self.rooms.registers.put(DEVICES, entered.values())
        self.pairing.entered(entered.values())
        broker.grant(self.rooms.settings, sorted({row["gateway_id"] for row in entered.values()}))
        known = held | entered
        return [
            Enrolled(
                one.device_id,
                one.resident_id,
                known[one.device_id]["gateway_id"],
                known[one.device_id]["dataset"],
                one.device_id in entered,
            )
            for one in dict.fromkeys(devices)
        ]

    @exposed(within_s=300)
    def ways(self, principal: Principal, device_ids: list[str]) -> list[DeviceRow]:
        """By which gateway the readings of these devices come; devices that nobody entered are left out."""
        few(device_ids)
        self.gate.authorise(principal, "stream.replay", plain={"rows": len(device_ids)})
        wanted = set(device_ids)
        return [row for row in LedgerDevices(self.rooms.ledger, self.clock).rows() if row.device_id in wanted]

    @exposed(within_s=600)
    def erase(self, principal: Principal, resident_id: str, reason: str) -> Erased:
        """Erase a person: from the ledger at once, from everything else as soon as all parts can (`erasure`).

        Raises BadRequest without a reason or where it names the person, NotFound for nobody.
        """
        done = self.forgetting.ask(principal, resident_id, reason)
        self.changed()
        return done

    @exposed(within_s=60)
    def erasure(self, principal: Principal, name: str) -> Progress:
        """How far an erasure is. Raises NotFound."""
        self.gate.authorise(principal, "node.status")
        return self.forgetting.progress(name)

    def _held(self, devices: Sequence[NewDevice]) -> dict[str, dict[str, Any]]:
        held: dict[str, dict[str, Any]] = {}
        for one in devices:
            row = self.rooms.registers.live("city.devices", one.device_id, sealed=False)
            if row is None:
                continue
            if (row["resident_id"], row["dataset"]) != (one.resident_id, one.dataset):
                raise BadRequest(
                    f"device {one.device_id} is entered for somebody or something else", mend="give it another id"
                )
            held[one.device_id] = row
        return held

    def _community(self) -> str:
        found = [org.id for org in self.rooms.principals.orgs() if org.level == "community"]
        if not found:
            raise NotFound("there is no community to enter them in", mend="enter the organisation tree first")
        return found[0]

    def _enter_residents(self, people: list[str], community: str) -> None:
        new = [one for one in people if self.rooms.registers.live("city.residents", one, sealed=False) is None]
        rows = [{"resident_id": one, "name": one, "born": BORN, "community": community} for one in new]
        if rows:
            self.rooms.registers.put("city.residents", rows)

    def _device(self, one: NewDevice, community: str, now: datetime) -> dict[str, Any]:
        home = self.rooms.registers.live("city.residents", one.resident_id, sealed=False) or {}
        place = home.get("community") or community
        return {
            "device_id": one.device_id,
            "resident_id": one.resident_id,
            "home_id": f"h-{one.resident_id}",
            "gateway_id": f"gw-{place}",
            "dataset": one.dataset,
            "kind": one.dataset.partition(".")[2] or one.dataset,
            "model": "file",
            "simulated": True,
            "commissioned_at": now,
        }
