"""Readings → durable → detected → committed at 150,000/s, and urgent ones sent singly at that load.

150 community gateways with 1,000 homes each, one reading a home and second (mattresses, motion, vital signs, blood
pressure), care's own contracts, packs and detectors; everything on this machine: gateways, broker, intake, a steward
with its journal and its cases, and an officer who waits on its socket as a page does (`changes`, then `queue`).

``python -m bench.intake [--seconds 600] [--batch 1000] [--sync always] [--gateways 150] [--homes 1000]``
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from tests.node.stewarding import Process, make_home

from bench.table import Figure
from hucheng.apps import load_apps
from hucheng.base import broker, stream
from hucheng.base.contracts import load_contract
from hucheng.base.credentials import Credentials
from hucheng.base.devices import DeviceRow, ListedDevices, Metrics
from hucheng.base.keeping import Keeper
from hucheng.base.rpcclient import Client, proxy
from hucheng.cases.desk import Desk
from hucheng.gate import Principal
from hucheng.node.home.rooms import open_rooms
from hucheng.node.intake.detection import Detection, Open, Watch
from hucheng.node.intake.process import Intake, serve
from hucheng.rules import load
from hucheng.settings import Settings

KINDS = (  # share of homes, dataset, metric, unit, value
    (0.4, "home.bed", "heart_rate", "/min", 62),
    (0.7, "home.motion", "motion", "1", 1),
    (0.9, "home.vitals", "oxygen_saturation", "%", 97),
    (1.0, "home.blood_pressure", "systolic_bp", "mm[Hg]", 128),
)
URGENT_PER_S = 5.0


def gateways(count: int, homes: int) -> list[tuple[str, list[dict[str, Any]]]]:
    """Names and devices of every gateway."""
    found = []
    for g in range(count):
        devices = []
        for h in range(homes):
            _, dataset, metric, unit, value = next(kind for kind in KINDS if h / homes < kind[0])
            name = f"g{g:03d}-{metric[:4]}-{h:04d}"
            devices.append({"device_id": name, "dataset": dataset, "metric": metric, "unit": unit, "value": value})
        found.append((f"g{g:03d}", devices))
    return found


def intake(home: Path) -> None:
    """The process under measure: the whole intake with care's detectors."""
    here = Settings.running(home)
    care = next(app for app in load_apps() if app.name == "care")
    metrics = Metrics(load_contract(path) for path in care.contracts)
    rows = msgspec.json.decode((home / "devices.json").read_bytes(), type=list[DeviceRow])
    keeper = Keeper(home, 0, 1, metrics, ListedDevices(rows))
    empty = pa.table({"resident_id": pa.array([], pa.string())})
    registers = {
        "city.residents": empty.append_column("born", pa.array([], pa.date32())),
        "care.profiles": pa.table(
            {
                "resident_id": pa.array([], pa.string()),
                "pregnant": pa.array([], pa.bool_()),
                "hypercapnic": pa.array([], pa.bool_()),
                "usual_absence_min": pa.array([], pa.int64()),
            }
        ),
        "city.devices": pa.table(
            {
                "device_id": [r.device_id for r in rows],
                "resident_id": [r.resident_id for r in rows],
                "dataset": [r.dataset for r in rows],
                "commissioned_at": pa.array([datetime(2026, 1, 1)] * len(rows), pa.timestamp("us", "UTC")),  # noqa: DTZ001
                "ended_at": pa.array([None] * len(rows), pa.timestamp("us", "UTC")),
            }
        ),
    }
    watches = [Watch(detector, load(detector.pack, [care.rules]), Open()) for detector in care.detectors]
    detection = Detection(watches, lambda purpose, names: {n: registers[n] for n in names}, lambda device: True)
    asyncio.run(serve(Intake(here, 0, keeper, detection)))


def run(seconds: float, batch: int, sync: str, count: int = 150, homes: int = 1000) -> list[Figure]:
    """One run on a fresh home."""
    with tempfile.TemporaryDirectory(prefix="hucheng-bench-") as folder:
        home = Path(folder) / "home"
        all_ = gateways(count, homes)
        sick = [f"urgent-{i}" for i in range(int(seconds * URGENT_PER_S) + 10)]
        mode = {"always": "always", "2m": "interval"}[sync]
        here = make_home(home, residents=len(sick) + 500, sync=mode, stream_max_gb=8.0)
        rows = [DeviceRow(d["device_id"], "r-" + d["device_id"], g, d["dataset"], True) for g, ds in all_ for d in ds]
        rows += [
            DeviceRow(name, person, "urgent", "home.blood_pressure", True)
            for name, person in zip(sick, residents(here), strict=False)
        ]
        (home / "devices.json").write_bytes(msgspec.json.encode(rows))
        Credentials(broker.folder(here)).grant([*(name for name, _ in all_), "urgent"])
        server = broker.Broker(here)
        ports = server.start()
        steward = Process(here).start()
        assert steward.process is not None and server.process is not None
        child = subprocess.Popen([sys.executable, "-m", "bench.intake", "--as-intake", str(home)])
        mark = home / "run" / "intake-0.ready"
        while not mark.exists():
            assert child.poll() is None
            time.sleep(0.1)
        plan: dict[str, Any] = {"seconds": seconds, "batch": batch, "port": ports.mqtt, "urgent_per_s": URGENT_PER_S}
        tokens = {c.gateway: c for c in Credentials(broker.folder(here)).all()}
        plan["gateways"] = [
            {"name": n, "user": tokens[n].user, "token": tokens[n].token, "devices": ds} for n, ds in all_
        ]
        plan["gateways"].append(
            {"name": "urgent", "user": tokens["urgent"].user, "token": tokens["urgent"].token, "urgent": sick}
        )
        (home / "plan.json").write_text(json.dumps(plan))
        try:
            pids = {"broker": server.process.pid, "intake": child.pid, "steward": steward.process.pid}
            told = asyncio.run(_measure(here, steward.who("emergency-1"), seconds, pids))
        finally:
            child.terminate()
            child.wait(60)
            steward.stop()
            server.stop()
        under = (
            f"{count} gateways x {homes} homes, batches of {batch}, sync {sync}, {seconds:.0f} s, "
            f"{os.cpu_count()} cores with gateways, broker, intake, steward and a waiting officer on them"
        )
        lost = told["acknowledged"] - told["received"]
        assert lost <= 0, f"{lost} acknowledged readings are not committed"
        name = f"batches of {batch}, sync {sync}"
        goal = 0.99 * count * homes if count * homes >= 150_000 else None
        return [
            Figure(f"readings committed, {name}", told["rate"], "/s", under, goal, "more", told),
            Figure(f"urgent reading observed → finding stored, p99, {name}", told["p99_s"], "s", under),
            Figure(
                f"urgent reading observed → officer's queue, p99, {name}", told["queue_p99_s"], "s", under, 1.0, "less"
            ),
        ]


def residents(here: Settings) -> list[str]:
    """Everyone of the home's register."""
    rooms = open_rooms(here)
    try:
        return [row["resident_id"] for row in rooms.registers.find("city.residents", {})]
    finally:
        rooms.close()


class Status(msgspec.Struct):
    """What the intake says of itself, as far as it matters here."""

    received: int = 0
    accepted: int = 0
    quarantined: int = 0


class Officer:
    """Waits for the queue to change and looks at it: when each resident's case was seen first."""

    def __init__(self, here: Settings, who: Principal) -> None:
        self._client, self._who = Client(here.socket), who
        self.seen: dict[str, float] = {}

    async def wait(self) -> None:
        """Until cancelled."""
        desk: Any = proxy(Desk, self._client, "desk")
        version = (await desk.queue(self._who, limit=1)).version
        while True:
            version = await desk.changes(version, 10.0)
            shown = await desk.queue(self._who, limit=50, order="newest")
            now = time.time()
            for row in shown.cases:
                self.seen.setdefault(row.resident_id, now)
            await asyncio.sleep(0.2)  # as the site does between two looks (`hucheng.portals.watch`)


async def _measure(here: Settings, who: Principal, seconds: float, pids: dict[str, int]) -> dict[str, Any]:
    client = await stream.connect(here, name="bench")
    delays: list[float] = []
    observed: dict[str, float] = {}

    async def heard(message: Any) -> None:
        found = msgspec.json.decode(message.data)
        if str(found["device_id"]).startswith("urgent"):
            at = datetime.fromisoformat(found["observed_at"]).timestamp()
            delays.append(time.time() - at)
            observed[found["resident_id"]] = at

    await client.subscribe("findings.>", cb=heard)
    officer = Officer(here, who)
    waiting = asyncio.create_task(officer.wait())
    home = here.home
    counts = Status()

    async def told(message: Any) -> None:
        nonlocal counts
        counts = msgspec.json.decode(message.data, type=Status)

    await client.subscribe("status.intake.0", cb=told)  # what is committed, by its own word: costs nothing beside it
    started, cpu = time.monotonic(), {name: _cpu_s(pid) for name, pid in pids.items()}
    load_ = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.gateways", str(home / "plan.json"), stdout=asyncio.subprocess.PIPE
    )
    points: list[tuple[float, int]] = []
    while load_.returncode is None and time.monotonic() - started < seconds + 120:
        await asyncio.sleep(0.5)
        points.append((time.monotonic() - started, counts.received))
        if load_.stdout is not None and load_.stdout.at_eof():
            break
        try:
            await asyncio.wait_for(load_.wait(), 0.5)
        except TimeoutError:
            continue
    out = json.loads(await load_.stdout.read()) if load_.stdout is not None else {}
    deadline = time.monotonic() + 120
    while counts.received < out["acknowledged"] and time.monotonic() < deadline:
        await asyncio.sleep(0.2)
    used = {name: round(_cpu_s(pid) - cpu[name], 1) for name, pid in pids.items()}
    behind = time.monotonic() - started
    waiting.cancel()
    await client.close()
    queue = np.array([officer.seen.get(person, float("inf")) - at for person, at in observed.items()] or [float("inf")])
    steady = [(t, n) for t, n in points if 5 <= t <= seconds]
    rate = (steady[-1][1] - steady[0][1]) / (steady[-1][0] - steady[0][0]) if len(steady) > 1 else 0.0
    late = np.array(delays or [float("inf")])
    return {
        "rate": round(rate),
        "p99_s": round(float(np.quantile(late, 0.99)), 3),
        "p50_s": round(float(np.quantile(late, 0.5)), 3),
        "max_s": round(float(late.max()), 3),
        "urgent": len(delays),
        "queue_p99_s": round(float(np.quantile(queue, 0.99)), 3),
        "queue_p50_s": round(float(np.quantile(queue, 0.5)), 3),
        "queue_max_s": round(float(queue.max()), 3),
        "sent": out["sent"],
        "acknowledged": out["acknowledged"],
        "received": counts.received,
        "accepted": counts.accepted,
        "quarantined": counts.quarantined,
        "all_committed_after_s": round(behind, 1),
        "cpu_broker_s": used["broker"],
        "cpu_intake_s": used["intake"],
        "cpu_steward_s": used["steward"],
    }


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(quick: bool) -> list[Figure]:
    """Both forms of the promise."""
    seconds = 20.0 if quick else 600.0
    return [*run(seconds, 1000, "always"), *run(seconds, 100, "2m")]


def main() -> None:
    from bench.table import show

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--batch", type=int, default=1000)
    parser.add_argument("--sync", default="always", choices=["always", "2m"])
    parser.add_argument("--gateways", type=int, default=150)
    parser.add_argument("--homes", type=int, default=1000)
    parser.add_argument("--as-intake", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.as_intake:
        intake(given.as_intake)
        return
    figures = run(given.seconds, given.batch, given.sync, given.gateways, given.homes)
    print(show(figures))
    print(json.dumps(figures[0].more, indent=1))


if __name__ == "__main__":
    main()
