"""The desk: from a finding in the stream to an officer who was waiting, and the queue with 10,000 open cases.

A real broker and a real steward; the officer waits on the socket as a page does (`changes`, then `queue`).
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from tests.node.stewarding import Process, a_finding, make_home

from bench.table import Figure
from hucheng.base import stream
from hucheng.base.broker import Broker
from hucheng.base.rpcclient import Client, proxy
from hucheng.cases.desk import Desk
from hucheng.decisions.findings import encode
from hucheng.gate import Principal
from hucheng.node.home.rooms import open_rooms
from hucheng.settings import Settings


def measure(quick: bool) -> list[Figure]:
    """Fill a desk, then measure it."""
    cases, seconds, rate = (500, 5.0, 10.0) if quick else (10_000, 30.0, 20.0)
    with tempfile.TemporaryDirectory() as folder:
        settings = make_home(Path(folder) / "home", residents=cases + 1_000)
        broker = Broker(settings)
        broker.start()
        steward = Process(settings).start()
        try:
            return asyncio.run(_measure(settings, steward.who("emergency-1"), cases, seconds, rate))
        finally:
            steward.stop()
            broker.stop()


async def _measure(settings: Settings, officer: Principal, cases: int, seconds: float, rate: float) -> list[Figure]:
    people = _people(settings)
    client = Client(settings.socket)
    desk: Any = proxy(Desk, client, "desk")
    nats = await stream.connect(settings)
    filled = await _fill(nats, desk, people[:cases])
    pages = [
        await _timed(desk.queue(officer, limit=50, order=order)) for _ in range(100) for order in ("due", "urgent")
    ]
    whole = (await desk.queue(officer, limit=1)).total
    row = (await desk.queue(officer, limit=1)).cases[0]
    views = [await _timed(desk.case(officer, row.id)) for _ in range(100)]
    delays = await _watch(nats, desk, officer, people[cases:], seconds, rate)
    await nats.close()
    await client.close()
    under = f"{whole} open cases, over the socket, journal entry included, one caller"
    return [
        Figure("findings taken from the stream into cases", cases / filled, "/s", f"{cases} published at once"),
        Figure("queue page of 50 p95", _p(pages, 95), "ms", under, more={"p50_ms": _p(pages, 50)}),
        Figure("case page data p95", _p(views, 95), "ms", under, more={"p50_ms": _p(views, 50)}),
        Figure(
            "finding in the stream → waiting officer has it p99",
            _p(delays, 99),
            "ms",
            f"{rate:g} findings/s for {seconds:g} s, {whole} open cases",
            more={"p50_ms": _p(delays, 50)},
        ),
    ]


async def _fill(nats: Any, desk: Any, people: list[str]) -> float:
    """Publish a finding for each and wait until all are cases; seconds it took."""
    began = time.perf_counter()
    for start in range(0, len(people), 200):
        part = (a_finding(person) for person in people[start : start + 200])
        await asyncio.gather(*(stream.publish(nats, f"findings.{one.kind}", encode(one), one.id) for one in part))
    while (await desk.counts()).open < len(people):
        await asyncio.sleep(0.05)
    return time.perf_counter() - began


async def _watch(
    nats: Any, desk: Any, officer: Principal, people: list[str], seconds: float, rate: float
) -> list[float]:
    """Milliseconds from publishing a finding until the officer's queue shows its resident."""
    sent: dict[str, float] = {}
    seen: dict[str, float] = {}
    wanted = people[: int(seconds * rate)]

    async def wait() -> None:
        version = (await desk.queue(officer, limit=1)).version
        while len(seen) < len(wanted):
            version = await desk.changes(version, 10.0)
            for row in (await desk.queue(officer, limit=200, order="newest")).cases:
                if row.resident_id in sent:
                    seen.setdefault(row.resident_id, time.perf_counter())

    waiting = asyncio.create_task(wait())
    began = time.perf_counter()
    for n, person in enumerate(wanted):
        await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
        finding = a_finding(person)
        sent[person] = time.perf_counter()
        await stream.publish(nats, f"findings.{finding.kind}", encode(finding), finding.id)
    await asyncio.wait_for(waiting, 60)
    return [(seen[person] - sent[person]) * 1000 for person in wanted]


async def _timed(call: Any) -> float:
    began = time.perf_counter()
    await call
    return (time.perf_counter() - began) * 1000


def _p(values: list[float], q: float) -> float:
    return round(float(np.percentile(values, q)), 2)


def _people(settings: Settings) -> list[str]:
    rooms = open_rooms(settings)
    try:
        return [row["resident_id"] for row in rooms.registers.find("city.residents", {})]
    finally:
        rooms.close()
