"""Puts one intake together: the register of devices, the apps' detectors with their packs, their standing views."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps import Detector
from hucheng.base.deviceregister import LedgerDevices
from hucheng.base.devices import Metrics
from hucheng.base.keeping import Keeper
from hucheng.base.partition import partition_of
from hucheng.errors import HuchengError, Refused
from hucheng.gate import Entry, Gate, Principal, StandingView
from hucheng.gate.entries import to_stream
from hucheng.gate.standing import Sink
from hucheng.node.home.people import SERVICE
from hucheng.node.home.rooms import Clock, Rooms, now_utc, open_rooms
from hucheng.node.intake.detection import Detection, Watch
from hucheng.node.intake.process import Intake
from hucheng.rules import load
from hucheng.settings import Settings

log = logging.getLogger(__name__)


class Notes:
    """Journal entries of standing views on their way to the stream, where they wait for the steward."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[str, bytes]] = deque()

    def __call__(self, entry: Entry) -> None:
        """Take an entry."""
        for number, message in enumerate(to_stream(entry)):
            self._waiting.append((f"{entry.ref}.{number}", message))

    def first(self) -> tuple[str, bytes] | None:
        """The oldest that is not stored yet: its id and its message."""
        return self._waiting[0] if self._waiting else None

    def stored(self) -> None:
        """The oldest is stored."""
        self._waiting.popleft()


class Watching:
    """The detectors that may run now, with what they see; `refresh` notices registers and permissions that change."""

    def __init__(self, rooms: Rooms, gate: Gate, partition: int = 0) -> None:
        self._rooms, self._gate, self._partition = rooms, gate, partition
        self._who = service(rooms)
        self.views: dict[tuple[str, str], StandingView] = {}
        self._off: dict[str, str] = {}
        self._lacking: dict[str, str] = {}
        self._settled: set[str] = set()
        self._tables: dict[tuple[str, str], pa.Table] = {}
        self._versions: dict[str, int] = {}
        self.watches = [watch for detector, pack in self._permitted() if (watch := self._watch(detector, pack))]
        self._running = self._names()
        self._read_registers()

    def __call__(self, purpose: str, datasets: Sequence[str]) -> Mapping[str, pa.Table]:
        """Registers with the fields that a purpose permits, as of the last `refresh`."""
        return {name: self._tables[purpose, name] for name in datasets}

    def blind(self) -> dict[str, str]:
        """Declared detectors that do not run, or run without what they need, and why."""
        return {**self._lacking, **self._off}

    def settled(self) -> frozenset[str]:
        """Those of them that do not run because the bureau has not accepted, or has refused, what they ask for.

        That is an answer, or the wait for one, and no fault of the node.
        """
        return frozenset(self._settled)

    def refresh(self) -> bool:
        """Read what changed; False when other detectors may run now than do, so that the intake must start anew."""
        self._rooms.purposes.forget_cached()
        self._read_registers()
        return self._names() == self._running

    def _names(self) -> set[str]:
        """Everything on which it hangs what may run: any answer of the bureau, and purposes that end by themselves."""
        settled = {f"{r.kind} {r.id} {r.state} {r.digest}" for r in self._rooms.purposes.requests()}
        return settled | {detector.name for detector, _ in self._permitted()}

    def _permitted(self) -> list[tuple[Detector, Path]]:
        found = []
        for app in self._rooms.apps:
            for detector in app.detectors:
                try:
                    self._rooms.purposes.get(detector.purpose)
                    found.append((detector, app.rules))
                except Refused as refusal:
                    self._switched_off(detector, refusal)
        return found

    def _switched_off(self, detector: Detector, why: HuchengError) -> None:
        if detector.name not in self._off:
            log.warning("a detector does not run", extra={"fields": {"detector": detector.name, "why": why.what}})
        self._off[detector.name] = why.what
        if isinstance(why, Refused):
            self._settled.add(detector.name)

    def _watch(self, detector: Detector, folder: Path) -> Watch | None:
        try:
            key = (detector.purpose, detector.dataset)
            if key not in self.views:
                self.views[key] = self._gate.stand(self._who, *key)
            return Watch(detector, load(detector.pack, [folder]), self.views[key])
        except HuchengError as error:
            self._switched_off(detector, error)
            return None

    def _read_registers(self) -> None:
        """Registers that changed; one that cannot be read blinds the detectors that need it, and no other."""
        wanted: dict[str, list[Watch]] = {}
        for watch in self.watches:
            for name in watch.detector.registers:
                wanted.setdefault(name, []).append(watch)
        for name, watches in wanted.items():
            version = self._rooms.registers.version(name)
            if self._versions.get(name) == version:
                continue
            self._rooms.registers.forget_cached()
            self._versions[name] = version
            for purpose, dataset in {w.detector.purpose: w.detector.dataset for w in watches}.items():
                needing = [w.detector.name for w in watches if w.detector.purpose == purpose]
                try:
                    self._tables[purpose, name] = self._mine(self.views[purpose, dataset].register(name))
                    for detector in needing:
                        self._lacking.pop(detector, None)
                        self._settled.discard(detector)
                except HuchengError as error:
                    log.warning("a register cannot be read", extra={"fields": {"register": name, "why": error.what}})
                    self._lacking |= dict.fromkeys(needing, f"{name}: {error.what}")
                    if isinstance(error, Refused):  # a refusal holds until the bureau answers anew
                        self._settled.update(needing)
                    else:
                        self._versions.pop(name)

    def _mine(self, table: pa.Table) -> pa.Table:
        """Of a register of devices the rows of this partition: the others are heard by other intakes."""
        partitions = self._rooms.settings.intakes
        if partitions == 1 or "device_id" not in table.column_names:
            return table
        rows = self._rooms.registers.all("city.devices")
        own = [row["device_id"] for row in rows if partition_of(row["gateway_id"], partitions) == self._partition]
        return table.filter(pc.is_in(table["device_id"], value_set=pa.array(own, pa.string())))


def service(rooms: Rooms) -> Principal:
    """The intake as a principal: a service of this node. Raises Refused where the home was not made to its end."""
    return rooms.principals.get(SERVICE)


def standing_gate(rooms: Rooms, sink: Sink, clock: Clock = now_utc) -> Gate:
    """The intake's own gate over a home: it keeps no journal, so it can stand in the stream and do nothing else."""
    return Gate(
        catalogue=rooms.catalogue,
        registers=rooms.registers,
        keys=rooms.keys,
        principals=rooms.principals,
        purposes=rooms.purposes,
        sink=sink,
        partitions=rooms.settings.intakes,
        clock=clock,
    )


def assemble(settings: Settings, partition: int) -> Intake:
    """The intake of one partition of a node's home."""
    rooms = open_rooms(settings, migrate=False)
    notes = Notes()
    gate = standing_gate(rooms, notes)
    metrics = Metrics(rooms.catalogue.observations())
    keeper = Keeper(settings.home, partition, settings.intakes, metrics, LedgerDevices(rooms.ledger, now_utc))
    watching = Watching(rooms, gate, partition)
    devices = keeper.devices

    def simulated(device: str) -> bool:
        number = devices.index.get(device)
        return number is not None and bool(devices.simulated[number])

    detection = Detection(watching.watches, watching, simulated, settings.timezone, watching.blind, watching.settled)
    return Intake(settings, partition, keeper, detection, clock=now_utc, refresh=watching.refresh, notes=notes)
