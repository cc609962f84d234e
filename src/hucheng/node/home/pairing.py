"""Help links of paired devices: a link stands for a device, and ends with it.

The resident of a device need not be anybody who signs in. So each device that calls for help has a holder of its link
(`hucheng.portals.tokens.holder`): a principal who may ask, about that resident alone, whether help is coming.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hucheng.apps import App
from hucheng.errors import BadRequest, NotFound
from hucheng.gate import Gate, Principal
from hucheng.node.home.rooms import Rooms
from hucheng.node.home.secret import site_secret
from hucheng.portals.tokens import HOLDER_ROLE, Tokens, holder

DEVICES = "city.devices"
NAME = "求助链接 help link"


def calling(apps: Iterable[App]) -> frozenset[str]:
    """The datasets of which a press for help is a reading."""
    return frozenset(app.help[0] for app in apps if app.help)


def holders(
    devices: Iterable[Mapping[str, Any]],
    place: Callable[[Mapping[str, Any]], tuple[str, ...]],
    datasets: Collection[str],
) -> list[Principal]:
    """The holders of the links of those devices that call for help, which is to say are of these ``datasets``.

    ``place``: the path of where a device is.
    """
    return [
        Principal(holder(row["device_id"]), "resident", NAME, place(row), (HOLDER_ROLE,), row["resident_id"])
        for row in devices
        if row["dataset"] in datasets and row.get("resident_id") and not row.get("ended_at")
    ]


@dataclass
class Pairing:
    """Keeps the holders in step with the register of devices."""

    rooms: Rooms
    gate: Gate
    clock: Callable[[], datetime]

    def entered(self, devices: Iterable[Mapping[str, Any]]) -> None:
        """Devices were entered or changed: whose link holds, and whose does no longer."""
        datasets = calling(self.rooms.apps)
        rows = [row for row in devices if row.get("dataset") in datasets]
        linked = list(holders(rows, self._place, datasets))
        with self.rooms.ledger.begin() as conn:
            self.rooms.principals.put(linked, conn=conn)
            self.rooms.principals.revive([one.id for one in linked], conn=conn)  # a device may come back into service
        for row in rows:
            if row.get("ended_at") or not row.get("resident_id"):
                self.ended(row["device_id"])

    def ended(self, device_id: str) -> None:
        """A device is in service no longer: neither is its link."""
        with contextlib.suppress(NotFound):
            self.rooms.principals.end(holder(device_id), self.clock())

    def link(self, principal: Principal, device_id: str) -> str:
        """The address behind which this device's help lies, for whoever sets it up at the resident's.

        Raises NotFound for a device out of service, BadRequest for one that does not call for help, Refused.
        """
        row = self.rooms.registers.live(DEVICES, device_id, sealed=False)
        if row is None or row.get("ended_at"):
            raise NotFound(f"no device {device_id!r} is in service", mend="enter it first")
        if row["dataset"] not in (datasets := calling(self.rooms.apps)) or not row.get("resident_id"):
            known = ", ".join(sorted(datasets)) or "none"
            raise BadRequest(
                f"{device_id} is no device that calls for help", mend=f"those are of the datasets: {known}"
            )
        person = str(row["resident_id"])
        self.gate.authorise(principal, "devices.enrol", person=person, context={"help link of": device_id})
        self.entered([row])
        settings = self.rooms.settings
        token = Tokens(site_secret(settings.home)).help_link(person, device_id, str(row["gateway_id"]))
        return f"{settings.site}/help/{token}"

    def _place(self, row: Mapping[str, Any]) -> tuple[str, ...]:
        home = self.rooms.registers.live("city.residents", str(row["resident_id"]), sealed=False) or {}
        orgs = self.rooms.principals.orgs()
        return self.rooms.principals.path(str(home.get("community") or next(o.id for o in orgs if o.parent is None)))
