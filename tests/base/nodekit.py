"""A broker and an intake as real processes, over a small home of test contracts: for the tests of the data path.

As a program (``python -m tests.base.nodekit HOME PARTITION``) it is that intake, with a toy detector: systolic ≥ 180.
"""

from __future__ import annotations

import asyncio
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hucheng.apps import Detector
from hucheng.base import broker, stream
from hucheng.base.currentreader import CurrentReader
from hucheng.base.devices import DeviceRow
from hucheng.base.keeping import Keeper
from hucheng.base.lake import Lake
from hucheng.base.novelty import Novelty
from hucheng.base.rounds import Round
from hucheng.node.intake.detection import Detection, Open, Watch
from hucheng.node.intake.process import Intake, serve
from hucheng.rules import loads
from hucheng.settings import Settings
from tests.base.readingkit import metrics

PACK = """
pack: crisis
title: {zh: 危急, en: Crisis}
basis: test
versions:
  - in_force: 2020-01-01
    facts:
      systolic: {type: integer, range: [0, 400], round: half_up, unit: "mm[Hg]", source: test.pressure.systolic_bp}
    outcomes:
      crisis: {type: boolean, value: "systolic >= 180"}
"""


def facts(batch: pa.Table, state: Any, registers: Any, now: datetime) -> pa.Table:
    """Every systolic reading is a row."""
    some = batch.filter(pc.equal(batch["metric"], "systolic_bp"))
    return some.select(["resident_id", "device_id", "observed_at"]).append_column("systolic", some["value"])


CRISIS = Detector("crisis", "test.pressure", "test.detect", "crisis", "crisis", "crisis", "test.alarm", facts, True)


def due(state: Any, registers: Any, now: datetime) -> pa.Table:
    """One row a second, on the second."""
    at = now.replace(microsecond=0)
    return pa.table({"resident_id": ["r0"], "device_id": ["clock"], "observed_at": [at], "systolic": [200]})


CLOCK = Detector(
    "clock", "test.second", "test.detect", "crisis", "crisis", "clock", "test.clock", facts, tick=due, every_s=0.5
)


class FileDevices:
    """The register of devices as a file that a test replaces."""

    def __init__(self, home: Path) -> None:
        self.path = home / "devices.json"

    def version(self) -> int:
        return self.path.stat().st_mtime_ns

    def rows(self) -> list[DeviceRow]:
        return msgspec.json.decode(self.path.read_bytes(), type=list[DeviceRow])

    def put(self, rows: list[DeviceRow]) -> None:
        new = self.path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(rows))
        new.replace(self.path)


def breakable(detector: Detector, mark: Path) -> Detector:
    """The detector; it fails for as long as a file is there."""

    def told(batch: pa.Table, state: Any, registers: Any, now: datetime) -> pa.Table:
        if mark.exists():
            raise ValueError("told to fail")
        return detector.facts(batch, state, registers, now)

    return dataclasses.replace(detector, facts=told)


def settings(home: Path, **more: Any) -> Settings:
    found: dict[str, Any] = {"stream_max_gb": 1.0, **more}
    path = home / "kit.json"
    if path.exists():
        found = msgspec.json.decode(path.read_bytes())
    else:
        home.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.encode(found))
    return Settings(home=home, **found)


def no_deduplication() -> None:
    """Mutant: every reading is new."""
    Novelty.tell = lambda self, pair, *_: np.zeros(len(pair), np.int8)  # type: ignore[method-assign]


def acknowledge_before_store() -> None:
    """Mutant: the offset says that readings are kept before they are."""
    commit = Keeper.commit

    def early(self: Keeper, flight: Round) -> None:
        self.current.write(flight.offset)
        time.sleep(0.5)
        commit(self, flight)

    Keeper.commit = early  # type: ignore[method-assign]


MUTANTS = {mutant.__name__: mutant for mutant in (no_deduplication, acknowledge_before_store)}


def intake(home: Path, partition: int) -> None:
    if mutant := os.environ.get("HUCHENG_TEST_MUTANT"):
        MUTANTS[mutant]()
    here = settings(home)
    keeper = Keeper(home, partition, here.intakes, metrics(), FileDevices(home))
    detectors = breakable(CRISIS, home / "broken"), CLOCK
    detection = Detection([Watch(d, loads(PACK), Open()) for d in detectors], lambda *_: {}, lambda device: True)
    asyncio.run(serve(Intake(here, partition, keeper, detection)))


class Process:
    """The intake as a process that can be killed."""

    def __init__(self, home: Path, partition: int = 0) -> None:
        self.home, self.partition = home, partition
        self.mark = home / "run" / f"intake-{partition}.ready"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.mark.unlink(missing_ok=True)
        log = (self.home / f"intake-{self.partition}.log").open("ab")
        self.child = subprocess.Popen(
            [sys.executable, "-m", "tests.base.nodekit", str(self.home), str(self.partition)],
            cwd=Path(__file__).parents[2],
            stdout=log,
            stderr=log,
        )
        log.close()

    def ready(self, timeout_s: float = 60) -> None:
        until(self.mark.exists, timeout_s)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def stop(self) -> int:
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(60)


def until(done: Any, timeout_s: float = 60) -> None:
    """Wait for a condition; fails when it does not come."""
    deadline = time.monotonic() + timeout_s
    while not done():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.05)


@contextmanager
def running(home: Path, gateways: list[str], rows: list[DeviceRow], **more: Any) -> Iterator[tuple[Settings, Any, Any]]:
    """Settings, broker and the intakes' processes of a running home."""
    here = settings(home, **more)
    FileDevices(home).put(rows)
    server = broker.Broker(here)
    broker.Credentials(broker.folder(here)).grant(gateways)
    server.start()
    intakes = [Process(home, p) for p in range(here.intakes)]
    try:
        for one in intakes:
            one.start()
        for one in intakes:
            one.ready()
        yield here, server, intakes
    finally:
        for one in intakes:
            if one.child is not None and one.child.poll() is None:
                with suppress(subprocess.TimeoutExpired):
                    one.stop()
        server.stop()


def committed(here: Settings) -> int:
    """How many readings are counted as received, in all partitions."""
    reader = CurrentReader(here.home, here.intakes, stale_s=0)
    try:
        return sum(offset.counts.received for offset in reader.offsets())
    finally:
        reader.close()


def stored(home: Path, dataset: str = "test.pressure") -> list[dict[str, Any]]:
    rows = Lake(home / "lake").read(dataset, "device_id, metric, epoch_us(observed_at) AS t, value")
    found: list[dict[str, Any]] = rows.to_pylist()
    return found


def findings(here: Settings, rule: str = "crisis") -> list[dict[str, Any]]:
    """What one rule found, from the stream of findings."""

    async def ask() -> list[dict[str, Any]]:
        client = await stream.connect(here)
        try:
            state = await stream.stream_state(client, broker.FINDINGS)
            js = client.jetstream()
            return [
                msgspec.json.decode((await js.get_msg(broker.FINDINGS, seq)).data or b"")
                for seq in range(max(1, state["first_seq"]), state["last_seq"] + 1)
            ]
        finally:
            await client.close()

    return [found for found in asyncio.run(ask()) if found["rule"] == rule]


if __name__ == "__main__":
    os.environ.setdefault("PYTHONFAULTHANDLER", "1")
    intake(Path(sys.argv[1]), int(sys.argv[2]))
