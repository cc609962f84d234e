"""Puts one intake together: the register of devices, the apps' detectors with their packs, their standing views."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from hucheng.apps import App, Detector
from hucheng.base.contracts import Contract
from hucheng.base.deviceregister import LedgerDevices
from hucheng.base.devices import Metrics
from hucheng.base.keeping import Keeper
from hucheng.errors import HuchengError, Refused
from hucheng.node.detection import Detection, Standing, Watch
from hucheng.node.intake import Intake
from hucheng.node.rooms import Rooms, now_utc, open_rooms
from hucheng.rules import load
from hucheng.settings import Settings

log = logging.getLogger(__name__)
ARROW = {
    "integer": pa.int64(),
    "number": pa.float64(),
    "boolean": pa.bool_(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us", "UTC"),
}
Views = Callable[[Detector], Standing]


class RegisterTables:
    """Registers as Arrow tables with the fields that a purpose permits; `refresh` reads what changed."""

    def __init__(self, rooms: Rooms, wanted: Iterable[tuple[str, str]]) -> None:
        self._rooms = rooms
        self._versions: dict[str, int] = {}
        self._tables: dict[tuple[str, str], pa.Table] = {}
        self._wanted = sorted(set(wanted))
        self.refresh()

    def __call__(self, purpose: str, datasets: Sequence[str]) -> Mapping[str, pa.Table]:
        """The tables asked for, as of the last `refresh`."""
        return {name: self._tables[purpose, name] for name in datasets}

    def refresh(self) -> None:
        """Read anew what changed; may be called beside the readers."""
        for name in sorted({name for _, name in self._wanted}):
            version = self._rooms.registers.version(name)
            if self._versions.get(name) == version:
                continue
            self._rooms.registers.forget_cached()
            rows = self._rooms.registers.all(name)
            contract = self._rooms.catalogue.get(name)
            for purpose in sorted(p for p, dataset in self._wanted if dataset == name):
                self._tables[purpose, name] = as_arrow(contract, _permitted(contract, purpose), rows)
            self._versions[name] = version


def _permitted(contract: Contract, purpose: str) -> tuple[str, ...]:
    use = contract.uses.get(purpose)
    if use is None or use.where or use.coarsen or use.smallest_group > 1:
        raise Refused(
            f"{contract.id} gives {purpose} no plain rows",
            policy="contract.uses",
            needed=f"a use {purpose} in the contract of {contract.id}",
        )
    return use.fields


def as_arrow(contract: Contract, fields: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Register rows as a table of the given fields, typed by the contract."""
    columns = {}
    for name in fields:
        kind = contract.field(name).type
        values = [row.get(name) for row in rows]
        columns[name] = (
            pa.array(values) if kind in ("array", "object") else pa.array(values, ARROW.get(kind, pa.string()))
        )
    return pa.table(columns)


def watches_of(apps: Sequence[App], rooms: Rooms, views: Views) -> list[Watch]:
    """A watch for each detector whose purpose is in force; the others are named in the log and do not run."""
    found: list[Watch] = []
    for app in apps:
        for detector in app.detectors:
            try:
                rooms.purposes.get(detector.purpose)
                found.append(Watch(detector, load(detector.pack, [app.rules]), views(detector)))
            except HuchengError as error:
                log.warning("a detector does not run", extra={"fields": {"detector": detector.name, "why": error.what}})
    return found


def assemble(settings: Settings, partition: int) -> Intake:
    """The intake of one partition of a node's home."""
    rooms = open_rooms(settings, migrate=False)
    keeper = Keeper(
        settings.home,
        partition,
        settings.intakes,
        Metrics(rooms.catalogue.observations()),
        LedgerDevices(rooms.ledger, now_utc),
    )
    watches = watches_of(rooms.apps, rooms, views_of(rooms))
    tables = RegisterTables(rooms, ((w.detector.purpose, name) for w in watches for name in w.detector.registers))
    devices = keeper.devices

    def simulated(device: str) -> bool:
        number = devices.index.get(device)
        return number is not None and bool(devices.simulated[number])

    detection = Detection(watches, tables, simulated, settings.timezone)
    return Intake(settings, partition, keeper, detection, clock=now_utc, refresh=tables.refresh)
