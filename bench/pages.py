"""Any page, 10,000 open cases, intake at 1,000 readings/s: latency at 50 requests/s, open loop.

Requests leave at fixed times whether or not earlier ones have come back, so that a slow page cannot hide behind itself.
"""

from __future__ import annotations

import asyncio
import csv
import itertools
import json
import random
import re
import tempfile
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import numpy as np
from tests.running import RunningNode, until

from bench.table import Figure
from hucheng.base import broker
from hucheng.base.credentials import Credentials
from hucheng.base.sources.mqtt import Publisher
from hucheng.settings import Settings

RATE = 50.0


def measure(quick: bool) -> list[Figure]:
    """Start a node, fill it, ask for its pages."""
    cases, seconds = (300, 10.0) if quick else (10_000, 60.0)
    with tempfile.TemporaryDirectory() as folder:
        node = RunningNode(Path(folder) / "home", "--port", "0", "--residents", "20000", "--no-feed")
        try:
            node.start()
            _fill(node, Path(folder), cases)
            stop = threading.Event()
            load = threading.Thread(target=_readings, args=(node, stop))
            load.start()
            try:
                return [asyncio.run(_ask(node, seconds, cases))]
            finally:
                stop.set()
                load.join()
        finally:
            node.stop()


def _fill(node: RunningNode, folder: Path, cases: int) -> None:
    """So many people in crisis, and 1,000 with a cuff that says nothing remarkable."""
    now = datetime.now(UTC)
    file = folder / "crises.csv"
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(("resident_id", "device_id", "metric", "observed_at", "value", "unit"))
        for n in range(cases):
            writer.writerow((f"bench-{n}", f"bench-cuff-{n}", "systolic_bp", now.isoformat(), 190, "mm[Hg]"))
        quiet = (now - timedelta(days=1)).isoformat()
        for n in range(1000):
            writer.writerow((f"calm-{n}", f"calm-cuff-{n}", "systolic_bp", quiet, 120, "mm[Hg]"))
    node.run("replay", str(file), "--as", "home.blood_pressure", "--enrol", timeout=1800)
    until(lambda: (node.status()["cases"]["open"] or 0) >= cases, 1800, f"{cases} open cases")


def _readings(node: RunningNode, stop: threading.Event) -> None:
    """1,000 readings a second in one batch of the community's gateway."""
    settings = Settings.running(node.home)
    publisher = Publisher(Credentials(broker.folder(settings)).get("gw-c0001"), broker.ports(settings).mqtt)
    due = time.monotonic()
    while not stop.wait(max(0.0, due - time.monotonic())):
        at = time.time_ns() // 1000
        columns = {
            "device_id": [f"calm-cuff-{n}" for n in range(1000)],
            "metric": "systolic_bp",
            "observed_at": [at] * 1000,
            "value": [120.0] * 1000,
            "unit": "mm[Hg]",
        }
        publisher.publish("readings/gw-c0001/batch", json.dumps({"columns": columns}).encode())
        due += 1.0
    publisher.close()


async def _sign_in(node: RunningNode, who: str) -> httpx.AsyncClient:
    client = httpx.AsyncClient(base_url=node.url, timeout=30, follow_redirects=True)
    page = (await client.get("/sign-in")).text
    form = page[: page.index(f'value="{who}"')].rindex("<form")
    hidden = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', page[form:].split("</form>")[0])
    answer = await client.post("/sign-in/demo", data=dict(hidden))
    assert answer.status_code == 200, answer.text[:500]
    return client


async def _ask(node: RunningNode, seconds: float, cases: int) -> Figure:
    personas = json.loads((node.home / "personas.json").read_text(encoding="utf-8"))
    chen = next(p["principal"]["resident_id"] for p in personas if p["principal"]["id"] == "chen-guilan")
    ids = [case["id"] for case in node.cases("--open")]
    choose = random.Random(1)
    pages: dict[str, list[str]] = {
        "li-min": [
            "/desk",
            "/desk?order=newest",
            "/desk?order=urgent",
            "/desk/owed",
            *(f"/desk/cases/{i}" for i in choose.sample(ids, 20)),
        ],
        "chen-guilan": ["/me", "/me/decisions", "/me/readings", "/me/journal"],
        "wang-lijuan": ["/family", f"/family/{chen}", f"/family/{chen}/readings"],
        "zhou-jing": ["/audit", "/audit/journal", "/audit/requests", "/"],
    }
    clients = {who: await _sign_in(node, who) for who in pages}
    turns = itertools.cycle(pages)
    took: list[float] = []
    by_page: dict[str, list[float]] = {}
    failed = 0

    async def one(who: str, path: str, due: float) -> None:
        nonlocal failed
        answer = await clients[who].get(path)
        spent = time.monotonic() - due
        failed += answer.status_code != 200
        took.append(spent)
        by_page.setdefault(re.sub(r"/c-[0-9a-f]+", "/…", path).replace(chen, "…"), []).append(spent)

    for who, paths in pages.items():
        for path in paths:
            await clients[who].get(path)
    began = time.monotonic()
    tasks = []
    for n in range(int(seconds * RATE)):
        due = began + n / RATE
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        who = next(turns)
        tasks.append(asyncio.create_task(one(who, choose.choice(pages[who]), due)))
    await asyncio.gather(*tasks)
    for client in clients.values():
        await client.aclose()
    slow = {path: round(float(np.percentile(values, 95)) * 1000, 1) for path, values in sorted(by_page.items())}
    return Figure(
        "any page, p95",
        round(float(np.percentile(took, 95)) * 1000, 1),
        "ms",
        f"{cases:,} open cases, intake at 1,000/s, 50 requests/s open loop for {seconds:g} s, one web process",
        goal=200,
        better="less",
        more={
            "p50_ms": round(float(np.median(took)) * 1000, 1),
            "failed": failed,
            **{f"p95 {p}": v for p, v in slow.items()},
        },
    )
