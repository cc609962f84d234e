"""kill -9 of the broker and of the intake while readings flow. The judge is the publisher's own log.

Every acknowledged reading is in the lake exactly once, nothing is there twice, and each crisis is one finding.
"""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from hucheng.base import broker
from hucheng.base.credentials import Credentials
from hucheng.base.devices import DeviceRow
from hucheng.base.quarantine import Quarantine
from hucheng.base.sources.mqtt import Publisher
from tests.base.nodekit import committed, findings, running, stored, until

KILLS = int(os.environ.get("HUCHENG_KILLS", "3"))
DEVICES = 1000  # far below device_rate
BATCH = 25


class Log:
    """What the publisher sent, and what of it was acknowledged: kept outside the node."""

    def __init__(self, here: Any, gateway: str) -> None:
        self.sent: list[tuple[str, int, float]] = []
        self.acknowledged: set[tuple[str, int, float]] = set()
        self.failed: BaseException | None = None
        self._here, self._gateway = here, gateway
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._chance = random.Random(7)

    def __enter__(self) -> Log:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            credential = Credentials(broker.folder(self._here)).get(self._gateway)
            port = broker.ports(self._here).mqtt
            publisher = Publisher(credential, port, in_flight=20, on_ack=self.acknowledged.update)
            at = time.time_ns() // 1000
            while not self._stop.is_set():
                at = max(at + 1, time.time_ns() // 1000)
                batch = [
                    (f"{self._gateway}-d{self._chance.randrange(DEVICES)}", at + i, self._value()) for i in range(BATCH)
                ]
                at += BATCH
                self.sent += batch
                device, observed, value = zip(*batch, strict=True)
                columns = {"device_id": device, "metric": "systolic_bp", "observed_at": observed, "value": value}
                body = json.dumps({"columns": {**columns, "unit": "mm[Hg]"}}).encode()
                for _ in range(1 + (self._chance.random() < 0.05)):  # some are sent twice
                    publisher.publish(f"readings/{self._gateway}/batch", body, batch)
                time.sleep(0.002)
            assert publisher.wait(60)
            publisher.close()
        except BaseException as error:
            self.failed = error

    def _value(self) -> float:
        return float(self._chance.choice([185] + [120] * 60))


def judge(home: Path, here: Any, logs: list[Log]) -> None:
    acknowledged = set().union(*(log.acknowledged for log in logs))
    sent = {reading for log in logs for reading in log.sent}
    assert all(log.failed is None for log in logs) and len(acknowledged) > 1000
    lake = Counter((row["device_id"], row["t"], row["value"]) for row in stored(home))
    assert [reading for reading, times in lake.items() if times > 1] == [], "doubled"
    assert acknowledged - lake.keys() == set(), (
        f"acknowledged and lost; set aside: {Quarantine(home / 'lake').counts()}"
    )
    assert lake.keys() <= sent, "from nowhere"
    crises = {(device, at) for device, at, value in lake if value >= 180}
    found = Counter((f["device_id"], f["id"]) for f in findings(here))
    assert max(found.values(), default=1) == 1 and len(found) == len(crises), "findings"


def settle(here: Any) -> None:
    """Until everything that the stream holds is committed: the count stands still with no message waiting."""
    from hucheng.base import stream

    async def last() -> int:
        client = await stream.connect(here)
        state = await stream.stream_state(client)
        await client.close()
        return int(state["last_seq"])

    import asyncio

    from hucheng.base.currentreader import CurrentReader

    def done() -> bool:
        reader = CurrentReader(here.home, here.intakes, stale_s=0)
        try:
            return max(offset.seq for offset in reader.offsets()) >= asyncio.run(last())
        finally:
            reader.close()

    until(done, 120)


@pytest.mark.crash
@pytest.mark.parametrize("victim", ["intake", "broker", "both"])
def test_killed_while_readings_flow(tmp_path: Path, victim: str) -> None:
    rows = [DeviceRow(f"gw-1-d{i}", f"r{i}", "gw-1", "test.pressure", True) for i in range(DEVICES)]
    with running(tmp_path, ["gw-1"], rows) as (here, server, intakes):
        with Log(here, "gw-1") as log:
            for _ in range(KILLS):
                before = committed(here)
                until(lambda before=before: committed(here) > before + 2000)  # type: ignore[misc]
                if victim != "intake":
                    server.kill()
                if victim != "broker":
                    intakes[0].kill()
                if victim != "intake":
                    server.start()
                if victim != "broker":
                    intakes[0].start()
            before = committed(here)
            until(lambda: committed(here) > before + 2000)
        settle(here)
        judge(tmp_path, here, [log])


@pytest.mark.crash
def test_killed_and_its_current_values_lost(tmp_path: Path) -> None:
    import shutil

    rows = [DeviceRow(f"gw-1-d{i}", f"r{i}", "gw-1", "test.pressure", True) for i in range(DEVICES)]
    with running(tmp_path, ["gw-1"], rows) as (here, _, intakes), Log(here, "gw-1") as log:
        until(lambda: committed(here) > 3000)
        intakes[0].kill()
        shutil.rmtree(tmp_path / "current")
        intakes[0].start()
        intakes[0].ready()
        until(lambda: committed(here) > 6000)
        log.__exit__()
        settle(here)
        judge(tmp_path, here, [log])


@pytest.mark.crash
def test_killed_before_a_second_look(tmp_path: Path) -> None:
    rows = [DeviceRow("gw-1-d0", "r0", "gw-1", "test.pressure", True)]
    broken = tmp_path / "broken"
    broken.touch()
    with running(tmp_path, ["gw-1"], rows) as (here, _, intakes):
        gateway = Publisher(Credentials(broker.folder(here)).get("gw-1"), broker.ports(here).mqtt)
        one = {"device_id": "gw-1-d0", "metric": "systolic_bp", "unit": "mm[Hg]", "value": 185}
        gateway.publish("readings/gw-1/batch", json.dumps(one | {"observed_at": time.time_ns() // 1000}).encode())
        assert gateway.wait(10)
        until(lambda: committed(here) == 1)
        intakes[0].kill()
        intakes[0].start()
        intakes[0].ready()  # what waits waits on, through a start at which it still cannot be looked at
        gateway.publish("readings/gw-1/nobody", b"{}")
        until(lambda: committed(here) == 2)
        assert findings(here) == []
        intakes[0].kill()
        broken.unlink()
        intakes[0].start()
        until(lambda: len(findings(here)) == 1)
        gateway.close()
